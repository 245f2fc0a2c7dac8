//! Numbers of people, accounts and devices, as tables: how they are written, which check they pass, and which words
//! say what they are.
//!
//! Each is found by its first run of digits and judged forwards from where it begins, by the bytes alone. Only what may
//! still become one waits: a number that needs a word before it and has none is let go at once.

mod beginning;
pub(in crate::scan) mod check;
mod context;
mod lexer;
mod pattern;
mod phone;
mod words;

use self::beginning::Beginnings;
pub(in crate::scan) use self::context::Context;
use self::context::REACH;
pub(in crate::scan) use self::pattern::Pattern;
use self::pattern::{Beginning, Fit, MAX_APART, MAX_LETTERS, MAX_RUN};
pub(in crate::scan) use self::phone::{is_international, is_national};
use self::words::Words;
use super::super::detectors::Armed;
use super::Matcher;
use super::set::Set;
use super::view::View;
use crate::scan::detectors::Detectors;

/// How the numbers of one kind are told from others.
#[derive(Debug)]
pub(in crate::scan) struct Number {
    /// The ways in which they are written.
    pub(in crate::scan) forms: &'static [Form],
    /// Words that say what they are. Compared whole, in small letters, however they are put together.
    pub(in crate::scan) words: &'static [&'static str],
    /// What it has to pass.
    pub(in crate::scan) asked: Asked,
    /// What that is, for people.
    pub(in crate::scan) checked: &'static str,
    /// Those that documentation uses, and nobody has.
    pub(in crate::scan) examples: &'static [&'static str],
}

/// What a number has to pass.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) enum Asked {
    /// This, of all that is written.
    AsWritten(fn(&[u8]) -> bool),
    /// This, of its letters and digits without what stands between them.
    Compact(fn(&[u8]) -> bool),
}

/// A way of writing a number, and what must stand before it.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) struct Form(pub(in crate::scan) Writing, pub(in crate::scan) Needs);

/// A way of writing a number.
#[derive(Debug, Clone, Copy)]
pub(in crate::scan) enum Writing {
    /// As a [`Pattern`].
    As(&'static str),
    /// As telephone numbers are, behind a `+`.
    International,
    /// As telephone numbers are within their country.
    National,
}

/// Which of the words must stand before a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) enum Needs {
    /// One of them close by, and no other number between.
    Close,
    /// None.
    Nothing,
    /// One of them.
    Word,
}

/// The numbers that are looked for.
#[derive(Debug)]
pub(in crate::scan) struct Numbers {
    writings: Vec<Compiled>,
    by_beginning: Beginnings,
    words: Option<Words>,
}

#[derive(Debug)]
struct Compiled {
    armed: u16,
    /// Which of the numbers it is, as words know them.
    nth: u16,
    holds: bool,
    number: &'static Number,
    needs: Needs,
    fits: Fits,
}

#[derive(Debug)]
enum Fits {
    International,
    National,
    Pattern { pattern: Pattern, is_spaced: bool },
}

/// What is known of the numbers that begin with one run of digits.
#[derive(Debug, Default)]
struct Judged {
    /// Those that are one: whose, from where, to where.
    found: Vec<(u16, u64, u64)>,
    /// Whether more bytes may make it one.
    is_open: bool,
    /// What waits, or will be taken away.
    hold: Option<u64>,
}

/// What must be kept of the text before the next run of digits.
const KEPT: u64 = REACH + MAX_LETTERS as u64 + 8;
/// The longest of all is an address of a wallet.
const MAX_COMPACT: usize = 256;
/// Fewer digits come in a row by chance.
const LEAST_TYPED: usize = 6;

impl Number {
    /// Whether nothing but words tells it, so that a kind with more to show for it wins.
    pub(in crate::scan) fn is_generic(&self) -> bool {
        self.forms
            .iter()
            .all(|Form(_, needs)| *needs == Needs::Close)
    }

    /// Whether a text in one of the forms is one.
    pub(in crate::scan) fn is_valid(&self, text: &[u8]) -> bool {
        let is_example = |text: &[u8]| self.examples.iter().any(|it| it.as_bytes() == text);
        match self.asked {
            Asked::AsWritten(check) => !is_example(text) && check(text),
            Asked::Compact(check) => {
                let mut buffer = [0; MAX_COMPACT];
                let mut length = 0;
                for byte in text.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
                    let Some(slot) = buffer.get_mut(length) else {
                        return false;
                    };
                    *slot = *byte;
                    length += 1;
                }
                let compact = buffer.get(..length).unwrap_or_default();
                // It is found by its first digit.
                let mut letters = compact.iter().take(MAX_LETTERS + 1);
                letters.any(u8::is_ascii_digit)
                    && !is_typed(compact)
                    && !is_example(compact)
                    && check(compact)
            }
        }
    }
}

impl Numbers {
    /// None if there is nothing to look for.
    pub(in crate::scan) fn compile<'a>(
        armed: impl Iterator<Item = (u16, &'static Number, &'a Armed)> + Clone,
    ) -> Option<Self> {
        let mut numbers = Self {
            writings: Vec::new(),
            by_beginning: Beginnings::new(),
            words: Words::new((0..).zip(armed.clone()).flat_map(|(nth, (_, number, _))| {
                number.words.iter().map(move |word| (nth, *word))
            })),
        };
        for (nth, (index, number, armed)) in (0..).zip(armed) {
            for Form(writing, needs) in number.forms {
                numbers.add(Compiled {
                    armed: index,
                    nth,
                    holds: armed.holds(),
                    number,
                    needs: *needs,
                    fits: Fits::new(*writing),
                });
            }
        }
        (!numbers.writings.is_empty()).then_some(numbers)
    }

    /// Whether any of them makes bytes wait.
    pub(in crate::scan) fn hold(&self) -> bool {
        self.writings.iter().any(|form| form.holds)
    }

    /// Whether a name says what its value may be.
    pub(in crate::scan) fn are_told_by(&self, name: &[u8]) -> bool {
        self.words.as_ref().is_some_and(|words| words.tell(name))
    }

    fn add(&mut self, compiled: Compiled) {
        let Ok(index) = u16::try_from(self.writings.len()) else {
            return;
        };
        self.by_beginning.add(index, &compiled.fits, compiled.needs);
        self.writings.push(compiled);
    }

    /// Judges all that may begin with the run of digits from `run` to `end`.
    fn judge(&self, view: &View<'_>, run: u64, end: u64, context: &mut Context) -> Judged {
        let mut judged = Judged::default();
        let length = usize::try_from(end - run).unwrap_or(MAX_RUN).min(MAX_RUN);
        for (start, letters) in beginnings(view, run) {
            let Some(slot) = self.by_beginning.of(letters, length, view, end) else {
                continue;
            };
            let told: &[u16] = match &self.words {
                Some(words) if !slot.told.is_empty() && context.may_speak(words, view, start) => {
                    &slot.told
                }
                _ => &[],
            };
            for form in slot.free.iter().chain(told) {
                self.ask(*form, view, start, context, &mut judged);
            }
        }
        judged
    }

    fn ask(
        &self,
        form: u16,
        view: &View<'_>,
        start: u64,
        context: &mut Context,
        judged: &mut Judged,
    ) {
        let Some(form) = self.writings.get(usize::from(form)) else {
            return;
        };
        let is_open = match form.fit(self.words.as_ref(), view, start, context) {
            Fit::No => return,
            Fit::Open => true,
            Fit::To(end) => {
                let found = (form.armed, start, end);
                if !judged.found.contains(&found) {
                    judged.found.push(found);
                }
                false
            }
        };
        judged.is_open |= is_open;
        if form.holds {
            judged.hold = judged.hold.into_iter().chain([start]).min();
        }
    }

    /// Where the last word begins, if it may be the letters before a number.
    fn waiting_letters(&self, view: &View<'_>, context: &mut Context) -> Option<u64> {
        if view.ended() {
            return None;
        }
        let end = view.end();
        let starts = beginnings(view, end).filter(|(_, letters)| *letters > 0);
        starts.map(|(start, _)| start).find(|start| {
            let forms = view
                .at(*start)
                .map(|first| self.by_beginning.with_letter(first));
            forms
                .into_iter()
                .flatten()
                .filter_map(|form| self.writings.get(usize::from(*form)))
                .any(|form| {
                    let words = self.words.as_ref();
                    form.holds && form.fit(words, view, *start, context) == Fit::Open
                })
        })
    }
}

impl Compiled {
    /// How far a number of this form goes that begins here. Dead if no word stands before it that must.
    fn fit(
        &self,
        words: Option<&Words>,
        view: &View<'_>,
        start: u64,
        context: &mut Context,
    ) -> Fit {
        let mut has_word = || {
            let is_near = self.needs == Needs::Close;
            words.is_some_and(|words| context.speaks_for(words, view, start, self.nth, is_near))
        };
        // Most numbers have no word before them, and to see that takes less than to read them in all ways.
        if self.needs != Needs::Nothing && !has_word() {
            return Fit::No;
        }
        let fit = match &self.fits {
            Fits::International => phone::international(view, start),
            Fits::National => phone::national(view, start),
            Fits::Pattern { pattern, .. } => match view.before(start) {
                Some(b'+') => Fit::No,
                _ => pattern.fit(view, start),
            },
        };
        let end = match fit {
            Fit::No => return Fit::No,
            Fit::Open => None,
            Fit::To(end) => Some(end),
        };
        if end.is_some_and(|end| !self.number.is_valid(view.slice(start, end))) {
            return Fit::No;
        }
        if self.needs != Needs::Nothing {
            return fit;
        }
        match (&self.fits, end) {
            (
                Fits::Pattern {
                    is_spaced: true, ..
                },
                Some(end),
            ) => match is_part_of_row(view, start, end) {
                Some(false) => fit,
                None => Fit::Open,
                Some(true) if has_word() => fit,
                Some(true) => Fit::No,
            },
            _ => fit,
        }
    }
}

impl Fits {
    fn new(writing: Writing) -> Self {
        match writing {
            Writing::As(text) => {
                let pattern = Pattern::new(text);
                Self::Pattern {
                    is_spaced: pattern.is_spaced(),
                    pattern,
                }
            }
            Writing::International => Self::International,
            Writing::National => Self::National,
        }
    }

    fn beginnings(&self) -> Vec<Beginning> {
        let any = |run| Beginning {
            letters: 0,
            run,
            next: !0,
        };
        match self {
            Self::International | Self::National => (1..=MAX_RUN).map(any).collect(),
            Self::Pattern { pattern, .. } => pattern.beginnings(),
        }
    }

    fn first(&self) -> u128 {
        match self {
            Self::International | Self::National => pattern::range(b'0', b'9'),
            Self::Pattern { pattern, .. } => pattern.first(),
        }
    }
}

impl Matcher {
    /// Looks for numbers in the bytes up to `until` that were not looked at before.
    pub(super) fn sweep_numbers(&mut self, detectors: &Detectors, view: &View<'_>, until: u64) {
        let Some(numbers) = detectors.numbers() else {
            return;
        };
        let view = view.until(until);
        let mut next = None;
        let mut at = self.numbered.max(view.start());
        self.number_hold = None;
        while let Some((run, end)) = next_run(&view, at) {
            at = end;
            let judged = numbers.judge(&view, run, end, &mut self.context);
            if judged.is_open {
                next = next.or(Some(run));
            }
            if next.is_some() {
                // It is asked again together with what may overlap it.
                self.number_hold = self.number_hold.into_iter().chain(judged.hold).min();
                continue;
            }
            for (index, start, end) in judged.found {
                // A later group of a number may look like another of its kind.
                let is_inside = |(other, until): &(u16, u64)| *other == index && *until > start;
                if self.numbers.iter().any(is_inside) {
                    continue;
                }
                self.numbers.push((index, end));
                if let Some(armed) = detectors.armed(index) {
                    let body = view.slice(start, end);
                    let found = armed.found("", start, end, body, detectors.config());
                    self.found.push(found);
                }
            }
        }
        // The last word stands behind all of those, and what stands before it is read once.
        let letters = numbers.waiting_letters(&view, &mut self.context);
        self.number_hold = self.number_hold.into_iter().chain(letters).min();
        self.numbered = next.unwrap_or_else(|| view.end());
        let numbered = self.numbered;
        self.numbers.retain(|(_, end)| *end > numbered);
    }

    /// From where on bytes must be kept for the numbers that come.
    pub(super) fn numbers_need(&self, detectors: &Detectors) -> Option<u64> {
        detectors
            .numbers()
            .map(|_| self.numbered.saturating_sub(KEPT))
    }
}

/// Whether a text that stands whole may hold a number: each has a digit.
pub(in crate::scan) fn may_hold_number(text: &[u8]) -> bool {
    first_digit(text).is_some()
}

/// The next run of digits that begins at an offset or behind it.
fn next_run(view: &View<'_>, from: u64) -> Option<(u64, u64)> {
    let mut rest = view.slice(from, view.end());
    // The rest of one that was dead before it ended.
    if view.before(from).is_some_and(|byte| byte.is_ascii_digit()) {
        let inside = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = rest.get(inside..)?;
    }
    let start = first_digit(rest)?;
    let length = rest
        .iter()
        .skip(start)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let start = view.end() - (rest.len() - start) as u64;
    Some((start, start + length as u64))
}

/// Where the first digit stands. Most stretches of prose have none, and many bytes are asked at once.
fn first_digit(text: &[u8]) -> Option<usize> {
    const STRETCH: usize = 32;
    let (stretches, _) = text.as_chunks::<STRETCH>();
    let clean = stretches
        .iter()
        .take_while(|stretch| {
            let digits = stretch.iter().map(|byte| u8::from(byte.is_ascii_digit()));
            digits.fold(0, |all, digit| all | digit) == 0
        })
        .count();
    let from = clean * STRETCH;
    let rest = text.get(from..)?;
    let at = rest.iter().position(u8::is_ascii_digit)?;
    Some(from + at)
}

/// Where a number may begin whose first digits begin at an offset, and how many letters stand before them.
fn beginnings(view: &View<'_>, run: u64) -> impl Iterator<Item = (u64, usize)> {
    let here = is_free_before(view, run).then_some((run, 0));
    let letters = match view.before(run) {
        Some(byte) if byte.is_ascii_alphabetic() => word_before(view, run),
        Some(b' ' | b'-') => word_before(view, run - 1)
            .filter(|(_, letters)| *letters <= MAX_APART)
            .map(|(start, letters)| (start, MAX_LETTERS + letters)),
        Some(_) | None => None,
    };
    [here, letters].into_iter().flatten()
}

/// The letters right before an offset, if they are the beginning of a word.
fn word_before(view: &View<'_>, end: u64) -> Option<(u64, usize)> {
    let letters = view.run_before(end, Set::LETTER, MAX_LETTERS as u64 + 1);
    let mut start = end.checked_sub(letters)?;
    let is_escape =
        view.before(start) == Some(b'\\') && matches!(view.at(start), Some(b'n' | b'r' | b't'));
    if is_escape {
        start += 1;
    }
    let letters = usize::try_from(end - start).ok()?;
    ((1..=MAX_LETTERS).contains(&letters) && is_free_before(view, start))
        .then_some((start, letters))
}

/// A number does not begin inside of a word, a decimal or a longer row of numbers and dashes.
fn is_free_before(view: &View<'_>, start: u64) -> bool {
    match view.before(start) {
        Some(b'-') => false,
        Some(b'.') => !start
            .checked_sub(2)
            .and_then(|at| view.at(at))
            .is_none_or(|byte| byte.is_ascii_digit()),
        _ => view.is_word_start(start),
    }
}

/// Whether a number in groups has a further group of three digits or more beside it: then it is a part of a longer one.
fn is_part_of_row(view: &View<'_>, start: u64, end: u64) -> Option<bool> {
    const GROUP: u64 = 3;
    let is_digit = |at: u64| view.at(at).map(|byte| byte.is_ascii_digit());
    if view.before(start) == Some(b' ') {
        let group = view.run_before(start - 1, Set::DIGIT, MAX_RUN as u64);
        if group >= GROUP && is_free_before(view, start - 1 - group) {
            return Some(true);
        }
    }
    for at in end..=end + GROUP {
        let belongs = if at == end {
            view.at(at).map(|byte| byte == b' ')
        } else {
            is_digit(at)
        };
        match belongs {
            None => return view.ended().then_some(false),
            Some(false) => return Some(false),
            Some(true) => {}
        }
    }
    Some(true)
}

/// One digit over and over, or digits that count up or down: typed, not given to anybody.
fn is_typed(compact: &[u8]) -> bool {
    let mut digits = compact.iter().filter(|byte| byte.is_ascii_digit());
    let (Some(first), Some(second)) = (digits.next(), digits.next()) else {
        return false;
    };
    let step = |left: u8, right: u8| (10 + right - left) % 10;
    let wanted = step(*first, *second);
    let (mut last, mut count) = (*second, 2);
    let is_even = digits.all(|digit| {
        count += 1;
        step(std::mem::replace(&mut last, *digit), *digit) == wanted
    });
    is_even && count >= LEAST_TYPED && matches!(wanted, 0 | 1 | 9)
}
