//! What becomes of good tokens: who calls, for which tenant, and how long that is remembered.

use crate::model::Reason;

use super::*;

#[tokio::test]
async fn a_good_token_of_each_algorithm_becomes_a_principal() {
    let asymmetric = Algorithm::ALL
        .iter()
        .filter(|algorithm| !algorithm.is_shared());
    let minters: Vec<_> = asymmetric.map(|algorithm| minter(*algorithm)).collect();
    let fixture = Fixture::new(|_| {});
    let set = jwks(&minters.iter().collect::<Vec<_>>());
    std::fs::write(fixture.file(), set).unwrap();
    for minter in &minters {
        let token = minter.mint(&claims()).unwrap();
        let headers = bearer(&token);
        let principal = fixture
            .room
            .authenticate(presented(&headers), now())
            .await
            .map(of_caller)
            .unwrap();
        assert_eq!(principal.identity.as_str(), "corp");
        assert_eq!(principal.id.as_str(), "ana");
        assert_eq!(principal.tenant.as_str(), "acme");
        assert_eq!(
            principal.groups,
            [Box::from("analysts"), Box::from("staff")]
        );
    }
}

#[tokio::test]
async fn an_rsa_key_that_does_not_say_for_what_serves_every_rsa_algorithm() {
    let named = |key: &str| {
        let mut jwk = RSA.jwk();
        jwk["alg"] = json!(key);
        jwk
    };
    let mut any = RSA.jwk();
    any.as_object_mut().unwrap().remove("alg");
    let all = ["PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];
    for (key, verifies) in [
        (named("RS256"), &["RS256"][..]),
        (named("PS512"), &["PS512"][..]),
        (any, &all[..]),
    ] {
        let fixture = Fixture::new(|_| {});
        std::fs::write(fixture.file(), json!({"keys": [key]}).to_string()).unwrap();
        for algorithm in all {
            // RSA signs as RS256 here: with the right key and another algorithm it is the signature that is wrong.
            let header = json!({"alg": algorithm, "kid": RSA.key_id()}).to_string();
            let token = RSA.sign(header.as_bytes(), claims().to_string().as_bytes());
            let outcome = fixture.verify(&token.unwrap()).await;
            let expected = match (verifies.contains(&algorithm), algorithm) {
                (true, "RS256") => None,
                (true, _) => Some(CredentialError::BadSignature),
                (false, _) => Some(CredentialError::AlgorithmMismatch(
                    Algorithm::named(algorithm).unwrap().as_str(),
                )),
            };
            assert_eq!(outcome.err(), expected, "{key} {algorithm}");
        }
    }
}

fn with_shared_key(key: &[u8], change: impl FnOnce(&mut Identity)) -> Fixture {
    // An editor's line break is no part of it.
    let key = [key, b"\r\n"].concat();
    Fixture::new(move |identity| {
        let rules = jwt(identity);
        let KeySource::File(file) = rules.keys.clone() else {
            panic!("the fixture's keys lie in a file");
        };
        let file = file.with_file_name("shared");
        std::fs::write(&file, key).unwrap();
        let place = SecretSource::File(file);
        rules.keys = KeySource::Shared { place, least: 32 };
        let all = Algorithm::ALL.iter().copied();
        rules.algorithms = all.filter(|algorithm| algorithm.is_shared()).collect();
        change(identity);
    })
}

#[tokio::test]
async fn a_shared_key_verifies_what_it_is_long_enough_for_and_nothing_else() {
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let minter = minter(algorithm);
        let key = minter.shared_key().unwrap();
        let fixture = with_shared_key(key, |identity| jwt(identity).algorithms = vec![algorithm]);
        let token = minter.mint(&claims()).unwrap();
        assert_eq!(fixture.verify(&token).await.unwrap().id.as_str(), "ana");
        let (signed, _) = token.rsplit_once('.').unwrap();
        for forged in [
            self::minter(algorithm).mint(&claims()).unwrap(),
            format!("{signed}.AAAA"),
            format!("{signed}."),
        ] {
            let error = fixture.verify(&forged).await.unwrap_err();
            assert_eq!(error, CredentialError::BadSignature);
        }
        let error = fixture.verify(&mint(&json!({}))).await.unwrap_err();
        let name = Excerpt::new("EdDSA");
        assert_eq!(error, CredentialError::AlgorithmNotAllowed(name));
    }
    let short = minter(Algorithm::Hs256);
    let fixture = with_shared_key(short.shared_key().unwrap(), |identity| {
        if let KeySource::Shared { least, .. } = &mut jwt(identity).keys {
            *least = 48;
        }
    });
    let error = fixture.verify(&short.mint(&claims()).unwrap()).await;
    assert!(matches!(
        error.unwrap_err(),
        CredentialError::KeysUnavailable(_)
    ));
    let state = &fixture.store.state()[0];
    let told = state.error.as_deref().unwrap();
    assert_eq!(told, "the shared key has less than 48 bytes");
    assert!(!state.is_loaded());
}

#[tokio::test]
async fn a_shared_key_is_read_again_and_never_shown() {
    let (old, new) = (minter(Algorithm::Hs256), minter(Algorithm::Hs256));
    let fixture = with_shared_key(old.shared_key().unwrap(), |_| {});
    let token = old.mint(&claims()).unwrap();
    fixture.verify(&token).await.unwrap();
    let shown = format!("{:?} {:?}", fixture.room, fixture.store);
    let secret = old.shared_key().unwrap();
    let digest = blake3::hash(secret).to_hex().to_string();
    assert!(!shown.contains(&digest) && !shown.contains(&format!("{secret:?}")));
    let file = fixture.file().with_file_name("shared");
    let next = [new.shared_key().unwrap(), b"\n"].concat();
    std::fs::write(&file, next).unwrap();
    let fresh = new.mint(&claims()).unwrap();
    for _ in 0..200 {
        if fixture.verify(&fresh).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fixture.verify(&fresh).await.unwrap();
    let error = fixture.verify(&token).await.unwrap_err();
    assert_eq!(error, CredentialError::BadSignature);
}

#[tokio::test]
async fn a_policy_can_demand_an_access_token_by_its_type() {
    let fixture = Fixture::new(|identity| jwt(identity).require_access_token = true);
    let with_type = |kind: Value| {
        let mut header = json!({"alg": "EdDSA", "kid": ED25519.key_id()});
        if !kind.is_null() {
            header["typ"] = kind;
        }
        let payload = claims().to_string();
        ED25519
            .sign(header.to_string().as_bytes(), payload.as_bytes())
            .unwrap()
    };
    for kind in ["at+jwt", "application/AT+JWT"] {
        assert!(fixture.verify(&with_type(json!(kind))).await.is_ok());
    }
    assert_eq!(
        fixture.verify(&with_type(json!("JWT"))).await.unwrap_err(),
        CredentialError::WrongType(Excerpt::new("JWT"))
    );
    assert_eq!(
        fixture.verify(&with_type(Value::Null)).await.unwrap_err(),
        CredentialError::TypeMissing
    );
}

#[tokio::test]
async fn the_tenant_must_be_named_and_be_the_issuers_to_name() {
    let fixture = Fixture::new(|identity| {
        identity.tenant = TenantFrom::Claim(ClaimPath(vec![Box::from("realm"), Box::from("org")]));
        identity.tenants = vec![TenantId::new("acme").unwrap()];
    });
    let cases = [
        (json!({"realm": {"org": "acme"}}), None),
        (
            json!({"realm": {"org": "globex"}}),
            Some(Reason::TenantUnknown),
        ),
        (json!({"realm": {}}), Some(Reason::TenantUnknown)),
        (json!({}), Some(Reason::TenantUnknown)),
        (json!({"realm": "acme"}), Some(Reason::CredentialInvalid)),
        (
            json!({"realm": {"org": ["acme"]}}),
            Some(Reason::CredentialInvalid),
        ),
    ];
    for (changes, expected) in cases {
        let outcome = fixture
            .room
            .authenticate(presented(&bearer(&mint(&changes))), now())
            .await
            .map(of_caller);
        assert_eq!(
            outcome.err().map(|refusal| refusal.reason),
            expected,
            "{changes}"
        );
    }
}

#[tokio::test]
async fn no_issuer_speaks_for_the_anonymous_tenant_and_without_a_claim_it_is_default() {
    let fixture = Fixture::new(|_| {});
    assert_eq!(
        fixture
            .verify(&mint(&json!({"org_id": "anonymous"})))
            .await
            .unwrap_err(),
        CredentialError::TenantNotAllowed(Excerpt::new("anonymous"))
    );
    let single = Fixture::new(|identity| identity.tenant = TenantFrom::Default);
    let principal = single.verify(&mint(&json!({}))).await.unwrap();
    assert_eq!(principal.tenant.as_str(), "default");
}

#[tokio::test]
async fn groups_are_a_list_or_words_or_absent() {
    let fixture = Fixture::new(|_| {});
    let cases = [
        (json!({"groups": "a  b"}), vec!["a", "b"]),
        (json!({"groups": []}), vec![]),
        (json!({"groups": null}), vec![]),
    ];
    for (changes, expected) in cases {
        let principal = fixture.verify(&mint(&changes)).await.unwrap();
        let groups: Vec<_> = principal.groups.iter().map(|group| &**group).collect();
        assert_eq!(groups, expected);
    }
}

#[tokio::test]
async fn the_head_decides_what_is_a_bearer_token() {
    let fixture = Fixture::new(|_| {});
    let good = mint(&json!({}));
    let with = |scheme: &str| format!("{scheme}{good}");
    let anonymous = [
        vec![],
        vec!["Basic YTpi".to_owned()],
        vec!["Digest x".to_owned()],
    ];
    let accepted = [with("Bearer "), with("bEaReR  ")];
    let refused = [
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![with("Bearer\t")],
        vec![with("Bearer:")],
        vec![with("Bearer,")],
        vec![with("\"Bearer\" ")],
        vec![format!("Bearer {good} {good}")],
        vec![format!("Bearer {good}, Basic YTpi")],
        vec![with("Bearer "), with("Bearer ")],
        vec!["Basic YTpi".to_owned(), with("Bearer ")],
    ];
    let ask = async |values: &[String]| {
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        fixture
            .room
            .authenticate(presented(&head(&values)), now())
            .await
            .map(of_caller)
    };
    for values in anonymous {
        assert!(ask(&values).await.unwrap().is_anonymous(), "{values:?}");
    }
    for value in accepted {
        assert!(
            !ask(std::slice::from_ref(&value))
                .await
                .unwrap()
                .is_anonymous(),
            "{value}"
        );
    }
    for values in refused {
        let reason = ask(&values).await.unwrap_err().reason;
        assert_eq!(reason, Reason::CredentialInvalid, "{values:?}");
    }
    let mut headers = HeaderMap::new();
    headers.insert(
        AUTHORIZATION,
        HeaderValue::from_bytes(b"Bearer \xff").unwrap(),
    );
    assert!(
        fixture
            .room
            .authenticate(presented(&headers), now())
            .await
            .map(of_caller)
            .is_err()
    );
}

#[tokio::test]
async fn without_an_identity_for_it_a_token_is_ignored_but_two_are_refused() {
    let store = KeyStore::new(Handle::current());
    let room = Authenticator::new(&Config::default(), &store);
    let principal = room
        .authenticate(presented(&bearer("x")), now())
        .await
        .map(of_caller)
        .unwrap();
    assert!(principal.is_anonymous());
    assert!(
        room.authenticate(presented(&head(&["Bearer x", "Bearer y"])), now())
            .await
            .map(of_caller)
            .is_err()
    );
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_it_ends() {
    let fixture = Fixture::new(|_| {});
    let headers = bearer(&mint(&json!({"nbf": NOW})));
    let ask = async |seconds: i64| {
        let at = Timestamp::from_second(NOW + seconds).unwrap();
        fixture
            .room
            .authenticate(presented(&headers), at)
            .await
            .map(of_caller)
    };
    let first = ask(0).await.unwrap();
    let second = ask(629).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(fixture.room.tokens.cached(), 1);

    let refusal = ask(630).await.unwrap_err();
    assert_eq!(refusal.detail.as_deref(), Some("token expired 0ns ago"));
    assert_eq!(fixture.room.tokens.cached(), 0);

    ask(0).await.unwrap();
    let refusal = ask(-31).await.unwrap_err();
    assert_eq!(
        refusal.detail.as_deref(),
        Some("token is not valid for another 1s")
    );
}

#[tokio::test]
async fn two_identities_of_one_issuer_are_told_apart_by_audience() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, jwks(&[&ED25519])).unwrap();
    let first = identity(KeySource::File(file.clone()));
    let mut second = first.clone();
    second.name = IdentityName::new("batch").unwrap();
    jwt(&mut second).audiences = vec!["batch-agent".to_owned()];
    let store = KeyStore::new(Handle::current());
    let room = Authenticator::new(
        &Config {
            claims: Vec::new(),
            answers: None,
            identities: vec![first, second],
        },
        &store,
    );
    for (audience, name) in [("quotes-agent", "corp"), ("batch-agent", "batch")] {
        let token = mint(&json!({"aud": audience}));
        let principal = room
            .authenticate(presented(&bearer(&token)), now())
            .await
            .map(of_caller)
            .unwrap();
        assert_eq!(principal.identity.as_str(), name);
    }
    assert_eq!(store.state().len(), 1, "one source for both");
}

#[tokio::test]
async fn a_token_is_verified_with_the_keys_of_its_own_issuer_only() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str, minter: &TokenMinter| {
        let path = folder.path().join(name);
        std::fs::write(&path, minter.jwks()).unwrap();
        KeySource::File(path)
    };
    let other = minter(Algorithm::EdDsa);
    let ours = identity(file("ours", &ED25519));
    let mut theirs = identity(file("theirs", &other));
    theirs.name = IdentityName::new("partner").unwrap();
    jwt(&mut theirs).issuer = "https://partner.example".to_owned();
    let store = KeyStore::new(Handle::current());
    let room = Authenticator::new(
        &Config {
            claims: Vec::new(),
            answers: None,
            identities: vec![ours, theirs],
        },
        &store,
    );
    let lie = other.mint(&claims()).unwrap();
    let refusal = room
        .authenticate(presented(&bearer(&lie)), now())
        .await
        .map(of_caller)
        .unwrap_err();
    assert!(
        refusal.detail.unwrap().starts_with("key `"),
        "known to the other issuer only"
    );
    let truth = other
        .mint(&claims_with(&json!({"iss": "https://partner.example"})))
        .unwrap();
    assert_eq!(
        room.authenticate(presented(&bearer(&truth)), now())
            .await
            .map(of_caller)
            .unwrap()
            .identity
            .as_str(),
        "partner"
    );
}
