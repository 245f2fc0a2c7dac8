//! The recipes of bad credentials, tried against the program: 401, the right challenge, and the reason in the record.
//! `src/identity/tests` tries them against the room that verifies tokens.

#![cfg(test)]

use serde_json::Value;

use support::eventually;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::recipes::{Cast, Made, Recipe, read};
use support::upstream::Upstream;

mod support;

const BAD: &str = include_str!("data/tokens/bad.txt");

struct Stage {
    cast: Cast,
    lictor: Lictor,
    upstream: Upstream,
}

impl Stage {
    /// A lictor that believes the issuer of the recipes and a partner, with more lines for the issuer's `jwt`.
    async fn new(more: &str) -> Self {
        let cast = Cast::new("http");
        let upstream = Upstream::json(serde_json::json!({"ok": true})).await;
        let setup = Setup::new(upstream.address);
        let write = |name: &str, set: String| {
            let file = setup.home().join(name);
            std::fs::write(&file, set).unwrap();
            file.display().to_string()
        };
        let (ours, theirs) = (
            write("ours.json", cast.key_set()),
            write("theirs.json", cast.partner.jwks()),
        );
        let policy = format!(
            "lictor: v1\n\
             identities:\n  \
               corp:\n    jwt:\n      issuer: https://idp.example\n      jwks: {{ file: \"{ours}\" }}\n      audience: quotes-agent\n      \
                 algorithms: [EdDSA, ES256, ES384, PS256, RS256]\n      require: {{ maxAge: 1h }}\n{more}    tenant: claims.org_id\n  \
               partner:\n    jwt: {{ issuer: \"https://partner.example\", jwks: {{ file: \"{theirs}\" }}, audience: quotes-agent }}\n    \
                 tenant: claims.org_id\n\
             tenants: {{ acme: {{}} }}\n\
             roles:\n  all: {{ allow: [\"http:* /**\"], to: {{ identity: corp }} }}\n"
        );
        let lictor = setup.policy(policy).start().await;
        Self {
            cast,
            lictor,
            upstream,
        }
    }

    async fn ask(&self, made: &Made) -> Message {
        let method = if made.body.is_some() { "POST" } else { "GET" };
        let mut request = format!(
            "{method} {} HTTP/1.1\r\nhost: agent.example\r\n",
            made.target
        )
        .into_bytes();
        for (name, value) in &made.fields {
            request.extend_from_slice(name.as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value);
            request.extend_from_slice(b"\r\n");
        }
        let body = made.body.as_deref().unwrap_or_default();
        request
            .extend_from_slice(format!("content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
        self.lictor.client().await.exchange(method, &request).await
    }

    /// The record of the decision that an answer names.
    async fn record(&self, answer: &Message) -> Value {
        let id = answer.field("lictor-decision-id").unwrap().to_owned();
        eventually("the record", async || {
            let mut records = self.lictor.audit();
            let at = records
                .iter()
                .position(|record| record["decisionId"] == id.as_str())?;
            Some(records.swap_remove(at))
        })
        .await
    }
}

/// This second.
fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "a token says when it was made")]
    let now = std::time::SystemTime::now();
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

const BEARER: &str = "Bearer realm=\"lictor\", error=\"invalid_token\"";

/// What is not as the recipe says.
fn differences(recipe: &Recipe, answer: &Message, record: &Value) -> Option<String> {
    if let Some(status) = recipe.line("wire") {
        return (answer.status().to_string() != status).then(|| format!("{}", answer.status()));
    }
    let challenge = answer.field("www-authenticate").unwrap_or_default();
    let (wanted, reason) = match recipe.line("challenge") {
        Some("none") => ("Bearer realm=\"lictor\"", "credential-missing"),
        Some("dpop") => (
            "DPoP realm=\"lictor\", error=\"invalid_token\", algs=",
            "credential-invalid",
        ),
        Some("proof") => (
            "DPoP realm=\"lictor\", error=\"invalid_dpop_proof\", algs=",
            "credential-invalid",
        ),
        _ => (BEARER, "credential-invalid"),
    };
    let is_challenged = match wanted.ends_with('=') {
        true => challenge.starts_with(wanted),
        false => challenge == wanted,
    };
    let detail = record["detail"].as_str().unwrap_or_default();
    let is_explained = reason == "credential-missing" || recipe.explains(detail);
    let is_told =
        answer.status() == 401 && is_challenged && record["reason"] == reason && is_explained;
    (!is_told).then(|| {
        format!(
            "{} `{challenge}` {} `{detail}`",
            answer.status(),
            record["reason"]
        )
    })
}

#[tokio::test]
async fn every_bad_credential_gets_a_challenge_and_a_record_that_says_why() {
    let stage = Stage::new("").await;
    let recipes = read(BAD);
    assert!(recipes.len() >= 120, "{}", recipes.len());
    let mut wrong = Vec::new();
    for recipe in &recipes {
        let made = recipe.make(&stage.cast, now());
        let answer = stage.ask(&made).await;
        let record = stage.record(&answer).await;
        if let Some(difference) = differences(recipe, &answer, &record) {
            wrong.push(format!("{}: {difference}", recipe.name));
        }
        // What is told to the caller is a code, never what was wrong.
        let detail = record["detail"].as_str().unwrap_or("-");
        if answer.text().contains(detail) && detail.len() > 3 {
            wrong.push(format!("{}: the caller learns `{detail}`", recipe.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(stage.upstream.requests().is_empty(), "nobody got through");
    // The records hold no token, not even a part of one.
    let records = std::fs::read_to_string(stage.lictor.audit_path()).unwrap();
    assert!(!records.contains("eyJ"));
    assert!(!stage.lictor.log().contains("eyJ"));
}

#[tokio::test]
async fn good_ones_pass_and_the_agent_gets_no_credential() {
    let stage = Stage::new("").await;
    let good = "case: borne\ncase: bound\nbound: yes\ncase: RSA\nby: RS256\ncase: PSS\nby: PS256\ncase: P-384\nby: ES384\n";
    for recipe in read(good) {
        let answer = stage.ask(&recipe.make(&stage.cast, now())).await;
        assert_eq!(answer.status(), 200, "{}: {}", recipe.name, answer.text());
    }
    let seen = stage.upstream.requests();
    assert_eq!(seen.len(), 5);
    for request in seen {
        assert_eq!(request.field("x-user-id"), Some("ana"));
        assert_eq!(
            (request.field("authorization"), request.field("dpop")),
            (None, None)
        );
    }
}

#[tokio::test]
async fn a_proof_counts_once_also_across_a_reload() {
    let stage = Stage::new("").await;
    let recipe = &read(
        "case: bound\nbound: yes\nexpect: the DPoP proof was used before\nchallenge: proof\n",
    )[0];
    let made = recipe.make(&stage.cast, now());
    assert_eq!(stage.ask(&made).await.status(), 200);
    let policy = std::fs::read_to_string(stage.lictor.policies().join("policy.yaml")).unwrap();
    let reloads = stage.lictor.notes("policies").len();
    stage.lictor.rewrite_policy(&format!(
        "{policy}  more: {{ allow: \"a2a:*\", to: {{ identity: corp }} }}\n"
    ));
    eventually("the reload", async || {
        (stage.lictor.notes("policies").len() > reloads).then_some(())
    })
    .await;
    let answer = stage.ask(&made).await;
    let record = stage.record(&answer).await;
    assert_eq!(differences(recipe, &answer, &record), None);
}

#[tokio::test]
async fn a_token_in_a_field_of_its_own_names_the_caller_and_goes_no_further() {
    let stage = Stage::new("      header: x-goog-iap-jwt-assertion\n").await;
    let ask = async |recipe: &'static str| {
        let recipe = &read(recipe)[0];
        stage.ask(&recipe.make(&stage.cast, now())).await.status()
    };
    assert_eq!(
        ask("case: asserted\nfield: x-goog-iap-jwt-assertion: {token}\n").await,
        200
    );
    assert_eq!(ask("case: twice\nfield: x-goog-iap-jwt-assertion: {token}\nfield: x-goog-iap-jwt-assertion: {token}\n").await, 401);
    assert_eq!(
        ask("case: bad\nby: foreign\nfield: x-goog-iap-jwt-assertion: {token}\n").await,
        401
    );
    assert_eq!(ask("case: borne\n").await, 401);
    let seen = stage.upstream.requests();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].field("x-user-id"), Some("ana"));
    assert_eq!(seen[0].field("x-goog-iap-jwt-assertion"), None);
}

#[tokio::test]
async fn whoever_brings_no_token_is_asked_for_one_of_the_kind_that_counts() {
    let dpop = "DPoP realm=\"lictor\", algs=\"ES256 EdDSA RS256 ES384 ES512 PS256 PS384 PS512 RS384 RS512\"";
    let bearer = "Bearer realm=\"lictor\"";
    let upstream = Upstream::json(serde_json::json!({"ok": true})).await;
    let identity = |name: &str, more: &str| {
        format!(
            "  {name}: {{ jwt: {{ issuer: \"https://{name}.example\", jwks: {{ file: \"../keys.json\" }}, audience: a{more} }} }}\n"
        )
    };
    let strict = identity("strict", ", require: { dpop: true }");
    let elsewhere = identity("elsewhere", ", header: x-token");
    for (identities, expected) in [
        (strict.clone(), &[dpop][..]),
        (format!("{strict}{}", identity("lax", "")), &[dpop, bearer]),
        // What stands in a field of its own has no scheme.
        (format!("{strict}{elsewhere}"), &[dpop]),
        (identity("lax", ""), &[bearer]),
    ] {
        let setup = Setup::new(upstream.address);
        let cast = Cast::new("http");
        std::fs::write(setup.home().join("keys.json"), cast.key_set()).unwrap();
        let policy = format!(
            "lictor: v1\nidentities:\n{identities}roles:\n  all: {{ allow: [\"http:* /**\"], to: {{ identity: {} }} }}\n",
            identities.trim().split(':').next().unwrap()
        );
        let lictor = setup.policy(policy).start().await;
        let answer = lictor.client().await.get("/").await;
        assert_eq!(answer.status(), 401);
        let asked: Vec<_> = answer.values("www-authenticate").collect();
        assert_eq!(asked, expected, "{identities}");
    }
}
