//! Tokens that only their issuer can read: an issuer that is asked, right, wrong and not there.

#![cfg(test)]

use std::fs;
use std::sync::{Arc, Mutex};

use lictor::identity::Algorithm;
use lictor::identity::mint::TokenMinter;
use serde_json::{Value, json};

use support::eventually;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{Step, Upstream};

mod support;

struct Stage {
    lictor: Lictor,
    issuer: Upstream,
    minter: TokenMinter,
    _agent: Upstream,
}

/// What the issuer answers, head and body, by the token that it is asked about.
type Answers = Arc<dyn Fn(&str) -> (u16, String) + Send + Sync>;

impl Stage {
    async fn new(more: &str, answers: Answers) -> Self {
        let issuer = Upstream::scripted(move |request| {
            let body = request.text();
            let token = body.strip_prefix("token=").and_then(|rest| rest.split('&').next());
            let (status, body) = answers(token.unwrap_or_default());
            let length = body.len();
            let answer = Step::text(format!(
                "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            ));
            match token {
                Some("last") => vec![answer, Step::Close],
                Some(_) | None => vec![answer],
            }
        })
        .await;
        let agent = Upstream::json(json!({})).await;
        let setup = Setup::new(agent.address);
        let minter = TokenMinter::generate(Algorithm::EdDsa).unwrap();
        fs::write(setup.home().join("jwks.json"), minter.jwks()).unwrap();
        fs::write(setup.home().join("secret"), "s3cret&of us\n").unwrap();
        let policy = format!(
            "lictor: v1\nidentities:\n  opaque:\n    introspection:\n      url: \"http://{}/introspect\"\n      \
             clientId: lictor\n      clientSecret: {{ file: ../secret }}\n      audience: quotes-agent\n{more}    \
             tenant: claims.org\n    groups: claims.scope\n  \
             corp: {{ jwt: {{ issuer: \"https://idp.example\", audience: quotes-agent, jwks: {{ file: ../jwks.json }} }} }}\n\
             roles:\n  reader: {{ allow: [\"http:GET /**\"], to: {{ identity: opaque, groups: [read] }} }}\n  \
             people: {{ allow: [\"http:GET /**\"], to: {{ identity: corp }} }}\n",
            issuer.address
        );
        Self {
            // Each worker has connections of its own.
            lictor: setup
                .policy(policy)
                .config("runtime: { workers: 1 }")
                .start()
                .await,
            issuer,
            minter,
            _agent: agent,
        }
    }

    async fn ask(&self, token: &str) -> Message {
        let request =
            format!("GET /x HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n\r\n");
        self.lictor
            .client()
            .await
            .exchange("GET", request.as_bytes())
            .await
    }

    /// The last record, once there are so many.
    async fn record(&self, count: usize) -> Value {
        let records = eventually("the records", async || {
            let records = self.lictor.audit();
            (records.len() >= count).then_some(records)
        });
        records.await.pop().unwrap()
    }
}

fn active(changes: &Value) -> String {
    let now = lictor::clock::wall().as_second();
    let mut claims = json!({"active": true, "sub": "ana", "aud": "quotes-agent", "org": "acme", "scope": "openid read",
        "exp": now + 600, "iat": now - 10});
    let fields = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => fields.remove(name),
            value => fields.insert(name.clone(), value.clone()),
        };
    }
    claims.to_string()
}

#[tokio::test]
async fn what_the_issuer_says_of_a_token_counts_and_is_remembered() {
    let stage = Stage::new(
        "",
        Arc::new(|token| match token {
            "good" => (200, active(&json!({}))),
            "client" => (200, active(&json!({"sub": null, "client_id": "batch-7"}))),
            _ => (200, "{\"active\":false}".to_owned()),
        }),
    )
    .await;
    for _ in 0..3 {
        assert_eq!(stage.ask("Bearer good").await.status(), 200);
    }
    assert_eq!(stage.issuer.requests().len(), 1, "asked once");
    let asked = &stage.issuer.requests()[0];
    assert_eq!(asked.text(), "token=good&token_type_hint=access_token");
    assert_eq!((asked.method(), asked.target()), ("POST", "/introspect"));
    // Both parts as in a form (RFC 6749, section 2.3.1): lictor:s3cret%26of%20us
    assert_eq!(
        asked.field("authorization"),
        Some("Basic bGljdG9yOnMzY3JldCUyNm9mJTIwdXM=")
    );
    let record = stage.record(3).await;
    assert_eq!(
        (&record["identity"], &record["principal"], &record["tenant"]),
        (&json!("opaque"), &json!("ana"), &json!("acme"))
    );
    assert_eq!(record["groups"], json!(["openid", "read"]));

    assert_eq!(stage.ask("Bearer client").await.status(), 200);
    assert_eq!(stage.record(4).await["principal"], "batch-7");

    for _ in 0..3 {
        let refused = stage.ask("Bearer taken-back").await;
        assert_eq!(refused.status(), 401);
        let challenge = refused.field("www-authenticate").unwrap();
        assert_eq!(
            challenge,
            "Bearer realm=\"lictor\", error=\"invalid_token\""
        );
    }
    assert_eq!(stage.issuer.requests().len(), 3, "not asked again at once");
    let record = stage.record(7).await;
    assert_eq!(
        record["detail"],
        "the issuer says that the token is not active"
    );

    // Tokens of an issuer whose keys are here are verified here.
    let now = lictor::clock::wall().as_second();
    let claims = json!({"iss": "https://idp.example", "aud": "quotes-agent", "sub": "bob", "iat": now, "exp": now + 60});
    let token = stage.minter.mint(&claims).unwrap();
    assert_eq!(stage.ask(&format!("Bearer {token}")).await.status(), 200);
    let forger = TokenMinter::generate(Algorithm::EdDsa).unwrap();
    let forged = forger.mint(&claims).unwrap();
    assert_eq!(stage.ask(&format!("Bearer {forged}")).await.status(), 401);
    assert_eq!(
        stage.issuer.requests().len(),
        3,
        "nobody is asked about those"
    );
}

#[tokio::test]
async fn an_answer_that_does_not_fit_opens_nothing() {
    let cases = [
        (
            200,
            active(&json!({"aud": "billing"})),
            401,
            "audience `billing` is not ours",
        ),
        (
            200,
            active(&json!({"aud": null})),
            401,
            "claim `aud` is missing",
        ),
        (
            200,
            active(&json!({"exp": 1_000_000})),
            401,
            "token expired",
        ),
        (
            200,
            active(&json!({"exp": "soon"})),
            401,
            "claim `exp` is not a time in seconds",
        ),
        (
            200,
            active(&json!({"nbf": 4_000_000_000_u64})),
            401,
            "token is not valid for another",
        ),
        (
            200,
            active(&json!({"sub": null})),
            401,
            "claim `sub` is missing",
        ),
        (
            200,
            active(&json!({"sub": 7})),
            401,
            "claim `sub` is not a text",
        ),
        (
            200,
            active(&json!({"iss": "https://other.example"})),
            401,
            "issuer `https://other.example` is not known",
        ),
        (
            200,
            active(&json!({"org": null})),
            403,
            "the token names no tenant in `org`",
        ),
        (200, active(&json!({"scope": "openid"})), 403, ""),
        (
            200,
            active(&json!({"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}})),
            401,
            "bound",
        ),
        (
            200,
            "{\"active\":\"true\"}".to_owned(),
            503,
            "the answer has no `active`",
        ),
        (200, "{}".to_owned(), 503, "the answer has no `active`"),
        (
            200,
            "{\"active\":true,\"active\":false}".to_owned(),
            503,
            "not a JSON object",
        ),
        (200, "<html>".to_owned(), 503, "not a JSON object"),
        (
            200,
            format!("{{\"active\":true,\"x\":\"{}\"}}", "x".repeat(300_000)),
            503,
            "larger than 256 KiB",
        ),
        (201, active(&json!({})), 503, "answered 201"),
        (401, "{}".to_owned(), 503, "answered 401"),
        (302, active(&json!({})), 503, "answered 302"),
        (500, "{}".to_owned(), 503, "answered 500"),
    ];
    let next: Arc<Mutex<(u16, String)>> = Arc::default();
    let answered = Arc::clone(&next);
    let more = "      issuer: \"https://idp2.example\"\n";
    let stage = Stage::new(more, Arc::new(move |_| answered.lock().unwrap().clone())).await;
    for (count, (status, body, expected, detail)) in (1..).zip(cases) {
        *next.lock().unwrap() = (status, body.clone());
        let answer = stage.ask(&format!("Bearer token-{count}")).await;
        assert_eq!(
            answer.status(),
            expected,
            "{status} {}",
            body.get(..60).unwrap_or(&body)
        );
        assert_eq!(expected == 503, answer.field("retry-after").is_some());
        let record = stage.record(count).await;
        let told = record["detail"].as_str().unwrap_or_default();
        assert!(told.contains(detail), "{detail}: {record}");
    }
    // An outage is over with the first good answer.
    *next.lock().unwrap() = (200, active(&json!({})));
    assert_eq!(stage.ask("Bearer token-1").await.status(), 200);
    let long = format!("Bearer {}", "x".repeat(17_000));
    assert_eq!(stage.ask(&long).await.status(), 401);
    assert!(!stage.lictor.log().contains("s3cret"));
}

#[tokio::test]
async fn a_connection_to_the_issuer_is_kept_and_its_end_is_no_outage() {
    let answer = |token: &str| match token {
        "broken" => (500, String::new()),
        _ => (200, active(&json!({}))),
    };
    let stage = Stage::new("", Arc::new(answer)).await;
    for token in ["one", "two", "three"] {
        let answer = stage.ask(&format!("Bearer {token}")).await;
        assert_eq!(answer.status(), 200, "{token}");
    }
    assert_eq!(stage.issuer.connections(), 1);
    // It ends the connection behind an answer, and the next question finds out.
    assert_eq!(stage.ask("Bearer last").await.status(), 200);
    for token in ["four", "five"] {
        let answer = stage.ask(&format!("Bearer {token}")).await;
        assert_eq!(answer.status(), 200, "{token}");
    }
    assert_eq!(stage.issuer.connections(), 2);
    // What did not answer as it should is not asked over the same connection again.
    assert_eq!(stage.ask("Bearer broken").await.status(), 503);
    assert_eq!(stage.ask("Bearer six").await.status(), 200);
    assert_eq!(stage.issuer.connections(), 3);
    assert_eq!(stage.issuer.requests().len(), 8, "each was asked once");
}

#[tokio::test]
async fn an_issuer_that_is_not_there_opens_nothing() {
    let stage = Stage::new("", Arc::new(|_| (200, active(&json!({}))))).await;
    assert_eq!(stage.ask("Bearer good").await.status(), 200);
    let Stage {
        lictor,
        issuer,
        minter,
        _agent,
    } = stage;
    drop(issuer);
    let nobody = Upstream::json(json!({})).await;
    let stage = Stage {
        lictor,
        issuer: nobody,
        minter,
        _agent,
    };
    assert_eq!(
        stage.ask("Bearer good").await.status(),
        200,
        "for as long as its answer counts"
    );
    let refused = stage.ask("Bearer other").await;
    assert_eq!(
        (refused.status(), refused.field("retry-after").is_some()),
        (503, true)
    );
    assert_eq!(stage.record(3).await["reason"], "keys-unavailable");
}
