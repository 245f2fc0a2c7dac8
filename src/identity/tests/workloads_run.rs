//! Workloads that bring their key in a token: good requests, and the table of bad ones.

use crate::model::Reason;

use super::workloads::{Case, ISSUER, Kit, Sent, WORKLOAD};
use super::*;
use crate::identity::signature::{self, KeyKind, Profile};

const PATTERN: &str = "spiffe://prod.example/ns/*/sa/*";

/// Of a caller with a key, beside the workload.
const API_KEY: &str = "lk-5f0b1e8c94a7423f8d0a6c2b7e913d55";

struct Stage {
    kit: Kit,
    room: Authenticator,
    _store: KeyStore,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(algorithm: signature::Algorithm) -> Self {
        Self::with(algorithm, WorkloadProofs::Signature)
    }

    fn with(algorithm: signature::Algorithm, proofs: WorkloadProofs) -> Self {
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
                    proofs,
                }),
                authority: None,
            }),
            tenant: TenantFrom::Segment("ns".into()),
            tenants: Vec::new(),
            groups: None,
        };
        let keys = folder.path().join("keys.json");
        let entry =
            json!({ "id": "desk", "tenant": "acme", "sha256": key_sha256(API_KEY.as_bytes()) });
        std::fs::write(&keys, json!({ "keys": [entry] }).to_string()).unwrap();
        let desk = Identity {
            name: IdentityName::new("desk").unwrap(),
            kind: Kind::ApiKey(ApiKey {
                header: HeaderName::from_static("x-api-key"),
                file: keys,
            }),
            tenant: TenantFrom::Entry,
            tenants: Vec::new(),
            groups: None,
        };
        let config = Config {
            identities: vec![identity, desk],
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

/// A request with a proof that has these claims instead.
fn proof(stage: &Stage, index: usize, case: &Value) -> Sent {
    let case: Case = serde_json::from_value(case.clone()).unwrap();
    stage.kit.request(&Kit::proofs(), &case, index, NOW)
}

#[tokio::test]
async fn a_workload_may_prove_by_a_token_that_it_holds_its_key() {
    for algorithm in [
        signature::Algorithm::EcdsaP256Sha256,
        signature::Algorithm::Ed25519,
        signature::Algorithm::RsaV15Sha256,
    ] {
        let stage = Stage::with(algorithm, WorkloadProofs::Token);
        let sent = proof(&stage, 0, &json!({ "proof": {} }));
        let principal = stage.ask(&sent).await.unwrap().principal;
        let caller = [
            principal.identity.as_str(),
            principal.id.as_str(),
            principal.tenant.as_str(),
        ];
        assert_eq!(caller, ["mesh", WORKLOAD, "acme"]);
        let detail = stage
            .ask(&sent)
            .await
            .unwrap_err()
            .detail
            .unwrap_or_default();
        assert_eq!(&*detail, "the workload proof token was used before");
    }
    let stage = Stage::with(signature::Algorithm::Ed25519, WorkloadProofs::Any);
    let good = [
        json!({ "proof": { "aud": "https://agent.example" } }),
        json!({ "proof": { "aud": "HTTPS://AGENT.example:443/reports?x=1#y" } }),
        json!({ "proof": { "aud": ["https://agent.example/reports"] } }),
        json!({ "proof": { "iat": null } }),
        json!({ "proof": { "exp": "{now-29}" } }),
        json!({ "proof": {}, "proof_header": { "typ": "application/WPT+jwt" } }),
        json!({ "proof": {}, "proof_field": "authorization", "proof_text": "wpt  PROOF" }),
        json!({ "proof": { "ath": "of:abc" }, "headers": [["authorization", "Bearer abc"]] }),
        json!({ "proof": { "tth": "hash:txn-token" }, "headers": [["txn-token", "abc"]] }),
        json!({ "proof": { "oth": { "x-user": "hash:x-user" } }, "headers": [["x-user", "abc"]] }),
        json!({ "proof": { "example.com/more": [1] } }),
    ];
    for (index, case) in good.iter().enumerate() {
        let sent = proof(&stage, index + 1, case);
        let caller = stage.ask(&sent).await;
        assert!(caller.is_ok(), "{case}: {:?}", caller.unwrap_err());
    }
    // Either counts there, and both are one caller.
    let signed = stage.kit.request(&Kit::table(), &Case::default(), 20, NOW);
    stage.ask(&signed).await.unwrap();
    let proved = proof(&stage, 22, &json!({ "proof": {} }));
    let token = proved.headers["workload-identity-token"].to_str().unwrap();
    let same = serde_json::from_value(json!({ "token": token })).unwrap();
    let mut both = stage.kit.request(&Kit::table(), &same, 21, NOW);
    let field = "workload-proof-token";
    both.headers.insert(field, proved.headers[field].clone());
    let caller = stage.ask(&both).await.unwrap();
    assert!(caller.beside.is_empty() && caller.content.is_some());
    assert!(stage.room.fields().any(|name| name == field));
}

#[tokio::test]
async fn no_bad_proof_of_a_workload_counts_and_each_says_why() {
    let stage = Stage::with(signature::Algorithm::EcdsaP256Sha256, WorkloadProofs::Token);
    let table = Kit::proofs();
    let mut wrong = Vec::new();
    for (index, case) in table.cases.iter().enumerate() {
        let sent = stage.kit.request(&table, case, index, NOW);
        let said = match stage.ask(&sent).await {
            Ok(_) => "it counts".to_owned(),
            Err(refusal) => refusal.detail.unwrap_or_default().to_string(),
        };
        if said != case.expect {
            let Case { name, expect, .. } = case;
            wrong.push(format!("{name}:\n  expected {expect}\n  got      {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(table.cases.len() >= 70, "{}", table.cases.len());
}

#[tokio::test]
async fn each_counts_only_where_the_policy_takes_it() {
    let signing = Stage::new(signature::Algorithm::Ed25519);
    let sent = proof(&signing, 0, &json!({ "proof": {} }));
    let detail = signing
        .ask(&sent)
        .await
        .unwrap_err()
        .detail
        .unwrap_or_default();
    assert_eq!(
        &*detail,
        "a workload identity token without a signature by its key"
    );
    let proving = Stage::with(signature::Algorithm::Ed25519, WorkloadProofs::Token);
    let sent = proving.kit.request(&Kit::table(), &Case::default(), 0, NOW);
    let refusal = proving.ask(&sent).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::CredentialInvalid);
}

#[tokio::test]
async fn what_else_names_the_caller_must_be_bound_to_the_proof() {
    let stage = Stage::with(signature::Algorithm::Ed25519, WorkloadProofs::Token);
    let key = ["x-api-key", API_KEY];
    let sent = proof(&stage, 0, &json!({ "proof": {}, "headers": [key] }));
    let detail = stage
        .ask(&sent)
        .await
        .unwrap_err()
        .detail
        .unwrap_or_default();
    assert_eq!(
        &*detail,
        "the workload proof token is not bound (`oth`) to the token in the field `x-api-key`"
    );
    let bound = json!({ "proof": { "oth": { "x-api-key": "hash:x-api-key" } }, "headers": [key] });
    let caller = stage.ask(&proof(&stage, 1, &bound)).await.unwrap();
    assert_eq!(caller.principal.id.as_str(), WORKLOAD);
    assert_eq!(caller.beside[0].id.as_str(), "desk");
}
