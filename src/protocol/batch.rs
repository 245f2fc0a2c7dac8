//! Several calls in one body: the batches of JSON-RPC, where they are part of the protocol.
//!
//! Only MCP of 2025-03-26 has them (basic, section "Batching"), and each of their calls is read as it would be by itself.
//! Everywhere else an array of calls is refused where a body is read.

use http::Method;
use serde_json::value::RawValue;

use super::envelope;
use super::head::{Head, INVALID_REQUEST, Malformed, unread};
use super::listing::Listing;
use super::mcp::Fields;
use crate::model::{Call, Dialect, McpEra, Reason, Refusal};

/// One call of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub call: Call,
    /// The text that it was read from.
    pub text: Box<str>,
}

/// More than any client sends at once. Arbitrary.
const MOST: usize = 32;

impl Head {
    /// The calls of a batch, in their order; `None` where there is no batch, or none may be. `body` is the whole of it.
    ///
    /// # Errors
    /// When one of them is malformed, or may not come with others.
    pub fn batch(
        &self,
        body: Option<&[u8]>,
        json_depth: usize,
    ) -> Result<Option<Vec<Part>>, Malformed> {
        let may_come = self.method == Method::POST
            && self.route.is_none()
            && self.mcp.as_ref().is_some_and(Fields::have_batches);
        let body = body.filter(|body| may_come && body.trim_ascii_start().starts_with(b"["));
        let Some(body) = body else {
            return Ok(None);
        };
        // What is wrong with the whole is said where single calls are read.
        let (envelope, flaw) = envelope::read(body, json_depth);
        if flaw.is_some() || !envelope.batch {
            return Ok(None);
        }
        let Ok(elements) = serde_json::from_slice::<Vec<&RawValue>>(body) else {
            return Ok(None);
        };
        if elements.len() > MOST {
            return Err(refused("more than 32 calls"));
        }
        let parts = elements.into_iter().map(|element| {
            let text = element.get();
            let call = self.clone().into_call(Some(text.as_bytes()), json_depth)?;
            check(&call)?;
            Ok(Part {
                call,
                text: Box::from(text),
            })
        });
        parts.collect::<Result<_, _>>().map(Some)
    }
}

/// Whether a call may come with others.
fn check(call: &Call) -> Result<(), Malformed> {
    if call.dialect != Dialect::Mcp(McpEra::Sessions) {
        return Err(refused("only calls of MCP 2025-03-26 come together"));
    }
    // So the standard has it: the session is not there before.
    if call.action.method == "initialize" {
        return Err(refused("a session does not begin among others"));
    }
    // Which of the answers is the list nobody could tell for certain.
    if Listing::of(call).is_some() {
        let mut malformed = refused("a list among others");
        malformed.refusal.say = Some("Lists cannot be asked for in a batch.".into());
        return Err(malformed);
    }
    Ok(())
}

fn refused(detail: &str) -> Malformed {
    let refusal = Refusal::new(Reason::BatchUnsupported).detail(detail);
    unread(refusal, Dialect::JsonRpc, INVALID_REQUEST)
}
