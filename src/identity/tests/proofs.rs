//! Tokens that are bound to a key or to a certificate, and tokens in fields of their own.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;

use crate::model::{Challenge, Reason};

use super::*;

fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// The thumbprint of a key (RFC 7638).
fn thumbprint(minter: &TokenMinter) -> String {
    let jwk = minter.jwk();
    let mut required = jwk.as_object().unwrap().clone();
    required.retain(|name, _| ["crv", "e", "kty", "n", "x", "y"].contains(&name.as_str()));
    // serde_json writes keys in their order.
    sha256(&Value::Object(required).to_string())
}

/// The public key as proofs carry it.
fn public(minter: &TokenMinter) -> Value {
    let mut jwk = minter.jwk();
    for name in ["kid", "use", "alg"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    jwk
}

/// A proof for this token and `GET https://agent.example/`, with these claims instead.
fn proof(minter: &TokenMinter, token: &str, changes: &Value) -> String {
    let id = uuid::Uuid::now_v7().to_string();
    let mut claims = json!({
        "jti": id, "htm": "GET", "htu": "https://agent.example/", "iat": NOW, "ath": sha256(token),
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let alg = minter.jwk()["alg"].clone();
    let header = json!({"typ": "dpop+jwt", "alg": alg, "jwk": public(minter)});
    sign(minter, &header, &claims)
}

fn sign(minter: &TokenMinter, header: &Value, claims: &Value) -> String {
    let (header, claims) = (header.to_string(), claims.to_string());
    minter.sign(header.as_bytes(), claims.as_bytes()).unwrap()
}

fn bound(minter: &TokenMinter) -> String {
    mint(&json!({"cnf": {"jkt": thumbprint(minter)}}))
}

fn with_proofs(token: &str, proofs: &[&str]) -> HeaderMap {
    let mut headers = head(&[&format!("DPoP {token}")]);
    for proof in proofs {
        headers.append("dpop", proof.parse().unwrap());
    }
    headers
}

impl Fixture {
    async fn present(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Refusal> {
        let caller = self.room.authenticate(presented(headers), now()).await?;
        Ok(caller.principal)
    }
}

#[tokio::test]
async fn a_bound_token_is_good_with_a_proof_of_each_algorithm() {
    let fixture = Fixture::new(|_| {});
    for algorithm in Algorithm::ALL
        .iter()
        .filter(|algorithm| !algorithm.is_shared())
    {
        let caller = minter(*algorithm);
        let token = bound(&caller);
        for _ in 0..2 {
            let proof = proof(&caller, &token, &json!({}));
            let headers = with_proofs(&token, &[&proof]);
            let principal = fixture.present(&headers).await.unwrap();
            assert_eq!(principal.id.as_str(), "ana");
        }
        // Known by now, and no better for it.
        let refusal = fixture
            .present(&with_proofs(&token, &[]))
            .await
            .unwrap_err();
        assert_eq!(refusal.detail.as_deref(), Some("the DPoP proof is missing"));
        assert_eq!(refusal.challenge, Some(Challenge::DpopProof));
    }
}

#[tokio::test]
async fn the_scheme_is_the_one_that_the_token_is_for() {
    let fixture = Fixture::new(|_| {});
    let token = bound(&P256);
    let good = proof(&P256, &token, &json!({}));
    let mut borne = bearer(&token);
    borne.append("dpop", good.parse().unwrap());
    let refusal = fixture.present(&borne).await.unwrap_err();
    assert_eq!(
        refusal.detail.as_deref(),
        Some("the token is bound to a key (`cnf`) and was presented without a proof")
    );
    assert_eq!(refusal.challenge, Some(Challenge::DpopToken));

    let unbound = mint(&json!({}));
    let headers = with_proofs(&unbound, &[&proof(&P256, &unbound, &json!({}))]);
    let refusal = fixture.present(&headers).await.unwrap_err();
    assert_eq!(
        refusal.detail.as_deref(),
        Some("the token is not bound to a key and was presented as if it were")
    );
    assert_eq!(refusal.reason, Reason::CredentialInvalid);

    // What is wrong with the token itself is told under the same scheme.
    let expired = mint(&json!({"exp": NOW - 40}));
    let refusal = fixture
        .present(&with_proofs(&expired, &[&good]))
        .await
        .unwrap_err();
    assert_eq!(refusal.detail.as_deref(), Some("token expired 10s ago"));
    assert_eq!(refusal.challenge, Some(Challenge::DpopToken));

    let strict = Fixture::new(|identity| jwt(identity).require_dpop = true);
    let refusal = strict.present(&bearer(&unbound)).await.unwrap_err();
    assert_eq!(
        refusal.detail.as_deref(),
        Some("the token is not bound to a key, as the policy demands")
    );
    assert!(strict.present(&with_proofs(&token, &[&good])).await.is_ok());
}

#[tokio::test]
async fn a_proof_counts_once_also_after_a_reload() {
    let fixture = Fixture::new(|_| {});
    let token = bound(&P256);
    let proof = proof(&P256, &token, &json!({}));
    let headers = with_proofs(&token, &[&proof]);
    assert!(fixture.present(&headers).await.is_ok());
    let again = fixture.present(&headers).await.unwrap_err();
    assert_eq!(
        again.detail.as_deref(),
        Some("the DPoP proof was used before")
    );
    let reloaded = Authenticator::new(
        &Config {
            claims: Vec::new(),
            answers: None,
            identities: vec![identity(KeySource::File(fixture.file()))],
        },
        &fixture.store,
    );
    let again = reloaded.authenticate(presented(&headers), now()).await;
    let detail = again.unwrap_err().detail;
    assert_eq!(detail.as_deref(), Some("the DPoP proof was used before"));
}

#[tokio::test]
async fn every_fault_of_a_proof_is_refused_and_told_apart() {
    let fixture = Fixture::new(|_| {});
    let token = bound(&P256);
    let good = proof(&P256, &token, &json!({}));
    let jwk = public(&P256);
    let claims = json!({
        "jti": "a", "htm": "GET", "htu": "https://agent.example/", "iat": NOW, "ath": sha256(&token),
    });
    let with_header = |header: Value| sign(&P256, &header, &claims);
    let with = |changes: Value| proof(&P256, &token, &changes);
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        sign(
            &P256,
            &json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}),
            &claims,
        )
    };
    let mut private = jwk.clone();
    private["d"] = json!("AAAA");
    let mut off_curve = jwk.clone();
    off_curve["y"] = off_curve["x"].clone();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let other = minter(Algorithm::Es256);
    let cases: Vec<(Vec<String>, &str)> = vec![
        (vec![], "is missing"),
        (
            vec![good.clone(), good.clone()],
            "stands there more than once",
        ),
        (vec![format!("{good}, {good}")], "has a malformed form"),
        (vec!["x".to_owned()], "has a malformed form"),
        (vec!["a.b.c.d.e".to_owned()], "has a malformed form"),
        (vec!["x".repeat(8193)], "is longer than 8 KiB"),
        (
            vec![format!("{good}=")],
            "has a signature that is not canonical base64url",
        ),
        (
            vec![format!("{signed}.")],
            "has a signature that does not verify",
        ),
        (
            vec![format!("{signed}.{}", URL_SAFE_NO_PAD.encode([0; 64]))],
            "has a signature that does not verify",
        ),
        (
            vec![with_header(
                json!({"typ": "JWT", "alg": "ES256", "jwk": jwk}),
            )],
            "is not of the type `dpop+jwt`",
        ),
        (
            vec![with_header(json!({"alg": "ES256", "jwk": jwk}))],
            "is not of the type `dpop+jwt`",
        ),
        (
            vec![with_header(json!({"typ": "dpop+jwt", "jwk": jwk}))],
            "has a malformed header",
        ),
        (
            vec![with_header(
                json!({"typ": "dpop+jwt", "alg": "none", "jwk": jwk}),
            )],
            "is signed with `none`, which is not allowed",
        ),
        (
            vec![with_header(
                json!({"typ": "dpop+jwt", "alg": "HS256", "jwk": jwk}),
            )],
            "is signed with `HS256`, which is not allowed",
        ),
        (
            vec![with_header(
                json!({"typ": "dpop+jwt", "alg": "ES384", "jwk": jwk}),
            )],
            "brings a key that cannot be used",
        ),
        (
            vec![with_header(json!({"typ": "dpop+jwt", "alg": "ES256"}))],
            "brings no key",
        ),
        (
            vec![with_header(
                json!({"typ": "dpop+jwt", "alg": "ES256", "kid": "x", "jwk": "x"}),
            )],
            "brings no key",
        ),
        (
            vec![with_header(
                json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": private}),
            )],
            "brings a private key",
        ),
        (
            vec![with_header(
                json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": off_curve}),
            )],
            "brings a key that cannot be used",
        ),
        (
            vec![with_header(
                json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk, "crit": ["x"], "x": 1}),
            )],
            "demands an extension (`crit`) that is not understood",
        ),
        (
            vec![proof(&other, &token, &json!({}))],
            "is signed with another key than the token is bound to",
        ),
        (
            vec![sign(
                &other,
                &json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}),
                &claims,
            )],
            "has a signature that does not verify",
        ),
        (vec![without("jti")], "lacks the claim `jti`"),
        (vec![without("htm")], "lacks the claim `htm`"),
        (vec![without("htu")], "lacks the claim `htu`"),
        (vec![without("iat")], "lacks the claim `iat`"),
        (vec![without("ath")], "lacks the claim `ath`"),
        (
            vec![with(json!({"jti": ""}))],
            "has a claim `jti` of the wrong type",
        ),
        (
            vec![with(json!({"jti": 7}))],
            "has a claim `jti` of the wrong type",
        ),
        (
            vec![with(json!({"jti": "x".repeat(513)}))],
            "has a claim `jti` of the wrong type",
        ),
        (
            vec![with(json!({"iat": "now"}))],
            "has a claim `iat` of the wrong type",
        ),
        (
            vec![with(json!({"htm": "POST"}))],
            "is for the method `POST`",
        ),
        (vec![with(json!({"htm": "get"}))], "is for the method `get`"),
        (
            vec![with(json!({"htu": "https://agent.example/other"}))],
            "is for the target `https://agent.example/other`",
        ),
        (
            vec![with(json!({"htu": "http://agent.example/"}))],
            "is for the target `http://agent.example/`",
        ),
        (vec![with(json!({"htu": "/"}))], "is for the target `/`"),
        (vec![with(json!({"iat": NOW - 90}))], "is too old"),
        (
            vec![with(json!({"iat": NOW + 31}))],
            "is issued in the future",
        ),
        (
            vec![with(json!({"ath": sha256("other")}))],
            "is for another token",
        ),
        (vec![with(json!({"ath": ""}))], "is for another token"),
    ];
    for (proofs, expected) in cases {
        let proofs: Vec<_> = proofs.iter().map(String::as_str).collect();
        let refusal = fixture
            .present(&with_proofs(&token, &proofs))
            .await
            .unwrap_err();
        let expected = format!("the DPoP proof {expected}");
        assert_eq!(
            refusal.detail.as_deref(),
            Some(expected.as_str()),
            "{proofs:?}"
        );
        assert_eq!(refusal.reason, Reason::CredentialInvalid);
        assert_eq!(refusal.challenge, Some(Challenge::DpopProof));
    }
    // None of them was taken: the good one still counts.
    assert!(
        fixture
            .present(&with_proofs(&token, &[&good]))
            .await
            .is_ok()
    );
    for changes in [
        json!({"iat": NOW - 89}),
        json!({"iat": NOW + 30}),
        json!({"htu": "HTTPS://AGENT.example:443/?q#f"}),
    ] {
        let headers = with_proofs(&token, &[&with(changes.clone())]);
        assert!(fixture.present(&headers).await.is_ok(), "{changes}");
    }
}

#[tokio::test]
async fn the_target_is_the_one_that_the_caller_asked() {
    let fixture = Fixture::new(|_| {});
    let token = bound(&P256);
    let ask = async |htu: &str, uri: &str, host: Option<&str>, told: Option<&str>, is_tls: bool| {
        let proof = proof(&P256, &token, &json!({"htu": htu}));
        let mut headers = with_proofs(&token, &[&proof]);
        if let Some(host) = host {
            headers.insert("host", host.parse().unwrap());
        }
        let told = told.map(|host| HeaderValue::from_str(host).unwrap());
        let uri: Uri = uri.parse().unwrap();
        let presented = Presented {
            uri: &uri,
            host: told.as_ref(),
            is_tls,
            ..presented(&headers)
        };
        fixture.room.authenticate(presented, now()).await.is_ok()
    };
    // HTTP/1.1 says `Host`, HTTP/2 `:authority`, and a trusted peer wins over both.
    assert!(
        ask(
            "https://a.example/x",
            "/x?q=1",
            Some("a.example"),
            None,
            true
        )
        .await
    );
    assert!(
        ask(
            "https://a.example/x",
            "https://a.example/x",
            None,
            None,
            true
        )
        .await
    );
    assert!(
        ask(
            "https://a.example/x",
            "/x",
            Some("inner:8080"),
            Some("a.example"),
            true
        )
        .await
    );
    assert!(
        !ask(
            "https://inner:8080/x",
            "/x",
            Some("inner:8080"),
            Some("a.example"),
            true
        )
        .await
    );
    assert!(ask("http://a.example/x", "/x", Some("a.example"), None, false).await);
    assert!(!ask("https://a.example/x", "/x", Some("a.example"), None, false).await);
    assert!(!ask("https://a.example/x", "/x", None, None, true).await);
    assert!(!ask("https://a.example/x", "/x", Some("b.example"), None, true).await);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_needs_that_connection() {
    let fixture = Fixture::new(|_| {});
    let (ours, theirs) = (&[1; 40][..], &[2; 40][..]);
    let hash = digest(&SHA256, ours);
    let token = mint(&json!({"cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode(hash)}}));
    let headers = bearer(&token);
    let ask = async |leaf: Option<&[u8]>| {
        let client = leaf.map(ClientCertificate::new);
        let presented = Presented {
            client: client.as_ref(),
            ..presented(&headers)
        };
        let outcome = fixture.room.authenticate(presented, now()).await;
        outcome
            .err()
            .map(|refusal| refusal.detail.unwrap().to_string())
    };
    assert_eq!(ask(Some(ours)).await, None);
    for (leaf, expected) in [
        (
            Some(theirs),
            "the token is bound to another client certificate",
        ),
        (
            None,
            "the token is bound to a client certificate and was presented without one",
        ),
    ] {
        // The second time it is known.
        assert_eq!(ask(leaf).await.as_deref(), Some(expected));
    }
    assert_eq!(fixture.room.tokens.cached(), 1);
}

#[tokio::test]
async fn other_bindings_are_refused() {
    let fixture = Fixture::new(|_| {});
    let unknown = "the token is bound (`cnf`) in a way that is not understood: ";
    let jkt = thumbprint(&P256);
    let cases = [
        (json!({}), format!("{unknown}``")),
        (json!({"jwk": P256.jwk()}), format!("{unknown}`jwk`")),
        (json!({"kid": "x"}), format!("{unknown}`kid`")),
        (json!({"jkt": jkt, "x": 1}), format!("{unknown}`x`")),
        (json!("x"), "claim `cnf` is not an object".to_owned()),
        (json!([]), "claim `cnf` is not an object".to_owned()),
        (
            json!({"jkt": 7}),
            "claim `cnf.jkt` is not a SHA-256 in base64url".to_owned(),
        ),
        (
            json!({"jkt": format!("{jkt}=")}),
            "claim `cnf.jkt` is not a SHA-256 in base64url".to_owned(),
        ),
        (
            json!({"x5t#S256": "AAAA"}),
            "claim `cnf.x5t#S256` is not a SHA-256 in base64url".to_owned(),
        ),
    ];
    for (cnf, expected) in cases {
        let token = mint(&json!({"cnf": cnf}));
        let error = fixture.verify(&token).await.unwrap_err();
        assert_eq!(error.to_string(), expected, "{cnf}");
    }
}

#[tokio::test]
async fn a_token_in_a_field_of_its_own_counts_there_and_nowhere_else() {
    let iap = HeaderName::from_static("x-goog-iap-jwt-assertion");
    let fixture = Fixture::new(|identity| jwt(identity).header = Some(iap.clone()));
    let good = mint(&json!({}));
    let with = |values: &[&str]| {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(&iap, value.parse().unwrap());
        }
        headers
    };
    assert_eq!(
        fixture.present(&with(&[&good])).await.unwrap().id.as_str(),
        "ana"
    );
    assert!(fixture.room.fields().any(|field| *field == iap));
    // No identity looks there, so that it is no credential.
    assert!(
        fixture
            .present(&bearer(&good))
            .await
            .unwrap()
            .is_anonymous()
    );
    assert!(
        fixture
            .present(&HeaderMap::new())
            .await
            .unwrap()
            .is_anonymous()
    );
    let prefixed = format!("Bearer {good}");
    let cases = [
        (
            vec![&*good, &*good],
            "more than one `x-goog-iap-jwt-assertion` field",
        ),
        (
            vec![""],
            "the `x-goog-iap-jwt-assertion` field is malformed",
        ),
        (
            vec![&*prefixed],
            "the `x-goog-iap-jwt-assertion` field is malformed",
        ),
        (vec!["x"], "the token's form is malformed"),
    ];
    for (values, expected) in cases {
        let refusal = fixture.present(&with(&values)).await.unwrap_err();
        assert_eq!(refusal.detail.as_deref(), Some(expected), "{values:?}");
    }
}

#[tokio::test]
async fn of_several_tokens_each_has_to_be_good_and_the_first_names_the_caller() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, jwks(&[&ED25519])).unwrap();
    let first = identity(KeySource::File(file.clone()));
    let mut second = first.clone();
    second.name = IdentityName::new("edge").unwrap();
    jwt(&mut second).header = Some(HeaderName::from_static("x-edge-token"));
    let store = KeyStore::new(Handle::current());
    let config = Config {
        claims: Vec::new(),
        answers: None,
        identities: vec![second, first],
    };
    let room = Authenticator::new(&config, &store);
    let ask = async |own: &str, edge: &str| {
        let mut headers = bearer(own);
        headers.insert("x-edge-token", edge.parse().unwrap());
        let caller = room.authenticate(presented(&headers), now()).await;
        caller.map(|caller| caller.principal)
    };
    let (ana, bob) = (mint(&json!({})), mint(&json!({"sub": "bob"})));
    let globex = mint(&json!({"org_id": "globex"}));
    for _ in 0..2 {
        let principal = ask(&ana, &bob).await.unwrap();
        assert_eq!(
            (principal.id.as_str(), principal.identity.as_str()),
            ("ana", "corp")
        );
        let reason = ask(&ana, &globex).await.unwrap_err().reason;
        assert_eq!(reason, Reason::TenantUnknown);
        let reason = ask(&ana, "x").await.unwrap_err().reason;
        assert_eq!(reason, Reason::CredentialInvalid);
        let reason = ask("x", &bob).await.unwrap_err().reason;
        assert_eq!(reason, Reason::CredentialInvalid);
        // What was remembered for one place does not count in the other's name.
        let principal = ask(&bob, &ana).await.unwrap();
        assert_eq!(
            (principal.id.as_str(), principal.identity.as_str()),
            ("bob", "corp")
        );
    }
}
