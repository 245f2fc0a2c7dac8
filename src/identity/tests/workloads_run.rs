//! Workloads that bring their key in a token: good requests, and the table of bad ones.

use crate::model::Reason;

use super::workloads::{Case, ISSUER, Kit, Sent, WORKLOAD};
use super::*;
use crate::identity::signature::{self, KeyKind, Profile};

const PATTERN: &str = "spiffe://prod.example/ns/*/sa/*";

struct Stage {
    kit: Kit,
    room: Authenticator,
    _store: KeyStore,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(algorithm: signature::Algorithm) -> Self {
        let kit = Kit::new(algorithm);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wit.json");
        std::fs::write(&file, kit.issuer.jwks()).unwrap();
        let profile = Profile::Wimse;
        let identity = Identity {
            name: IdentityName::new("mesh").unwrap(),
            kind: Kind::Signature(SignedRequests {
                kind: KeyKind::Public,
                keys: SecretSource::File(PathBuf::new()),
                tag: profile.tag().map(Box::from),
                requirements: profile.requirements(),
                algorithm: None,
                key_urls: None,
                workloads: Some(WorkloadTokens {
                    issuer: ISSUER.to_owned(),
                    keys: KeySource::File(file),
                    max_stale: Duration::from_secs(60),
                    leeway: Duration::from_secs(30),
                    workloads: Mtls {
                        spiffe: vec![SpiffePattern::parse(PATTERN).unwrap()],
                    },
                    audiences: vec!["https://agent.example".to_owned()],
                }),
                authority: None,
            }),
            tenant: TenantFrom::Segment("ns".into()),
            tenants: Vec::new(),
            groups: None,
        };
        let config = Config {
            identities: vec![identity],
            ..Config::default()
        };
        let store = KeyStore::new(Handle::current()).remembering(replay::Memory::since(0));
        Self {
            kit,
            room: Authenticator::new(&config, &store),
            _store: store,
            _folder: folder,
        }
    }

    async fn ask(&self, sent: &Sent) -> Result<Caller, Refusal> {
        let method = sent.method.parse().unwrap();
        let uri = sent.target.parse().unwrap();
        let presented = Presented {
            headers: &sent.headers,
            method: &method,
            uri: &uri,
            is_tls: false,
            host: None,
            has_content: true,
            client: None,
        };
        let caller = self.room.authenticate(presented, now()).await?;
        let content = caller.content.as_ref();
        let checked = content.map_or(Ok(()), |digest| digest.check(sent.body.as_bytes()));
        checked.map_err(CredentialError::from)?;
        Ok(caller)
    }
}

#[tokio::test]
async fn a_workload_is_known_by_the_name_in_its_token() {
    let table = Kit::table();
    for algorithm in [
        signature::Algorithm::EcdsaP256Sha256,
        signature::Algorithm::Ed25519,
        signature::Algorithm::RsaPssSha512,
    ] {
        let stage = Stage::new(algorithm);
        let sent = stage.kit.request(&table, &Case::default(), 0, NOW);
        let principal = stage.ask(&sent).await.unwrap().principal;
        let caller = [
            principal.identity.as_str(),
            principal.id.as_str(),
            principal.tenant.as_str(),
        ];
        assert_eq!(caller, ["mesh", WORKLOAD, "acme"]);
        // The same again is a replay; a fresh one is not.
        let refusal = stage.ask(&sent).await.unwrap_err();
        let detail = refusal.detail.unwrap_or_default();
        assert_eq!(&*detail, "the `nonce` was used before");
        let sent = stage.kit.request(&table, &Case::default(), 1, NOW);
        stage.ask(&sent).await.unwrap();
    }
    let stage = Stage::new(signature::Algorithm::Ed25519);
    assert!(
        stage
            .room
            .fields()
            .any(|name| name == "workload-identity-token")
    );
}

#[tokio::test]
async fn no_bad_request_of_a_workload_counts_and_each_says_why() {
    let stage = Stage::new(signature::Algorithm::EcdsaP256Sha256);
    let table = Kit::table();
    let mut wrong = Vec::new();
    for (index, case) in table.cases.iter().enumerate() {
        let sent = stage.kit.request(&table, case, index, NOW);
        let said = match stage.ask(&sent).await {
            Ok(_) => "it counts".to_owned(),
            Err(refusal) => {
                assert_eq!(refusal.reason, Reason::CredentialInvalid, "{}", case.name);
                refusal.detail.unwrap_or_default().to_string()
            }
        };
        if said != case.expect {
            let Case { name, expect, .. } = case;
            wrong.push(format!("{name}:\n  expected {expect}\n  got      {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(table.cases.len() >= 60, "{}", table.cases.len());
}
