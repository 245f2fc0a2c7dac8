//! The recipes of bad credentials, tried against the room. `tests/tokens.rs` tries them against the program.

use http::{HeaderName, HeaderValue};

use crate::model::{Challenge, Reason};

use super::recipes::{Cast, Made, high_s, read};
use super::*;

const BAD: &str = include_str!("../../../tests/data/tokens/bad.txt");

/// A room that believes the issuer of the recipes and a partner.
struct Stage {
    cast: Cast,
    room: Authenticator,
    _folder: tempfile::TempDir,
    _store: KeyStore,
}

impl Stage {
    fn new() -> Self {
        let cast = Cast::new("https");
        let folder = tempfile::TempDir::new().unwrap();
        let keys = |name: &str, set: String| {
            let file = folder.path().join(name);
            std::fs::write(&file, set).unwrap();
            KeySource::File(file)
        };
        let mut ours = identity(keys("ours", cast.key_set()));
        jwt(&mut ours).max_age = Some(Duration::from_hours(1));
        jwt(&mut ours)
            .algorithms
            .retain(|algorithm| *algorithm != Algorithm::Es512);
        let mut partner = identity(keys("partner", cast.partner.jwks()));
        partner.name = IdentityName::new("partner").unwrap();
        jwt(&mut partner).issuer = "https://partner.example".to_owned();
        let store = KeyStore::new(Handle::current());
        let config = Config {
            identities: vec![ours, partner],
            ..Config::default()
        };
        let room = Authenticator::new(&config, &store);
        Self {
            cast,
            room,
            _folder: folder,
            _store: store,
        }
    }

    async fn ask(&self, made: &Made) -> Result<Caller, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in &made.fields {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        self.room.authenticate(presented(&headers), now()).await
    }
}

#[tokio::test]
async fn every_bad_credential_is_refused_for_its_own_reason() {
    let stage = Stage::new();
    let recipes = read(BAD);
    assert!(recipes.len() >= 120, "{}", recipes.len());
    let mut wrong = Vec::new();
    for recipe in &recipes {
        let outcome = stage.ask(&recipe.make(&stage.cast, NOW)).await;
        let challenge = match recipe.line("challenge") {
            None | Some("bearer") => None,
            Some("dpop") => Some(Challenge::DpopToken),
            Some("proof") => Some(Challenge::DpopProof),
            Some("none") => {
                if !outcome.is_ok_and(|caller| caller.principal.is_anonymous()) {
                    wrong.push(format!("{}: somebody was seen", recipe.name));
                }
                continue;
            }
            Some(other) => panic!("{}: no challenge is called `{other}`", recipe.name),
        };
        match outcome {
            Ok(caller) => wrong.push(format!("{}: became {:?}", recipe.name, caller.principal)),
            Err(refusal) => {
                let detail = refusal.detail.as_deref().unwrap_or_default();
                if refusal.reason != Reason::CredentialInvalid
                    || refusal.challenge != challenge
                    || !recipe.explains(detail)
                {
                    let found = (refusal.reason, refusal.challenge);
                    wrong.push(format!("{}: `{detail}`, {found:?}", recipe.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn what_the_recipes_change_is_good_unchanged() {
    let stage = Stage::new();
    let good = "case: borne\ncase: ES256\nby: ES256\ncase: PS256\nby: PS256\ncase: bound\nbound: yes\n\
                case: with a date\nclaims: {\"nbf\":NOW}\ncase: in two audiences\nclaims: {\"aud\":[\"x\",\"quotes-agent\"]}\n";
    for recipe in read(good) {
        let caller = stage.ask(&recipe.make(&stage.cast, NOW)).await;
        assert_eq!(
            caller.unwrap().principal.id.as_str(),
            "ana",
            "{}",
            recipe.name
        );
    }
    // ECDSA is malleable (RFC 7518 says nothing of it): whoever has a token can write it in a second way, which says
    // the same. It is another token to the memory of tokens, and gains its bearer nothing.
    let token = stage.cast.issuer["ES256"].mint(&claims()).unwrap();
    let other = high_s(&token);
    assert_ne!(token, other);
    for token in [token, other] {
        let headers = bearer(&token);
        let caller = stage.room.authenticate(presented(&headers), now()).await;
        assert_eq!(caller.unwrap().principal.id.as_str(), "ana");
    }
}
