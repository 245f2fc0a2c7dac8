//! What the policy's conditions read of a request, taken out before the policy is asked.

use http::HeaderMap;
use http::request::Parts;
use serde_json::Value;

use crate::model::Call;
use crate::policy::{Reads, RequestFacts};
use crate::protocol;

use super::inbound::Inbound;

/// Nothing of it where no condition reads it.
#[derive(Debug, Default)]
pub(super) struct Read {
    headers: Vec<(Box<str>, String)>,
    args: Option<Value>,
}

impl Read {
    pub(super) fn of(reads: &Reads, parts: &Parts, inbound: &Inbound, call: &Call) -> Self {
        let header = |name: &str| Some((Box::from(name), joined(&parts.headers, name)?));
        let names = reads.headers.iter().map(|name| &**name);
        let body = inbound.judged().filter(|_| reads.args);
        Self {
            headers: names.filter_map(header).collect(),
            args: body.and_then(|body| protocol::arguments(call, body)),
        }
    }

    pub(super) fn facts<'a>(&'a self, call: &'a Call, size: Option<u64>) -> RequestFacts<'a> {
        let http = call.http.as_ref().unwrap_or(&call.action);
        RequestFacts {
            path: http.name.as_deref(),
            size,
            headers: &self.headers,
            args: self.args.as_ref(),
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
