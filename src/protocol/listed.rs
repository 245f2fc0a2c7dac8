//! Lists among the events of a stream on which a whole session of MCP is answered: the GET of HTTP with SSE (2024-11-05), and
//! the one of a session, where answers are told again.
//!
//! What an event answers is not known here, since it was asked in another request. So any result that has the form of a list
//! is taken for one.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::listing::{Listing, Tasks, UnreadableList};
use super::sse::{end_of_event, line_begin};
use crate::model::{Call, Dialect};

/// Holds each event back until it is there whole, and filters the lists in it. Holds at most 16 MiB.
#[derive(Debug, Default)]
pub struct ListEvents {
    held: BytesMut,
    /// Up to here no event ends in what is held.
    searched: usize,
}

/// What leaves of an event in which there may be such a list; `None` where that is all of it.
pub type Filter<'a> = &'a mut dyn FnMut(Listing, &[u8]) -> Result<Option<Vec<u8>>, UnreadableList>;

/// The longest event: what an answer may be by default.
const MAX_EVENT_BYTES: usize = 16 << 20;

impl ListEvents {
    /// Whether lists may come in the answer to this call, if that is a stream of events.
    pub fn are_for(call: &Call) -> bool {
        match call.dialect {
            Dialect::Http => call.action.method == "GET",
            Dialect::Mcp(_) => call.action.method == "session/listen",
            Dialect::A2a(..) | Dialect::Grpc | Dialect::JsonRpc | Dialect::Llm(_) => false,
        }
    }

    /// The next piece of the stream.
    ///
    /// # Errors
    /// When there may be a list in it that cannot be filtered. Nothing of it must leave then.
    pub fn feed(
        &mut self,
        bytes: &Bytes,
        filter: Filter<'_>,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), UnreadableList> {
        self.held.extend_from_slice(bytes);
        while let Some(end) = end_of_event(&self.held, self.searched) {
            self.searched = 0;
            let event = self.held.split_to(end).freeze();
            out.push_back(filtered(event, filter)?);
        }
        self.searched = line_begin(&self.held);
        match self.held.len() {
            ..=MAX_EVENT_BYTES => Ok(()),
            _ => Err(UnreadableList::TooLong),
        }
    }

    /// The stream has ended. What is held is an event without its end, which some readers take for one all the same.
    ///
    /// # Errors
    /// As [`feed`](Self::feed) has them.
    pub fn finish(
        &mut self,
        filter: Filter<'_>,
        out: &mut VecDeque<Bytes>,
    ) -> Result<(), UnreadableList> {
        let rest = self.held.split().freeze();
        if !rest.is_empty() {
            out.push_back(filtered(rest, filter)?);
        }
        Ok(())
    }
}

fn filtered(mut event: Bytes, filter: Filter<'_>) -> Result<Bytes, UnreadableList> {
    if !may_list(&event) {
        return Ok(event);
    }
    for listing in LISTINGS {
        if let Some(left) = filter(listing, &event)? {
            event = left.into();
        }
    }
    Ok(event)
}

/// All that are lists by their form alone.
const LISTINGS: [Listing; 5] = [
    Listing::Prompts,
    Listing::Resources,
    Listing::Tasks(Tasks::Mcp),
    Listing::Templates,
    Listing::Tools,
];

/// Whether a key of a list may be in it, in letters of any case and also in escapes. Most events have none, and are looked at no
/// further.
fn may_list(event: &[u8]) -> bool {
    let lower = event.to_ascii_lowercase();
    let words: [&[u8]; 5] = [b"tools", b"prompts", b"resource", b"tasks", b"\\u"];
    words
        .iter()
        .any(|word| memmem::find(&lower, word).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::{Carrier, Viewer};
    use super::*;

    /// Sees what begins with `a`.
    struct Somebody;

    impl Viewer for Somebody {
        fn sees(&self, name: &str) -> bool {
            name.starts_with('a')
        }

        fn owned(&self) -> u64 {
            0
        }
    }

    fn carry(stream: &str, size: usize) -> Result<String, UnreadableList> {
        let mut events = ListEvents::default();
        let mut filter =
            |listing: Listing, event: &[u8]| listing.filter(Carrier::EventStream, event, &Somebody);
        let mut out = VecDeque::new();
        for piece in stream.as_bytes().chunks(size) {
            events.feed(&Bytes::copy_from_slice(piece), &mut filter, &mut out)?;
        }
        events.finish(&mut filter, &mut out)?;
        Ok(out
            .iter()
            .map(|piece| str::from_utf8(piece).unwrap())
            .collect())
    }

    #[test]
    fn lists_are_filtered_wherever_the_stream_is_cut() {
        let event = |result: &str| {
            format!(
                "event: message\r\ndata: {{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{result}}}\r\n\r\n"
            )
        };
        let before = "event: endpoint\r\ndata: /messages?session_id=1\r\n\r\n: ping tools\n\n";
        let stream = |tools: &str, uris: &str| {
            let text = event(r#"{"content":[{"text":"tools"}]}"#);
            let tools = event(&format!(r#"{{"tools":[{tools}]}}"#));
            let uris = event(&format!(r#"{{"resources":[{uris}]}}"#));
            let news =
                "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";
            format!("{before}{text}{tools}{news}{uris}data: [tools]\n")
        };
        let full = stream(
            r#"{"name":"a1"},{"name":"b"},{"name":"a2"}"#,
            r#"{"uri":"b","name":"a"}"#,
        );
        let left = stream(r#"{"name":"a1"},{"name":"a2"}"#, "");
        for size in [1, 2, 3, 7, 64, usize::MAX] {
            assert_eq!(carry(&full, size), Ok(left.clone()), "{size}");
            assert_eq!(carry(&left, size), Ok(left.clone()), "{size}");
        }
        // An event without its end.
        let cut = r#"data: {"result":{"tools":[{"name":"b"}]}}"#;
        assert!(!carry(cut, 5).unwrap().contains("\"b\""));
    }

    #[test]
    fn a_list_that_cannot_be_filtered_does_not_leave() {
        for data in [
            r#"{"result":{"Tools":[{"name":"b"}]}}"#,
            r#"{"result":{"\u0074ools":[],"tools":[{"name":"b"}]}}"#,
            r#"{"result":{"tools":[{"name":"b"}]}"#,
        ] {
            let stream = format!("data: {data}\n\n");
            assert!(carry(&stream, usize::MAX).is_err(), "{data}");
        }
        let long = "x".repeat(MAX_EVENT_BYTES + 1);
        assert_eq!(carry(&long, 1 << 20), Err(UnreadableList::TooLong));
    }
}
