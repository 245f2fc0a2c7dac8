//! The decision once more, in the plainest words: every statement is read for every call. What is fast must
//! come to the same.

use std::net::IpAddr;

use proptest::prelude::*;

use super::super::*;
use super::{ask, call, patterns, rule_ref};
use crate::model::{
    Action, ActionPattern, Call, Credential, Facts, Glob, IdentityName, Mode, Principal,
    PrincipalId, Protocol, Reason, ShadowVerdict, TenantId,
};

/// What a policy says to a call: the reason of a refusal, or the statements that may have allowed it.
#[derive(Debug, PartialEq)]
enum Verdict {
    Allow,
    Deny(Reason, Option<String>),
}

/// The verdict, and the effect of statements in shadow mode that would have changed it.
fn decide(config: &Config, question: &Question<'_>) -> (Verdict, Option<&'static str>) {
    let verdict = enforced(config, question);
    let shadow = |effect| {
        let rules = config.rules.iter().filter(|rule| rule.mode == Mode::Shadow);
        rules.filter(move |rule| rule.effect == effect)
    };
    let changes = match &verdict {
        Verdict::Allow => shadow(Effect::Deny)
            .any(|rule| denies(rule, question))
            .then_some("deny"),
        Verdict::Deny(Reason::DefaultDeny | Reason::CredentialMissing, _) => {
            let mut enforced = config.clone();
            enforced
                .roles
                .iter_mut()
                .for_each(|role| role.mode = Mode::Enforce);
            let by_rule = shadow(Effect::Allow).any(|rule| allows(rule, question));
            (by_rule || by_role(&enforced, question)).then_some("allow")
        }
        Verdict::Deny(..) => None,
    };
    (verdict, changes)
}

fn by_role(config: &Config, question: &Question<'_>) -> bool {
    let mut held = held(config, question);
    held.any(|role| grants(config, role, &question.call.action, 0))
}

/// The roles that the caller holds and that act.
fn held<'a>(config: &'a Config, question: &'a Question<'_>) -> impl Iterator<Item = &'a Role> {
    config.roles.iter().filter(|role| {
        role.mode == Mode::Enforce
            && !question.principal.is_anonymous()
            && role.to.as_ref().is_some_and(|to| means(to, question))
    })
}

fn enforced(config: &Config, question: &Question<'_>) -> Verdict {
    let rules = config
        .rules
        .iter()
        .filter(|rule| rule.mode == Mode::Enforce);
    let denying = rules
        .clone()
        .filter(|rule| rule.effect == Effect::Deny && denies(rule, question))
        .map(|rule| rule.rule.name.to_string())
        .min();
    if let Some(name) = denying {
        return Verdict::Deny(Reason::DenyRule, Some(name));
    }
    let rank = held(config, question)
        .map(|role| role.rank)
        .max()
        .unwrap_or(0);
    let needed = config.seniority.of(question.agent);
    if needed.is_some_and(|needed| rank < needed.caller_at_least) {
        return Verdict::Deny(Reason::SeniorityTooLow, Some("seniority".to_owned()));
    }
    let by_rule = rules
        .clone()
        .any(|rule| rule.effect == Effect::Allow && allows(rule, question));
    if by_role(config, question) || by_rule {
        Verdict::Allow
    } else if question.principal.is_anonymous() {
        Verdict::Deny(Reason::CredentialMissing, None)
    } else {
        Verdict::Deny(Reason::DefaultDeny, None)
    }
}

fn grants(config: &Config, role: &Role, action: &Action, depth: usize) -> bool {
    let parents = config
        .roles
        .iter()
        .filter(|other| other.mode == Mode::Enforce && role.inherits.contains(&other.rule.name));
    role.allow.iter().any(|pattern| pattern.matches(action))
        || (depth < config.roles.len()
            && parents
                .clone()
                .any(|parent| grants(config, parent, action, depth + 1)))
}

fn denies(rule: &Rule, question: &Question<'_>) -> bool {
    let names = [Some(&question.call.action), question.call.http.as_ref()];
    let covered = |action: &Action| rule.actions.iter().any(|pattern| pattern.may_match(action));
    let meant = match &rule.from {
        None => true,
        Some(from) => {
            (!from.anonymous || question.principal.is_anonymous())
                && means(&from.callers, question)
                && (from.cidrs.is_empty()
                    || question
                        .source
                        .is_none_or(|at| from.cidrs.iter().any(|net| net.contains(&at))))
        }
    };
    names.into_iter().flatten().any(covered) && meant
}

fn allows(rule: &Rule, question: &Question<'_>) -> bool {
    let anonymous = question.principal.is_anonymous();
    let meant = match &rule.from {
        None => !anonymous,
        Some(from) => {
            (from.anonymous || !anonymous)
                && means(&from.callers, question)
                && (from.cidrs.is_empty()
                    || question
                        .source
                        .is_some_and(|at| from.cidrs.iter().any(|net| net.contains(&at))))
        }
    };
    rule.actions
        .iter()
        .any(|pattern| pattern.matches(&question.call.action))
        && meant
}

fn means(callers: &Callers, question: &Question<'_>) -> bool {
    let Principal {
        identity,
        id,
        tenant,
        groups,
        ..
    } = question.principal;
    callers
        .identity
        .as_ref()
        .is_none_or(|wanted| wanted == identity)
        && (callers.groups.is_empty() || groups.iter().any(|group| callers.groups.contains(group)))
        && (callers.ids.is_empty() || callers.ids.iter().any(|glob| glob.matches(id.as_str())))
        && (callers.tenants.is_empty() || callers.tenants.contains(tenant))
}

const GROUPS: [&str; 3] = ["analysts", "staff", "traders"];
const TENANTS: [&str; 3] = ["acme", "globex", "initech"];
const IDS: [&str; 4] = ["ana@acme", "bob@acme", "*@acme", "bot-*"];
const PATTERNS: [&str; 12] = [
    "a2a:*",
    "a2a:Send*",
    "a2a:SendMessage",
    "a2a:SendMessage quote-*",
    "a2a:SendMessage quote-equity",
    "a2a:SendMessage *-equity",
    "a2a:GetTask",
    "http:* /admin/**",
    "http:POST /",
    "http:GET /v1/*/é*",
    "mcp:tools/call search_*",
    "mcp:notifications/*",
];

fn some<T: Clone + std::fmt::Debug + 'static>(
    values: &[T],
    most: usize,
) -> impl Strategy<Value = Vec<T>> + use<T> {
    let size = 0..=most.min(values.len());
    prop::sample::subsequence(values.to_vec(), size)
}

fn callers() -> impl Strategy<Value = Callers> {
    let identity = prop::option::of(prop::sample::select(vec!["corp", "partners"]));
    (identity, some(&GROUPS, 2), some(&IDS, 2), some(&TENANTS, 2)).prop_map(
        |(identity, groups, ids, tenants)| Callers {
            identity: identity.map(|name| IdentityName::new(name).unwrap()),
            groups: groups.into_iter().map(Box::from).collect(),
            ids: ids.into_iter().map(Glob::new).collect(),
            tenants: tenants
                .into_iter()
                .map(|name| TenantId::new(name).unwrap())
                .collect(),
        },
    )
}

fn sources() -> impl Strategy<Value = Option<Sources>> {
    let nets = some(&["10.0.0.0/8", "2001:db8::/32"], 2);
    let sources =
        (callers(), nets, any::<bool>()).prop_map(|(callers, cidrs, anonymous)| Sources {
            callers: if anonymous {
                Callers::default()
            } else {
                callers
            },
            cidrs: cidrs.into_iter().map(|net| net.parse().unwrap()).collect(),
            anonymous,
        });
    prop::option::weighted(0.7, sources)
}

fn config() -> impl Strategy<Value = Config> {
    let role = (
        some(&PATTERNS, 3),
        prop::option::weighted(0.8, callers()),
        0_u32..4,
        some(&[0_usize, 1, 2, 3], 2),
    );
    let rule = (any::<bool>(), any::<bool>(), some(&PATTERNS, 3), sources());
    let (roles, rules) = (
        prop::collection::vec(role, 0..4),
        prop::collection::vec(rule, 0..6),
    );
    (roles, rules, 0_u32..3, any::<bool>()).prop_map(|(roles, rules, caller_at_least, is_named)| {
        let roles = roles
            .into_iter()
            .enumerate()
            .map(|(index, (allow, to, rank, parents))| Role {
                rule: rule_ref(&format!("role-{index}")),
                fence: None,
                rank,
                mode: if rank == 3 {
                    Mode::Shadow
                } else {
                    Mode::Enforce
                },
                allow: patterns(&allow),
                inherits: parents
                    .into_iter()
                    .map(|parent| format!("role-{parent}").into())
                    .collect(),
                to,
            });
        let rules = rules
            .into_iter()
            .enumerate()
            .map(|(index, (allow, shadow, actions, from))| Rule {
                rule: rule_ref(&format!("rule-{index}")),
                effect: if allow { Effect::Allow } else { Effect::Deny },
                mode: if shadow { Mode::Shadow } else { Mode::Enforce },
                actions: patterns(&actions),
                when: None,
                from,
                say: None,
            });
        Config {
            roles: roles.collect(),
            rules: rules.collect(),
            seniority: seniority(caller_at_least, is_named),
            ..Config::default()
        }
    })
}

/// For all agents, or for another one and ours.
fn seniority(caller_at_least: u32, is_named: bool) -> Seniority {
    let instructors = |caller_at_least| Instructors {
        caller_at_least,
        rule: rule_ref("seniority"),
    };
    let own = (Box::from("quotes-agent"), instructors(caller_at_least));
    Seniority {
        agents: is_named.then_some(own).into_iter().collect(),
        others: Some(instructors(if is_named { 9 } else { caller_at_least })),
    }
}

fn principal() -> impl Strategy<Value = Principal> {
    let known = (
        prop::sample::select(vec!["corp", "partners"]),
        prop::sample::select(vec!["ana@acme", "bob@acme", "bot-7", "eve"]),
        prop::sample::select(TENANTS.to_vec()),
        some(&GROUPS, 3),
    )
        .prop_map(|(identity, id, tenant, groups)| Principal {
            identity: IdentityName::new(identity).unwrap(),
            id: PrincipalId::new(id).unwrap(),
            tenant: TenantId::new(tenant).unwrap(),
            groups: groups.into_iter().map(Box::from).collect(),
            claims: None,
            credential: Credential::default(),
        });
    prop_oneof![5 => known, 1 => Just((*Principal::anonymous()).clone())]
}

fn any_call() -> impl Strategy<Value = Call> {
    let action = |protocol, method, name: Option<&str>| Action {
        name: name.map(Box::from),
        ..Action::known(protocol, method)
    };
    let plain = |action| Call {
        action,
        ..call("GetTask", None)
    };
    let admin = Some(action(Protocol::Http, "POST", Some("/admin/reset")));
    prop::sample::select(vec![
        call("SendMessage", None),
        call("SendMessage", Some("quote-equity")),
        call("SendMessage", Some("quote-bond")),
        call("SendMessage", Some("q")),
        call("SendStreamingMessage", Some("quote-equity")),
        call("GetTask", None),
        Call {
            http: admin,
            ..call("GetTask", None)
        },
        plain(action(Protocol::Http, "GET", Some("/v1/a/éb"))),
        plain(action(Protocol::Http, "BREW", Some("/admin/pot"))),
        plain(action(Protocol::Http, "POST", Some("/"))),
        plain(action(Protocol::Mcp, "tools/call", Some("search_web"))),
        plain(action(Protocol::Mcp, "notifications/own", None)),
    ])
}

fn source() -> impl Strategy<Value = Option<IpAddr>> {
    let addresses = ["10.1.2.3", "192.0.2.1", "2001:db8::1"];
    prop::option::of(prop::sample::select(
        addresses.map(|text| text.parse().unwrap()).to_vec(),
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_policy_decides_as_its_statements_say(
        config in config(), principal in principal(), call in any_call(), source in source(),
    ) {
        let facts = Facts::default();
        let question = Question { source, ..ask(&principal, &call, &facts) };
        let (expected, shadow) = decide(&config, &question);
        let set = PolicySet::compile(config);
        let explained = set.explain(&question);
        let decision = set.decide(&question);
        let found = match decision.refusal() {
            None => Verdict::Allow,
            Some(refusal) => {
                let named = refusal.rule.as_ref().map(|rule| rule.name.to_string());
                Verdict::Deny(refusal.reason, named)
            }
        };
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(decision.shadow().map(ShadowVerdict::effect), shadow);
        prop_assert_eq!(explained.decision.is_allow(), decision.is_allow());
        // What is told fits what was decided.
        let told = explained.denies.iter().any(|deny| deny.covers());
        prop_assert_eq!(told, matches!(expected, Verdict::Deny(Reason::DenyRule, _)));
    }

    #[test]
    fn the_order_of_statements_says_nothing(
        config in config(), principal in principal(), call in any_call(), source in source(),
    ) {
        let facts = Facts::default();
        let question = Question { source, ..ask(&principal, &call, &facts) };
        let mut turned = config.clone();
        turned.roles.reverse();
        turned.rules.reverse();
        let (one, other) = (PolicySet::compile(config), PolicySet::compile(turned));
        let (one, other) = (one.decide(&question), other.decide(&question));
        prop_assert_eq!(one.refusal(), other.refusal());
        prop_assert_eq!(one.rule(), other.rule());
        prop_assert_eq!(one.shadow(), other.shadow());
    }
}

#[test]
fn a_pattern_that_ends_inside_of_a_character_is_no_trouble() {
    let config = Config {
        rules: vec![Rule {
            rule: rule_ref("all"),
            effect: Effect::Allow,
            mode: Mode::Enforce,
            actions: vec![ActionPattern::parse("a2a:SendMessage abc*").unwrap()],
            when: None,
            from: None,
            say: None,
        }],
        ..Config::default()
    };
    let ana = super::ana();
    let call = call("SendMessage", Some("abé"));
    let facts = Facts::default();
    assert!(
        !PolicySet::compile(config)
            .decide(&ask(&ana, &call, &facts))
            .is_allow()
    );
}
