//! One decision that comes out otherwise.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::audit::read::Call;
use crate::model::{ANONYMOUS, Refusal, RuleRef};

/// A call whose decision is another now.
pub(super) struct Difference<'a> {
    pub(super) call: &'a Call,
    /// The statement that allows it, or the refusal.
    pub(super) now: &'a Result<Arc<RuleRef>, Refusal>,
}

impl Difference<'_> {
    /// What decides now: the statement, and for a refusal without one its reason; and where the statement stands.
    pub(super) fn decided_by(&self) -> (&str, Option<String>) {
        let (rule, reason) = match self.now {
            Ok(rule) => (Some(rule), "allow"),
            Err(refusal) => (refusal.rule.as_ref(), refusal.reason.as_str()),
        };
        match rule {
            Some(rule) => (&rule.name, rule.place.as_ref().map(ToString::to_string)),
            None => (reason, None),
        }
    }

    /// `2026-11-27T10:00:00.123456Z  ana of acme (corp)  a2a:SendMessage quote-export  0192…`.
    pub(super) fn line(&self) -> String {
        let Call {
            time,
            tenant,
            identity,
            principal,
            action,
            decision_id,
            ..
        } = self.call;
        let identity = identity.as_deref().unwrap_or_default();
        let caller = match principal.as_deref() {
            _ if identity == ANONYMOUS => ANONYMOUS.to_owned(),
            id => format!("{} of {tenant} ({identity})", id.unwrap_or_default()),
        };
        let action = action.as_deref().unwrap_or_default();
        let id = decision_id.as_deref().unwrap_or_default();
        shown(&format!("{time}  {caller}  {action}  {id}"))
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let call = self.call;
        let (rule, reason) = match self.now {
            Ok(rule) => (Some(rule), None),
            Err(refusal) => (refusal.rule.as_ref(), Some(refusal.reason.as_str())),
        };
        let place = rule.and_then(|rule| rule.place.as_ref());
        json!({
            "decisionId": call.decision_id,
            "time": call.time,
            "action": call.action,
            "caller": {
                "identity": call.identity, "id": call.principal, "tenant": call.tenant, "groups": call.groups,
            },
            "was": { "decision": call.decision, "reason": call.reason, "rule": call.rule, "generation": call.generation },
            "now": {
                "decision": if self.now.is_ok() { "allow" } else { "deny" },
                "reason": reason,
                "rule": rule.map(|rule| &*rule.name),
                "file": place.map(|place| &*place.file),
                "line": place.map(|place| place.line),
            },
        })
    }
}

/// Text of callers on a terminal: what would move its cursor is shown as what it is.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            shown.extend(char.escape_debug());
        } else {
            shown.push(char);
        }
    }
    shown
}
