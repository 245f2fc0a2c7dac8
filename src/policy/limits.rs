//! How large and how slow a call may be.

use std::time::Duration;

use super::config::LimitOverride;
use crate::model::{Action, ActionPattern, Protocol};

/// Bounds on one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request's body.
    pub request_bytes: usize,
    /// Bytes of the answer's body.
    pub response_bytes: u64,
    /// From the request's head to the answer's last byte.
    pub time: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// Levels of nested JSON arrays and objects.
    pub json_depth: usize,
    /// How many times its size a coded body may become.
    pub decompress_ratio: u64,
}

impl Default for Limits {
    /// The language's defaults: what an agent's ordinary answer needs, with room.
    fn default() -> Self {
        Self {
            request_bytes: 1 << 20,
            response_bytes: 16 << 20,
            time: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            json_depth: 64,
            decompress_ratio: 100,
        }
    }
}

impl Limits {
    const fn with(mut self, limits: &LimitOverride) -> Self {
        if let Some(bytes) = limits.request_bytes {
            self.request_bytes = bytes;
        }
        if let Some(bytes) = limits.response_bytes {
            self.response_bytes = bytes;
        }
        if let Some(time) = limits.time {
            self.time = time;
        }
        if let Some(idle) = limits.idle {
            self.idle = idle;
        }
        if let Some(depth) = limits.json_depth {
            self.json_depth = depth;
        }
        if let Some(ratio) = limits.decompress_ratio {
            self.decompress_ratio = ratio;
        }
        self
    }
}

/// Methods whose answer is a stream that lives as long as its task: a total of 30 s would end every
/// one of them, so time and size are wider unless the policy names an action.
const STREAMS: [&str; 2] = ["SendStreamingMessage", "SubscribeToTask"];
const STREAM_LIMITS: LimitOverride = LimitOverride {
    request_bytes: None,
    response_bytes: Some(256 << 20),
    time: Some(Duration::from_secs(30 * 60)),
    idle: Some(Duration::from_secs(60)),
    json_depth: None,
    decompress_ratio: None,
};

/// All limits of a policy, the least specific statement first.
#[derive(Debug)]
pub(super) struct LimitTable {
    default: Limits,
    overrides: Vec<(ActionPattern, LimitOverride)>,
}

impl LimitTable {
    /// Built-in defaults, then the policy's `default`, then the built-in ones of streams, then the policy's
    /// patterns from the least to the most specific.
    pub(super) fn new(
        default: &LimitOverride,
        patterns: Vec<(ActionPattern, LimitOverride)>,
    ) -> Self {
        let mut overrides = patterns;
        overrides.sort_by_key(|(pattern, _)| pattern.specificity());
        Self {
            default: Limits::default().with(default),
            overrides,
        }
    }

    pub(super) fn of(&self, action: &Action) -> Limits {
        let is_stream = action.protocol == Protocol::A2a && STREAMS.contains(&&*action.method);
        if is_stream {
            self.of_stream(action)
        } else {
            self.over(self.default, action)
        }
    }

    /// The limits of an answer that turned out to be a stream of events, whatever was asked: a model's
    /// answer over plain HTTP lives as long as a task's.
    pub(super) fn of_stream(&self, action: &Action) -> Limits {
        self.over(self.default.with(&STREAM_LIMITS), action)
    }

    fn over(&self, base: Limits, action: &Action) -> Limits {
        self.overrides
            .iter()
            .filter(|(pattern, _)| pattern.matches(action))
            .fold(base, |limits, (_, change)| limits.with(change))
    }

    pub(super) const fn json_depth(&self) -> usize {
        self.default.json_depth
    }

    pub(super) fn max_request_bytes(&self) -> usize {
        self.overrides
            .iter()
            .filter_map(|(_, limits)| limits.request_bytes)
            .fold(self.default.request_bytes, usize::max)
    }
}
