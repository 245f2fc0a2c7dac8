//! How many tokens an answer of a model API used, read while it passes.
//!
//! Reads `usage` where the APIs have it (OpenAI chat completions and responses, Anthropic messages): at the root of a
//! document or of an event, or in its `message` or `response`. What the model says stands in strings and deeper, and is
//! not taken for it. Nothing is kept but the place in the document. Numbers of running answers are cumulative in all of
//! these APIs, so that the largest counts, and none is ever added to an earlier one.

use super::observer::Carrier;
use crate::model::TokenUse;

use super::sse::{Events, Piece};

/// Reads the usage of one answer.
#[derive(Debug)]
pub struct Usage {
    // Of an event stream.
    events: Option<Events>,
    document: Place,
    seen: Seen,
}

/// The largest number of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Seen {
    input: Option<u64>,
    // Anthropic's, which `input_tokens` leaves out.
    cache_reads: Option<u64>,
    cache_writes: Option<u64>,
    output: Option<u64>,
    total: Option<u64>,
}

impl Usage {
    /// Of an answer in this form; `None` where the APIs have no such one.
    pub fn new(carrier: Carrier) -> Option<Self> {
        let events = match carrier {
            Carrier::EventStream => Some(Events::default()),
            Carrier::Grpc => return None,
            Carrier::Json => None,
        };
        Some(Self {
            events,
            document: Place::default(),
            seen: Seen::default(),
        })
    }

    /// Takes the next piece, wherever it is cut.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self {
            events,
            document,
            seen,
        } = self;
        match events {
            None => document.read(bytes, seen),
            Some(events) => events.feed(bytes, &mut |piece| match piece {
                Piece::Data(data) => document.read(data, seen),
                Piece::End => *document = Place::default(),
            }),
        }
    }

    /// The tokens that were used so far; `None` where nothing tells of any.
    pub fn tokens(&self) -> Option<TokenUse> {
        self.seen.tokens()
    }
}

impl Seen {
    fn note(&mut self, key: Key, number: u64) {
        let seen = match key {
            Key::CacheReads => &mut self.cache_reads,
            Key::CacheWrites => &mut self.cache_writes,
            Key::Input => &mut self.input,
            Key::Output => &mut self.output,
            Key::Total => &mut self.total,
            Key::Message | Key::Other | Key::Response | Key::Usage => return,
        };
        *seen = Some(seen.unwrap_or(0).max(number));
    }

    fn tokens(self) -> Option<TokenUse> {
        let inputs = [self.input, self.cache_reads, self.cache_writes];
        let told = inputs.iter().chain([&self.output, &self.total]);
        if told.into_iter().all(Option::is_none) {
            return None;
        }
        let has_input = inputs.iter().any(Option::is_some);
        let input = inputs.into_iter().flatten().fold(0, u64::saturating_add);
        let output = self.output.unwrap_or(0);
        let total = input.saturating_add(output).max(self.total.unwrap_or(0));
        Some(TokenUse {
            // What is not told apart is the rest.
            input: if has_input { input } else { total - output },
            output: self.output.unwrap_or(total - input),
            total,
        })
    }
}

/// How many tokens a request lets the model answer with: the largest number under the names that the APIs have for it,
/// for each of the answers that it asks for. 0 where it says nothing.
pub fn asked_tokens(body: &[u8]) -> u64 {
    let Ok(asked) = serde_json::from_slice::<Asked>(body) else {
        return 0;
    };
    let limits = [
        asked.max_tokens,
        asked.max_completion_tokens,
        asked.max_output_tokens,
    ];
    let most = limits.into_iter().flatten().max().unwrap_or(0);
    most.saturating_mul(asked.n.unwrap_or(1).max(1))
}

#[derive(serde::Deserialize)]
struct Asked {
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    max_output_tokens: Option<u64>,
    n: Option<u64>,
}

/// Keys on the way to a number, and those that have one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    CacheReads,
    CacheWrites,
    Input,
    Message,
    #[default]
    Other,
    Output,
    Response,
    Total,
    Usage,
}

impl Key {
    const fn of(text: &[u8]) -> Self {
        match text {
            b"cache_creation_input_tokens" => Self::CacheWrites,
            b"cache_read_input_tokens" => Self::CacheReads,
            b"completion_tokens" | b"output_tokens" => Self::Output,
            b"input_tokens" | b"prompt_tokens" => Self::Input,
            b"message" => Self::Message,
            b"response" => Self::Response,
            b"total_tokens" => Self::Total,
            b"usage" => Self::Usage,
            _ => Self::Other,
        }
    }
}

/// Deeper than any number that counts.
const LEVELS: usize = 3;
/// Longer than any key that counts.
const KEY_BYTES: usize = 32;

/// A place in a JSON document.
#[derive(Debug, Default)]
struct Place {
    depth: usize,
    // Of the outermost levels: the key that the value stands under, or `Other` in a list.
    trail: [Key; LEVELS],
    is_object: [bool; LEVELS],
    text: Text,
    key: [u8; KEY_BYTES],
    key_length: usize,
    // The next string is a key.
    at_key: bool,
    number: Option<u64>,
    // The value is something else than a whole number.
    is_other: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Text {
    Escape,
    Inside,
    #[default]
    Outside,
}

impl Place {
    fn read(&mut self, bytes: &[u8], seen: &mut Seen) {
        for byte in bytes {
            if let Some((key, number)) = self.next(*byte) {
                seen.note(key, number);
            }
        }
    }

    /// Goes on by a byte. A number that counts is told when it has ended.
    fn next(&mut self, byte: u8) -> Option<(Key, u64)> {
        match (self.text, byte) {
            (Text::Escape, _) => {
                // A key with an escape is none of those that count.
                self.key_length = KEY_BYTES + 1;
                self.text = Text::Inside;
            }
            (Text::Inside, b'\\') => self.text = Text::Escape,
            (Text::Inside, b'"') => self.text = Text::Outside,
            (Text::Inside, _) => {
                if let Some(place) = self.key.get_mut(self.key_length) {
                    *place = byte;
                }
                self.key_length = self.key_length.saturating_add(1);
            }
            (Text::Outside, b'"') => {
                self.text = Text::Inside;
                self.key_length = 0;
            }
            (Text::Outside, _) => return self.between(byte),
        }
        None
    }

    fn between(&mut self, byte: u8) -> Option<(Key, u64)> {
        let mut ended = None;
        match byte {
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.enter(byte == b'{');
            }
            b'}' | b']' => {
                ended = self.take_number();
                self.depth = self.depth.saturating_sub(1);
                self.at_key = false;
            }
            b',' => {
                ended = self.take_number();
                self.at_key = self.is_in_object();
            }
            b':' if self.at_key => {
                self.at_key = false;
                let key = self.key.get(..self.key_length).map_or(Key::Other, Key::of);
                if let Some(level) = self.level_mut() {
                    *level = key;
                }
                self.begin_value();
            }
            b'0'..=b'9' if !self.at_key => {
                let digit = u64::from(byte - b'0');
                let before = self.number.unwrap_or(0);
                self.number = Some(before.saturating_mul(10).saturating_add(digit));
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => self.is_other = true,
        }
        ended
    }

    fn enter(&mut self, is_object: bool) {
        self.at_key = is_object;
        self.begin_value();
        let index = self.depth.wrapping_sub(1);
        if let (Some(level), Some(kind)) =
            (self.trail.get_mut(index), self.is_object.get_mut(index))
        {
            *level = Key::Other;
            *kind = is_object;
        }
    }

    const fn begin_value(&mut self) {
        self.number = None;
        self.is_other = false;
    }

    fn is_in_object(&self) -> bool {
        let index = self.depth.wrapping_sub(1);
        // Deeper keys do not count, and a string taken for one there does no harm.
        self.is_object.get(index).copied().unwrap_or(true)
    }

    fn level_mut(&mut self) -> Option<&mut Key> {
        self.trail.get_mut(self.depth.wrapping_sub(1))
    }

    fn take_number(&mut self) -> Option<(Key, u64)> {
        let number = self.number.take();
        let number = number.filter(|_| !self.is_other)?;
        match (self.depth, self.trail) {
            (2, [Key::Usage, key, _]) | (3, [Key::Message | Key::Response, Key::Usage, key]) => {
                Some((key, number))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(carrier: Carrier, text: &str, piece: usize) -> Option<u64> {
        let mut usage = Usage::new(carrier).unwrap();
        text.as_bytes()
            .chunks(piece.max(1))
            .for_each(|piece| usage.feed(piece));
        usage.tokens().map(|used| used.total)
    }

    const CHAT: &str = r#"{"id":"c1","choices":[{"message":{"content":"\"usage\":{\"total_tokens\":9}","usage":{"total_tokens":7}}}],
        "usage":{"prompt_tokens":12,"completion_tokens":30,"total_tokens":42,"prompt_tokens_details":{"cached_tokens":8}}}"#;
    const RESPONSES: &str = "event: response.created\r\ndata: {\"response\":{\"usage\":null}}\r\n\r\nevent: response.completed\r\ndata: \
        {\"response\":{\"output\":[{\"usage\":{\"input_tokens\":9999}}],\"usage\":{\"input_tokens\":5,\"output_tokens\":6,\"total_tokens\":11}}}\r\n\r\n";
    const MESSAGES: &str = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":25,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n\
        : ping\n\nevent: message_delta\ndata: {\"delta\":{\"stop_reason\":null},\"usage\":{\"output_tokens\":9}}\n\n\
        event: message_delta\ndata: {\"delta\":{},\n\ndata: {\"usage\":{\"output_tokens\":15}}\n\n";
    const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"usage\"}}],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\ndata: [DONE]\n\n";

    #[test]
    fn usage_is_read_where_the_apis_have_it() {
        for (carrier, text, tokens) in [
            (Carrier::Json, CHAT, 42),
            (Carrier::EventStream, RESPONSES, 11),
            // Cumulative: 25 and 100 of input, and the last 15, to which the 1 and the 9 are not added.
            (Carrier::EventStream, MESSAGES, 140),
            (Carrier::EventStream, STREAM, 7),
        ] {
            for piece in [1, 2, 7, 10_000] {
                assert_eq!(read(carrier, text, piece), Some(tokens), "{text}");
            }
        }
    }

    #[test]
    fn what_a_model_says_is_no_usage() {
        for text in [
            r#"{"choices":[{"usage":{"total_tokens":5}}]}"#,
            r#"{"content":"{\"usage\":{\"total_tokens\":5}}"}"#,
            r#"[{"usage":{"total_tokens":5}}]"#,
            r#"{"usage":[{"total_tokens":5}]}"#,
            r#"{"usage":{"details":{"total_tokens":5}}}"#,
            r#"{"usage":{"total_tokens":"5"}}"#,
            r#"{"usage":{"total_tokens":-5}}"#,
            r#"{"usage":{"total_tokens":1.5e3}}"#,
            r#"{"usage":null}"#,
            "",
        ] {
            assert_eq!(read(Carrier::Json, text, 3), None, "{text}");
        }
    }

    #[test]
    fn what_a_request_asks_for() {
        for (body, tokens) in [
            (r#"{"model":"m","max_tokens":100}"#, 100),
            (
                r#"{"max_tokens":100,"max_completion_tokens":300,"n":3}"#,
                900,
            ),
            (r#"{"max_output_tokens":7,"n":null}"#, 7),
            (r#"{"messages":[{"max_tokens":5}]}"#, 0),
            (r#"{"max_tokens":-1}"#, 0),
            ("no JSON", 0),
        ] {
            assert_eq!(asked_tokens(body.as_bytes()), tokens, "{body}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_in_any_pieces_are_read_alike(
            text in r#"[\[\]{}:,"\\a-e0-9 \n\r]{0,80}"#,
            is_stream: bool,
            piece in 1usize..9,
        ) {
            let carrier = if is_stream { Carrier::EventStream } else { Carrier::Json };
            let text = format!("data: {{\"usage\":{{\"total_tokens\":1}}{text}");
            prop_assert_eq!(read(carrier, &text, piece), read(carrier, &text, 1000));
        }

        #[test]
        fn what_json_has_is_read(input in 0u64..1 << 50, output in 0u64..1 << 50, text in ".{0,40}") {
            let usage = serde_json::json!({"prompt_tokens": input, "completion_tokens": output});
            let body = serde_json::json!({"a": [text.clone(), {"b": text}], "usage": usage, "z": {}});
            prop_assert_eq!(read(Carrier::Json, &body.to_string(), 5), Some(input + output));
        }
    }
}
