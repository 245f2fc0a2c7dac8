//! The decision once more, in the plainest words: every statement is read for every call. What is fast must
//! come to the same.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::super::*;
use super::{ask, call, patterns, rule_ref};
use crate::model::{
    Action, ActionPattern, Call, Credential, Facts, Glob, IdentityName, Mode, Principal,
    PrincipalId, Protocol, Reason, ShadowVerdict, TenantId, ToolArgs, ToolCall,
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
        Verdict::Allow => {
            let mut denied = shadow(Effect::Deny);
            let tool = refusing(config, question, Mode::Shadow);
            (denied.any(|rule| denies(rule, question)) || tool.is_some()).then_some("deny")
        }
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
        refusing(config, question, Mode::Enforce).map_or(Verdict::Allow, |tool| {
            Verdict::Deny(Reason::ArgumentDenied, tool)
        })
    } else if question.principal.is_anonymous() {
        Verdict::Deny(Reason::CredentialMissing, None)
    } else {
        Verdict::Deny(Reason::DefaultDeny, None)
    }
}

/// The tool whose statement of that mode is against the call: its name, or `None` where none can be told.
fn refusing(config: &Config, question: &Question<'_>, mode: Mode) -> Option<Option<String>> {
    let call = question.request.tool?;
    let mut tools = config
        .tools
        .iter()
        .filter(|tool| tool.mode == mode)
        .peekable();
    tools.peek()?;
    let Some(name) = &call.name else {
        return (mode == Mode::Enforce).then_some(None);
    };
    let tool = tools.find(|tool| tool.rule.name.eq_ignore_ascii_case(name))?;
    let is_spelt = *tool.rule.name == **name;
    let good = is_spelt
        && match &call.args {
            ToolArgs::Absent => are_good(tool, &Value::Object(Map::new())),
            ToolArgs::Json(json) => are_good(tool, &serde_json::from_str(json).unwrap()),
            ToolArgs::Unreadable => false,
        };
    (!good).then(|| Some(tool.rule.name.to_string()))
}

/// Of arguments whose names have one word and one letter case, and of numbers that are small.
fn are_good(tool: &Tool, args: &Value) -> bool {
    let Some(args) = args.as_object() else {
        return false;
    };
    let named = |key: &str| tool.args.iter().any(|argument| *argument.path[0] == *key);
    let asked = tool.args.iter().filter(|argument| argument.asks());
    let alike = asked.clone().any(|argument| {
        let mut keys = args.keys();
        keys.any(|key| key.eq_ignore_ascii_case(&argument.path[0]) && !named(key))
    });
    let known = !tool.closed || args.keys().all(|key| named(key));
    let mut asked = asked;
    !alike
        && known
        && asked.all(|argument| match args.get(&*argument.path[0]) {
            None | Some(Value::Null) => argument.optional,
            Some(value) => is_good(&argument.wanted, value),
        })
}

fn is_good(wanted: &Wanted, value: &Value) -> bool {
    match (wanted, value) {
        (Wanted::Anything, _) => true,
        (Wanted::Boolean(one_of), Value::Bool(value)) => one_of.contains(value),
        (Wanted::Number { min, max, one_of }, Value::Number(value)) => {
            let number = |decimal: &Decimal| decimal.to_string().parse::<f64>().unwrap();
            let value = value.as_f64().unwrap();
            min.as_ref().is_none_or(|min| value >= number(min))
                && max.as_ref().is_none_or(|max| value <= number(max))
                && (one_of.is_empty() || one_of.iter().any(|one| number(one) == value))
        }
        (Wanted::Text { one_of, .. }, Value::String(value)) => {
            one_of.iter().any(|one| **one == **value)
        }
        _ => false,
    }
}

fn grants(config: &Config, role: &Role, action: &Action, depth: usize) -> bool {
    let parents = config
        .roles
        .iter()
        .filter(|other| other.mode == Mode::Enforce && role.inherits.contains(&other.rule.name));
    role.allow.iter().any(|pattern| covers(pattern, action))
        || (depth < config.roles.len()
            && parents
                .clone()
                .any(|parent| grants(config, parent, action, depth + 1)))
}

/// Whoever holds something of MCP holds what every use of it needs.
fn covers(pattern: &ActionPattern, action: &Action) -> bool {
    let is_of_session = action.protocol == Protocol::Mcp && action.method == "notifications/own";
    pattern.matches(action) || (pattern.protocol() == Protocol::Mcp && is_of_session)
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
        .any(|pattern| covers(pattern, &question.call.action))
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
    let seniority = (0_u32..3, any::<bool>());
    (roles, rules, seniority, tools()).prop_map(
        |(roles, rules, (caller_at_least, is_named), tools)| {
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
            let rules =
                rules
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
                seniority: self::seniority(caller_at_least, is_named),
                tools,
                ..Config::default()
            }
        },
    )
}

fn tools() -> impl Strategy<Value = Vec<Tool>> {
    let wanted = || {
        prop::sample::select(vec![
            Wanted::Anything,
            Wanted::Boolean(vec![true]),
            Wanted::Number {
                min: Decimal::parse("1"),
                max: Decimal::parse("5.5"),
                one_of: Vec::new(),
            },
            Wanted::Number {
                min: None,
                max: None,
                one_of: Decimal::parse("2").into_iter().collect(),
            },
            Wanted::Text {
                matches: None,
                is: None,
                one_of: vec![Box::from("GBP"), Box::from("EUR")],
            },
        ])
    };
    let argument = (
        prop::sample::select(ARGUMENTS.to_vec()),
        wanted(),
        any::<bool>(),
    )
        .prop_map(|(name, wanted, optional)| Argument {
            path: vec![Box::from(name)],
            wanted,
            optional,
        });
    let tool = (
        prop::collection::vec(argument, 0..3),
        any::<bool>(),
        any::<bool>(),
    );
    prop::collection::vec(tool, 0..3).prop_map(|tools| {
        let named = ["wire", "search"].into_iter().zip(tools);
        named
            .map(|(name, (mut args, closed, shadow))| {
                args.sort_by(|one, other| one.path.cmp(&other.path));
                args.dedup_by(|one, other| one.path == other.path);
                Tool {
                    rule: rule_ref(name),
                    mode: if shadow { Mode::Shadow } else { Mode::Enforce },
                    args,
                    closed,
                    pin: None,
                }
            })
            .collect()
    })
}

const ARGUMENTS: [&str; 3] = ["amount", "currency", "Amount"];

fn tool_call() -> impl Strategy<Value = Option<ToolCall>> {
    let value = prop::sample::select(vec![
        "0", "1", "2.0", "5.5", "5.51", "true", "false", "null", "\"GBP\"", "\"gbp\"", "{}", "[2]",
    ]);
    let name = prop::sample::select(vec![
        Some("wire"),
        Some("search"),
        Some("other"),
        Some("WIRE"),
        None,
    ]);
    let member = (
        prop::sample::select(vec!["amount", "Amount", "currency", "CURRENCY", "fee"]),
        value,
    );
    let members = prop::collection::btree_map(member.0, member.1, 0..4);
    let args = prop_oneof![
        5 => members.prop_map(|members| {
            let members = members.iter().map(|(key, value)| format!("\"{key}\":{value}"));
            ToolArgs::Json(format!("{{{}}}", members.collect::<Vec<_>>().join(",")).into())
        }),
        1 => Just(ToolArgs::Absent),
        1 => Just(ToolArgs::Unreadable),
        1 => Just(ToolArgs::Json("[]".into())),
    ];
    let call = (name, args).prop_map(|(name, args)| ToolCall {
        name: name.map(Into::into),
        args,
    });
    prop::option::weighted(0.8, call)
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
        config in config(), principal in principal(), call in any_call(), source in source(), tool in tool_call(),
    ) {
        let facts = Facts::default();
        let request = RequestFacts { tool: tool.as_ref(), ..RequestFacts::default() };
        let question = Question { source, request, ..ask(&principal, &call, &facts) };
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
        if let (Some(examined), Verdict::Allow) = (&explained.tool, &expected) {
            prop_assert!(examined.wrong.is_empty() || examined.mode == Mode::Shadow);
        }
        if matches!(expected, Verdict::Deny(Reason::ArgumentDenied, Some(_))) {
            prop_assert!(!explained.tool.unwrap().wrong.is_empty());
        }
    }

    #[test]
    fn a_statement_about_a_tool_never_allows_more(
        config in config(), principal in principal(), call in any_call(), tool in tool_call(), more in tools(),
    ) {
        let facts = Facts::default();
        let request = RequestFacts { tool: tool.as_ref(), ..RequestFacts::default() };
        let question = Question { request, ..ask(&principal, &call, &facts) };
        let with = Config { tools: more, ..config.clone() };
        let without = Config { tools: Vec::new(), ..config };
        let (with, without) = (PolicySet::compile(with), PolicySet::compile(without));
        let (with, without) = (with.decide(&question), without.decide(&question));
        prop_assert!(without.is_allow() || !with.is_allow());
        if with.is_allow() {
            prop_assert_eq!(with.rule(), without.rule());
        }
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
