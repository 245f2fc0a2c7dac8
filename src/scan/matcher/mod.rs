//! The compiled detectors over one logical text, fed piece by piece.
//!
//! Owns the promise that a piece boundary means nothing: the same text gives the same hits for every
//! cutting, and no byte that a redact or block hit protects is called decided before the hit is delivered.
//! Leaves to the carrier what a text is and how offsets map to bytes on the wire. It must not look
//! at a clock, and it must not keep more than a bounded tail of the text.
//!
//! How it works. One automaton over all anchors runs over every byte; its state number survives the
//! seams. Behind an anchor a candidate is judged by a pure function of the bytes ([`judge`]): dead, a hit, or
//! open, and then the bytes from its protected beginning are kept and judged on when more arrive. Cards,
//! other numbers ([`number`]) and e-mail addresses stand before what finds them, so the run of digits or the word at the end
//! of a piece waits. Confirmed candidates wait until nothing can overlap them ([`settle`]); the ones
//! without an end are swallowed ([`swallow`]). What stands inside of a swallowed secret is not looked
//! for: it goes with it.
//!
//! Whoever writes the text may want its scan to take long. So each byte may cost so much and no more, whatever stands
//! there and however small the pieces are: candidates sleep until something can change about them ([`candidates`]), runs
//! are measured once ([`run`]), and so is what stands before numbers. A test counts it ([`work`]).

mod assigned;
mod authority;
mod bits;
mod candidates;
mod card;
pub(in crate::scan) mod custom;
pub(in crate::scan) mod dictionary;
mod email;
mod encoded;
pub(in crate::scan) mod evidence;
mod gate;
mod iban;
pub(in crate::scan) mod judge;
mod jwt;
pub(in crate::scan) mod kind;
mod mrz;
mod named;
pub(in crate::scan) mod number;
mod pem;
mod run;
pub(in crate::scan) mod seal;
mod set;
mod settle;
mod swallow;
mod sweep;
mod view;
pub(in crate::scan) mod work;

#[cfg(test)]
mod tests;

pub(in crate::scan) use self::card::{is_card, may_hold_card};
pub(in crate::scan) use self::custom::Customs;
use self::custom::Running;
pub(in crate::scan) use self::dictionary::Dictionaries;
use self::encoded::Encoded;
pub(in crate::scan) use self::encoded::long_stretch;
pub(in crate::scan) use self::gate::Gate;
pub(in crate::scan) use self::mrz::check_digit;
pub(in crate::scan) use self::number::{Numbers, may_hold_number};
pub(in crate::scan) use self::set::Set;

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton, StateID};
use bytes::Bytes;

use crate::model::{Finding, LeakAction};

use self::candidates::Candidates;
use self::judge::{Cursor, Verdict, judge};
use self::run::Runs;
pub(in crate::scan) use self::settle::Found;
use self::settle::{first_waiting, settle};
use self::swallow::Swallow;
use self::view::Tail;
pub(in crate::scan) use self::view::View;
use super::config::{AtBound, Config};
use super::detectors::{Armed, Detectors};

/// How much of a large piece is looked at in one go. What is found in it waits until its end.
const WINDOW: usize = 64 * 1024;
/// How much of a piece is copied behind the kept bytes before the piece itself is looked at again.
const JOIN: usize = 512;

/// The state of one logical text.
#[derive(Debug, Default, Clone)]
pub(super) struct Matcher {
    position: u64,
    decided: u64,
    /// Of the anchors' automaton; none at the beginning and after a swallowed secret.
    state: Option<StateID>,
    /// The text up to `position`, as far back as something needs it.
    kept: Vec<u8>,
    /// The end of the last swallowed secret; nothing looks behind it.
    barrier: u64,
    /// Up to where addresses and cards were looked for.
    swept: u64,
    /// Where the next run of digits may begin that no number of a table was looked for with.
    numbered: u64,
    /// From where on bytes wait because they may be such a number.
    number_hold: Option<u64>,
    /// Those that were found and reach beyond `numbered`: whose, and where they end.
    numbers: Vec<(u16, u64)>,
    /// The words before them.
    context: number::Context,
    live: Candidates,
    tail: Tail,
    /// Up to where patterns of the policy were looked for, and those that are under way.
    tried: u64,
    trials: Vec<Running>,
    /// Where the next word begins that was not looked up in dictionaries, and where what waits for it begins.
    looked_up: u64,
    word_hold: Option<u64>,
    found: Vec<Found>,
    swallow: Option<Box<Swallow>>,
    /// Base64 that is being read, and from where on to look for more.
    encoded: Option<Box<Encoded>>,
    encoded_from: u64,
    /// In how many layers of base64 the text stands.
    depth: u8,
}

/// One candidate that more bytes will confirm or refute.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) struct Live {
    armed: u16,
    anchor: &'static str,
    cursor: Cursor,
    hold: u64,
    /// Where the secret begins, if that is before its anchor.
    head: Option<u64>,
    /// Which of all candidates it is.
    nth: u64,
}

/// One hit, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    /// The first protected byte, counted from the beginning of the text.
    pub(super) start: u64,
    /// After the last protected byte of this part.
    pub(super) end: u64,
    /// What is to be done.
    pub(super) action: LeakAction,
    /// What stands in the place of the span when it is redacted.
    pub(super) mark: &'static str,
    /// What stands there where that mark would make it unreadable.
    pub(super) instead: Option<Bytes>,
    /// Whether the secret was confirmed before its end, also where that was seen at once.
    pub(super) is_long: bool,
    /// Which part of the secret this is.
    pub(super) part: Part,
    /// On [`Part::Whole`] and [`Part::Begin`] only; its `channel` is left empty here.
    pub(super) finding: Option<Finding>,
}

/// Long secrets are swallowed in parts: the mark replaces `Whole` and `Begin`, the others are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The secret goes on.
    Begin,
    /// More of it, and it goes on.
    Continue,
    /// The rest of it; may be of no length.
    End,
    /// All of it.
    Whole,
}

impl Matcher {
    /// The first byte that a later hit may begin at: nobody will ask where an earlier one lies.
    pub(super) fn remembers_from(&self) -> u64 {
        self.position - self.kept.len() as u64
    }

    /// Whether something that waits has shown what it is. What waits otherwise is a word or a run of
    /// digits at the end of the text so far, which may turn out to be nothing at all.
    pub(super) fn is_anchored(&self, detectors: &Detectors) -> bool {
        let holds = |live: &Live| live.hold < self.position && detectors.holds(live.armed);
        self.live.iter().any(holds)
            || first_waiting(&self.found).is_some()
            || self.swallow.is_some()
            || self.has_shown_custom(detectors)
            || self
                .encoded
                .as_ref()
                .is_some_and(|encoded| encoded.is_anchored(detectors))
    }

    /// Whether nothing that was read so far is part of what may yet be found.
    pub(super) fn is_idle(&self) -> bool {
        self.live.is_empty()
            && self.trials.is_empty()
            && self.found.is_empty()
            && self.swallow.is_none()
            && self.encoded.is_none()
    }

    /// The detectors for whose sake bytes wait. None where all that waits is a word or a run of digits.
    pub(super) fn holders<'a>(
        &'a self,
        detectors: &'a Detectors,
    ) -> impl Iterator<Item = &'static str> + 'a {
        let live = self.live.iter().filter_map(|live| {
            let armed = detectors.armed(live.armed)?;
            (live.hold < self.position && armed.holds()).then_some(armed.kind.name)
        });
        let found = self.found.iter().filter(|found| !found.is_flag());
        let swallowed = self.swallow.iter().map(|swallow| &swallow.found);
        live.chain(found.chain(swallowed).map(|found| found.finding.detector))
            .chain(self.custom_holders(detectors))
    }

    /// Gives up the candidates that make bytes wait. Each is told of, as if it had reached the bound; what
    /// is confirmed and waited for them is delivered.
    pub(super) fn give_up(&mut self, detectors: &Detectors, hits: &mut Vec<Hit>) {
        let live = std::mem::take(&mut self.live);
        for live in live.iter().copied() {
            let armed = detectors.armed(live.armed).filter(|armed| armed.holds());
            let Some(armed) = armed.filter(|_| live.hold < self.position) else {
                self.live.push(live);
                continue;
            };
            // An address that lacks its domain has not shown what it is.
            let is_named = !live.anchor.is_empty();
            let config = detectors.config();
            let found = at_bound(config, armed, live.anchor, live.cursor.start, self.position);
            self.found.extend(found.filter(|_| is_named));
        }
        self.give_up_customs(detectors);
        self.give_up_words(detectors);
        if let Some(encoded) = &mut self.encoded {
            encoded.give_up(detectors, &mut self.found);
        }
        settle(&mut self.found, self.position, hits);
    }

    /// A text that is there as a whole: what feeding and finishing it would give, without a copy.
    /// The matcher must be new, and is afterwards.
    pub(super) fn read(&mut self, detectors: &Detectors, text: &[u8], hits: &mut Vec<Hit>) {
        if text.len() > WINDOW {
            self.feed(detectors, text, hits);
            return self.finish(detectors, hits);
        }
        if !detectors.is_empty() {
            self.position = text.len() as u64;
            self.scan(detectors, View::new(text, 0, 0, true), 0, hits);
        }
        self.begin_anew();
    }

    /// As new, but for the memory that is there to be used again.
    fn begin_anew(&mut self) {
        let (mut kept, mut live, mut found) = (
            std::mem::take(&mut self.kept),
            std::mem::take(&mut self.live),
            std::mem::take(&mut self.found),
        );
        kept.clear();
        live.clear();
        found.clear();
        *self = Self {
            kept,
            live,
            found,
            depth: self.depth,
            ..Self::default()
        };
    }

    /// How many patterns of the policy are under way.
    pub(super) fn attempts(&self) -> usize {
        let trials = self.trials.iter();
        trials.map(Running::attempts).sum()
    }

    /// The next piece of decoded text (any bytes; UTF-8 not guaranteed). Appends hits that are now certain.
    pub(super) fn feed(&mut self, detectors: &Detectors, piece: &[u8], hits: &mut Vec<Hit>) {
        if detectors.is_empty() {
            self.position += piece.len() as u64;
            self.decided = self.position;
            return;
        }
        let origin = self.position;
        let mut done = 0;
        while done < piece.len() {
            let kept_from = self.position - self.kept.len() as u64;
            done = match kept_from.checked_sub(origin) {
                Some(needed) => self.feed_in_place(detectors, piece, origin, needed, done, hits),
                None => self.feed_joined(detectors, piece, done, hits),
            };
        }
    }

    /// The text ends here: live candidates complete or die. Afterwards the matcher is as new, position 0.
    pub(super) fn finish(&mut self, detectors: &Detectors, hits: &mut Vec<Hit>) {
        if !detectors.is_empty() {
            let work = std::mem::take(&mut self.kept);
            let base = self.position - work.len() as u64;
            let view = View::new(&work, base, self.barrier, true);
            self.scan(detectors, view, self.position, hits);
            self.kept = work;
        }
        self.begin_anew();
    }

    /// Bytes fed so far.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Everything before this offset is in no live candidate's protected span (of a detector that
    /// redacts or blocks). Equal to [`Matcher::position`] when nothing waits.
    pub(super) const fn decided(&self) -> u64 {
        self.decided
    }

    /// All that is needed of the past lies in this piece: no byte is copied but the new tail.
    fn feed_in_place(
        &mut self,
        detectors: &Detectors,
        piece: &[u8],
        origin: u64,
        needed: u64,
        done: usize,
        hits: &mut Vec<Hit>,
    ) -> usize {
        let until = piece.len().min(done + WINDOW);
        let from = usize::try_from(needed).unwrap_or(done).min(done);
        let window = piece.get(from..until).unwrap_or_default();
        self.position = origin + until as u64;
        let view = View::new(window, origin + from as u64, self.barrier, false);
        let keep = self.scan(detectors, view, origin + done as u64, hits);
        self.kept.clear();
        self.kept.extend_from_slice(view.slice(keep, self.position));
        work::note_copied(self.kept.len());
        until
    }

    /// The kept bytes are needed: the beginning of the piece is copied behind them.
    fn feed_joined(
        &mut self,
        detectors: &Detectors,
        piece: &[u8],
        done: usize,
        hits: &mut Vec<Hit>,
    ) -> usize {
        let until = piece.len().min(done + JOIN);
        let mut joined = std::mem::take(&mut self.kept);
        joined.extend_from_slice(piece.get(done..until).unwrap_or_default());
        work::note_copied(joined.len());
        let from = self.position;
        self.position += (until - done) as u64;
        let base = self.position - joined.len() as u64;
        let view = View::new(&joined, base, self.barrier, false);
        let keep = self.scan(detectors, view, from, hits);
        joined.drain(
            ..usize::try_from(keep - base)
                .unwrap_or_default()
                .min(joined.len()),
        );
        self.kept = joined;
        until
    }

    /// Looks at the bytes from `from` on. Returns the offset from which on bytes must be kept.
    fn scan(
        &mut self,
        detectors: &Detectors,
        view: View<'_>,
        from: u64,
        hits: &mut Vec<Hit>,
    ) -> u64 {
        let runs = Runs::default();
        let mut view = view.measured(&runs);
        let mut at = self.resume(detectors, &view, from).unwrap_or(from);
        loop {
            if let Some(swallow) = &mut self.swallow {
                if !swallow.advance(&view.ahead()) {
                    break;
                }
                at = swallow.found.end;
                self.end_swallow(hits);
                view = view.behind(at);
            }
            match self.search(detectors, &view, at) {
                Some(confirmed) => at = confirmed,
                None => break,
            }
        }
        self.deliver(detectors, &view, hits)
    }

    /// Judges anew the live candidates that the bytes from `from` on may tell something of. Returns where to go on if one of
    /// them is being swallowed.
    fn resume(&mut self, detectors: &Detectors, view: &View<'_>, from: u64) -> Option<u64> {
        if self.live.is_empty() {
            return None;
        }
        let mut confirmed = None;
        let live = self.live.wake(view, from);
        for candidate in live.iter().copied() {
            // A swallow that was confirmed a moment ago has taken this one with it.
            let is_taken = confirmed.is_some()
                && self
                    .swallow
                    .as_ref()
                    .is_some_and(|swallow| candidate.hold >= swallow.found.start);
            if !is_taken {
                confirmed = self.consider(detectors, view, candidate).or(confirmed);
            }
        }
        self.live.take_back(live);
        confirmed
    }

    /// Runs the anchors' automaton. Returns how far a secret was confirmed that now is to be swallowed.
    fn search(&mut self, detectors: &Detectors, view: &View<'_>, from: u64) -> Option<u64> {
        if let Some((anchors, gate)) = detectors.anchors() {
            let idle = anchors.start_state(Anchored::No).ok()?;
            let mut state = self.state.unwrap_or(idle);
            let mut rest = view.slice(from, view.end());
            loop {
                // In the state that remembers nothing, what the gate passes over leads back to it, or to
                // the beginning of an anchor that is none.
                if state == idle {
                    rest = rest.get(gate.pass(rest)..).unwrap_or_default();
                }
                let Some((byte, after)) = rest.split_first() else {
                    break;
                };
                rest = after;
                state = anchors.next_state(Anchored::No, state, *byte);
                if anchors.is_special(state) && anchors.is_match(state) {
                    let end = view.end() - rest.len() as u64;
                    if let Some(confirmed) = self.open(detectors, view, state, end) {
                        return Some(confirmed);
                    }
                }
            }
            self.state = Some(state);
        }
        self.sweep(detectors, view, view.end());
        None
    }

    /// Opens a candidate for each anchor that ends here.
    fn open(
        &mut self,
        detectors: &Detectors,
        view: &View<'_>,
        state: StateID,
        end: u64,
    ) -> Option<u64> {
        let (anchors, _) = detectors.anchors()?;
        (0..anchors.match_len(state)).find_map(|index| {
            let pattern = anchors.match_pattern(state, index);
            let mut live = detectors.candidate(pattern, view, end)?;
            live.nth = self.live.next();
            self.consider(detectors, view, live)
        })
    }

    /// Judges one candidate and files it. Returns how far it was confirmed if it is to be swallowed.
    fn consider(&mut self, detectors: &Detectors, view: &View<'_>, mut live: Live) -> Option<u64> {
        let armed = detectors.armed(live.armed)?;
        let ahead = view.ahead();
        let bound = live.cursor.start + detectors.config().hold.bytes as u64;
        match judge(armed.kind, live.anchor, &ahead.until(bound), live.cursor) {
            Verdict::Dead => {}
            Verdict::Hit { start, end } => {
                let start = live.head.unwrap_or(start);
                let body = ahead.slice(start, end);
                self.found
                    .push(armed.found(live.anchor, start, end, body, detectors.config()));
            }
            // A name without its value holds nothing.
            Verdict::Open { hold, .. } if view.end() > bound && hold >= bound => {}
            Verdict::Open { .. } if view.end() > bound => {
                let (config, start) = (detectors.config(), live.cursor.start);
                self.found
                    .extend(at_bound(config, armed, live.anchor, start, bound));
            }
            Verdict::Open { cursor, hold } => {
                live.cursor = cursor;
                live.hold = live.head.unwrap_or(hold);
                if let Some(sleep) = &mut live.cursor.sleep {
                    sleep.until = sleep.until.min(bound);
                    if sleep.is_name {
                        live.hold = u64::MAX;
                    }
                }
                self.live.push(live);
            }
            Verdict::Swallow { start, end } => {
                let mut found = armed.found(live.anchor, start, end, &[], detectors.config());
                if found.is_flag() {
                    self.found.push(found);
                } else {
                    self.sweep(detectors, view, end);
                    self.end_encoded(detectors, view, end);
                    self.live.retain(|other| other.hold < start);
                    self.drop_customs(start, u64::MAX);
                    self.found.retain(|other| other.start < start);
                    if let Some(swallow) = &self.swallow {
                        // The run of base64 that it stands in holds a long secret itself.
                        return Some(swallow.found.end);
                    }
                    found.is_long = true;
                    self.swallow = Some(Box::new(Swallow::new(found, &armed.kind.shape)));
                    return Some(end);
                }
            }
        }
        None
    }

    fn end_swallow(&mut self, hits: &mut Vec<Hit>) {
        let Some(swallow) = self.swallow.take() else {
            return;
        };
        let end = swallow.found.end;
        self.barrier = end;
        self.swept = end;
        self.numbered = end;
        self.number_hold = None;
        self.numbers.clear();
        (self.looked_up, self.word_hold) = (end, None);
        self.context = number::Context::default();
        self.encoded_from = self.encoded_from.max(end);
        self.state = None;
        if swallow.begun {
            hits.push(swallow.found.rest(Part::End));
        } else {
            self.found.push(swallow.found);
        }
    }

    /// Delivers what is certain, says how far all is decided, and returns what must be kept.
    fn deliver(&mut self, detectors: &Detectors, view: &View<'_>, hits: &mut Vec<Hit>) -> u64 {
        let end = view.end();
        if let Some(swallow) = &self.swallow {
            self.try_customs(detectors, view, swallow.found.end);
        }
        self.read_encoded(detectors, view);
        let number = sweep::waiting_number(detectors, view);
        let held = self
            .live
            .hold_from(|armed| detectors.holds(armed))
            .map(|held| held.min(end))
            .into_iter()
            .chain(self.customs_hold_from(detectors))
            .min();
        if let Some(swallow) = &mut self.swallow {
            self.decided = match held {
                Some(held) => {
                    settle(&mut self.found, held, hits);
                    held.min(swallow.found.start)
                        .min(first_waiting(&self.found).unwrap_or(held))
                }
                None => begin_or_continue(swallow, &mut self.found, hits),
            };
        } else {
            let word = sweep::waiting_word(detectors, view);
            let head = detectors
                .holds_heads()
                .then(|| kind::waiting_head(view))
                .flatten();
            let floor = held
                .into_iter()
                .chain(word)
                .chain(head.filter(|_| !view.ended()))
                .chain(number.filter(|_| detectors.holds_cards()))
                .chain(self.encoded_holds_from(detectors, view))
                .chain(self.number_hold)
                .chain(self.word_hold)
                .fold(end, u64::min);
            settle(&mut self.found, floor, hits);
            // Letters that were of a word before they turned out to be of base64 have left.
            self.decided = first_waiting(&self.found)
                .map_or(floor, |first| first.min(floor))
                .max(self.decided);
        }
        let needed = self.live.need_from().unwrap_or(end);
        let needed = needed.min(self.customs_need(detectors).unwrap_or(end));
        let needed = match &self.swallow {
            Some(swallow) => needed.min(swallow.found.end),
            None => needed
                .min(self.tail.of(view))
                .min(self.swept)
                // Whether a number may begin there depends on up to three bytes before it.
                .min(number.map_or(end, |number| number.saturating_sub(3)))
                .min(self.numbers_need(detectors).unwrap_or(end))
                .min(self.words_need(detectors).unwrap_or(end)),
        };
        needed.max(view.start())
    }
}

impl Live {
    /// The first byte that a later judgement will look at.
    const fn needs(&self) -> u64 {
        // The two letters of a country stand before the candidate.
        let start = self.cursor.start.saturating_sub(2);
        if start < self.hold { start } else { self.hold }
    }
}

/// The first part of a swallowed secret, together with whatever overlaps its beginning; or one more.
fn begin_or_continue(swallow: &mut Swallow, found: &mut Vec<Found>, hits: &mut Vec<Hit>) -> u64 {
    let end = swallow.found.end;
    if swallow.begun {
        if swallow.found.start < end {
            hits.push(swallow.found.rest(Part::Continue));
        }
    } else {
        settle(found, swallow.found.start, hits);
        let first = std::mem::take(found)
            .into_iter()
            .filter(|found| !found.is_flag())
            .fold(None, |first: Option<Found>, next| match first {
                Some(first) => Some(first.merge(next)),
                None => Some(next),
            });
        hits.push(swallow.found.begin(first));
        swallow.begun = true;
    }
    swallow.found.start = end;
    end
}

/// A candidate that would hold more than may be held. One that only flags never holds, and goes unnoticed.
fn at_bound(config: &Config, armed: &Armed, anchor: &str, start: u64, bound: u64) -> Option<Found> {
    let mut found = armed.found(anchor, start, bound, &[], config);
    found.finding.action = match config.hold.at_bound {
        AtBound::Block => LeakAction::Block,
        AtBound::Release => LeakAction::Flag,
    };
    armed.holds().then_some(found)
}
