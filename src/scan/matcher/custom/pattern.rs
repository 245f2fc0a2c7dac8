//! A regular expression, as automata that go on over any cut.

use std::ops::Range;

use regex_automata::dfa::dense::{self, DFA};
use regex_automata::dfa::{Automaton as _, StartKind};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures, pikevm::PikeVM};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, HirKind};

/// The name of the group that is secret.
const SECRET: &str = "secret";
/// Shorter matches are everywhere.
const LEAST: usize = 3;
/// As long as an author will read it.
const MAX_TEXT_BYTES: usize = 4096;
const MAX_NEST: u32 = 64;
/// How large the automaton of one pattern may become, and what building it may take.
const MAX_AUTOMATON_BYTES: usize = 4 << 20;
const MAX_BUILD_BYTES: usize = 32 << 20;
const MAX_STEPS_BYTES: usize = 1 << 20;

/// A pattern that is looked for. Compared by what was written.
#[derive(Debug)]
pub struct Pattern {
    text: Box<str>,
    whole: DFA<Vec<u32>>,
    /// What stands before the secret, where the pattern is a row of parts and one of them is secret.
    lead: Option<DFA<Vec<u32>>>,
    /// Tells the secret from the rest of a match, and as which group.
    parts: Option<(PikeVM, usize)>,
    least: usize,
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// The automata would be too large.
    #[error("it becomes too large")]
    Large,
    /// It is longer than anybody reads.
    #[error("it is longer than {MAX_TEXT_BYTES} bytes")]
    Long,
    /// It matches what is everywhere.
    #[error("its shortest match is {}, and everywhere", length(*.0))]
    Short(usize),
    /// It cannot be read.
    #[error("{message}")]
    Syntax {
        /// Why.
        message: Box<str>,
        /// Which part of it.
        at: Range<usize>,
    },
    /// It looks for the boundaries of words in all scripts.
    #[error("it asks for the boundaries of words of all scripts")]
    WordBoundary,
}

fn length(bytes: usize) -> String {
    match bytes {
        0 => "empty".to_owned(),
        1 => "a byte".to_owned(),
        _ => format!("{bytes} bytes"),
    }
}

impl PatternError {
    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Large => {
                "repeat less: `.{0,1000}` is a thousand states, and two of them in a row are their product"
            }
            Self::Long => "make several detectors of it",
            Self::Short(_) => "a match has at least 3 bytes; write what stands beside it, too",
            Self::Syntax { .. } => {
                "the syntax is that of RE2: no look-around but `\\b`, `^` and `$`, and no backreferences"
            }
            Self::WordBoundary => "letters beyond ASCII stand in it; write `(?-u:\\b)` for `\\b`",
        }
    }
}

/// Which part of a match is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    /// The group of this name, or all of it.
    Named,
    /// The group of this number, if there is one, or all of it.
    Numbered(usize),
}

impl Pattern {
    /// Reads and compiles a pattern. All of a match is secret, unless a group is called so: `(?P<secret>…)`.
    ///
    /// # Errors
    /// When it cannot be read, would match nearly everything, or becomes too large.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        Self::with(text, Secret::Named)
    }

    /// The same in the manner of gitleaks: the group of this number is secret, if there is one. What may be missing at the
    /// beginning of a rule (`[\\w.-]{0,50}?`) says nothing then, and is left out.
    ///
    /// # Errors
    /// As [`Pattern::new`].
    pub fn of_gitleaks(text: &str, group: usize) -> Result<Self, PatternError> {
        Self::with(text, Secret::Numbered(group))
    }

    fn with(text: &str, secret: Secret) -> Result<Self, PatternError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(PatternError::Long);
        }
        let mut hir = parse(text)?;
        if matches!(secret, Secret::Numbered(_)) && hir.properties().explicit_captures_len() > 0 {
            hir = without_beginning(hir);
        }
        let properties = hir.properties();
        let least = properties.minimum_len().unwrap_or(usize::MAX);
        if least < LEAST {
            return Err(PatternError::Short(least));
        }
        if properties.look_set().contains_word_unicode() {
            return Err(PatternError::WordBoundary);
        }
        let group = match secret {
            Secret::Named => group_of(&hir, &|name, _| name == Some(SECRET)),
            Secret::Numbered(number) => group_of(&hir, &|_, index| index == number),
        };
        let lead = group.and_then(|group| lead(&hir, group));
        let parts = match group {
            Some(group) => Some((
                PikeVM::new_from_nfa(nfa(&hir, WhichCaptures::All)?)
                    .map_err(|_| PatternError::Large)?,
                group as usize,
            )),
            None => None,
        };
        Ok(Self {
            text: text.into(),
            whole: automaton(&hir, MatchKind::LeftmostFirst)?,
            lead: lead
                .map(|lead| automaton(&lead, MatchKind::All))
                .transpose()?,
            parts,
            least,
        })
    }

    /// What was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it keeps in memory.
    pub fn memory_bytes(&self) -> usize {
        let lead = self.lead.as_ref().map_or(0, DFA::memory_usage);
        let parts = self.parts.as_ref();
        let parts = parts.map_or(0, |(parts, _)| parts.get_nfa().memory_usage());
        self.whole.memory_usage() + lead + parts
    }

    /// The length of the shortest match.
    pub(super) const fn least(&self) -> usize {
        self.least
    }

    pub(super) const fn whole(&self) -> &DFA<Vec<u32>> {
        &self.whole
    }

    pub(super) const fn lead(&self) -> Option<&DFA<Vec<u32>>> {
        self.lead.as_ref()
    }

    /// The state behind this byte.
    pub(super) fn begin(&self, before: Option<u8>) -> Option<StateID> {
        begin(&self.whole, before)
    }

    pub(super) fn begin_lead(&self, before: Option<u8>) -> Option<StateID> {
        begin(self.lead.as_ref()?, before)
    }

    /// The states in which it may begin, whatever stands before it.
    pub(super) fn beginnings(&self) -> Vec<StateID> {
        let before = (0..=u8::MAX).map(Some).chain([None]);
        let mut states: Vec<_> = before.filter_map(|before| self.begin(before)).collect();
        states.sort_unstable();
        states.dedup();
        states
    }

    /// The secret part of a match. `text` goes as far as the automaton looked.
    pub(super) fn secret(&self, text: &[u8], whole: Range<usize>) -> Range<usize> {
        let Some((parts, group)) = &self.parts else {
            return whole;
        };
        let input = Input::new(text)
            .range(whole.start..)
            .anchored(Anchored::Yes);
        let mut captures = parts.create_captures();
        parts.captures(&mut parts.create_cache(), input, &mut captures);
        // A group that took no part leaves all of it secret.
        captures
            .get_group(*group)
            .filter(|group| group.start < group.end)
            .map_or(whole, |group| group.start..group.end)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

fn begin(automaton: &DFA<Vec<u32>>, before: Option<u8>) -> Option<StateID> {
    let config = start::Config::new()
        .anchored(Anchored::Yes)
        .look_behind(before);
    automaton.start_state(&config).ok()
}

/// In bytes, as RE2 has it: `\w`, `\d` and `\b` are of ASCII. What has letters beyond it in a class, or says `(?u)`, is
/// read anew with those of all scripts.
fn parse(text: &str) -> Result<Hir, PatternError> {
    let parse = |unicode| {
        regex_syntax::ParserBuilder::new()
            .nest_limit(MAX_NEST)
            .utf8(false)
            .unicode(unicode)
            .build()
            .parse(text)
            .map_err(Box::new)
    };
    let is_of_all_scripts = |error: &regex_syntax::Error| {
        matches!(error, regex_syntax::Error::Translate(error)
            if matches!(error.kind(), regex_syntax::hir::ErrorKind::UnicodeNotAllowed))
    };
    let hir = match parse(false) {
        Err(error) if is_of_all_scripts(&error) => parse(true),
        other => other,
    };
    hir.map_err(|error| {
        let (message, span) = match &*error {
            regex_syntax::Error::Parse(error) => (error.kind().to_string(), *error.span()),
            regex_syntax::Error::Translate(error) => (error.kind().to_string(), *error.span()),
            other => (other.to_string(), whole_of(text)),
        };
        PatternError::Syntax {
            message: message.into(),
            at: span.start.offset..span.end.offset,
        }
    })
}

fn whole_of(text: &str) -> regex_syntax::ast::Span {
    use regex_syntax::ast::{Position, Span};
    Span::new(Position::new(0, 1, 1), Position::new(text.len(), 1, 1))
}

/// The number of the first group that is meant.
fn group_of(hir: &Hir, is_meant: &dyn Fn(Option<&str>, usize) -> bool) -> Option<u32> {
    match hir.kind() {
        HirKind::Capture(capture) => {
            if is_meant(capture.name.as_deref(), capture.index as usize) {
                Some(capture.index)
            } else {
                group_of(&capture.sub, is_meant)
            }
        }
        HirKind::Repetition(repetition) => group_of(&repetition.sub, is_meant),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().find_map(|part| group_of(part, is_meant))
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => None,
    }
}

/// What stands before a group in a row of parts. Inside of anything else there is no telling where it begins.
fn lead(hir: &Hir, group: u32) -> Option<Hir> {
    let HirKind::Concat(parts) = hir.kind() else {
        return None;
    };
    let is_group =
        |part: &Hir| matches!(part.kind(), HirKind::Capture(capture) if capture.index == group);
    let at = parts.iter().position(is_group)?;
    let before = parts.get(..at).filter(|before| !before.is_empty())?;
    Some(Hir::concat(before.to_vec()))
}

/// Without what may be missing in front of a row, and holds no group and no condition.
fn without_beginning(hir: Hir) -> Hir {
    let HirKind::Concat(parts) = hir.kind() else {
        return hir;
    };
    let says_nothing = |part: &&Hir| {
        let properties = part.properties();
        properties.minimum_len() == Some(0)
            && properties.maximum_len() != Some(0)
            && properties.explicit_captures_len() == 0
            && properties.look_set().is_empty()
    };
    let rest = parts.iter().skip_while(says_nothing);
    Hir::concat(rest.cloned().collect())
}

fn nfa(hir: &Hir, captures: WhichCaptures) -> Result<NFA, PatternError> {
    thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .nfa_size_limit(Some(MAX_STEPS_BYTES))
                .which_captures(captures),
        )
        .build_from_hir(hir)
        .map_err(|_| PatternError::Large)
}

fn automaton(hir: &Hir, kind: MatchKind) -> Result<DFA<Vec<u32>>, PatternError> {
    dense::Builder::new()
        .configure(
            dense::Config::new()
                .match_kind(kind)
                .start_kind(StartKind::Anchored)
                .accelerate(false)
                .dfa_size_limit(Some(MAX_AUTOMATON_BYTES))
                .determinize_size_limit(Some(MAX_BUILD_BYTES)),
        )
        .build_from_nfa(&nfa(hir, WhichCaptures::None)?)
        .map_err(|_| PatternError::Large)
}
