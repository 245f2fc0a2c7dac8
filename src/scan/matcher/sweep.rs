//! Looks for what stands before its anchor: e-mail addresses and card numbers. Other numbers have tables of their own
//! ([`super::number`]).

use memchr::memchr_iter;

use super::super::detectors::Detectors;
use super::judge::Cursor;
use super::view::View;
use super::{Live, Matcher, card, email};

/// Every group of digits on a card has at least three, so it is enough to look at every third byte.
const STRIDE: usize = 3;

impl Matcher {
    /// Looks at the bytes up to `until` that were not looked at before.
    pub(super) fn sweep(&mut self, detectors: &Detectors, view: &View<'_>, until: u64) {
        let from = self.swept.max(view.start());
        if from < until || view.ended() {
            self.swept = self.swept.max(until);
            self.sweep_addresses(detectors, view, from, until);
            self.sweep_cards(detectors, view, from, until);
            self.sweep_numbers(detectors, view, until);
            self.try_customs(detectors, view, until);
            self.look_up(detectors, view, until);
        }
    }

    fn sweep_addresses(&mut self, detectors: &Detectors, view: &View<'_>, from: u64, until: u64) {
        let Some(armed) = detectors.email() else {
            return;
        };
        for at in memchr_iter(b'@', view.slice(from, until)) {
            let Some(cursor) = email::open(view, from + at as u64) else {
                continue;
            };
            let live = Live {
                armed,
                anchor: "",
                cursor,
                hold: cursor.start,
                head: None,
                nth: self.live.next(),
            };
            self.consider(detectors, view, live);
        }
    }

    fn sweep_cards(&mut self, detectors: &Detectors, view: &View<'_>, from: u64, until: u64) {
        let Some(armed) = detectors.card() else {
            return;
        };
        let bytes = view.slice(from, until);
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        // A group that began before is looked at from its end, which may be the first byte.
        let mut at = 0;
        let mut is_inside = view.before(from).is_some_and(|byte| byte.is_ascii_digit());
        while is_inside || at < bytes.len() {
            if !is_inside && !is_digit(at) {
                at += STRIDE;
                continue;
            }
            while is_digit(at) {
                at += 1;
            }
            is_inside = false;
            let end = from + at as u64;
            if at >= bytes.len() && !(view.ended() && end == view.end()) {
                return;
            }
            match card::continues(view, end) {
                None => self.swept = end,
                Some(true) => {}
                Some(false) => {
                    if let Some(start) = card::ending_at(view, end) {
                        self.file_card(detectors, view, armed, start, end);
                    }
                }
            }
            at += 1;
        }
    }

    fn file_card(
        &mut self,
        detectors: &Detectors,
        view: &View<'_>,
        armed: u16,
        start: u64,
        end: u64,
    ) {
        if let Some(armed) = detectors.armed(armed) {
            let body = view.slice(start, end);
            self.found
                .push(armed.found("", start, end, body, detectors.config()));
        }
    }
}

/// Where the word begins that may become the local part of an address.
pub(super) fn waiting_word(detectors: &Detectors, view: &View<'_>) -> Option<u64> {
    let armed = detectors.email().filter(|_| !view.ended())?;
    detectors
        .holds(armed)
        .then(|| email::word(view, view.end()))
        .flatten()
}

/// Where a number begins that may become a card's.
pub(super) fn waiting_number(detectors: &Detectors, view: &View<'_>) -> Option<u64> {
    detectors.card().filter(|_| !view.ended())?;
    card::hold(view)
}

impl Live {
    /// A candidate whose anchor ends at `end`.
    pub(in crate::scan) const fn new(
        armed: u16,
        anchor: &'static str,
        end: u64,
        head: Option<u64>,
    ) -> Self {
        Self {
            armed,
            anchor,
            cursor: Cursor::new(end),
            hold: end,
            head,
            nth: 0,
        }
    }
}
