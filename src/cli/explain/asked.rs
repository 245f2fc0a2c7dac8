//! A call as it stands on the command line.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::Failure;
use crate::config::Policies;
use crate::model::{
    ANONYMOUS, Action, ActionPattern, Credential, IdentityName, Principal, PrincipalId, Protocol,
    TenantId, ToolCall,
};
use crate::rehearsal::params_of;

pub(super) fn caller(who: &str, policies: &Policies) -> Result<Arc<Principal>, Failure> {
    if who == ANONYMOUS {
        return Ok(Principal::anonymous());
    }
    if let Some(person) = policies.rehearsal.people.get(who) {
        return Ok(Arc::clone(person));
    }
    written_out(who).map(Arc::new).ok_or_else(|| {
        Failure::Usage(format!(
            "`{who}` is nobody under `people` and no caller written out, such as `corp/ana@acme analysts,staff`"
        ))
    })
}

/// `identity/id@tenant group,group`; ids may hold `/` and `@` themselves.
fn written_out(who: &str) -> Option<Principal> {
    let (who, groups) = who.split_once(' ').unwrap_or((who, ""));
    let (identity, who) = who.split_once('/')?;
    let (id, tenant) = who.rsplit_once('@')?;
    let groups = groups.split(',').map(str::trim);
    Some(Principal {
        identity: IdentityName::new(identity).ok()?,
        id: PrincipalId::new(id).ok()?,
        tenant: TenantId::new(tenant).ok()?,
        groups: groups
            .filter(|group| !group.is_empty())
            .map(Box::from)
            .collect(),
        claims: None,
        credential: Credential::default(),
    })
}

pub(super) fn one_action(text: &str) -> Result<Action, Failure> {
    let pattern = ActionPattern::parse(text).map_err(|error| {
        Failure::Usage(match error.suggestion() {
            Some(meant) => format!("{error}; did you mean `{meant}`?"),
            None => error.to_string(),
        })
    })?;
    pattern.action().ok_or_else(|| {
        Failure::Usage(format!(
            "`{text}` is a pattern; --do takes one action, and --who-may takes patterns"
        ))
    })
}

/// The arguments as conditions read them, and the tool that gets them.
pub(super) fn given(
    json: Option<&str>,
    tool: Option<&str>,
    action: &Action,
) -> Result<(Option<Value>, Option<ToolCall>), Failure> {
    // What was JSON once is so again.
    let args = json.and_then(|json| serde_json::from_str::<Value>(json).ok());
    let call = |tool: &str| ToolCall::new(tool, json.map(str::to_owned));
    let Some(tool) = tool else {
        // MCP itself names the tool.
        return Ok((args, action.tool().map(call)));
    };
    if (action.protocol, &*action.method) != (Protocol::Http, "POST") {
        return Err(Failure::Usage(format!(
            "--tool goes with --do 'http:POST /path', not with `{action}`; with MCP the tool stands in --do 'mcp:tools/call NAME'"
        )));
    }
    let params = params_of(tool, args.as_ref());
    Ok((Some(params), Some(call(tool))))
}

pub(super) fn arguments(text: &str) -> Result<Box<RawValue>, String> {
    serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))
}

pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "an instant is written 2026-01-31T18:00:00Z".to_owned())
}
