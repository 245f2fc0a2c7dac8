use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn security() -> CardSecurity {
    let scheme = |name: &str, scheme| (Box::from(name), scheme);
    CardSecurity {
        schemes: vec![
            scheme(
                "corp",
                SecurityScheme::OpenIdConnect {
                    url: "https://idp.example/.well-known/openid-configuration".into(),
                },
            ),
            scheme(
                "desks",
                SecurityScheme::Http {
                    scheme: "Bearer".into(),
                    format: Some("JWT"),
                },
            ),
            scheme(
                "partners",
                SecurityScheme::ApiKey {
                    header: "x-api-key".into(),
                },
            ),
            scheme("workloads", SecurityScheme::MutualTls),
        ],
    }
}

/// As if the agent of the recording stood behind lictor: it is at these ports, one for each recording.
fn agents() -> Vec<BaseUrl> {
    let ports = [18101, 18103, 18105, 18106, 18107];
    ports
        .map(|port| BaseUrl::of_host(false, "127.0.0.1", port))
        .into()
}

fn rewritten(card: &str, kind: CardKind, hidden: &str) -> Result<String, UnreadableCard> {
    let (security, agent) = (security(), agents());
    let public = BaseUrl::parse("https://agents.example/quotes").unwrap();
    let told = Told {
        public: &public,
        agent: &agent,
        security: &security,
        is_optional: false,
    };
    let mut card = Card::read(kind, card.as_bytes())?.unwrap();
    card.rewrite(&told, |skill| skill != hidden)?;
    Ok(card.write())
}

/// The cards of recorded agents, and what callers of lictor get instead.
#[test]
fn recorded_cards_become_those_of_lictor() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cards");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(files.len() >= 7);
    for file in files {
        let kind = match file.to_string_lossy().contains("extended") {
            true => CardKind::ExtendedResult,
            false => CardKind::Public,
        };
        let text = fs::read_to_string(&file).unwrap();
        let found = rewritten(&text, kind, "secret").unwrap();
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        let found = format!("{found:#}\n");
        let golden = file.with_extension("told");
        if std::env::var_os("LICTOR_BLESS").is_some() {
            fs::write(&golden, &found).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(found, expected, "{}", golden.display());
        assert!(!found.contains("127.0.0.1:18"), "{}", golden.display());
    }
}

#[test]
fn what_bypasses_lictor_is_not_told() {
    let elsewhere = r#"{"url":"http://127.0.0.1:9/","preferredTransport":"GRPC",
        "additionalInterfaces":[{"url":"http://127.0.0.1:18103/v1","transport":"HTTP+JSON"},{"url":"https://b.example","transport":"JSONRPC"}],
        "supportedInterfaces":[{"url":"https://b.example","protocolBinding":"JSONRPC"}],"signatures":[{"protected":"a","signature":"b"}]}"#;
    let found = rewritten(elsewhere, CardKind::Public, "").unwrap();
    assert!(!found.contains("b.example") && !found.contains("127.0.0.1"));
    assert!(!found.contains("signatures"), "{found}");
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["url"], "https://agents.example/quotes/v1");
    assert_eq!(found["preferredTransport"], "HTTP+JSON");
    assert_eq!(found["supportedInterfaces"], serde_json::Value::Null);

    for card in [
        r#"{"url":"https://b.example/"}"#,
        r#"{"supportedInterfaces":[]}"#,
        r#"{"name":"a"}"#,
    ] {
        assert_eq!(
            rewritten(card, CardKind::Public, ""),
            Err(UnreadableCard::NoInterface)
        );
    }
}

#[test]
fn skills_without_a_name_or_beyond_the_caller_go() {
    let card = r#"{"url":"http://127.0.0.1:18103/","skills":[{"id":"a","security":[{"x":[]}]},{"id":"b"},{"name":"c"},"d",{"id":7}]}"#;
    let found = rewritten(card, CardKind::Public, "b").unwrap();
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["skills"], serde_json::json!([{"id": "a"}]));
}

#[test]
fn a_card_that_two_readers_may_read_differently_is_none() {
    for card in [
        r#"{"url":"http://127.0.0.1:18103/","URL":"https://evil.example"}"#,
        r#"{"url":"http://127.0.0.1:18103/","url":"https://evil.example"}"#,
        r#"{"url":"http://127.0.0.1:18103/","supported_interfaces":[]}"#,
        r#"{"supportedInterfaces":[{"url":"http://127.0.0.1:18101/","Url":"https://evil.example"}]}"#,
        r#"{"url":"http://127.0.0.1:18103/","skills":[{"id":"a","ID":"b"}]}"#,
        r#"{"url":7}"#,
        r#"{"url":"http://127.0.0.1:18103/","skills":{}}"#,
        r#"[{"url":"http://127.0.0.1:18103/"}]"#,
        "<html>",
        "{}",
    ] {
        assert!(rewritten(card, CardKind::Public, "").is_err(), "{card}");
    }
}

#[test]
fn an_error_is_no_card() {
    let error = br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32007,"message":"none"}}"#;
    assert_eq!(Card::read(CardKind::ExtendedResult, error), Ok(None));
    for neither in [
        r#"{"url":"x"}"#,
        r#"[{"result":{"url":"x"}}]"#,
        r#"{"Result":{"url":"x"}}"#,
    ] {
        assert!(Card::read(CardKind::ExtendedResult, neither.as_bytes()).is_err());
    }
}

#[test]
fn an_unchanged_card_keeps_its_signatures() {
    let told = CardSecurity::default();
    let public = BaseUrl::parse("https://agents.example").unwrap();
    let text =
        r#"{"url":"https://agents.example/","signatures":[{"protected":"p","signature":"s"}]}"#;
    let mut card = Card::read(CardKind::Public, text.as_bytes())
        .unwrap()
        .unwrap();
    let told = Told {
        public: &public,
        agent: &[],
        security: &told,
        is_optional: true,
    };
    card.rewrite(&told, |_| true).unwrap();
    assert_eq!(card.write(), text);
    assert_eq!(card.signatures().unwrap().len(), 1);
}
