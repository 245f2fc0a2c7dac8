//! The texts of a stream of events or messages.
//!
//! Each is read by itself and as the next piece of the text that its place in the stream belongs to. A
//! piece between two blanks is read once: there both readings see the same.

use hashbrown::HashMap;

use super::Blocked;
use super::channel::{Channel, Desk, Segment};
use super::event::Kind;
use super::known::{Known, Named};

/// Texts that may be open at the same time.
const MAX_TEXTS: usize = 1024;

/// The texts of one stream.
#[derive(Debug)]
pub(super) struct Texts {
    /// What a finding's channel is called.
    name: &'static str,
    open: HashMap<u64, Open, foldhash::fast::FixedState>,
    /// Keys of texts of which something waits.
    waiting: Vec<u64>,
    /// Reads one text by itself.
    own: Channel,
    known: Known,
    /// The same of names with their texts.
    known_named: Known,
    events: u64,
}

/// A piece of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    /// Which text.
    pub(super) key: u64,
    pub(super) text: &'a [u8],
    pub(super) segments: &'a [Segment],
    /// It stands whole, and may all the same be continued by the next of its kind.
    pub(super) whole: bool,
    /// What was said before is replaced.
    pub(super) restarts: bool,
}

/// What stands at one place of an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) kind: Kind,
    /// Which text it is a piece of.
    pub(super) key: u64,
    /// What it is called, if anything.
    pub(super) name: &'a [u8],
    pub(super) text: &'a [u8],
    pub(super) segments: &'a [Segment],
}

/// A text that goes on over events.
#[derive(Debug, Default)]
struct Open {
    channel: Channel,
    /// The text as it is for a reader who appends each piece, whatever the events say of replacing.
    appended: Option<Box<Channel>>,
    whole: bool,
    /// Whether the last byte was a blank, so that nothing looks behind it.
    is_after_blank: bool,
    last_used: u64,
    restarted: u64,
}

impl Texts {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            open: HashMap::default(),
            waiting: Vec::new(),
            own: Channel::default(),
            known: Known::default(),
            known_named: Known::default(),
            events: 0,
        }
    }

    pub(super) const fn begin_event(&mut self) {
        self.events += 1;
    }

    /// A text that nobody joins with others: a key, a name, a number, a line that is not data.
    pub(super) fn name(
        &mut self,
        desk: &mut Desk,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        if !self.known.holds(text) && self.own.read(desk, self.name, text, segments)? {
            self.known.note(text);
        }
        Ok(())
    }

    /// A text by itself, with its name before it.
    fn named(
        &mut self,
        desk: &mut Desk,
        name: &[u8],
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        let named = Named::new(name, text);
        let bytes = named.as_ref().map(Named::bytes);
        if bytes.is_some_and(|bytes| self.known_named.holds(bytes)) {
            return Ok(());
        }
        let is_clean = self.own.read_named(desk, self.name, name, text, segments)?;
        if let Some(bytes) = bytes.filter(|_| is_clean) {
            self.known_named.note(bytes);
        }
        Ok(())
    }

    /// What an event or a message says at one place. `stands_whole`: whoever sends a text sends it whole, as far as
    /// its keys do not tell.
    pub(super) fn said(
        &mut self,
        desk: &mut Desk,
        said: &Said<'_>,
        stands_whole: bool,
    ) -> Result<(), Blocked> {
        let Said { text, segments, .. } = *said;
        if !said.name.is_empty() && desk.is_telling(said.name) {
            self.named(desk, said.name, text, segments)?;
        }
        let (whole, restarts) = match said.kind {
            Kind::Name | Kind::Number => return self.name(desk, text, segments),
            Kind::Piece { restarts, .. } => (stands_whole, restarts),
            Kind::Whole => (true, false),
        };
        let piece = Piece {
            key: said.key,
            text,
            segments,
            whole,
            restarts,
        };
        self.piece(desk, piece)
    }

    /// Ends the texts of an event that have ended in it: several parts of one event are one text, so behind the last.
    pub(super) fn end_said(
        &mut self,
        desk: &mut Desk,
        said: impl Iterator<Item = (Kind, u64)>,
    ) -> Result<(), Blocked> {
        for (kind, key) in said {
            if matches!(kind, Kind::Piece { ends: true, .. }) {
                self.end(desk, key)?;
            }
        }
        Ok(())
    }

    /// A piece of a text that goes on over events.
    pub(super) fn piece(&mut self, desk: &mut Desk, piece: Piece<'_>) -> Result<(), Blocked> {
        let Piece {
            key,
            text,
            segments,
            whole,
            restarts,
        } = piece;
        let (Some(first), Some(last)) = (text.first(), text.last()) else {
            return Ok(());
        };
        self.make_room(desk, key)?;
        let open = self.open.entry(key).or_default();
        (open.whole, open.last_used) = (whole, self.events);
        if restarts && open.restarted != self.events {
            open.restart(desk, self.name)?;
        }
        // Several parts in one event restart their text once.
        open.restarted = self.events;
        let is_apart = open.channel.is_new() || open.is_after_blank || first.is_ascii_whitespace();
        open.is_after_blank = last.is_ascii_whitespace();
        if !(is_apart && open.is_after_blank) {
            self.own.read(desk, self.name, text, segments)?;
        }
        open.feed(desk, self.name, text, segments)?;
        if open.is_waiting() {
            if !self.waiting.contains(&key) {
                self.waiting.push(key);
            }
        } else {
            self.waiting.retain(|waiting| *waiting != key);
        }
        Ok(())
    }

    /// No more pieces come.
    pub(super) fn end(&mut self, desk: &mut Desk, key: u64) -> Result<(), Blocked> {
        self.waiting.retain(|waiting| *waiting != key);
        self.open
            .remove(&key)
            .map_or(Ok(()), |mut open| open.finish(desk, self.name))
    }

    /// The stream ends.
    pub(super) fn finish(&mut self, desk: &mut Desk) -> Result<(), Blocked> {
        self.waiting.clear();
        // In the order in which they were last heard of, so that the findings have one.
        let mut open: Vec<(u64, Open)> = self.open.drain().collect();
        open.sort_unstable_by_key(|(key, open)| (open.last_used, *key));
        open.iter_mut()
            .try_for_each(|(_, open)| open.finish(desk, self.name))
    }

    /// Where on the tape the first undecided byte lies, if any waits.
    pub(super) fn wait_at(&self, desk: &Desk) -> Option<u64> {
        let waiting = self.waiting.iter().filter_map(|key| self.open.get(key));
        waiting.filter_map(|open| open.waits_at(desk)).min()
    }

    /// Whether all that waits before `end` is a word at the end of a text that stands whole: it may be
    /// followed by nothing for a long time, so it waits for a short one.
    pub(super) fn wait_for_little(&self, desk: &Desk, end: u64) -> bool {
        let waiting = self.waiting.iter().filter_map(|key| self.open.get(key));
        waiting
            .filter(|open| open.waits_at(desk).is_some_and(|at| at < end))
            .all(|open| open.whole && !open.channel.is_anchored(desk))
    }

    pub(super) fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        self.open.values_mut().flat_map(Open::channels)
    }

    /// Forgets the text that was used longest ago and of which nothing waits.
    fn make_room(&mut self, desk: &mut Desk, key: u64) -> Result<(), Blocked> {
        if self.open.len() < MAX_TEXTS || self.open.contains_key(&key) {
            return Ok(());
        }
        let oldest = self
            .open
            .iter()
            .filter(|(_, open)| !open.is_waiting())
            .map(|(key, open)| (open.last_used, *key))
            .min();
        oldest.map_or(Err(Blocked::TooManyTexts), |(_, oldest)| {
            self.end(desk, oldest)
        })
    }
}

impl Open {
    fn feed(
        &mut self,
        desk: &mut Desk,
        name: &str,
        text: &[u8],
        segments: &[Segment],
    ) -> Result<(), Blocked> {
        if let Some(appended) = &mut self.appended {
            appended.feed(desk, name, text, segments)?;
        }
        self.channel.feed(desk, name, text, segments)
    }

    /// What was said is replaced by what comes.
    fn restart(&mut self, desk: &mut Desk, name: &str) -> Result<(), Blocked> {
        if self.channel.is_new() {
            return Ok(());
        }
        if self.appended.is_none() {
            self.appended = Some(Box::new(self.channel.clone()));
        }
        self.channel.finish(desk, name)
    }

    fn finish(&mut self, desk: &mut Desk, name: &str) -> Result<(), Blocked> {
        self.channels()
            .try_for_each(|channel| channel.finish(desk, name))
    }

    fn channels(&mut self) -> impl Iterator<Item = &mut Channel> {
        std::iter::once(&mut self.channel).chain(self.appended.as_deref_mut())
    }

    fn waits_at(&self, desk: &Desk) -> Option<u64> {
        let appended = self.appended.as_deref();
        let channels = std::iter::once(&self.channel).chain(appended);
        channels
            .filter_map(|channel| channel.waits_at(&desk.tape))
            .min()
    }

    fn is_waiting(&self) -> bool {
        let appended = self.appended.as_deref();
        self.channel.is_waiting() || appended.is_some_and(Channel::is_waiting)
    }
}
