//! What the policy's `http` section does, over HTTP/1.1 and HTTP/2, and which trace a call is part of.

#![cfg(test)]

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::{Value, json};

use support::http1::Message;
use support::http2::{Http2, read};
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::tls::Certificates;
use support::upstream::{Step, Upstream};
use support::{eventually, within};

mod support;

/// A lictor before an agent that tells of itself and has its own mind on CORS.
struct Stage {
    upstream: Upstream,
    lictor: Lictor,
    http2: Option<Http2>,
}

/// What came back, by whichever version.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

const AGENT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
    server: uvicorn/0.30\r\nx-powered-by: python\r\nvia: 1.1 inner\r\nx-internal-node: n1\r\n\
    access-control-allow-origin: *\r\naccess-control-allow-credentials: true\r\n\
    cache-control: max-age=60\r\nvary: accept\r\n\r\n{}";

const DESK: (&str, &str) = ("origin", "https://desk.example");
const EVIL: (&str, &str) = ("origin", "https://evil.example");
const PREFLIGHT: (&str, &str) = ("access-control-request-method", "POST");

impl Stage {
    /// Under everybody's policy and this `http` section, in plain text.
    async fn http1(section: &str) -> Self {
        let upstream = Upstream::scripted(|_| vec![Step::text(AGENT)]).await;
        let lictor = Lictor::spawn(&policy(section), upstream.address).await;
        Self {
            upstream,
            lictor,
            http2: None,
        }
    }

    /// The same over TLS and HTTP/2.
    async fn http2(section: &str) -> Self {
        let upstream = Upstream::scripted(|_| vec![Step::text(AGENT)]).await;
        let setup = Setup::new(upstream.address).policy(policy(section));
        let certificates = Certificates::generate(setup.home());
        let setup = setup
            .flag("--tls-cert", &certificates.certificate)
            .flag("--tls-key", &certificates.key);
        let lictor = setup.start().await;
        let http2 = Http2::connect(lictor.public, &certificates).await;
        Self {
            upstream,
            lictor,
            http2: Some(http2),
        }
    }

    async fn ask(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
        match &self.http2 {
            None => {
                let fields: String = fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                let request =
                    format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
                let mut client = self.lictor.client().await;
                of_http1(&client.exchange(method, request.as_bytes()).await)
            }
            Some(http2) => {
                let mut request = Request::builder()
                    .method(method)
                    .uri(format!("https://localhost{target}"));
                for (name, value) in fields {
                    request = request.header(*name, *value);
                }
                let response = http2.request(request, Vec::new()).await;
                let (head, body) = response.into_parts();
                let (body, _) = read(body).await;
                Answer {
                    status: head.status.as_u16(),
                    headers: head.headers,
                    body: String::from_utf8(body).unwrap(),
                }
            }
        }
    }

    async fn records(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} audit records"), async || {
            let records = self.lictor.audit();
            (records.len() >= count).then_some(records)
        })
        .await
    }
}

fn of_http1(message: &Message) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    Answer {
        status: message.status(),
        headers,
        body: message.text(),
    }
}

fn policy(section: &str) -> String {
    // Nobody may see `/secret`; everything else is open.
    format!("{EVERYBODY}  closed: {{ deny: \"http:* /secret\" }}\n{section}")
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn values(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }
}

const CORS: &str = "http:\n  cors: { origins: [\"https://desk.example\"], methods: [POST, GET], \
    exposeHeaders: [x-total], credentials: true, maxAge: 10m }\n";

async fn both(section: &str) -> [Stage; 2] {
    [Stage::http1(section).await, Stage::http2(section).await]
}

#[tokio::test]
async fn a_preflight_is_answered_without_the_agent_and_recorded() {
    for stage in both(CORS).await {
        let allowed = stage.ask("OPTIONS", "/secret", &[DESK, PREFLIGHT]).await;
        assert_eq!(allowed.status, 204);
        assert_eq!(
            allowed.field("access-control-allow-origin"),
            Some("https://desk.example")
        );
        assert_eq!(
            allowed.field("access-control-allow-methods"),
            Some("POST, GET")
        );
        assert_eq!(
            allowed.field("access-control-allow-credentials"),
            Some("true")
        );
        assert_eq!(allowed.field("access-control-max-age"), Some("600"));
        let headers = allowed.field("access-control-allow-headers").unwrap();
        assert!(
            headers.contains("authorization") && headers.contains("a2a-version"),
            "{headers}"
        );
        assert!(allowed.field("x-request-id").is_some());
        assert!(allowed.body.is_empty());

        for origin in [
            EVIL,
            ("origin", "null"),
            ("origin", "https://desk.example.evil.example"),
        ] {
            let refused = stage.ask("OPTIONS", "/", &[origin, PREFLIGHT]).await;
            assert_eq!(refused.status, 403, "{origin:?}");
            assert_eq!(
                refused.field("access-control-allow-origin"),
                None,
                "{origin:?}"
            );
            assert!(refused.body.contains("ORIGIN_DENIED"), "{}", refused.body);
        }
        assert!(stage.upstream.requests().is_empty());

        let records = stage.records(4).await;
        assert_eq!(records[0]["decision"], "allow");
        assert_eq!(records[0]["rule"]["name"], "cors");
        assert_eq!(records[0]["status"], 204);
        assert_eq!(records[0]["outcome"], "complete");
        assert_eq!(records[1]["reason"], "origin-denied");
        assert_eq!(records[1]["rule"]["name"], "cors");
    }
}

#[tokio::test]
async fn answers_and_refusals_can_be_read_by_the_pages_that_are_listed() {
    for stage in both(CORS).await {
        let answer = stage.ask("GET", "/", &[DESK]).await;
        let refusal = stage.ask("GET", "/secret", &[DESK]).await;
        let malformed = stage.ask("GET", "/a%2fb", &[DESK]).await;
        assert_eq!(
            (answer.status, refusal.status, malformed.status),
            (200, 403, 400)
        );
        for answer in [&answer, &refusal, &malformed] {
            assert_eq!(
                answer.values("access-control-allow-origin"),
                ["https://desk.example"]
            );
            assert_eq!(answer.values("access-control-allow-credentials"), ["true"]);
            let exposed = answer.field("access-control-expose-headers").unwrap();
            assert!(
                exposed.contains("lictor-decision-id") && exposed.ends_with("x-total"),
                "{exposed}"
            );
            assert!(answer.values("vary").contains(&"origin"));
        }
        assert_eq!(answer.values("vary"), ["accept", "origin"]);

        for fields in [&[EVIL][..], &[]] {
            let answer = stage.ask("GET", "/", fields).await;
            assert_eq!(answer.status, 200, "it may call, and its page cannot read");
            assert_eq!(
                answer.field("access-control-allow-origin"),
                None,
                "the agent's own is replaced"
            );
            assert_eq!(answer.field("access-control-allow-credentials"), None);
            assert!(answer.values("vary").contains(&"origin"));
        }
    }
}

#[tokio::test]
async fn a_page_that_is_not_listed_may_not_even_call() {
    for stage in both("http: { origins: [\"https://desk.example\"] }\n").await {
        assert_eq!(stage.ask("GET", "/", &[]).await.status, 200);
        assert_eq!(stage.ask("GET", "/", &[DESK]).await.status, 200);
        for origin in [EVIL, ("origin", "null"), ("origin", "http://desk.example")] {
            for method in ["GET", "POST", "OPTIONS"] {
                let refused = stage.ask(method, "/", &[origin, PREFLIGHT]).await;
                assert_eq!(refused.status, 403, "{method} {origin:?}");
            }
        }
        assert_eq!(stage.ask("GET", "/", &[DESK, DESK]).await.status, 403);
        assert_eq!(stage.upstream.requests().len(), 2);
        let name = r#"lictor_refusals_total{fault="downstream",reason="origin-denied"}"#;
        assert_eq!(stage.lictor.metric(name).await, Some(10.0));
    }
}

#[tokio::test]
async fn without_the_section_little_changes() {
    for stage in both("").await {
        let is_tls = stage.http2.is_some();
        let answer = stage.ask("GET", "/", &[EVIL]).await;
        for hidden in ["server", "via", "x-powered-by"] {
            assert_eq!(answer.field(hidden), None, "{hidden}");
        }
        assert_eq!(answer.field("x-internal-node"), Some("n1"));
        assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.field("x-frame-options"), None);
        assert_eq!(answer.field("strict-transport-security").is_some(), is_tls);
        // A preflight is the agent's business then.
        stage.ask("OPTIONS", "/", &[EVIL, PREFLIGHT]).await;
        assert_eq!(stage.upstream.requests().len(), 2);
    }
}

#[tokio::test]
async fn strict_fields_stand_on_answers_and_refusals() {
    for stage in both("http: { securityHeaders: strict }\n").await {
        let answer = stage.ask("GET", "/", &[]).await;
        let refusal = stage.ask("GET", "/secret", &[]).await;
        for answer in [&answer, &refusal] {
            assert_eq!(answer.field("x-frame-options"), Some("DENY"));
            assert_eq!(answer.field("referrer-policy"), Some("no-referrer"));
            assert_eq!(
                answer.field("content-security-policy"),
                Some("default-src 'none'; frame-ancestors 'none'")
            );
        }
        assert_eq!(
            answer.field("cache-control"),
            Some("max-age=60"),
            "the agent knows better"
        );
        assert_eq!(refusal.field("cache-control"), Some("no-store"));
    }
    let stage = Stage::http1("http: { securityHeaders: off, server: pass }\n").await;
    let answer = stage.ask("GET", "/", &[]).await;
    assert_eq!(answer.field("x-content-type-options"), None);
    assert_eq!(answer.field("server"), Some("uvicorn/0.30"));
}

#[tokio::test]
async fn fields_are_removed_both_ways_and_ours_stay() {
    let section =
        "http: { removeRequestHeaders: [x-*, cookie], removeResponseHeaders: [\"x-*\", etag] }\n";
    for stage in both(section).await {
        let fields = [
            ("x-internal-user", "root"),
            ("x_internal_user", "root"),
            ("cookie", "a=b"),
            ("accept", "*/*"),
            ("x-request-id", "r-7"),
        ];
        let answer = stage.ask("GET", "/", &fields).await;
        assert_eq!(answer.field("x-internal-node"), None);
        assert_eq!(answer.field("x-request-id"), Some("r-7"));
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        let seen = &stage.upstream.requests()[0];
        for gone in ["x-internal-user", "x_internal_user", "cookie"] {
            assert_eq!(seen.field(gone), None, "{gone}");
        }
        assert_eq!(seen.field("accept"), Some("*/*"));
        assert_eq!(seen.field("x-request-id"), Some("r-7"));
        assert_eq!(seen.field("x-customer-id"), Some("anonymous"));
    }
}

#[tokio::test]
async fn the_path_that_is_judged_is_the_path_that_is_forwarded() {
    let crooked = [
        "/%73ecret",
        "//secret",
        "/./secret",
        "/open/../secret",
        "/open/%2e%2e/secret",
    ];
    for stage in both("http: { paths: normalise }\n").await {
        for path in crooked {
            assert_eq!(stage.ask("GET", path, &[]).await.status, 403, "{path}");
        }
        for path in [
            "/a%2fb",
            "/a%5cb",
            "/a%00",
            "/..",
            "/%2e%2e/a",
            "/%252e/a",
            "/a/..;/secret",
            "/a%",
        ] {
            assert_eq!(stage.ask("GET", path, &[]).await.status, 400, "{path}");
        }
        assert!(stage.upstream.requests().is_empty());
        for (asked, seen) in [
            ("/open//a/./b/../%63%3a?d=//%61", "/open/a/c%3A?d=//%61"),
            ("/secret/..", "/"),
            ("/open", "/open"),
        ] {
            assert_eq!(stage.ask("GET", asked, &[]).await.status, 200, "{asked}");
            assert_eq!(stage.upstream.requests().last().unwrap().target(), seen);
        }
    }
    let stage = Stage::http1("").await;
    for path in ["//secret", "/./secret", "/open/../secret"] {
        assert_eq!(stage.ask("GET", path, &[]).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn a_request_id_is_taken_or_made_and_told_to_everybody() {
    for stage in both("").await {
        let given = stage.ask("GET", "/", &[("x-request-id", "r-1.A_b")]).await;
        assert_eq!(given.field("x-request-id"), Some("r-1.A_b"));
        let refused = stage
            .ask("GET", "/secret", &[("x-request-id", "r-2")])
            .await;
        assert_eq!(refused.field("x-request-id"), Some("r-2"));
        let long = "a".repeat(129);
        for fields in [
            &[("x-request-id", "a b")][..],
            &[("x-request-id", &long)],
            &[("x-request-id", "a"), ("x-request-id", "b")],
            &[],
        ] {
            let made = stage.ask("GET", "/", fields).await;
            let id = made.field("x-request-id").unwrap();
            assert!(
                id.len() == 32 && !fields.iter().any(|(_, given)| *given == id),
                "{id}"
            );
            assert_eq!(
                stage
                    .upstream
                    .requests()
                    .last()
                    .unwrap()
                    .field("x-request-id"),
                Some(id)
            );
        }
        let records = stage.records(6).await;
        assert_eq!(records[0]["requestId"], "r-1.A_b");
        assert_eq!(records[1]["requestId"], "r-2");
    }
}

const PARENT: (&str, &str) = (
    "traceparent",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn a_trace_goes_on_through_lictor() {
    for stage in both("").await {
        let state = ("tracestate", "vendor=1");
        let answer = stage
            .ask("GET", "/", &[PARENT, state, ("baggage", "user=root")])
            .await;
        assert_eq!(answer.field("traceresponse"), None);
        stage
            .ask("GET", "/", &[("traceparent", "00-zz"), state])
            .await;
        stage
            .ask(
                "GET",
                "/",
                &[("connection", "traceparent"), PARENT][usize::from(stage.http2.is_some())..],
            )
            .await;
        stage.ask("GET", "/secret", &[PARENT]).await;
        let seen = stage.upstream.requests();
        let parent = seen[0].field("traceparent").unwrap();
        assert!(
            parent.starts_with(&format!("00-{TRACE}-")) && parent.ends_with("-01"),
            "{parent}"
        );
        assert!(
            !parent.contains("b7ad6b7169203331"),
            "the span is lictor's: {parent}"
        );
        assert_eq!(seen[0].field("tracestate"), Some("vendor=1"));
        assert_eq!(seen[0].field("baggage"), None, "of somebody unknown");
        let made = seen[1].field("traceparent").unwrap();
        assert!(made.len() == 55 && !made.contains(TRACE), "{made}");
        assert_eq!(seen[1].field("tracestate"), None);
        assert!(seen[2].field("traceparent").unwrap().contains(TRACE));
        let records = stage.records(4).await;
        assert_eq!(records[0]["traceId"], TRACE);
        let id = made.split('-').nth(1).unwrap();
        assert_eq!(records[1]["traceId"], id);
        assert_eq!(records[3]["traceId"], TRACE, "a refusal is part of it too");
    }
    let stage = Stage::http1("http: { traceContext: restart }\n").await;
    stage.ask("GET", "/", &[PARENT]).await;
    let seen = stage.upstream.requests();
    assert!(!seen[0].field("traceparent").unwrap().contains(TRACE));
}

#[tokio::test]
async fn calls_are_logged_under_their_ids_where_somebody_asks_for_it() {
    let upstream = Upstream::json(json!({})).await;
    let setup = Setup::new(upstream.address).config("telemetry: { logs: { level: debug } }");
    let lictor = setup.start().await;
    let request = format!(
        "GET / HTTP/1.1\r\nhost: localhost\r\nx-request-id: r-9\r\n{}: {}\r\n\r\n",
        PARENT.0, PARENT.1
    );
    lictor
        .client()
        .await
        .exchange("GET", request.as_bytes())
        .await;
    let line = eventually("the line of the call", async || {
        let log = lictor.log();
        let line = log.lines().find(|line| line.contains("call ended"))?;
        serde_json::from_str::<Value>(line).ok()
    });
    let line = line.await;
    assert_eq!(line["request.id"], "r-9");
    assert_eq!(line["trace.id"], TRACE);
    assert_eq!(line["decision"], "allow");
}

#[tokio::test]
async fn a_changed_section_holds_from_the_next_call_on() {
    let stage = Stage::http1("").await;
    assert_eq!(stage.ask("GET", "/", &[EVIL]).await.status, 200);
    stage
        .lictor
        .rewrite_policy(&policy("http: { origins: [\"https://desk.example\"] }\n"));
    eventually("the guard", async || {
        let answer = stage.ask("GET", "/", &[EVIL]).await;
        (answer.status == 403).then_some(())
    })
    .await;
    let same = within("an answer", stage.ask("GET", "/", &[DESK])).await;
    assert_eq!(same.status, 200);
}
