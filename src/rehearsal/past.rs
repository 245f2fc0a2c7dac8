//! Decisions that were made once, made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::scene::Scene;
use crate::model::{Reason, Refusal, RuleRef, TaskId};
use crate::policy::condition::{Attribute, Key, Path};
use crate::policy::{KeptTool, Need, PolicySet, Question, TOOL};

/// A decision that was made once, with what is known of what it was made from.
#[derive(Debug, Clone)]
pub struct Past {
    /// The call, without what only captured values tell.
    pub scene: Scene,
    /// What of it conditions may read.
    pub known: Known,
    /// Whether the policy let it pass, whatever came after.
    pub allowed: bool,
}

/// Values of a call by their paths, as conditions spell them.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What was there.
    pub values: BTreeMap<String, Value>,
    /// Where there was nothing.
    pub missing: BTreeSet<String>,
}

/// What becomes of a decision under another policy.
#[derive(Debug)]
pub enum Comparison<'set> {
    /// It was refused, and this statement allows it.
    NowAllowed(Arc<RuleRef>),
    /// It was allowed, and is refused.
    NowDenied(Box<Refusal>),
    /// It passes as before, or is refused as before.
    Same,
    /// It depends on values that are not known. There is at least one.
    Unknown(Vec<Unknown<'set>>),
}

/// A value that decides and is not known.
#[derive(Debug, Clone)]
pub struct Unknown<'set> {
    /// The statement that reads it.
    pub rule: &'set Arc<RuleRef>,
    /// What it is: a path as conditions spell it, or what of a tool.
    pub value: String,
}

/// Whether the policy let a call pass that ended so. Quotas and all that comes after refuse only what it let pass.
///
/// It must have been asked: before that, some of these refuse too.
pub const fn was_allowed(reason: Option<Reason>, passed: bool) -> bool {
    let Some(reason) = reason else {
        return passed;
    };
    // Other policies may have ended its answer midway, for a reason of theirs.
    if passed {
        return true;
    }
    match reason {
        Reason::ArgumentDenied
        | Reason::ContextNotFound
        | Reason::CredentialMissing
        | Reason::DefaultDeny
        | Reason::DenyRule
        | Reason::OperationUnsupported
        | Reason::SeniorityTooLow
        | Reason::SessionNotFound
        | Reason::TaskNotFound
        | Reason::TenantExpired
        | Reason::TenantUnknown => false,
        Reason::AuditUnavailable
        | Reason::BatchUnsupported
        | Reason::CredentialInvalid
        | Reason::ExpectationFailed
        | Reason::HeadTooLarge
        | Reason::HttpVersionUnsupported
        | Reason::Internal
        | Reason::KeysUnavailable
        | Reason::LeakageDetected
        | Reason::MalformedRequest
        | Reason::OriginDenied
        | Reason::Overloaded
        | Reason::PushDenied
        | Reason::PushUnsupported
        | Reason::QuotaExhausted
        | Reason::RateLimited
        | Reason::RequestLeak
        | Reason::RequestTimeout
        | Reason::RequestTooLarge
        | Reason::ResponseTooLarge
        | Reason::Revoked
        | Reason::ShuttingDown
        | Reason::ToolChanged
        | Reason::TenantMismatch
        | Reason::UnsupportedCoding
        | Reason::UpstreamInvalid
        | Reason::UpstreamTimeout
        | Reason::UpstreamTruncated
        | Reason::UpstreamUnavailable
        | Reason::VersionMismatch => true,
    }
}

/// Makes a decision again, under this policy.
pub fn compare<'set>(past: &Past, policy: &'set PolicySet) -> Comparison<'set> {
    let scene = past.scene(policy);
    let question = scene.question();
    let unknown = past.unknown(policy, &question);
    if !unknown.is_empty() {
        return Comparison::Unknown(unknown);
    }
    let decision = policy.decide(&question);
    match (past.allowed, decision.into_permit()) {
        (true, Err(refusal)) => Comparison::NowDenied(Box::new(refusal)),
        (false, Ok(permit)) => Comparison::NowAllowed(permit.into_rule()),
        (true, Ok(_)) | (false, Err(_)) => Comparison::Same,
    }
}

impl Past {
    /// The call, with what is known of the values that conditions of this policy read.
    pub fn scene(&self, policy: &PolicySet) -> Scene {
        let mut scene = self.scene.clone();
        for (path, spelling) in &policy.reads().untold {
            if let Told::Value(value) = self.known.told(path, spelling) {
                put(&mut scene, path, value);
            }
        }
        let kept = self.known.tool();
        if let Some(Some(kept)) = &kept
            && policy.tool_need(Some(kept)).is_none()
        {
            scene.tool = Some(kept.call());
        }
        scene
    }

    /// The values that this policy may decide by and that are not known. A time that was not captured is the one at
    /// which the call began, a moment before.
    pub fn unknown<'set>(
        &self,
        policy: &'set PolicySet,
        question: &Question<'_>,
    ) -> Vec<Unknown<'set>> {
        let mut unknown = Vec::new();
        for Need { rule, path } in policy.needs(question) {
            let value = path.to_string();
            let is_unknown = matches!(self.known.told(path, &value), Told::Unknown);
            if is_unknown && path.attribute() != Attribute::Time {
                unknown.push(Unknown { rule, value });
            }
        }
        if unknown.is_empty() {
            unknown.extend(self.unknown_tool(policy, question));
        }
        unknown
    }

    /// Statements about tools come last, and only refuse.
    fn unknown_tool<'set>(
        &self,
        policy: &'set PolicySet,
        question: &Question<'_>,
    ) -> Option<Unknown<'set>> {
        let kept = match self.known.tool() {
            // It calls none.
            Some(None) => return None,
            Some(Some(kept)) => Some(kept),
            None => None,
        };
        let (rule, value) = policy.tool_need(kept.as_ref())?;
        let mut without = *question;
        without.request.tool = None;
        let passes = policy.decide(&without).is_allow();
        passes.then_some(Unknown { rule, value })
    }
}

/// What is known of a value.
enum Told<'a> {
    Missing,
    Unknown,
    Value(&'a Value),
}

impl Known {
    /// The tool that is called: `None` where that is not known, and inside of it where none is.
    fn tool(&self) -> Option<Option<KeptTool>> {
        if self.missing.contains(&**TOOL) {
            return Some(None);
        }
        let kept = self.values.get(&**TOOL)?;
        KeptTool::deserialize(kept).ok().map(Some)
    }

    fn told(&self, path: &Path, spelling: &str) -> Told<'_> {
        if let Some(value) = self.values.get(spelling) {
            return Told::Value(value);
        }
        if self.missing.contains(spelling) {
            return Told::Missing;
        }
        // What the path leads through may be known as a whole.
        let Some((parent, step)) = path.parent() else {
            return Told::Unknown;
        };
        match self.told(&parent, &parent.to_string()) {
            Told::Value(whole) => step.step(whole).map_or(Told::Missing, Told::Value),
            other => other,
        }
    }
}

/// Gives a call a value where its paths lead to.
fn put(scene: &mut Scene, path: &Path, value: &Value) {
    match path.attribute() {
        Attribute::Args => {
            let document = scene.args.get_or_insert_with(|| Value::Object(Map::new()));
            insert(document, path.keys(), value);
        }
        Attribute::Claims => {
            let caller = Arc::make_mut(&mut scene.caller);
            let none = || Arc::new(Value::Object(Map::new()));
            let claims = caller.claims.get_or_insert_with(none);
            insert(Arc::make_mut(claims), path.keys(), value);
        }
        Attribute::RequestHeader => {
            if let (Some(name), Some(text)) = (path.header(), value.as_str()) {
                scene.headers.push((Box::from(name), text.to_owned()));
            }
        }
        Attribute::RequestSize => scene.size = value.as_u64(),
        Attribute::TaskId => {
            scene.call.task = value.as_str().and_then(|id| TaskId::new(id).ok());
        }
        Attribute::Time => {
            if let Some(at) = value.as_str().and_then(|text| text.parse().ok()) {
                scene.at = at;
            }
        }
        // Every record tells them, or no request has them.
        Attribute::Action
        | Attribute::ActorGroups
        | Attribute::ActorId
        | Attribute::ActorIdentity
        | Attribute::ActorTenant
        | Attribute::Agent
        | Attribute::CallerGroups
        | Attribute::CallerId
        | Attribute::CallerIdentity
        | Attribute::CallerRank
        | Attribute::CallerTenant
        | Attribute::FindingDetector
        | Attribute::FindingPath
        | Attribute::Method
        | Attribute::Name
        | Attribute::Protocol
        | Attribute::RequestPath
        | Attribute::SourceIp
        | Attribute::TaskOwner
        | Attribute::TaskState => {}
    }
}

/// Puts a value into a document, and makes what leads to it. What was not captured of an array is `null`: nobody asks
/// for it, or it would have been.
fn insert(document: &mut Value, keys: &[Key], value: &Value) {
    let Some((key, rest)) = keys.split_first() else {
        *document = value.clone();
        return;
    };
    let place = match key {
        Key::Name(name) => {
            if !document.is_object() {
                *document = Value::Object(Map::new());
            }
            let members = document.as_object_mut();
            members.map(|members| members.entry(&**name).or_insert(Value::Null))
        }
        Key::Index(index) => {
            let index = usize::try_from(*index).unwrap_or(usize::MAX);
            if !document.is_array() {
                *document = Value::Array(Vec::new());
            }
            let elements = document.as_array_mut().filter(|_| index < MAX_ELEMENTS);
            elements.and_then(|elements| {
                if elements.len() <= index {
                    elements.resize(index + 1, Value::Null);
                }
                elements.get_mut(index)
            })
        }
    };
    if let Some(place) = place {
        insert(place, rest, value);
    }
}

/// A record that says otherwise was not written by us: no body has room for more.
const MAX_ELEMENTS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        Action, ActionPattern, Credential, IdentityName, Mode, Principal, PrincipalId, Protocol,
        TenantId,
    };
    use crate::policy::condition::{Condition, Phase};
    use crate::policy::{Config, Effect, Rule};

    fn rule(name: &str, effect: Effect, pattern: &str, when: Option<&str>) -> Rule {
        Rule {
            rule: Arc::new(RuleRef {
                name: Arc::from(name),
                place: None,
            }),
            effect,
            mode: Mode::Enforce,
            actions: vec![ActionPattern::parse(pattern).unwrap()],
            when: when.map(|when| Condition::parse(when, Phase::Request).unwrap()),
            from: None,
            say: None,
        }
    }

    /// Everything is allowed but what a condition denies for messages.
    fn policy(when: &str) -> PolicySet {
        PolicySet::compile(Config {
            rules: vec![
                rule("all", Effect::Allow, "a2a:*", None),
                rule("some", Effect::Deny, "a2a:SendMessage", Some(when)),
            ],
            ..Config::default()
        })
    }

    fn past(method: &'static str, values: &Value, missing: &[&str]) -> Past {
        let caller = Principal {
            identity: IdentityName::new("corp").unwrap(),
            id: PrincipalId::new("ana").unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            groups: Vec::new(),
            claims: None,
            credential: Credential::default(),
        };
        let values = values.as_object().unwrap().clone();
        Past {
            scene: Scene::new(
                "agent",
                Arc::new(caller),
                Action::known(Protocol::A2a, method),
            ),
            known: Known {
                values: values.into_iter().collect(),
                missing: missing.iter().map(|path| (*path).to_owned()).collect(),
            },
            allowed: true,
        }
    }

    fn came(past: &Past, when: &str) -> String {
        match compare(past, &policy(when)) {
            Comparison::NowAllowed(rule) => format!("allowed by {}", rule.name),
            Comparison::NowDenied(refusal) => format!("denied by {}", refusal.rule.unwrap().name),
            Comparison::Same => "same".to_owned(),
            Comparison::Unknown(needs) => {
                let values = needs.iter().map(|need| &*need.value);
                format!("unknown: {}", values.collect::<Vec<_>>().join(", "))
            }
        }
    }

    #[test]
    fn a_decision_is_made_again_from_what_is_known() {
        let values = serde_json::json!({
            "args.amount": 7, "args.lines[1].price": 3, "claims.level": "senior",
            "request.header['x-desk']": "rates", "request.size": 10, "task.id": "t-1",
            "time": "2026-01-01T23:00:00Z", "args.deep": {"in": {"it": [1, 2]}},
        });
        let past = past("SendMessage", &values, &["args.none", "claims.gone"]);
        for (when, expected) in [
            ("args.amount > 6", "denied by some"),
            ("args.amount > 7", "same"),
            ("args.lines[1].price == 3", "denied by some"),
            ("claims.level == 'senior'", "denied by some"),
            ("request.header['x-desk'] == 'rates'", "denied by some"),
            ("request.size > 10", "same"),
            ("task.id == 't-1'", "denied by some"),
            ("between(time, '22:00', '24:00', 'UTC')", "denied by some"),
            ("args.deep['in'].it[1] == 2", "denied by some"),
            ("has(args.deep['in'].other)", "same"),
            ("has(args.none)", "same"),
            ("has(args.none.within)", "same"),
            ("has(claims.gone) && args.amount > 6", "same"),
            ("caller.id == 'ana'", "denied by some"),
            // Whatever may be told of it, the whole was not captured.
            ("has(args.lines)", "unknown: args.lines"),
            (
                "args.other == 1 || claims.sub == 'ana'",
                "unknown: args.other, claims.sub",
            ),
        ] {
            assert_eq!(came(&past, when), expected, "{when}");
        }
    }

    #[test]
    fn what_no_statement_about_the_call_reads_need_not_be_known() {
        let nothing = serde_json::json!({});
        assert_eq!(
            came(&past("GetTask", &nothing, &[]), "args.other == 1"),
            "same"
        );
        let strangers = past("SendMessage", &nothing, &["args"]);
        assert_eq!(came(&strangers, "args.other == 1"), "denied by some");
        assert_eq!(came(&strangers, "has(args.other)"), "same");
    }

    #[test]
    fn a_refusal_may_have_become_an_allow() {
        let mut refused = past("GetTask", &serde_json::json!({}), &[]);
        refused.allowed = false;
        assert_eq!(came(&refused, "true"), "allowed by all");
        assert!(was_allowed(Some(Reason::RateLimited), false));
        assert!(!was_allowed(Some(Reason::DenyRule), false));
        assert!(was_allowed(None, true) && !was_allowed(None, false));
        assert!(was_allowed(Some(Reason::DenyRule), true));
    }

    /// Any JSON of the size that conditions below look into.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0..5_i64).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let key = "[abc]";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// What may be asked of such a call.
    const CONDITIONS: &[&str] = &[
        "args.a > 1",
        "has(args.a.b)",
        "args.a == 'a' || args.b[1] == 'b'",
        "size(args.a) > 1",
        "args.b[0].c == true",
        "'a' in args.c",
        "!has(args.c) && has(claims.a)",
        "claims.a == claims.b",
        "claims.a.c[0] == 1",
        "request.header['x-desk'] == 'a'",
        "!has(request.header['x-desk'])",
        "request.size > 2",
        "task.id.startsWith('t')",
        "time > timestamp('2026-01-01T12:00:00Z')",
        "caller.id == 'ana' && args.a == null",
    ];

    /// A call of which everything is known.
    fn scene() -> impl Strategy<Value = Scene> {
        let object = || prop::option::of(prop::collection::btree_map("[abc]", json(), 0..4));
        let text = || prop::option::of("[ab]{1,2}");
        (
            object(),
            object(),
            text(),
            text(),
            prop::option::of(0..5_u64),
            -1..2_i64,
        )
            .prop_map(|(args, claims, header, task, size, seconds)| {
                let document =
                    |map: BTreeMap<String, Value>| Value::Object(map.into_iter().collect());
                let mut scene = past("SendMessage", &serde_json::json!({}), &[]).scene;
                scene.args = args.map(document);
                Arc::make_mut(&mut scene.caller).claims = claims.map(document).map(Arc::new);
                let header = header.map(|text| (Box::from("x-desk"), text));
                scene.headers = header.into_iter().collect();
                scene.call.task = task.map(|task| TaskId::new(&task).unwrap());
                scene.size = size;
                scene.at += jiff::SignedDuration::from_millis(seconds * 1500);
                scene
            })
    }

    proptest! {
        /// What is captured, and nothing else, leads to the same decision again.
        #[test]
        fn what_is_captured_is_all_that_a_decision_is_made_from(
            scene in scene(),
            first in prop::sample::select(CONDITIONS),
            second in prop::sample::select(CONDITIONS),
        ) {
            let policy = policy(&format!("({first}) && ({second})"));
            let question = scene.question();
            let allowed = policy.decide(&question).is_allow();
            let mut known = Known::default();
            policy.capture(policy.reads(), &question, &mut |path, value| {
                match value.map(|value| serde_json::to_value(value).unwrap()) {
                    Some(value) => known.values.insert(path.to_string(), value).is_none(),
                    None => known.missing.insert(path.to_string()),
                };
            });
            let past = Past {
                known,
                allowed,
                ..past("SendMessage", &serde_json::json!({}), &[])
            };
            let came = compare(&past, &policy);
            prop_assert!(matches!(came, Comparison::Same), "{came:?}");
            let again = past.scene(&policy);
            let explain = |scene: &Scene| policy.explain(&scene.question()).denies[0].verdict();
            prop_assert_eq!(explain(&scene), explain(&again));
        }
    }

    #[test]
    fn a_forged_index_fills_no_memory() {
        let mut document = Value::Null;
        insert(&mut document, &[Key::Index(u32::MAX)], &Value::Null);
        assert_eq!(document, serde_json::json!([]));
    }
}
