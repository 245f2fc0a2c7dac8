//! What the decision promises.

mod reference;
mod revocation;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::model::{
    A2aVersion, Action, ActionPattern, Binding, Call, Credential, Dialect, Facts, Glob,
    IdentityName, Mode, Operation, Ownership, Principal, PrincipalId, Protocol, Reason, RuleRef,
    TenantId,
};

fn rule_ref(name: &str) -> Arc<RuleRef> {
    Arc::new(RuleRef {
        name: Arc::from(name),
        place: None,
    })
}

fn patterns(texts: &[&str]) -> Vec<ActionPattern> {
    texts
        .iter()
        .map(|text| ActionPattern::parse(text).unwrap())
        .collect()
}

fn groups(groups: &[&str]) -> Callers {
    Callers {
        identity: Some(IdentityName::new("corp").unwrap()),
        groups: groups.iter().map(|group| Box::from(*group)).collect(),
        ..Callers::default()
    }
}

fn role(name: &str, allow: &[&str], to: Option<Callers>) -> Role {
    Role {
        rule: rule_ref(name),
        fence: None,
        rank: 0,
        mode: Mode::Enforce,
        allow: patterns(allow),
        inherits: Vec::new(),
        to,
    }
}

fn rule(name: &str, effect: Effect, actions: &[&str], from: Option<Sources>) -> Rule {
    Rule {
        rule: rule_ref(name),
        effect,
        mode: Mode::Enforce,
        actions: patterns(actions),
        when: None,
        from,
        say: None,
    }
}

pub(super) fn ana() -> Principal {
    Principal {
        identity: IdentityName::new("corp").unwrap(),
        id: PrincipalId::new("ana@acme").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        groups: vec![Box::from("analysts")],
        claims: None,
        credential: Credential::default(),
    }
}

pub(super) fn call(method: &'static str, name: Option<&str>) -> Call {
    Call {
        action: Action {
            name: name.map(Box::from),
            ..Action::known(Protocol::A2a, method)
        },
        http: None,
        operation: if method == "ListTasks" {
            Operation::ListTasks
        } else {
            Operation::Other
        },
        dialect: Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc),
        rpc_id: None,
        task: None,
        references: Vec::new(),
        context: None,
        session: None,
        hook: None,
        addressed: None,
    }
}

fn decide(config: Config, principal: &Principal, call: &Call) -> Decision {
    PolicySet::compile(config).decide(&ask(principal, call, &Facts::default()))
}

pub(super) fn ask<'a>(principal: &'a Principal, call: &'a Call, facts: &'a Facts) -> Question<'a> {
    Question {
        agent: "quotes-agent",
        principal,
        call,
        facts,
        source: None,
        request: RequestFacts::default(),
        at: noon(),
    }
}

fn noon() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn analyst() -> Config {
    Config {
        roles: vec![role("analyst", &["a2a:*"], Some(groups(&["analysts"])))],
        ..Config::default()
    }
}

fn reason(decision: &Decision) -> Option<Reason> {
    decision.refusal().map(|refusal| refusal.reason)
}

#[test]
fn nothing_is_allowed_by_default() {
    let send = call("SendMessage", None);
    let known = decide(Config::default(), &ana(), &send);
    let unknown = decide(Config::default(), &Principal::anonymous(), &send);
    assert_eq!(reason(&known), Some(Reason::DefaultDeny));
    assert_eq!(reason(&unknown), Some(Reason::CredentialMissing));
}

#[test]
fn deny_rule_wins_over_allow() {
    let mut config = analyst();
    config.rules = vec![
        rule("all", Effect::Allow, &["a2a:*"], None),
        rule(
            "no-exports",
            Effect::Deny,
            &["a2a:SendMessage export-*"],
            None,
        ),
    ];
    let decision = decide(config, &ana(), &call("SendMessage", Some("export-all")));
    assert_eq!(reason(&decision), Some(Reason::DenyRule));
    assert_eq!(&*decision.rule().unwrap().name, "no-exports");
}

#[test]
fn a_deny_with_a_name_covers_a_call_without_one() {
    let mut config = analyst();
    config.rules = vec![rule(
        "no-exports",
        Effect::Deny,
        &["a2a:SendMessage export-*"],
        None,
    )];
    let decision = decide(config, &ana(), &call("SendMessage", None));
    assert_eq!(reason(&decision), Some(Reason::DenyRule));
}

#[test]
fn inherited_allows_name_the_role_they_stand_in() {
    let mut analyst = role("analyst", &["a2a:SendMessage"], Some(groups(&["analysts"])));
    analyst.inherits = vec![Arc::from("reader")];
    let mut reader = role("reader", &["a2a:GetTask"], None);
    // A cycle grants what it grants and ends.
    reader.inherits = vec![Arc::from("analyst")];
    let config = Config {
        roles: vec![analyst, reader],
        ..Config::default()
    };
    let decision = decide(config, &ana(), &call("GetTask", None));
    assert!(decision.is_allow());
    assert_eq!(&*decision.into_permit().unwrap().rule().name, "reader");
}

#[test]
fn another_identity_with_the_same_id_and_groups_holds_nothing() {
    let mut eve = ana();
    eve.identity = IdentityName::new("partners").unwrap();
    let decision = decide(analyst(), &eve, &call("GetTask", None));
    assert_eq!(reason(&decision), Some(Reason::DefaultDeny));
}

#[test]
fn ids_are_patterns_within_a_segment() {
    let to = |pattern: &str| {
        Some(Callers {
            ids: vec![Glob::new(pattern)],
            ..Callers::default()
        })
    };
    for (pattern, expected) in [("*@acme", true), ("ana@*", true), ("bob@*", false)] {
        let config = Config {
            roles: vec![role("r", &["a2a:GetTask"], to(pattern))],
            ..Config::default()
        };
        let decision = decide(config, &ana(), &call("GetTask", None));
        assert_eq!(decision.is_allow(), expected, "{pattern}");
    }
}

#[test]
fn an_allow_covers_anonymous_only_where_it_says_so() {
    let public = |anonymous| Config {
        rules: vec![rule(
            "public",
            Effect::Allow,
            &["a2a:GetTask"],
            Some(Sources {
                anonymous,
                ..Sources::default()
            }),
        )],
        ..Config::default()
    };
    let anonymous = Principal::anonymous();
    let task = call("GetTask", None);
    assert!(decide(public(true), &anonymous, &task).is_allow());
    assert!(decide(public(true), &ana(), &task).is_allow());
    assert!(decide(public(false), &ana(), &task).is_allow());
    assert!(!decide(public(false), &anonymous, &task).is_allow());
}

#[test]
fn the_agent_card_is_public_unless_denied() {
    let card = call("GetAgentCard", None);
    let anonymous = Principal::anonymous();
    assert!(decide(Config::default(), &anonymous, &card).is_allow());
    let only_known = Config {
        rules: vec![rule(
            "no-strangers",
            Effect::Deny,
            &["a2a:GetAgentCard"],
            Some(Sources {
                anonymous: true,
                ..Sources::default()
            }),
        )],
        ..Config::default()
    };
    assert!(decide(only_known.clone(), &ana(), &card).is_allow());
    let refused = decide(only_known, &anonymous, &card);
    assert_eq!(reason(&refused), Some(Reason::DenyRule));
}

#[test]
fn networks_are_compared_whatever_the_address_looks_like() {
    let sources = || {
        Some(Sources {
            cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            ..Sources::default()
        })
    };
    let judge = |effect, source: Option<&str>| {
        let mut config = Config {
            rules: vec![rule("net", effect, &["a2a:GetTask"], sources())],
            ..Config::default()
        };
        if effect == Effect::Deny {
            config.roles = analyst().roles;
        }
        let source = source.map(|text| text.parse::<IpAddr>().unwrap());
        PolicySet::compile(config)
            .decide(&Question {
                source,
                ..ask(&ana(), &call("GetTask", None), &Facts::default())
            })
            .is_allow()
    };
    assert!(judge(Effect::Allow, Some("10.1.2.3")));
    assert!(judge(Effect::Allow, Some("::ffff:10.1.2.3")));
    assert!(!judge(Effect::Allow, Some("192.0.2.1")));
    assert!(!judge(Effect::Allow, None), "cannot be evaluated: no match");
    assert!(!judge(Effect::Deny, Some("::ffff:10.1.2.3")));
    assert!(judge(Effect::Deny, Some("192.0.2.1")));
    assert!(!judge(Effect::Deny, None), "cannot be evaluated: a match");
}

#[test]
fn tenants_are_served_only_if_listed_and_in_time() {
    let tenants = |until: &str, others| Tenants::Listed {
        named: [(
            TenantId::new("acme").unwrap(),
            Tenant {
                rule: rule_ref("acme"),
                until: Some(until.parse().unwrap()),
            },
        )]
        .into(),
        others,
    };
    let judge = |tenants, tenant: &str| {
        let principal = Principal {
            tenant: TenantId::new(tenant).unwrap(),
            ..ana()
        };
        let config = Config {
            tenants,
            ..analyst()
        };
        reason(&decide(config, &principal, &call("GetTask", None)))
    };
    let (past, future) = ("2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z");
    let others = || {
        Some(Tenant {
            rule: rule_ref("*"),
            until: None,
        })
    };
    assert_eq!(judge(tenants(future, None), "acme"), None);
    assert_eq!(
        judge(tenants(past, None), "acme"),
        Some(Reason::TenantExpired)
    );
    assert_eq!(
        judge(tenants(past, others()), "acme"),
        Some(Reason::TenantExpired)
    );
    assert_eq!(
        judge(tenants(future, None), "evil"),
        Some(Reason::TenantUnknown)
    );
    assert_eq!(judge(tenants(future, others()), "evil"), None);
    assert_eq!(judge(Tenants::Any, "evil"), None);
    // The name of callers without a credential belongs to them.
    assert_eq!(
        judge(Tenants::Any, "anonymous"),
        Some(Reason::TenantUnknown)
    );
    assert_eq!(
        judge(tenants(future, others()), "anonymous"),
        Some(Reason::TenantUnknown)
    );
}

#[test]
fn objects_of_others_are_not_found_but_only_for_who_may_ask() {
    let judge = |config, task, context| {
        let facts = Facts {
            task,
            context,
            ..Facts::default()
        };
        let set = PolicySet::compile(config);
        reason(&set.decide(&ask(&ana(), &call("GetTask", None), &facts)))
    };
    use Ownership::{Mine, NotMine};
    assert_eq!(judge(analyst(), Mine, Mine), None);
    assert_eq!(
        judge(analyst(), NotMine, NotMine),
        Some(Reason::TaskNotFound)
    );
    assert_eq!(
        judge(analyst(), Mine, NotMine),
        Some(Reason::ContextNotFound)
    );
    let nothing = Config::default();
    assert_eq!(judge(nothing, NotMine, Mine), Some(Reason::DefaultDeny));
}

#[test]
fn the_most_specific_limit_wins_field_by_field() {
    let limit = |pattern: &str, request_bytes, seconds: Option<u64>| {
        let change = LimitOverride {
            request_bytes,
            time: seconds.map(Duration::from_secs),
            ..LimitOverride::default()
        };
        (ActionPattern::parse(pattern).unwrap(), change)
    };
    let set = PolicySet::compile(Config {
        default_limits: LimitOverride {
            json_depth: Some(8),
            ..LimitOverride::default()
        },
        limits: vec![
            limit("a2a:SendMessage quote-*", None, Some(5)),
            limit("a2a:SendMessage", Some(2048), Some(7)),
            limit("a2a:*", Some(1024), None),
        ],
        ..Config::default()
    });
    let named = set.limits(&call("SendMessage", Some("quote-1")).action);
    assert_eq!((named.request_bytes, named.time.as_secs()), (2048, 5));
    let nameless = set.limits(&call("SendMessage", None).action);
    assert_eq!(nameless.time.as_secs(), 7);
    let stream = set.limits(&call("SendStreamingMessage", None).action);
    assert_eq!((stream.request_bytes, stream.time.as_secs()), (1024, 1800));
    assert_eq!((stream.response_bytes, stream.json_depth), (256 << 20, 8));
    let other = set.limits(&Action::known(Protocol::Http, "GET"));
    assert_eq!(other.request_bytes, 1 << 20);
    assert_eq!(set.max_request_bytes(), 1 << 20);
}

fn any_pattern() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a2a:*",
        "a2a:Send*",
        "a2a:SendMessage",
        "a2a:SendMessage quote-*",
        "a2a:SendMessage export-*",
        "a2a:GetTask",
        "http:GET /v1/**",
    ])
}

fn any_call() -> impl Strategy<Value = Call> {
    prop::sample::select(vec![
        call("SendMessage", None),
        call("SendMessage", Some("quote-1")),
        call("SendMessage", Some("export-1")),
        call("SendStreamingMessage", Some("quote-1")),
        call("GetTask", None),
        call("GetAgentCard", None),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_deny_rule_never_turns_a_deny_into_an_allow(
        allows in prop::collection::vec(any_pattern(), 0..4),
        denies in prop::collection::vec(any_pattern(), 0..4),
        more in any_pattern(),
        call in any_call(),
        anonymous in any::<bool>(),
    ) {
        let principal = if anonymous { (*Principal::anonymous()).clone() } else { ana() };
        let mut config = Config {
            roles: vec![role("r", &allows, Some(groups(&["analysts"])))],
            rules: vec![rule("d", Effect::Deny, &denies, None)],
            ..Config::default()
        };
        let before = decide(config.clone(), &principal, &call).is_allow();
        config.rules.push(rule("more", Effect::Deny, &[more], None));
        let after = decide(config, &principal, &call).is_allow();
        prop_assert!(before || !after);
    }

    // The index is a shortcut, so it must give what reading every statement gives.
    #[test]
    fn the_index_forgets_no_statement(
        denies in prop::collection::vec(any_pattern(), 0..6),
        call in any_call(),
    ) {
        let mut config = analyst();
        config.rules = vec![rule("d", Effect::Deny, &denies, None)];
        let expected = patterns(&denies).iter().any(|pattern| pattern.may_match(&call.action));
        let decision = decide(config, &ana(), &call);
        prop_assert_eq!(reason(&decision) == Some(Reason::DenyRule), expected);
    }
}

#[test]
fn a_body_does_not_open_a_path_that_a_rule_closes() {
    let policy = || Config {
        rules: vec![rule("no-admin", Effect::Deny, &["http:* /admin/**"], None)],
        ..analyst()
    };
    let at = |path: &str| Call {
        http: Some(Action {
            name: Some(Box::from(path)),
            ..Action::known(Protocol::Http, "POST")
        }),
        ..call("SendMessage", None)
    };
    assert!(decide(policy(), &ana(), &at("/")).is_allow());
    let denied = decide(policy(), &ana(), &at("/admin/reset"));
    assert_eq!(reason(&denied), Some(Reason::DenyRule));
}

#[test]
fn a_stream_that_nobody_expected_has_a_streams_limits() {
    let post = Action::known(Protocol::Http, "POST");
    let policy = PolicySet::compile(analyst());
    assert_eq!(policy.limits(&post).time, Duration::from_secs(30));
    assert_eq!(
        policy.stream_limits(&post).time,
        Duration::from_secs(30 * 60)
    );
    let stated = PolicySet::compile(Config {
        limits: vec![(
            ActionPattern::parse("http:POST").unwrap(),
            LimitOverride {
                time: Some(Duration::from_secs(5)),
                ..LimitOverride::default()
            },
        )],
        ..analyst()
    });
    assert_eq!(stated.stream_limits(&post).time, Duration::from_secs(5));
}
