//! Lists in answers: which entries are the caller's to see, and the list without the others.
//!
//! What stays keeps its bytes and its order. A list that two readers may read in two ways is none that could be
//! filtered, so it must not leave.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::a2a::grpc::PREFIX_BYTES;
use super::envelope::is_spelling;
use super::json::{Flaw, Reader};
use super::observer::Carrier;
use crate::model::{Action, Binding, Call, Dialect, Members, Operation, Protocol};
use crate::protobuf::{Fields, Wire, put_number};

/// How deeply an answer's JSON may be nested. Schemas of tools are nested, but not so deeply.
const DEPTH: usize = 120;

/// A list whose entries are not all for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Prompts of MCP.
    Prompts,
    /// Resources of MCP.
    Resources,
    /// Tasks, of A2A or of MCP.
    Tasks(Tasks),
    /// Templates of resources of MCP.
    Templates,
    /// Tools of MCP.
    Tools,
}

/// Where tasks are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tasks {
    /// `ListTasks` over JSON-RPC.
    A2a,
    /// `ListTasks` over gRPC.
    A2aGrpc,
    /// `GET /tasks`.
    A2aRest,
    /// `tasks/list` of MCP.
    Mcp,
}

/// Why a list cannot be filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableList {
    /// Another spelling of a member, which some readers take for it.
    #[error("the list can be read in two ways")]
    Ambiguous,
    /// No JSON, or not only one document; or not one message.
    #[error("the list cannot be read")]
    Broken,
    /// An event longer than any that is kept.
    #[error("an event that is too long to be looked at")]
    TooLong,
}

impl From<Flaw> for UnreadableList {
    fn from(flaw: Flaw) -> Self {
        if flaw.is_ambiguous() {
            Self::Ambiguous
        } else {
            Self::Broken
        }
    }
}

/// What decides over entries.
pub trait Viewer {
    /// Whether the caller may know of the entry with this name, URI or id.
    fn sees(&self, name: &str) -> bool;

    /// Whether the entry with this name is what it is taken for.
    fn trusts(&self, _name: &str, _entry: &str) -> bool {
        true
    }

    /// How many tasks are the caller's.
    fn owned(&self) -> u64;
}

impl Listing {
    /// The list that answers this call.
    pub fn of(call: &Call) -> Option<Self> {
        match (call.dialect, call.operation, &*call.action.method) {
            (Dialect::A2a(_, Binding::JsonRpc), Operation::ListTasks, _) => {
                Some(Self::Tasks(Tasks::A2a))
            }
            (Dialect::A2a(_, Binding::Rest), Operation::ListTasks, _) => {
                Some(Self::Tasks(Tasks::A2aRest))
            }
            (Dialect::A2a(_, Binding::Grpc), Operation::ListTasks, _) => {
                Some(Self::Tasks(Tasks::A2aGrpc))
            }
            (Dialect::Mcp(_), Operation::ListTasks, _) => Some(Self::Tasks(Tasks::Mcp)),
            (Dialect::Mcp(_), _, "prompts/list") => Some(Self::Prompts),
            (Dialect::Mcp(_), _, "resources/list") => Some(Self::Resources),
            (Dialect::Mcp(_), _, "resources/templates/list") => Some(Self::Templates),
            (Dialect::Mcp(_), _, "tools/list") => Some(Self::Tools),
            _ => None,
        }
    }

    /// What using an entry is called; `None` for tasks, which are guarded by whose they are.
    pub fn use_of(self, name: &str) -> Option<Action> {
        let method = match self {
            Self::Prompts => "prompts/get",
            Self::Resources | Self::Templates => "resources/read",
            Self::Tools => "tools/call",
            Self::Tasks(_) => return None,
        };
        Some(Action {
            name: Some(Box::from(name)),
            ..Action::known(Protocol::Mcp, method)
        })
    }

    /// The answer without what the viewer does not see; `None` where that is the answer as it is.
    ///
    /// # Errors
    /// When two readers may see two lists, or none can be seen.
    pub fn filter(
        self,
        carrier: Carrier,
        body: &[u8],
        viewer: &impl Viewer,
    ) -> Result<Option<Vec<u8>>, UnreadableList> {
        // Nothing is listed where nothing is said, as to somebody who did not ask for an answer.
        if body.trim_ascii().is_empty() {
            return Ok(None);
        }
        match (self, carrier) {
            (Self::Tasks(Tasks::A2aGrpc), Carrier::Grpc) => message(body, viewer),
            (Self::Tasks(Tasks::A2aGrpc), _) | (_, Carrier::Grpc) => Err(UnreadableList::Broken),
            (_, Carrier::Json) => Ok(self.document(body, viewer)?.map(String::into_bytes)),
            (_, Carrier::EventStream) => self.events(body, viewer),
        }
    }

    fn document(self, body: &[u8], viewer: &impl Viewer) -> Result<Option<String>, UnreadableList> {
        let mut reader = Reader::new(body, DEPTH)?;
        while reader.next()?.is_some() {}
        let text = std::str::from_utf8(body).map_err(|_| UnreadableList::Broken)?;
        let Some(document) = Members::read(text) else {
            return Err(UnreadableList::Broken);
        };
        if self == Self::Tasks(Tasks::A2aRest) {
            return self.result(&document, viewer);
        }
        let Some(result) = only(&document, "result")? else {
            return Ok(None);
        };
        let Some(members) = Members::read(result) else {
            return Ok(None);
        };
        let filtered = self.result(&members, viewer)?;
        Ok(filtered.map(|result| replaced(&document, &[("result", result.into())])))
    }

    fn result(
        self,
        result: &Members<'_>,
        viewer: &impl Viewer,
    ) -> Result<Option<String>, UnreadableList> {
        let (array, key) = match self {
            Self::Prompts => ("prompts", "name"),
            Self::Resources => ("resources", "uri"),
            Self::Tasks(Tasks::A2a | Tasks::A2aGrpc | Tasks::A2aRest) => ("tasks", "id"),
            Self::Tasks(Tasks::Mcp) => ("tasks", "taskId"),
            Self::Templates => ("resourceTemplates", "uriTemplate"),
            Self::Tools => ("tools", "name"),
        };
        let Some(entries) = only(result, array)? else {
            return Ok(None);
        };
        let entries: Vec<&RawValue> =
            serde_json::from_str(entries).map_err(|_| UnreadableList::Broken)?;
        let all = entries.len();
        let kept: Vec<&str> = entries
            .into_iter()
            .map(RawValue::get)
            .filter(|entry| is_seen(entry, key, viewer))
            .collect();
        let mut changes: Vec<(&str, Cow<'_, str>)> = Vec::new();
        if kept.len() < all {
            changes.push((array, format!("[{}]", kept.join(",")).into()));
        }
        // Another caller's list is another one, so nobody may keep it for all (MCP 2026-07-28, caching).
        if let Some(scope) = only(result, "cacheScope")?
            && scope != "\"private\""
        {
            changes.push(("cacheScope", "\"private\"".into()));
        }
        if let (Self::Tasks(_), Some(total)) = (self, only(result, "totalSize")?) {
            let total: u64 = total.parse().map_err(|_| UnreadableList::Broken)?;
            if viewer.owned() < total {
                changes.push(("totalSize", viewer.owned().to_string().into()));
            }
        }
        Ok((!changes.is_empty()).then(|| replaced(result, &changes)))
    }

    /// The same in the events of a stream that has ended.
    fn events(self, body: &[u8], viewer: &impl Viewer) -> Result<Option<Vec<u8>>, UnreadableList> {
        let text = std::str::from_utf8(body).map_err(|_| UnreadableList::Broken)?;
        let mut filtered = String::with_capacity(text.len());
        let mut changed = false;
        for event in events(text) {
            let data = data(event);
            let document = match data.trim().starts_with('{') {
                true => self.document(data.as_bytes(), viewer)?,
                // No message: what begins a stream that can be resumed, or only comments.
                false => None,
            };
            match document {
                None => filtered.push_str(event),
                Some(document) => {
                    changed = true;
                    with_data(&mut filtered, event, &document);
                }
            }
        }
        Ok(changed.then(|| filtered.into_bytes()))
    }
}

/// `ListTasksResponse` of A2A 1.0 without the tasks that the viewer does not see, as the one message of an answer.
fn message(body: &[u8], viewer: &impl Viewer) -> Result<Option<Vec<u8>>, UnreadableList> {
    const TASKS: u32 = 1;
    const TOTAL_SIZE: u32 = 4;
    let Some(([0, length @ ..], list)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(UnreadableList::Broken);
    };
    if usize::try_from(u32::from_be_bytes(*length)) != Ok(list.len()) {
        return Err(UnreadableList::Broken);
    }
    let mut filtered = vec![0; PREFIX_BYTES];
    let (mut fields, mut rest) = (Fields::of(list), list);
    let mut is_changed = false;
    while let Some(field) = fields.next() {
        let (bytes, behind) = rest
            .split_at_checked(rest.len() - fields.left())
            .ok_or(UnreadableList::Broken)?;
        rest = behind;
        match field.map_err(|_| UnreadableList::Broken)? {
            (TASKS, Wire::Bytes(task)) if is_seen_task(task, viewer) => {
                filtered.extend_from_slice(bytes);
            }
            (TASKS, _) => is_changed = true,
            (TOTAL_SIZE, Wire::Number(total)) if viewer.owned() < total => {
                is_changed = true;
                put_number(&mut filtered, TOTAL_SIZE, viewer.owned());
            }
            _ => filtered.extend_from_slice(bytes),
        }
    }
    let length = u32::try_from(filtered.len() - PREFIX_BYTES);
    let length = length.map_err(|_| UnreadableList::Broken)?;
    if let Some(prefix) = filtered.get_mut(1..PREFIX_BYTES) {
        prefix.copy_from_slice(&length.to_be_bytes());
    }
    Ok(is_changed.then_some(filtered))
}

/// A task without an id, or with two, is nobody's.
fn is_seen_task(task: &[u8], viewer: &impl Viewer) -> bool {
    const ID: u32 = 1;
    let mut ids =
        Fields::of(task).filter(|field| !matches!(field, Ok((number, _)) if *number != ID));
    match (ids.next(), ids.next()) {
        (Some(Ok((_, Wire::Bytes(id)))), None) => {
            std::str::from_utf8(id).is_ok_and(|id| viewer.sees(id))
        }
        _ => false,
    }
}

fn is_seen(entry: &str, key: &str, viewer: &impl Viewer) -> bool {
    let Some(members) = Members::read(entry) else {
        return false;
    };
    let Ok(Some(name)) = only(&members, key) else {
        return false;
    };
    // Also of one that the caller does not see: what it has become others will want to know.
    serde_json::from_str::<String>(name)
        .is_ok_and(|name| viewer.trusts(&name, entry) && viewer.sees(&name))
}

/// The value of a member, if no reader could take another one for it.
fn only<'a>(members: &Members<'a>, name: &str) -> Result<Option<&'a str>, UnreadableList> {
    let mut found = members.iter().filter(|(key, _)| is_spelling(key, name));
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some((key, value)), None) if key == name => Ok(Some(value)),
        (Some(_), _) => Err(UnreadableList::Ambiguous),
    }
}

/// The object with these members in the place of its own.
fn replaced(members: &Members<'_>, changes: &[(&str, Cow<'_, str>)]) -> String {
    let mut text = String::from("{");
    for (key, value) in members.iter() {
        if text.len() > 1 {
            text.push(',');
        }
        let change = changes.iter().find(|(changed, _)| *changed == key);
        text.push_str(&serde_json::Value::from(key).to_string());
        text.push(':');
        text.push_str(change.map_or(value, |(_, value)| value));
    }
    text.push('}');
    text
}

/// The events of a stream with the blank line that ends each (WHATWG HTML, section 9.2.5).
fn events(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut at = 0;
        while let Some(line) = rest.get(at..).and_then(first_line) {
            at += line.len();
            if line.trim_end_matches(['\r', '\n']).is_empty() {
                break;
            }
        }
        let (event, tail) = rest.split_at_checked(at)?;
        rest = tail;
        Some(event)
    })
}

/// The line at the beginning, with its end: CR, LF or both.
fn first_line(text: &str) -> Option<&str> {
    let end = text.find(['\r', '\n']).map_or(text.len(), |at| {
        match text.get(at..).is_some_and(|rest| rest.starts_with("\r\n")) {
            true => at + 2,
            false => at + 1,
        }
    });
    text.get(..end).filter(|line| !line.is_empty())
}

fn lines(event: &str) -> impl Iterator<Item = &str> {
    let mut rest = event;
    std::iter::from_fn(move || {
        let line = first_line(rest)?;
        rest = rest.get(line.len()..).unwrap_or_default();
        Some(line)
    })
}

/// What stands in a line of data.
fn data_of(line: &str) -> Option<&str> {
    let line = line.trim_end_matches(['\r', '\n']);
    let line = line.strip_prefix('\u{FEFF}').unwrap_or(line);
    let value = line.strip_prefix("data:")?;
    Some(value.strip_prefix(' ').unwrap_or(value))
}

fn data(event: &str) -> String {
    let lines: Vec<&str> = lines(event).filter_map(data_of).collect();
    lines.join("\n")
}

/// The event with other data, in one line.
fn with_data(to: &mut String, event: &str, data: &str) {
    let mut written = false;
    for line in lines(event) {
        if data_of(line).is_none() {
            to.push_str(line);
        } else if !written {
            written = true;
            let end = line.trim_end_matches(['\r', '\n']).len();
            to.push_str("data: ");
            to.push_str(data);
            to.push_str(line.get(end..).unwrap_or("\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::put;

    /// Sees what begins with `a`, and owns two tasks.
    struct Somebody;

    impl Viewer for Somebody {
        fn sees(&self, name: &str) -> bool {
            name.starts_with('a')
        }

        fn owned(&self) -> u64 {
            2
        }
    }

    fn filter(
        listing: Listing,
        carrier: Carrier,
        body: &str,
    ) -> Result<Option<String>, UnreadableList> {
        let filtered = listing.filter(carrier, body.as_bytes(), &Somebody)?;
        Ok(filtered.map(|body| String::from_utf8(body).unwrap()))
    }

    #[test]
    fn what_the_caller_may_not_use_is_not_listed() {
        let cases = [
            (
                Listing::Tools,
                r#"{"jsonrpc":"2.0","id":1.50,"result":{"tools":[{"name":"a1","x":1.0},{"name":"b"},{"name":"a2"}],"nextCursor":"c","cacheScope":"public"}}"#,
                r#"{"jsonrpc":"2.0","id":1.50,"result":{"tools":[{"name":"a1","x":1.0},{"name":"a2"}],"nextCursor":"c","cacheScope":"private"}}"#,
            ),
            (
                Listing::Resources,
                r#"{"result":{"resources":[{"uri":"b","name":"a"}]}}"#,
                r#"{"result":{"resources":[]}}"#,
            ),
            (
                Listing::Tasks(Tasks::A2a),
                r#"{"result":{"tasks":[{"id":"a"},{"id":"b"}],"totalSize":7,"nextPageToken":""}}"#,
                r#"{"result":{"tasks":[{"id":"a"}],"totalSize":2,"nextPageToken":""}}"#,
            ),
            (
                Listing::Tasks(Tasks::A2aRest),
                r#"{"tasks":[{"id":"b"}],"totalSize":1}"#,
                r#"{"tasks":[],"totalSize":1}"#,
            ),
            (
                Listing::Tasks(Tasks::Mcp),
                r#"{"result":{"tasks":[{"taskId":"b","id":"a"},{"taskId":"a"}]}}"#,
                r#"{"result":{"tasks":[{"taskId":"a"}]}}"#,
            ),
            // Entries without a name, or with two, are nobody's.
            (
                Listing::Tools,
                r#"{"result":{"tools":[{"Name":"a"},{"name":"a","NAME":"a"},{"name":7},"a",{}]}}"#,
                r#"{"result":{"tools":[]}}"#,
            ),
        ];
        for (listing, body, expected) in cases {
            assert_eq!(
                filter(listing, Carrier::Json, body),
                Ok(Some(expected.to_owned())),
                "{body}"
            );
        }
    }

    #[test]
    fn lists_over_grpc_show_the_callers_tasks() {
        let list = |tasks: &[&[u8]], total: u64| {
            let mut list = Vec::new();
            tasks.iter().for_each(|task| put(&mut list, 1, task));
            put(&mut list, 2, b"next");
            put_number(&mut list, 3, 50);
            put_number(&mut list, 4, total);
            let length = u32::try_from(list.len()).unwrap();
            [&[0], &length.to_be_bytes()[..], &list].concat()
        };
        let task = |ids: &[&str]| {
            let mut task = Vec::new();
            ids.iter().for_each(|id| put(&mut task, 1, id.as_bytes()));
            put(&mut task, 2, b"context");
            task
        };
        let filter =
            |body: &[u8]| Listing::Tasks(Tasks::A2aGrpc).filter(Carrier::Grpc, body, &Somebody);
        let (own, other) = (task(&["a1"]), task(&["b"]));
        let clean = list(&[&own, &own], 2);
        assert_eq!(filter(&clean), Ok(None));
        assert_eq!(filter(b""), Ok(None));
        let (none, two, broken) = (task(&[]), task(&["a", "a2"]), b"\x0a\x09a".to_vec());
        for foreign in [&other, &none, &two, &broken] {
            let filtered = filter(&list(&[foreign, &own, foreign], 7));
            assert_eq!(filtered, Ok(Some(list(&[&own], 2))));
        }
        let compressed = [&[1], &clean[1..]].concat();
        for body in [
            &clean[..7],
            b"\0\0",
            &[&clean[..], b"x"].concat(),
            &compressed,
        ] {
            assert_eq!(filter(body), Err(UnreadableList::Broken));
        }
    }

    #[test]
    fn what_needs_no_change_keeps_its_bytes() {
        for body in [
            r#"{ "result" : { "tools" : [ {"name":"a"} ] , "cacheScope":"private" } }"#,
            r#"{"error":{"code":-1,"message":"b"}}"#,
            r#"{"result":{}}"#,
            r#"{"result":null}"#,
            " ",
        ] {
            assert_eq!(
                filter(Listing::Tools, Carrier::Json, body),
                Ok(None),
                "{body}"
            );
        }
    }

    #[test]
    fn a_list_that_two_readers_may_read_differently_does_not_leave() {
        let deep = format!(r#"{{"result":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for body in [
            r#"{"result":{"tools":[],"tools":[{"name":"b"}]}}"#,
            r#"{"result":{"tools":[]},"Result":{"tools":[{"name":"b"}]}}"#,
            r#"{"result":{"Tools":[{"name":"b"}]}}"#,
            r#"{"result":{"tools":{"name":"b"}}}"#,
            r#"{"result":{"tools":[{"name":"b"}]}} {}"#,
            r#"[{"result":{"tools":[{"name":"b"}]}}]"#,
            r#"{"result":{"tools":[{"name":"b"}]}"#,
            deep.as_str(),
        ] {
            assert!(
                filter(Listing::Tools, Carrier::Json, body).is_err(),
                "{body}"
            );
        }
    }

    #[test]
    fn events_keep_all_but_the_entries() {
        let body = "id: 1\r\ndata: \r\nretry: 500\r\n\r\n: ping\r\n\r\nid: 2\r\nevent: message\r\n\
            data: {\"result\":\r\ndata: {\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}\r\n\r\ndata: {\"method\":\"x\"}\n\n";
        let expected = "id: 1\r\ndata: \r\nretry: 500\r\n\r\n: ping\r\n\r\nid: 2\r\nevent: message\r\n\
            data: {\"result\":{\"tools\":[{\"name\":\"a\"}]}}\r\n\r\ndata: {\"method\":\"x\"}\n\n";
        let filtered = filter(Listing::Tools, Carrier::EventStream, body);
        assert_eq!(filtered, Ok(Some(expected.to_owned())));
        for ends in ["\n", "\r", "\r\n"] {
            let event =
                |tools: &str| format!("data: {{\"result\":{{\"tools\":[{tools}]}}}}{ends}{ends}");
            let body = event("{\"name\":\"b\"}");
            let filtered = filter(Listing::Tools, Carrier::EventStream, &body);
            assert_eq!(filtered, Ok(Some(event(""))), "{ends:?}");
        }
        let clean = "data: {\"result\":{\"tools\":[{\"name\":\"a\"}]}}\n\n";
        assert_eq!(
            filter(Listing::Tools, Carrier::EventStream, clean),
            Ok(None)
        );
        let torn = "data: {\"result\":{\"tools\":[{\"name\":\"b\"}]}}";
        let expected = "data: {\"result\":{\"tools\":[]}}\n";
        let filtered = filter(Listing::Tools, Carrier::EventStream, torn);
        assert_eq!(
            filtered.map(|it| it.map(|it| it.trim_end().to_owned())),
            Ok(Some(expected.trim_end().to_owned()))
        );
    }
}
