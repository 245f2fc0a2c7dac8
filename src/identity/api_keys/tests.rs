use std::path::PathBuf;

use serde_json::json;
use tokio::runtime::Handle;

use crate::model::IdentityName;

use super::super::sources::Contents as _;
use super::super::{ApiKey, TenantFrom};
use super::*;

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn identity(name: &str, header: &'static str, file: PathBuf) -> Identity {
    Identity {
        name: IdentityName::new(name).unwrap(),
        kind: Kind::ApiKey(ApiKey {
            header: HeaderName::from_static(header),
            file,
        }),
        tenant: TenantFrom::Entry,
        tenants: Vec::new(),
        groups: None,
    }
}

fn head(header: &'static str, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header, value.parse().unwrap());
    }
    headers
}

fn room(identities: Vec<Identity>) -> (Keys, KeyStore) {
    let store = KeyStore::new(Handle::current());
    let config = Config {
        identities,
        claims: Vec::new(),
        answers: None,
    };
    (Keys::new(&config, &store), store)
}

#[tokio::test]
async fn a_key_is_its_entry_while_it_lasts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let (old, new, later) = (
        MadeKey::random().unwrap(),
        MadeKey::random().unwrap(),
        MadeKey::random().unwrap(),
    );
    let document = json!({"keys": [
        {"id": "desk", "sha256": old.sha256(), "tenant": "acme", "groups": ["partners"],
         "notAfter": "2027-01-15T08:00:01Z"},
        {"id": "desk", "sha256": new.sha256(), "tenant": "acme", "groups": ["partners"]},
        {"id": "desk", "sha256": later.sha256(), "notBefore": "2027-01-15T08:00:01Z"},
    ]});
    std::fs::write(&file, document.to_string()).unwrap();
    let (keys, _store) = room(vec![identity("partners", "x-api-key", file)]);
    let ask = async |key: &MadeKey, seconds: i64| {
        let at = Timestamp::from_second(NOW + seconds).unwrap();
        keys.authenticate(&head("x-api-key", &[key.reveal()]), at)
            .await
    };
    for key in [&old, &new] {
        let caller = ask(key, 0).await.unwrap().unwrap();
        assert_eq!(caller.identity.as_str(), "partners");
        assert_eq!(
            (caller.id.as_str(), caller.tenant.as_str()),
            ("desk", "acme")
        );
        assert_eq!(caller.groups, [Box::from("partners")]);
    }
    assert_eq!(
        ask(&old, 1).await,
        Err(CredentialError::KeyExpired),
        "the instant itself is too late"
    );
    assert!(ask(&new, 1).await.is_ok());
    assert_eq!(ask(&later, 0).await, Err(CredentialError::KeyNotYetValid));
    let caller = ask(&later, 1).await.unwrap().unwrap();
    assert_eq!(caller.tenant.as_str(), "default");
}

#[tokio::test]
async fn what_is_no_key_of_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let key = MadeKey::random().unwrap();
    let document = json!({"keys": [
        {"id": "a", "sha256": key.sha256(), "tenant": "initech"},
        {"id": "b", "sha256": key_sha256(b"\xff\xfe and more than that"), "tenant": "acme"},
    ]});
    std::fs::write(&file, document.to_string()).unwrap();
    let mut partners = identity("partners", "x-api-key", file);
    partners.tenants = vec!["acme".parse_tenant()];
    let (keys, _store) = room(vec![partners]);
    let ask = async |values: &[&str]| keys.authenticate(&head("x-api-key", values), now()).await;
    assert_eq!(ask(&[]).await, Ok(None));
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    for value in [
        "",
        "x",
        &key.sha256(),
        key.reveal().strip_prefix("l").unwrap(),
        &format!("{}x", key.reveal()),
        &long,
    ] {
        assert_eq!(
            ask(&[value]).await,
            Err(CredentialError::KeyUnknown),
            "{value}"
        );
    }
    assert_eq!(
        ask(&[key.reveal(), key.reveal()]).await,
        Err(CredentialError::KeyRepeated)
    );
    assert!(matches!(
        ask(&[key.reveal()]).await,
        Err(CredentialError::TenantNotAllowed(_))
    ));
    let mut raw = HeaderMap::new();
    raw.insert(
        "x-api-key",
        http::HeaderValue::from_bytes(b"\xff\xfe and more than that").unwrap(),
    );
    assert!(
        keys.authenticate(&raw, now()).await.is_ok(),
        "bytes are bytes"
    );
}

trait ParseTenant {
    fn parse_tenant(&self) -> crate::model::TenantId;
}

impl ParseTenant for str {
    fn parse_tenant(&self) -> crate::model::TenantId {
        crate::model::TenantId::new(self).unwrap()
    }
}

#[tokio::test]
async fn a_file_that_changes_counts_at_once_and_one_that_breaks_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let (first, second) = (MadeKey::random().unwrap(), MadeKey::random().unwrap());
    let write = |key: &MadeKey| {
        let document = json!({"keys": [{"id": "desk", "sha256": key.sha256()}]});
        std::fs::write(&file, document.to_string()).unwrap();
    };
    let (keys, _store) = room(vec![identity("partners", "x-api-key", file.clone())]);
    let ask = async |key: &MadeKey| {
        keys.authenticate(&head("x-api-key", &[key.reveal()]), now())
            .await
    };
    assert!(matches!(
        ask(&first).await,
        Err(CredentialError::KeysUnavailable(_))
    ));
    let holder = &keys.holders[0];
    let read_again = async || {
        // Files cool down for a moment.
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        holder.source.refetch().await;
    };
    write(&first);
    read_again().await;
    assert!(ask(&first).await.is_ok());
    write(&second);
    read_again().await;
    assert_eq!(ask(&first).await, Err(CredentialError::KeyUnknown));
    assert!(ask(&second).await.is_ok());
    std::fs::write(&file, "{").unwrap();
    read_again().await;
    assert!(ask(&second).await.is_ok(), "the last good file counts");
}

#[test]
fn a_file_that_is_wrong_says_where() {
    let hash = key_sha256(b"a key that nobody has");
    let cases = [
        (json!({}), "no array `keys`"),
        (json!({"keys": []}), "no key in it"),
        (json!({"keys": [1]}), "key 1: not an object"),
        (json!({"keys": [{"id": "a"}]}), "key 1: `sha256` is missing"),
        (
            json!({"keys": [{"sha256": hash}]}),
            "key 1: `id` is missing",
        ),
        (
            json!({"keys": [{"id": "", "sha256": hash}]}),
            "key 1: `id`: must not be empty",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": hash.to_uppercase()}]}),
            "key 1: `sha256` is not 64 digits",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": "my-secret-key"}]}),
            "key 1: `sha256` is not 64 digits",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": hash, "tennant": "x"}]}),
            "key 1: unknown field `tennant`",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": hash, "tenant": 1}]}),
            "key 1: `tenant` is not a text",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": hash, "groups": "x"}]}),
            "key 1: `groups` is not a list",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": hash, "notAfter": "tomorrow"}]}),
            "key 1: `notAfter` is not a time",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": hash, "notBefore": "2027-01-02T00:00:00Z",
                "notAfter": "2027-01-01T00:00:00Z"}]}),
            "key 1: `notBefore` is not before",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": hash}, {"id": "b", "sha256": hash}]}),
            "key 2: has a hash that stands in the file already",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": key_sha256(b"changeme")}]}),
            "key 1: is a well-known default",
        ),
        (
            json!({"keys": [{"id": "a", "sha256": key_sha256(b"sk-1234")}]}),
            "key 1: is a well-known default",
        ),
    ];
    for (document, expected) in cases {
        let error = ApiKeys::parse(document.to_string().as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{document}: {error}");
        assert!(!error.contains("my-secret-key"));
    }
}

#[test]
fn a_key_shows_itself_to_nobody_who_does_not_ask() {
    let key = MadeKey::random().unwrap();
    assert!(key.reveal().len() > 40 && key.reveal().starts_with("lictor_"));
    assert!(!format!("{key:?}").contains(key.reveal().strip_prefix("lictor_").unwrap()));
    assert!(
        !format!("{:?}", KeyHash::of(key.reveal().as_bytes()))
            .contains(key.sha256().get(..8).unwrap())
    );
}
