//! The arguments of a call, for conditions and statements that read them.

use serde::Deserialize;
use serde_json::Value;

use super::envelope::is_spelling;
use super::names::is_plain;
use crate::model::{Binding, Call, Dialect, Members, ToolArgs, ToolCall};

#[derive(Deserialize)]
struct Request {
    params: Value,
}

/// What a tool of MCP is given, the `params` of other JSON-RPC requests, or the body that stands for them. `None` where
/// there are none, and for calls in other dialects.
///
/// `body` is the one that the call was read from, so that its keys are known to be there once. It is read again:
/// only policies whose conditions look at arguments pay for it, and what a strict reader has found well-formed
/// needs no second judgement.
pub fn arguments(call: &Call, body: &[u8]) -> Option<Value> {
    match call.dialect.binding()? {
        Binding::Grpc => None,
        Binding::JsonRpc => {
            let Request { mut params } = serde_json::from_slice(body).ok()?;
            match call.action.tool() {
                Some(_) => Some(params.get_mut("arguments")?.take()),
                None => Some(params),
            }
        }
        Binding::Rest => serde_json::from_slice(body).ok(),
    }
}

/// The tool that a JSON-RPC request calls (MCP, `tools/call`); `None` if it calls none.
///
/// `body` is as above. Here it is read as the least careful agent would read it: also one who does not insist on
/// `jsonrpc`, or on the letters of a key, must not be made to call a tool whose name or arguments were not judged.
/// So a key in any spelling counts, and one that is not the very word leaves nothing that could be judged.
pub fn tool_call(call: &Call, body: &[u8]) -> Option<ToolCall> {
    if matches!(call.dialect, Dialect::A2a(..) | Dialect::Llm(_)) {
        return None;
    }
    let request = Members::read(std::str::from_utf8(body).ok()?)?;
    let mut methods = spelt(&request, "method");
    if !methods.any(|(_, method)| is_tools_call(method)) {
        return None;
    }
    let params = match only(&request, "params") {
        Member::One(params) => Members::read(params),
        Member::Absent => Some(Members::default()),
        Member::Ambiguous => None,
    };
    let params = params.unwrap_or_default();
    Some(ToolCall {
        name: match only(&params, "name") {
            Member::One(name) => serde_json::from_str::<String>(name)
                .ok()
                .filter(|name| is_plain(name, usize::MAX)),
            Member::Absent | Member::Ambiguous => None,
        }
        .map(String::into_boxed_str),
        args: match only(&params, "arguments") {
            Member::Absent | Member::One("null") => ToolArgs::Absent,
            Member::One(json) => ToolArgs::Json(Box::from(json)),
            Member::Ambiguous => ToolArgs::Unreadable,
        },
    })
}

/// A member, as readers of all kinds may find it.
enum Member<'a> {
    Absent,
    Ambiguous,
    One(&'a str),
}

fn only<'a>(members: &Members<'a>, name: &str) -> Member<'a> {
    let mut found = spelt(members, name);
    match (found.next(), found.next()) {
        (None, _) => Member::Absent,
        (Some((key, value)), None) if key == name => Member::One(value),
        (Some(_), _) => Member::Ambiguous,
    }
}

/// The members that some reader takes for this one.
fn spelt<'a, 'm>(
    members: &'m Members<'a>,
    name: &'m str,
) -> impl Iterator<Item = (&'m str, &'a str)> + use<'a, 'm> {
    members
        .iter()
        .filter(move |(key, _)| is_spelling(key, name))
}

fn is_tools_call(json: &str) -> bool {
    let method = serde_json::from_str::<String>(json);
    method.is_ok_and(|method| method.trim().eq_ignore_ascii_case("tools/call"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Action, Operation, Protocol};

    fn call(dialect: Dialect) -> Call {
        Call {
            action: Action::known(Protocol::Http, "POST"),
            http: None,
            operation: Operation::Other,
            dialect,
            rpc_id: None,
            task: None,
            references: Vec::new(),
            context: None,
            session: None,
            hook: None,
            addressed: None,
        }
    }

    fn read(body: &str) -> Option<(Option<String>, String)> {
        let read = tool_call(&call(Dialect::JsonRpc), body.as_bytes())?;
        let args = match read.args {
            ToolArgs::Absent => "absent".to_owned(),
            ToolArgs::Json(json) => json.into_string(),
            ToolArgs::Unreadable => "unreadable".to_owned(),
        };
        Some((read.name.map(String::from), args))
    }

    #[test]
    fn a_tool_is_called_by_its_name() {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call",
            "params":{"name":"wire","arguments":{"amount": 1.50 },"_meta":{"name":"other"}}}"#;
        let expected = (Some("wire".to_owned()), r#"{"amount": 1.50 }"#.to_owned());
        assert_eq!(read(body), Some(expected));
        // Also to agents that do not insist on the version, and in other escapes.
        let body = r#"{"method":"tools\/call","params":{"name":"wir\u0065"}}"#;
        let expected = (Some("wire".to_owned()), "absent".to_owned());
        assert_eq!(read(body), Some(expected));
    }

    #[test]
    fn what_calls_no_tool_is_none() {
        for body in [
            r#"{"method":"tools/list","params":{"name":"wire"}}"#,
            r#"{"method":["tools/call"]}"#,
            r#"{"params":{"method":"tools/call"}}"#,
            r#"[{"method":"tools/call"}]"#,
            "tools/call",
            "",
        ] {
            assert_eq!(read(body), None, "{body}");
        }
    }

    #[test]
    fn what_readers_may_see_otherwise_is_no_name_and_no_argument() {
        let name = |params: &str| {
            read(&format!(r#"{{"method":"tools/call","params":{params}}}"#)).unwrap()
        };
        for params in [
            "{}",
            "null",
            r#"["wire"]"#,
            r#"{"name":7}"#,
            r#"{"name":""}"#,
            r#"{"name":" wire"}"#,
            r#"{"name":"wire\u0000"}"#,
            r#"{"name":"\ud800"}"#,
            r#"{"Name":"wire"}"#,
            r#"{"name":"wire","NAME":"other"}"#,
        ] {
            assert_eq!(name(params).0, None, "{params}");
        }
        for (params, expected) in [
            (r#"{"name":"wire","arguments":null}"#, "absent"),
            (r#"{"name":"wire","arguments":[1]}"#, "[1]"),
            (r#"{"name":"wire","Arguments":{}}"#, "unreadable"),
            (
                r#"{"name":"wire","arguments":{},"ARGUMENTS":{}}"#,
                "unreadable",
            ),
        ] {
            assert_eq!(name(params).1, expected, "{params}");
        }
        for body in [
            r#"{"Method":"tools/call","params":{"name":"wire"}}"#,
            r#"{"method":"tools/call","Params":{"name":"wire"}}"#,
            r#"{"method":"Tools/Call ","params":{"NAME":"wire"}}"#,
        ] {
            assert!(read(body).is_some(), "{body}");
        }
    }
}
