//! What reading promises. Messages are compared whole in `tests/policy_cases.rs`.

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::audit::OnFull;
use crate::identity::{Algorithm, ClaimPath, KeySource, Kind, TenantFrom};
use crate::model::{LeakAction, Place, TenantId};
use crate::quota::{Dimension, Measure, Quota, Rates};
use crate::scan::AtBound;
use crate::tls;
use crate::upstream::{Endpoint, Retry};

const DETECTORS: &[&str] = &["credentials.github-pat", "pii.email", "pii.iban", "cards"];

fn load(text: &str) -> Policies {
    parse_policy("p.yaml", text, DETECTORS).unwrap_or_else(|error| panic!("{error}"))
}

fn codes(text: &str) -> Vec<&'static str> {
    match parse_policy("p.yaml", text, DETECTORS) {
        Ok(policies) => policies.warnings.iter().map(Diagnostic::code).collect(),
        Err(errors) => errors.iter().map(Diagnostic::code).collect(),
    }
}

#[test]
fn every_section_reaches_its_room() {
    let policies = load(
        r#"
lictor: v1
identities:
  corp:
    jwt:
      issuer: https://idp.example
      audience: [a, b]
      algorithms: [ES256, EdDSA]
      jwks: { url: "http://127.0.0.1:9/jwks", ca: tls/ca.pem }
      require: { exp: true, maxAge: 1h }
    tenant: claims.realm.org
    tenants: [acme]
    groups: claims.groups
roles:
  r: { allow: "a2a:*", to: { groups: staff } }
quotas:
  q: { rate: 600/min, burst: 20, per: [tenant, principal], on: "a2a:Send*" }
  default-burst: { rate: 10/s, per: source }
limits:
  default: { request: 64KiB, jsonDepth: 16 }
  "a2a:SendMessage": { time: 5s, idle: 1s, response: 1MiB }
leaks:
  packs: { credentials: block, pii: redact, pii.email: flag }
  hold: { bytes: 8KiB, time: 5s, atBound: release }
  buffer: 2MiB
  direction: [response, request]
"#,
    );
    let identity = &policies.identity.identities[0];
    let Kind::Jwt(jwt) = &identity.kind else {
        panic!("not of tokens")
    };
    assert_eq!(jwt.audiences, ["a", "b"]);
    assert_eq!(jwt.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
    assert_eq!(jwt.max_age, Some(Duration::from_secs(3600)));
    assert_eq!(identity.tenants, [TenantId::new("acme").unwrap()]);
    let path = ClaimPath(vec![Box::from("realm"), Box::from("org")]);
    assert_eq!(identity.tenant, TenantFrom::Claim(path));
    let KeySource::Url { url, ca } = &jwt.keys else {
        panic!("{:?}", jwt.keys)
    };
    assert_eq!(url, "http://127.0.0.1:9/jwks");
    assert_eq!(ca.as_deref(), Some(Path::new("tls/ca.pem")));

    let [default_burst, q] = &policies.quotas.quotas[..] else {
        panic!("two quotas")
    };
    let burst_of = |quota: &Quota| match &quota.measure {
        Measure::Rate { burst, .. } => *burst,
        other => panic!("{other:?}"),
    };
    let bursts = (burst_of(default_burst), burst_of(q));
    assert_eq!(bursts, (None, NonZeroU32::new(20)));
    assert_eq!(q.per, [Dimension::Tenant, Dimension::Principal]);
    let line = |line| {
        Some(Place {
            file: "p.yaml".into(),
            line,
        })
    };
    assert_eq!(q.rule.place, line(17));
    assert_eq!(policies.policy.roles[0].rule.place, line(15));
    // One identity is declared, so a group is its group.
    let to = policies.policy.roles[0].to.as_ref().unwrap();
    assert_eq!(to.identity.as_ref().unwrap().as_str(), "corp");

    assert_eq!(policies.policy.default_limits.request_bytes, Some(64 << 10));
    assert_eq!(
        policies.policy.limits[0].1.time,
        Some(Duration::from_secs(5))
    );
    assert_eq!(
        policies.leaks.actions.get("pii.email"),
        Some(&LeakAction::Flag)
    );
    assert_eq!(policies.leaks.hold.bytes, 8 << 10);
    assert_eq!(policies.leaks.hold.at_bound, AtBound::Release);
    assert_eq!(policies.leaks.buffer_bytes, 2 << 20);
    assert!(policies.directions.answers && policies.directions.requests);
    assert_eq!((policies.files, policies.rules), (1, 1));
    assert!(policies.warnings.is_empty());
}

#[test]
fn the_shortest_identity_has_safe_defaults() {
    let policies = load(
        "lictor: v1\nidentities: { corp: { jwt: { issuer: \"https://idp.example\", audience: a } } }\n",
    );
    let identity = &policies.identity.identities[0];
    let Kind::Jwt(jwt) = &identity.kind else {
        panic!("not of tokens")
    };
    assert_eq!(jwt.keys, KeySource::Discovery { ca: None });
    assert!(jwt.require_exp && jwt.max_age.is_none());
    assert_eq!(jwt.algorithms.len(), 3);
    assert_eq!(identity.groups.as_ref().unwrap().0, [Box::from("groups")]);
    assert_eq!(identity.tenant, TenantFrom::Default);
}

#[test]
fn anchors_stand_for_what_they_name() {
    let policies = load(
        "
lictor: v1
x-common: &common { rate: 5/s, per: tenant }
quotas:
  a: *common
  b: { <<: *common, rate: 7/s }
  c: { burst: 2, <<: [{ per: source }, *common] }
",
    );
    let quotas: Vec<_> = policies
        .quotas
        .quotas
        .iter()
        .map(|quota| {
            let Measure::Rate {
                rates: Rates::Fixed(rate),
                burst,
            } = &quota.measure
            else {
                panic!("{quota:?}")
            };
            (rate.count.get(), burst.map(NonZeroU32::get), quota.per[0])
        })
        .collect();
    assert_eq!(
        quotas,
        [
            (5, None, Dimension::Tenant),
            (7, None, Dimension::Tenant),
            (5, Some(2), Dimension::Source)
        ]
    );
    assert_eq!(codes("lictor: v1\nx-a: &a [*a]\n"), ["L0100"]);
    assert_eq!(codes("lictor: v1\nx-a: { <<: text }\n"), ["L0104"]);
}

#[test]
fn a_tier_names_numbers_that_quotas_refer_to() {
    let text = |star: &str| {
        format!(
            "
lictor: v1
tiers: {{ gold: {{ calls: 600/min }}, trial: {{ calls: 30/min }}, free: {{ calls: 10/min, tokens: 1k/day }} }}
tenants: {{ acme: {{ tier: gold }}, globex: {{ tier: trial }}{star} }}
quotas: {{ q: {{ rate: tier.calls, per: tenant }} }}
"
        )
    };
    let rate_of = |star, tenant| {
        let policies = load(&text(star));
        let tenant = TenantId::new(tenant).unwrap();
        let Measure::Rate { rates, .. } = &policies.quotas.quotas[0].measure else {
            panic!("a rate")
        };
        rates.of(&tenant).count.get()
    };
    assert_eq!((rate_of("", "acme"), rate_of("", "globex")), (600, 30));
    assert_eq!(rate_of("", "anonymous"), 10, "the slowest of all");
    assert_eq!(rate_of(", \"*\": { tier: trial }", "anonymous"), 30);
    assert_eq!(codes(&text(", initech: {}")), ["L0210"]);
    assert_eq!(codes(&text(", initech: { tier: golt }")), ["L0209"]);
    assert_eq!(
        codes("lictor: v1\nquotas: { q: { rate: tier.calls, per: tenant } }"),
        ["L0210"]
    );
}

#[test]
fn bombs_are_refused_quickly() {
    let started = crate::clock::now();
    let mut bomb = "lictor: v1\nx-0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(",");
        bomb.push_str(&format!("x-{level}: &a{level} [{aliases}]\n"));
    }
    assert_eq!(codes(&bomb), ["L0109"]);
    let deep = format!(
        "lictor: v1\nx-a: {}{}\n",
        "[".repeat(5000),
        "]".repeat(5000)
    );
    assert_eq!(codes(&deep).len(), 1);
    let mut chain = "lictor: v1\nx-0: &a0 [x]\n".to_owned();
    for level in 1..100 {
        chain.push_str(&format!("x-{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(codes(&chain), ["L0109"]);
    let many = format!("lictor: v1\nx-a: &a 1\nx-b: [{}]\n", "*a,".repeat(1001));
    assert_eq!(codes(&many), ["L0109"]);
    let wrong: String = (0..20_000).map(|n| format!("wrong{n}: 1\n")).collect();
    let errors = parse_policy("p.yaml", &format!("lictor: v1\n{wrong}"), &[]).unwrap_err();
    assert_eq!(errors.errors(), 20_000);
    assert!(errors.render(false).len() < 1 << 20);
    assert!(crate::clock::now() - started < Duration::from_secs(20));
}

#[test]
fn files_of_a_folder_add_up_and_never_override() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("10.yaml", "lictor: v1\ntenants: { acme: {} }\n");
    write(
        "team/20.yml",
        "lictor: v1\ntenants: { globex: {} }\nroles: { a: { allow: a2a:GetTask } , b: { inherits: a, to: { tenants: [acme] } } }\n",
    );
    write(".hidden.yaml", "not a policy");
    write("..data/10.yaml", "not a policy");
    write("notes.txt", "not a policy");
    let first = load_policies(root, DETECTORS).unwrap();
    assert_eq!((first.files, first.rules), (2, 2));
    let rules::Tenants::Listed { named, others } = &first.policy.tenants else {
        panic!("tenants are listed")
    };
    assert_eq!((named.len(), others.is_none()), (2, true));

    write(
        "30.yaml",
        "lictor: v1\nroles: { a: { allow: a2a:CancelTask, to: { tenants: [acme] } } }\ntenants: { acme: {} }\n",
    );
    let errors = load_policies(root, DETECTORS).unwrap_err();
    assert_eq!(errors.errors(), 2);
    let text = errors.render(false);
    assert!(text.contains("tenant `acme` is defined twice"), "{text}");
    assert!(
        text.contains("10.yaml") && text.contains("30.yaml"),
        "{text}"
    );
    assert!(
        text.contains("first definition") && text.contains("second definition"),
        "{text}"
    );
    assert!(
        text.ends_with("2 errors, 0 warnings in 3 files\n"),
        "{text}"
    );

    fs::remove_file(root.join("30.yaml")).unwrap();
    assert_eq!(
        load_policies(root, DETECTORS).unwrap().generation,
        first.generation
    );
    write("10.yaml", "lictor: v1\ntenants: { acme: {} } \n");
    assert_ne!(
        load_policies(root, DETECTORS).unwrap().generation,
        first.generation
    );
}

#[test]
fn all_mistakes_of_all_files_come_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("a.yaml"),
        "lictor: v1\nroless: {}\nlimits: { default: { time: 5 } }\n",
    )
    .unwrap();
    fs::write(folder.path().join("b.yaml"), "lictor: v1\nroles: [\n").unwrap();
    fs::write(folder.path().join("c.yaml"), b"\xff\xfe").unwrap();
    fs::write(folder.path().join("d.yaml"), "").unwrap();
    let errors = load_policies(folder.path(), DETECTORS).unwrap_err();
    let found: Vec<_> = errors.iter().map(Diagnostic::code).collect();
    assert_eq!(found, ["L0001", "L0102", "L0106", "L0100", "L0108"]);
}

#[test]
fn nothing_to_read_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    assert!(load_policies(folder.path(), DETECTORS).is_err());
    assert!(load_policies(&folder.path().join("missing"), DETECTORS).is_err());
    assert!(load_operator(folder.path()).is_err());
}

#[test]
fn the_operators_file_sets_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lictor.yaml");
    fs::write(
        &file,
        r#"
lictor: v1
agent: { name: quotes-agent }
stateDir: state
listeners:
  public:
    address: 0.0.0.0:8443
    tls:
      certificates: [{ cert: tls/tls.crt, key: tls/tls.key }]
      minVersion: "1.2"
      clientCertificates: { ca: tls/clients.crt, mode: optional }
    versions: [h1, h2]
    trustedPeers: [10.0.0.0/8, "fd00::1"]
    proxyProtocol: optional
    transparent: redirect
    limits: { connections: 10, perSource: 5, handshakes: 4, headerBytes: 16KiB, headers: 50, streams: 20 }
    deadlines: { handshake: 1s, header: 2s, bodyIdle: 3s, keepAlive: 4s, writeStall: 5s, drain: 6s }
  mesh: { address: 127.0.0.1:8444, versions: h1, limits: { connections: 11 } }
upstream:
  url: https://agent.example:9000
  ports: [9000, 8081, 9000]
  tls: { ca: tls/ca.crt, cert: tls/us.crt, key: tls/us.key, serverName: agent.internal }
  pool: { idle: 7, streams: 50, exchanges: 60, pending: 70, connect: 8s, firstByte: 9s }
  retry: safe
  ejection: { connectFailures: 4, exchangeFailures: 5, time: 6s }
  health: { path: /health, every: 7s, timeout: 8s, healthy: 9, unhealthy: 10 }
policies: { path: policies/, poll: 3s }
admin: { address: 127.0.0.1:9902 }
identityHeaders: { tenant: x-org, assertion: off }
audit: { spool: { onFull: drop }, sinks: { file: { path: records.jsonl } } }
telemetry: { logs: { format: pretty, level: debug } }
runtime: { workers: 3 }
"#,
    )
    .unwrap();
    let operator = load_operator(&file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(operator.agent_name, "quotes-agent");
    assert_eq!(operator.state_dir, folder.path().join("state"));
    assert_eq!(
        operator.audit.path,
        folder.path().join("state/records.jsonl")
    );
    assert_eq!(operator.audit.on_full, OnFull::Drop);
    assert_eq!(operator.policies, folder.path().join("policies/"));
    assert_eq!(operator.poll, Duration::from_secs(3));
    let tls = operator.public.tls.clone().unwrap();
    let files = |name: &str| tls::CertificateFiles {
        certificate: folder.path().join(format!("tls/{name}.crt")),
        key: folder.path().join(format!("tls/{name}.key")),
    };
    let first = tls::CertificateSource::Files(files("tls"));
    assert_eq!(tls.certificates[0], first);
    assert!(tls.allow_tls12);
    assert_eq!(
        (tls.handshakes, tls.handshake_time),
        (4, Duration::from_secs(1))
    );
    assert_eq!(
        tls.clients,
        Some(tls::ClientCertificates {
            authorities: tls::AuthoritySource::File(folder.path().join("tls/clients.crt")),
            mode: tls::ClientMode::Optional,
        })
    );
    assert_eq!(tls.versions, operator.public.versions);
    let trusted = &operator.public.listener.trusted;
    assert!(trusted.contains("10.1.2.3".parse().unwrap()));
    assert!(trusted.contains("fd00::1".parse().unwrap()));
    assert!(!trusted.contains("fd00::2".parse().unwrap()));
    assert_eq!(
        operator.public.listener.proxy_protocol,
        crate::listener::ProxyProtocol::Optional
    );
    assert_eq!(operator.public.listener.limits.streams, 20);
    assert_eq!(
        operator.public.listener.deadlines.drain,
        Duration::from_secs(6)
    );
    let mesh = &operator.further[0];
    assert_eq!(
        (&*mesh.name, mesh.listener.limits.connections),
        ("mesh", 11)
    );
    assert_eq!(mesh.versions, [tls::HttpVersion::H1]);
    assert!(mesh.tls.is_none());
    let transparent = operator.public.listener.transparent;
    assert_eq!(transparent, crate::listener::Transparent::Redirect);
    assert_eq!(operator.ports(), [9000, 8081]);
    let upstream = operator.upstream;
    assert_eq!((upstream.idle, upstream.streams), (7, 50));
    assert_eq!((upstream.exchanges, upstream.pending), (60, 70));
    assert_eq!(upstream.retry, Retry::Safe);
    let ejection = upstream.ejection.unwrap();
    let rows = (ejection.connect_failures, ejection.exchange_failures);
    assert_eq!((rows, ejection.time.as_secs()), ((4, 5), 6));
    let health = upstream.health.unwrap();
    assert_eq!(health.path.unwrap(), "/health");
    assert_eq!((health.every.as_secs(), health.timeout.as_secs()), (7, 8));
    assert_eq!((health.healthy, health.unhealthy), (9, 10));
    let host = "agent.example".to_owned();
    assert_eq!(upstream.endpoint, Endpoint::Https { host, port: 9000 });
    assert!(upstream.server_name.is_some());
    let tls = operator.upstream_tls;
    let authorities = tls::AuthoritySource::File(folder.path().join("tls/ca.crt"));
    assert_eq!(tls.authorities, Some(authorities));
    let certificate = tls::CertificateSource::Files(files("us"));
    assert_eq!(tls.certificate, Some(certificate));
    assert_eq!(operator.identity_headers.tenant, "x-org");
    assert_eq!(operator.identity_headers.principal, "x-user-id");
    assert_eq!(operator.logs.level.as_str(), "debug");
    assert_eq!(operator.workers.map(std::num::NonZeroUsize::get), Some(3));
}

#[cfg(feature = "spiffe")]
#[test]
fn the_workload_api_stands_in_place_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lictor.yaml");
    let read = |text: &str| {
        fs::write(&file, format!("lictor: v1\n{text}\n")).unwrap();
        load_operator(&file).map_err(|error| error.to_string())
    };
    let listeners = "listeners: { public: { tls: { certificates: [workloadApi, { cert: a.crt, key: a.key }], \
        clientCertificates: { ca: workloadApi } } } }";
    let upstream = "upstream: { url: \"https://agent\", \
        tls: { ca: workloadApi, cert: workloadApi, spiffeId: \"spiffe://prod.example/sa/agent\" } }";
    let api = "workloadApi: { socket: \"unix:///run/spire/agent.sock\", wait: 5s }";
    let operator = read(&format!("{listeners}\n{upstream}\n{api}")).unwrap();
    assert!(operator.asks_workload_api());
    assert_eq!(
        operator.workload_api,
        Some(tls::WorkloadApiConfig {
            socket: Some("/run/spire/agent.sock".into()),
            wait: Duration::from_secs(5),
        })
    );
    let tls = operator.public.tls.unwrap();
    assert_eq!(tls.certificates[0], tls::CertificateSource::WorkloadApi);
    let clients = tls.clients.unwrap();
    assert_eq!(clients.authorities, tls::AuthoritySource::WorkloadApi);
    let agent = operator.upstream_tls;
    assert_eq!(agent.authorities, Some(tls::AuthoritySource::WorkloadApi));
    assert_eq!(agent.certificate, Some(tls::CertificateSource::WorkloadApi));
    assert_eq!(
        agent.workload.as_deref(),
        Some("spiffe://prod.example/sa/agent")
    );

    let plain = "upstream: { url: \"http://agent\" }";
    let agent = |tls: &str| format!("upstream: {{ url: \"https://agent\", tls: {{ {tls} }} }}");
    for (text, told) in [
        (
            format!("{plain}\n{api}"),
            "says where certificates come from, and none does",
        ),
        (
            format!(
                "{plain}\nlisteners: {{ public: {{ tls: {{ certificates: [workloadapi] }} }} }}"
            ),
            "workloadApi",
        ),
        (
            format!("{listeners}\n{plain}\nworkloadApi: {{ socket: \"tcp://127.0.0.1:1\" }}"),
            "the address of a socket",
        ),
        (
            agent("cert: workloadApi, key: a.key"),
            "the Workload API brings the key",
        ),
        (agent("cert: a.crt"), "are a pair"),
        (
            agent("ca: a.crt, spiffeId: \"spiffe://prod.example/a\""),
            "needs `ca: workloadApi`",
        ),
        (
            agent("ca: workloadApi, spiffeId: \"spiffe://prod.example/*\""),
            "a SPIFFE ID such as",
        ),
        (
            agent("ca: workloadApi, spiffeId: \"spiffe://prod.example\""),
            "a SPIFFE ID such as",
        ),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.contains(told), "{text}: {error}");
    }
}

#[test]
fn an_upstream_is_all_that_an_operator_must_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lictor.yaml");
    fs::write(
        &file,
        "lictor: v1\nupstream: { url: \"http://127.0.0.1:9000\" }\n",
    )
    .unwrap();
    let operator = load_operator(&file).unwrap();
    assert!(operator.public.listener.address.ip().is_loopback());
    assert!(operator.admin.address.ip().is_loopback());
    assert_eq!(operator.ports(), [9000]);
    assert_eq!(operator.policies, folder.path().join("policies"));
    assert_eq!(
        operator.audit.path,
        Path::new("/var/lib/lictor/audit.jsonl")
    );
}

// The renderer panicked where a span ended inside a character.
#[test]
fn messages_point_at_whole_characters() {
    for text in ["é", "lictor: v1\né: 1\n", "lictor: v1\nroles: { é }\n"] {
        fuzz_policy(text.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // Any bytes give a policy or messages that render, and never a panic.
    #[test]
    fn any_text_is_answered(text in "[a-z:\\[\\]{}&*<>|\"' \n\\-#!%@é]{0,200}") {
        fuzz_policy(text.as_bytes());
        fuzz_policy(format!("lictor: v1\n{text}").as_bytes());
    }

    #[test]
    fn any_cut_of_a_policy_is_answered(cut in 0usize..2000, junk in any::<char>()) {
        let whole = include_str!("../../policies/quickstart.yaml");
        let mut at = cut.min(whole.len());
        while !whole.is_char_boundary(at) {
            at -= 1;
        }
        let (head, tail) = whole.split_at(at);
        fuzz_policy(head.as_bytes());
        fuzz_policy(format!("{head}{junk}{tail}").as_bytes());
    }
}
