use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SanType};

use crate::model::{IdentityName, TenantId};

use super::*;

/// A certificate with these alternative names.
fn certificate(uris: &[&str], change: impl FnOnce(&mut CertificateParams)) -> ClientCertificate {
    let mut params = CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
    for uri in uris {
        params
            .subject_alt_names
            .push(SanType::URI((*uri).try_into().unwrap()));
    }
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    ClientCertificate::new(params.self_signed(&key).unwrap().der())
}

fn mesh(name: &str, pattern: &str, tenant: TenantFrom) -> Identity {
    Identity {
        name: IdentityName::new(name).unwrap(),
        kind: Kind::Mtls(Mtls {
            spiffe: vec![SpiffePattern::parse(pattern).unwrap()],
        }),
        tenant,
        tenants: Vec::new(),
        groups: None,
    }
}

fn room(identities: Vec<Identity>) -> Certificates {
    Certificates::new(&Config {
        identities,
        claims: Vec::new(),
        answers: None,
    })
}

const BOT: &str = "spiffe://prod.example/ns/treasury/sa/bot";

#[test]
fn a_workload_is_its_spiffe_id() {
    let segment = TenantFrom::Segment(Box::from("ns"));
    let mut fenced = mesh("mesh", "spiffe://prod.example/ns/*/sa/*", segment);
    let certificate = certificate(&[BOT], |_| {});
    let open = room(vec![fenced.clone()]);
    for _ in 0..2 {
        let caller = open.authenticate(Some(&certificate)).unwrap().unwrap();
        assert_eq!(caller.id.as_str(), BOT);
        assert_eq!(
            (caller.identity.as_str(), caller.tenant.as_str()),
            ("mesh", "treasury")
        );
    }
    assert_eq!(open.authenticate(None), Ok(None));
    // What another policy found of the same connection does not count.
    fenced.tenants = vec![TenantId::new("acme").unwrap()];
    let refused = room(vec![fenced]).authenticate(Some(&certificate));
    assert!(matches!(refused, Err(CredentialError::TenantNotAllowed(_))));
    let other = mesh("other", "spiffe://prod.example/ns/*", TenantFrom::Default);
    let whole = mesh("whole", "spiffe://prod.example/**", TenantFrom::Default);
    assert_eq!(
        room(vec![other.clone()]).authenticate(Some(&certificate)),
        Ok(None)
    );
    let caller = room(vec![other, whole])
        .authenticate(Some(&certificate))
        .unwrap()
        .unwrap();
    assert_eq!(
        (caller.identity.as_str(), caller.tenant.as_str()),
        ("whole", "default")
    );
}

#[test]
fn a_certificate_that_is_not_of_one_workload_is_refused() {
    let whole = || {
        room(vec![mesh(
            "mesh",
            "spiffe://prod.example/**",
            TenantFrom::Default,
        )])
    };
    let cases = [
        certificate(&[BOT, "https://prod.example"], |_| {}),
        certificate(&[BOT, BOT], |_| {}),
        certificate(&["SPIFFE://prod.example/x"], |_| {}),
        certificate(&["spiffe://prod.example/../x"], |_| {}),
        certificate(&["spiffe://prod.example/a%2fb"], |_| {}),
        certificate(&[BOT], |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)
        }),
        ClientCertificate::new(b"no certificate"),
    ];
    for certificate in &cases {
        let refused = whole().authenticate(Some(certificate));
        assert!(
            matches!(refused, Err(CredentialError::CertificateInvalid(_))),
            "{certificate:?}"
        );
        assert_eq!(
            room(Vec::new()).authenticate(Some(certificate)),
            Ok(None),
            "nobody asks"
        );
    }
    for other in [
        certificate(&[], |_| {}),
        certificate(&["https://prod.example/x"], |_| {}),
    ] {
        assert_eq!(
            whole().authenticate(Some(&other)),
            Ok(None),
            "of another kind"
        );
    }
}
