//! What the compiled section does with one request and its answer.

use http::{Method, Request};

use super::*;

fn rule(name: &str) -> Arc<RuleRef> {
    Arc::new(RuleRef {
        name: Arc::from(name),
        place: None,
    })
}

fn origins(texts: &[&str]) -> Origins {
    Origins::listed(texts.iter().map(|text| Origin::parse(text).unwrap()))
}

fn cors(origins: Origins, credentials: bool) -> Config {
    Config {
        cors: Some(CorsConfig {
            rule: rule("cors"),
            origins,
            methods: vec![Method::POST, Method::PUT],
            headers: vec![header::AUTHORIZATION],
            expose: vec![header::ETAG],
            credentials,
            max_age: Some(std::time::Duration::from_secs(600)),
        }),
        ..Config::default()
    }
}

fn asked(method: Method, fields: &[(&'static str, &'static str)]) -> Parts {
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// The fields of an answer to a request of these fields, where the agent's answer has those.
fn answered(
    hygiene: &Hygiene,
    fields: &[(&'static str, &'static str)],
    agents: &[(&'static str, &'static str)],
) -> HeaderMap {
    let visit = hygiene.visit(&asked(Method::POST, fields).headers, false);
    let mut headers = HeaderMap::new();
    for (name, value) in agents {
        headers.append(*name, HeaderValue::from_static(value));
    }
    hygiene.strip_answer(&mut headers);
    hygiene.towards_caller(&mut headers, &visit);
    headers
}

const DESK: (&str, &str) = ("origin", "https://desk.example");
const EVIL: (&str, &str) = ("origin", "https://evil.example");

#[test]
fn a_listed_page_may_read_and_no_other() {
    let hygiene = Hygiene::compile(cors(origins(&["https://desk.example"]), true));
    let headers = answered(&hygiene, &[DESK], &[("vary", "accept-encoding")]);
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://desk.example"
    );
    assert_eq!(headers["access-control-allow-credentials"], "true");
    let exposed = headers["access-control-expose-headers"].to_str().unwrap();
    assert!(
        exposed.contains("lictor-decision-id") && exposed.ends_with(", etag"),
        "{exposed}"
    );
    let vary: Vec<_> = headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["accept-encoding", "origin"]);
    for fields in [
        &[EVIL][..],
        &[("origin", "null")],
        &[DESK, DESK],
        &[DESK, EVIL],
        &[],
    ] {
        let headers = answered(&hygiene, fields, &[("access-control-allow-origin", "*")]);
        assert!(
            !headers.contains_key("access-control-allow-origin"),
            "{fields:?}"
        );
        assert!(
            !headers.contains_key("access-control-allow-credentials"),
            "{fields:?}"
        );
        assert_eq!(headers["vary"], "origin", "{fields:?}");
    }
}

#[test]
fn vary_is_said_once() {
    let hygiene = Hygiene::compile(cors(origins(&["https://desk.example"]), false));
    for said in ["*", "Origin", "accept, ORIGIN"] {
        let headers = answered(&hygiene, &[DESK], &[("vary", said)]);
        assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), [said]);
    }
    let anybody = Hygiene::compile(cors(Origins::Any, false));
    let headers = answered(&anybody, &[EVIL], &[]);
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert!(!headers.contains_key("vary"));
    assert!(!headers.contains_key("access-control-allow-credentials"));
}

#[test]
fn a_preflight_is_answered_and_nothing_else_is() {
    let hygiene = Hygiene::compile(cors(origins(&["https://desk.example"]), true));
    let admit = |method, fields: &[_]| {
        let parts = asked(method, fields);
        let visit = hygiene.visit(&parts.headers, false);
        hygiene.admit(&parts, &visit)
    };
    let method = ("access-control-request-method", "PUT");
    let preflight = admit(Method::OPTIONS, &[DESK, method]).unwrap().unwrap();
    assert_eq!(preflight.head.status, 204);
    assert_eq!(
        preflight.head.headers["access-control-allow-methods"],
        "POST, PUT"
    );
    assert_eq!(
        preflight.head.headers["access-control-allow-headers"],
        "authorization"
    );
    assert_eq!(preflight.head.headers["access-control-max-age"], "600");
    assert!(admit(Method::OPTIONS, &[DESK]).unwrap().is_none());
    assert!(admit(Method::OPTIONS, &[method]).unwrap().is_none());
    assert!(admit(Method::POST, &[DESK, method]).unwrap().is_none());
    assert!(
        admit(Method::POST, &[EVIL]).unwrap().is_none(),
        "it may call, and not read"
    );
    for fields in [
        &[EVIL, method][..],
        &[("origin", "null"), method],
        &[DESK, EVIL, method],
    ] {
        let refusal = admit(Method::OPTIONS, fields).err().unwrap();
        assert_eq!(refusal.reason, Reason::OriginDenied, "{fields:?}");
    }
}

#[test]
fn the_guard_turns_away_pages_that_are_not_listed() {
    let hygiene = Hygiene::compile(Config {
        origins: Some(Guard {
            rule: rule("origins"),
            origins: origins(&["https://desk.example"]),
        }),
        ..Config::default()
    });
    let admit = |fields: &[_]| {
        let parts = asked(Method::POST, fields);
        let visit = hygiene.visit(&parts.headers, false);
        hygiene
            .admit(&parts, &visit)
            .map(|_| ())
            .map_err(|refusal| refusal.reason)
    };
    assert_eq!(admit(&[]), Ok(()), "no page of a browser");
    assert_eq!(admit(&[DESK]), Ok(()));
    for fields in [
        &[EVIL][..],
        &[("origin", "null")],
        &[("origin", "")],
        &[DESK, DESK],
    ] {
        assert_eq!(admit(fields), Err(Reason::OriginDenied), "{fields:?}");
    }
}

#[test]
fn without_the_section_the_agent_speaks_for_itself_but_for_what_it_is() {
    let hygiene = Hygiene::compile(Config::default());
    let headers = answered(
        &hygiene,
        &[EVIL],
        &[
            ("server", "uvicorn"),
            ("access-control-allow-origin", "*"),
            ("etag", "x"),
        ],
    );
    let mut names: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "access-control-allow-origin",
            "etag",
            "x-content-type-options"
        ]
    );
}
