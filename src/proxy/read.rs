//! What the policy's conditions and its statements about tools read of a request, taken out before the policy is
//! asked.

use http::HeaderMap;
use serde_json::Value;

use crate::model::{Call, ToolCall};
use crate::policy::{Reads, RequestFacts};
use crate::protocol;

/// What conditions and statements about tools read of a request. Nothing of it where nobody reads it.
#[derive(Debug, Default)]
pub struct Read {
    /// Fields of its head by lower-case name, several lines as one.
    pub headers: Vec<(Box<str>, String)>,
    /// Its arguments.
    pub args: Option<Value>,
    /// The tool that it calls.
    pub tool: Option<ToolCall>,
}

impl Read {
    /// Takes out what is read. `body` is the one that the call was read from.
    pub fn of(reads: &Reads, headers: &HeaderMap, body: Option<&[u8]>, call: &Call) -> Self {
        let header = |name: &str| Some((Box::from(name), joined(headers, name)?));
        let names = reads.headers.iter().map(|name| &**name);
        let args = body.filter(|_| reads.args);
        let tool = body.filter(|_| reads.tool);
        Self {
            headers: names.filter_map(header).collect(),
            args: args.and_then(|body| protocol::arguments(call, body)),
            tool: tool.and_then(|body| protocol::tool_call(call, body)),
        }
    }

    pub(super) fn facts<'a>(&'a self, call: &'a Call, size: Option<u64>) -> RequestFacts<'a> {
        let http = call.http.as_ref().unwrap_or(&call.action);
        RequestFacts {
            path: http.name.as_deref(),
            size,
            headers: &self.headers,
            args: self.args.as_ref(),
            tool: self.tool.as_ref(),
        }
    }
}

/// The lines of a field as one (RFC 9110, section 5.3). A line that is no text is one that no condition can
/// judge, so the field counts as missing.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut lines = headers.get_all(name).iter();
    let mut joined = lines.next()?.to_str().ok()?.to_owned();
    for line in lines {
        joined.push_str(", ");
        joined.push_str(line.to_str().ok()?);
    }
    Some(joined)
}
