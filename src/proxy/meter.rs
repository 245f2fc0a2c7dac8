//! What a caller may send on an HTTP/2 connection beside requests.
//!
//! The library bounds what it keeps: streams, heads, CONTINUATION frames, empty DATA, streams that were reset
//! before they were looked at. What costs work and leaves nothing behind it answers as often as it comes: a
//! request that is cancelled once it is on its way (CVE-2023-44487, and CVE-2025-8671 where the server is
//! made to do it), PING, SETTINGS, PRIORITY, WINDOW_UPDATE, unknown frames (CVE-2019-9512, 9513, 9515). Here
//! they are counted.

use std::time::{Duration, Instant};

use crate::clock;
use crate::telemetry::Http2Metrics;

use super::frames::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GOAWAY, HEADERS, RST_STREAM,
};

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowances {
    /// Streams that end by a RST_STREAM of the caller's, or by ours for a mistake of the caller's.
    pub(super) resets: u32,
    /// Frames that carry neither a request nor a body.
    pub(super) control_frames: u32,
}

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flood {
    ControlFrames,
    Resets,
}

impl Flood {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ControlFrames => "too many control frames",
            Self::Resets => "too many streams were reset",
        }
    }
}

/// Counts the frames of one connection.
#[derive(Debug)]
pub(super) struct Meter {
    received: Frames,
    sent: Frames,
    control_frames: Allowance,
    resets: Allowance,
    /// The highest stream that the caller opened.
    last_stream: u32,
    /// The last frame of the caller was part of a head.
    is_head: bool,
    /// A head has begun, and its last frame has not.
    is_open: bool,
    has_resets: bool,
    flood: Option<Flood>,
    metrics: Http2Metrics,
}

impl Meter {
    pub(super) fn new(allowances: Allowances, metrics: Http2Metrics) -> Self {
        Self {
            received: Frames::of_client(),
            sent: Frames::of_server(),
            control_frames: Allowance::new(allowances.control_frames),
            resets: Allowance::new(allowances.resets),
            last_stream: 0,
            is_head: false,
            is_open: false,
            has_resets: false,
            flood: None,
            metrics,
        }
    }

    /// The caller has sent this.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        // Taken out, so that what it tells of can be counted.
        let mut frames = std::mem::replace(&mut self.received, Frames::of_server());
        frames.pass(bytes, |frame| self.count_received(frame));
        self.received = frames;
    }

    /// The caller was sent this.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let mut frames = std::mem::replace(&mut self.sent, Frames::of_server());
        frames.pass(bytes, |frame| self.count_sent(frame));
        self.sent = frames;
    }

    fn count_received(&mut self, frame: Frame) {
        self.is_head = matches!(frame.kind, HEADERS | CONTINUATION);
        if self.is_head {
            self.is_open = frame.flags & END_HEADERS == 0;
        }
        let fits = match frame.kind {
            HEADERS => {
                if frame.stream > self.last_stream {
                    self.last_stream = frame.stream;
                    // Some clients send a PRIORITY or a WINDOW_UPDATE with each request.
                    self.control_frames.earn(EARNED);
                }
                true
            }
            DATA => {
                frame.length > 0 || frame.flags & END_STREAM != 0 || self.control_frames.spend()
            }
            RST_STREAM => {
                self.has_resets = true;
                let fits = self.resets.spend();
                return self.note(fits, Flood::Resets);
            }
            _ => self.control_frames.spend(),
        };
        self.note(fits, Flood::ControlFrames);
    }

    fn count_sent(&mut self, frame: Frame) {
        match frame.kind {
            // What is read is acknowledged, piece by piece. Where the caller opens its window by a few bytes
            // at a time, each piece costs it as much as us.
            DATA if frame.length >= PIECE => self.control_frames.earn(EARNED),
            RST_STREAM => {
                self.metrics.reset(frame.code);
                if is_of_caller(frame.code) {
                    let fits = self.resets.spend();
                    self.note(fits, Flood::Resets);
                }
            }
            GOAWAY => self.metrics.goaway(frame.code),
            _ => {}
        }
    }

    fn note(&mut self, fits: bool, flood: Flood) {
        if !fits {
            self.flood.get_or_insert(flood);
        }
    }

    /// What there was too much of.
    pub(super) const fn flood(&self) -> Option<Flood> {
        self.flood
    }

    /// Whether the caller has reset a stream.
    pub(super) const fn has_resets(&self) -> bool {
        self.has_resets
    }

    /// Whether the caller has begun a head and not ended it.
    pub(super) const fn is_within_head(&self) -> bool {
        self.is_open || (self.is_head && !self.received.is_between())
    }

    /// The last stream that was looked at, where a frame of ours may be sent now.
    pub(super) const fn may_part(&self) -> Option<u32> {
        if self.sent.is_between() {
            Some(self.last_stream)
        } else {
            None
        }
    }
}

/// Whether we reset a stream for what the caller did (RFC 9113, section 7), and not because a call was given
/// up or an answer cut.
const fn is_of_caller(code: u32) -> bool {
    const NO_ERROR: u32 = 0;
    const INTERNAL_ERROR: u32 = 2;
    const CANCEL: u32 = 8;
    !matches!(code, NO_ERROR | INTERNAL_ERROR | CANCEL)
}

/// Control frames that a request, or a piece of an answer, makes up for: one for the stream and one for the
/// connection.
const EARNED: u32 = 2;

/// Bytes of a DATA frame that are worth an acknowledgement: fewer than in any event of a stream.
const PIECE: usize = 64;

/// In what time an allowance that was used up is whole again.
const PERIOD: Duration = Duration::from_secs(10);

/// So many at once, and as many again within [`PERIOD`]. The clock is read only where none is left.
#[derive(Debug)]
struct Allowance {
    most: u32,
    left: u32,
    since: Instant,
}

impl Allowance {
    fn new(most: u32) -> Self {
        Self {
            most,
            left: most,
            since: clock::now(),
        }
    }

    fn spend(&mut self) -> bool {
        if self.left == 0 {
            self.grow();
        }
        let fits = self.left > 0;
        self.left = self.left.saturating_sub(1);
        fits
    }

    fn earn(&mut self, count: u32) {
        self.left = self.left.saturating_add(count).min(self.most);
    }

    fn grow(&mut self) {
        let now = clock::now();
        let time = now.duration_since(self.since).min(PERIOD);
        let grown = u128::from(self.most) * time.as_millis() / PERIOD.as_millis();
        let grown = u32::try_from(grown).unwrap_or(self.most);
        // A moment that was too short for one counts on.
        if grown > 0 {
            (self.left, self.since) = (grown, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::{Registry, TransportMetrics};

    use super::super::frames;
    use super::*;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn meter() -> Meter {
        let metrics = TransportMetrics::new(&Registry::new().unwrap()).unwrap();
        let allowances = Allowances {
            resets: 10,
            control_frames: 100,
        };
        let mut meter = Meter::new(allowances, metrics.http2);
        meter.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        meter
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    fn reset(code: u32) -> Vec<u8> {
        frame(RST_STREAM, 0, 1, &code.to_be_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn control_frames_may_come_at_their_pace_and_not_above() {
        let mut meter = meter();
        let ping = frame(PING, 0, 0, &[0; 8]);
        for _ in 0..100 {
            meter.received(&ping);
        }
        assert_eq!(meter.flood(), None);
        // One every hundred milliseconds is the pace.
        for _ in 0..1000 {
            tokio::time::advance(PERIOD / 100).await;
            meter.received(&ping);
        }
        assert_eq!(meter.flood(), None);
        for _ in 0..101 {
            meter.received(&ping);
        }
        assert_eq!(meter.flood(), Some(Flood::ControlFrames));
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_may_open_its_window() {
        let mut meter = meter();
        let (update, data) = (
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 1, 0]),
            frame(DATA, 0, 1, &[0; 256]),
        );
        for _ in 0..10_000 {
            meter.sent(&data);
            meter.received(&update);
            meter.received(&update);
        }
        assert_eq!(meter.flood(), None);
        // A window that is opened byte by byte makes each byte a frame (CVE-2019-9511).
        let dribble = frame(DATA, 0, 1, &[0]);
        for _ in 0..101 {
            meter.sent(&dribble);
            meter.received(&update);
        }
        assert_eq!(meter.flood(), Some(Flood::ControlFrames));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_and_bodies_are_not_control_frames() {
        let mut meter = meter();
        for index in 0..10_000 {
            meter.received(&frame(HEADERS, END_HEADERS, index * 2 + 1, b"block"));
            meter.received(&frame(DATA, 0, index * 2 + 1, b"body"));
            meter.received(&frame(DATA, END_STREAM, index * 2 + 1, b""));
        }
        assert_eq!(meter.flood(), None);
        assert_eq!(meter.may_part(), Some(19_999));
    }

    #[tokio::test(start_paused = true)]
    async fn resets_count_for_whoever_is_to_blame() {
        let mut meter = meter();
        for _ in 0..100 {
            meter.sent(&reset(8));
            meter.sent(&reset(2));
        }
        assert_eq!(meter.flood(), None);
        for _ in 0..10 {
            meter.received(&reset(8));
        }
        assert_eq!(meter.flood(), None);
        meter.sent(&reset(1));
        assert_eq!(meter.flood(), Some(Flood::Resets));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_is_under_way_until_its_last_byte() {
        let mut meter = meter();
        let head = frame(HEADERS, 0, 1, &[0; 40]);
        meter.received(&head[..30]);
        assert!(meter.is_within_head());
        meter.received(&head[30..]);
        assert!(meter.is_within_head());
        let last = frame(CONTINUATION, END_HEADERS, 1, &[0; 40]);
        meter.received(&last[..20]);
        assert!(meter.is_within_head());
        meter.received(&last[20..]);
        assert!(!meter.is_within_head());
        meter.received(&frame(DATA, 0, 1, &[0; 40])[..20]);
        assert!(!meter.is_within_head());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_tells_whether_a_goaway_fits() {
        let mut meter = meter();
        assert_eq!(meter.may_part(), Some(0));
        let data = frame(DATA, 0, 1, &[0; 40]);
        meter.sent(&data[..20]);
        assert_eq!(meter.may_part(), None);
        meter.sent(&data[20..]);
        meter.sent(&frames::goaway(0, 11));
        assert_eq!(meter.may_part(), Some(0));
    }
}
