//! The detectors that a configuration asks for, compiled once and shared.

use std::sync::Arc;

use aho_corasick::automaton::Automaton as _;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, PatternID, StartKind};

use crate::model::{Action, ActionPattern, Finding, LeakAction, Severity};

use super::allow::Allowed;
use super::config::Config;
use super::matcher::custom;
use super::matcher::kind::{Check, Kind, Left, Shape};
use super::matcher::{
    Customs, Dictionaries, Found, Gate, Live, Numbers, View, long_stretch, may_hold_card,
    may_hold_number,
};
use super::packs;

/// The compiled detectors. Immutable; one for each snapshot, shared by all answers.
#[derive(Debug, Clone)]
pub struct Detectors {
    config: Arc<Config>,
    armed: Vec<Armed>,
    anchors: Option<Arc<(DFA, Gate)>>,
    /// By pattern of the automaton: whose anchor it is.
    owners: Arc<[(u16, &'static str)]>,
    email: Option<u16>,
    card: Option<u16>,
    numbers: Option<Arc<Numbers>>,
    customs: Option<Arc<Customs>>,
    dictionaries: Option<Arc<Dictionaries>>,
    /// Exceptions that hold on some actions alone: which, and for which detectors.
    scoped: Arc<[Scoped]>,
    holds_heads: bool,
    hold_anything: bool,
}

/// Why detectors could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The automaton over all anchors could not be built.
    #[error("the anchors of the detectors do not fit into one automaton")]
    Automaton(#[source] Box<aho_corasick::BuildError>),
    /// There are more names than a process keeps.
    #[error("there are too many detectors, or this process has had too many; start it anew")]
    TooMany,
    /// No pack and no detector is called so.
    #[error("no leak detector or pack is called `{0}`")]
    UnknownName(Box<str>),
}

/// Longer texts are not glanced at first: what ends the glance late would be looked at twice.
const GLANCE_BYTES: usize = 1024;

/// `a@b.co` is the shortest that a detector of ours knows.
const LEAST_BYTES: usize = 6;

/// A kind, and what the policy wants done with it.
#[derive(Debug, Clone)]
pub(super) struct Armed {
    pub(super) kind: &'static Kind,
    pub(super) action: LeakAction,
    /// Findings of it that are none.
    allowed: Vec<Allowed>,
}

/// An exception that holds on some actions.
#[derive(Debug)]
struct Scoped {
    on: Vec<ActionPattern>,
    armed: Vec<u16>,
    allowed: Allowed,
}

impl Detectors {
    /// Compiles what the configuration names.
    pub fn compile(config: &Config) -> Result<Self, CompileError> {
        let is_custom = |name: &str| {
            let custom = config.custom.iter().map(|it| &it.name);
            let listed = config.listed.iter().map(|it| &it.name);
            // A pack of their own, too: `gitleaks` of `gitleaks.aws-access-token`.
            let is_of = |it: &str| {
                let rest = it.strip_prefix(name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            custom.chain(listed).any(|it| is_of(it))
        };
        let is_known = |name: &str| packs::is_known(name) || is_custom(name);
        if let Some(name) = config.actions.keys().find(|name| !is_known(name)) {
            return Err(CompileError::UnknownName(name.clone()));
        }
        let mut armed: Vec<Armed> = packs::kinds()
            .filter_map(|kind| {
                let action = config
                    .actions
                    .get(kind.name)
                    .or_else(|| config.actions.get(kind.pack()))
                    .copied()?;
                (action != LeakAction::Allow).then(|| Armed::new(kind, action))
            })
            .collect();
        let customs = add_customs(config, &mut armed)?;
        let dictionaries = add_dictionaries(config, &mut armed)?;
        let scoped = add_exceptions(config, &mut armed)?;
        let owners: Vec<(u16, &'static str)> = (0..)
            .zip(&armed)
            .flat_map(|(index, armed)| {
                armed
                    .kind
                    .anchors
                    .iter()
                    .map(move |anchor| (index, *anchor))
            })
            .collect();
        let anchors = if owners.is_empty() {
            None
        } else {
            let gate = Gate::new(owners.iter().map(|(_, anchor)| *anchor));
            Some(Arc::new((automaton(&owners)?, gate)))
        };
        let shaped = |wanted: fn(&Shape) -> bool| {
            (0..)
                .zip(&armed)
                .find(|(_, armed)| wanted(&armed.kind.shape))
                .map(|(index, _)| index)
        };
        Ok(Self {
            email: shaped(|shape| matches!(shape, Shape::Email)),
            card: shaped(|shape| matches!(shape, Shape::Card)),
            numbers: numbers(&armed).map(Arc::new),
            customs: customs.map(Arc::new),
            dictionaries: dictionaries.map(Arc::new),
            scoped: scoped.into(),
            holds_heads: armed
                .iter()
                .any(|armed| armed.holds() && matches!(armed.kind.left, Left::Head(..))),
            config: Arc::new(config.clone()),
            hold_anything: armed.iter().any(Armed::holds),
            armed,
            anchors,
            owners: owners.into(),
        })
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.armed.is_empty()
    }

    /// What they were compiled from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The detectors as they are for answers to this action: the same, unless an exception holds on it.
    pub fn for_action(self: &Arc<Self>, action: &Action) -> Arc<Self> {
        let mut for_action = Arc::clone(self);
        for scoped in self.scoped.iter() {
            if !scoped.on.iter().any(|on| on.matches(action)) {
                continue;
            }
            // A table of a few KiB; the automata are shared.
            let detectors = Arc::make_mut(&mut for_action);
            for index in &scoped.armed {
                if let Some(armed) = detectors.armed.get_mut(usize::from(*index)) {
                    armed.allowed.push(scoped.allowed.clone());
                }
            }
        }
        for_action
    }

    /// Whether any finding would end the body.
    pub(super) fn may_block(&self) -> bool {
        let mut armed = self.armed.iter();
        armed.any(|armed| armed.action == LeakAction::Block)
    }

    /// Whether a glance shows that a text which stands whole holds nothing that is looked for. Errs towards
    /// no. Most texts of an answer are short and plain, and setting up the matcher costs more than they do.
    pub(super) fn are_absent(&self, text: &[u8]) -> bool {
        text.len() <= GLANCE_BYTES
            && self
                .anchors
                .as_ref()
                .is_none_or(|anchors| anchors.1.passes_all(text))
            && !self.may_hold_other(text)
    }

    pub(super) fn anchors(&self) -> Option<&(DFA, Gate)> {
        self.anchors.as_deref()
    }

    pub(super) fn armed(&self, index: u16) -> Option<&Armed> {
        self.armed.get(usize::from(index))
    }

    /// Whether a name may tell what its value is.
    pub(super) fn are_told_by(&self, name: &[u8]) -> bool {
        self.are_begun_by(name)
            || self
                .numbers
                .as_ref()
                .is_some_and(|numbers| numbers.are_told_by(name))
            || self
                .customs
                .as_ref()
                .is_some_and(|customs| customs.are_told_by(name))
    }

    /// Shorter texts hold nothing that is looked for.
    pub(super) fn least_bytes(&self) -> usize {
        // A value of a dictionary may be a letter.
        if self.dictionaries.is_some() {
            return 1;
        }
        let customs = self.customs.as_ref();
        customs.map_or(LEAST_BYTES, |customs| customs.least().min(LEAST_BYTES))
    }

    pub(super) fn dictionaries(&self) -> Option<&Dictionaries> {
        self.dictionaries.as_deref()
    }

    pub(super) fn customs(&self) -> Option<&Customs> {
        self.customs.as_deref()
    }

    /// Whether anything may begin in a name that its value goes on. The gate takes many a common name for an anchor.
    fn are_begun_by(&self, name: &[u8]) -> bool {
        if self.are_absent(name) {
            return false;
        }
        let Some((anchors, _)) = self.anchors() else {
            return true;
        };
        let Ok(idle) = anchors.start_state(Anchored::No) else {
            return true;
        };
        let mut state = idle;
        // The quote behind it stands before every value, and may begin an anchor of its own.
        for byte in name.iter().chain(b"=") {
            state = anchors.next_state(Anchored::No, state, *byte);
            if anchors.is_special(state) && anchors.is_match(state) {
                return true;
            }
        }
        state != idle || self.may_hold_other(name)
    }

    /// Whether a glance shows what has no anchor.
    fn may_hold_other(&self, text: &[u8]) -> bool {
        (self.email.is_some() && text.contains(&b'@'))
            || (self.card.is_some() && may_hold_card(text))
            || (self.numbers.is_some() && may_hold_number(text))
            || long_stretch(text).is_some()
            || self
                .customs
                .as_ref()
                .is_some_and(|customs| customs.may_be_in(text))
            || self
                .dictionaries
                .as_ref()
                .is_some_and(|dictionaries| dictionaries.may_be_in(text))
    }

    pub(super) fn numbers(&self) -> Option<&Numbers> {
        self.numbers.as_deref()
    }

    pub(super) const fn email(&self) -> Option<u16> {
        self.email
    }

    pub(super) const fn card(&self) -> Option<u16> {
        self.card
    }

    pub(super) fn holds_cards(&self) -> bool {
        self.card.is_some_and(|card| self.holds(card))
    }

    /// Whether numbers make bytes wait: cards, or others that a table describes.
    pub(super) fn holds_digits(&self) -> bool {
        let numbers = self.numbers.as_ref();
        self.holds_cards() || numbers.is_some_and(|numbers| numbers.hold())
    }

    /// Whether what may stand before an anchor makes bytes wait.
    pub(super) const fn holds_heads(&self) -> bool {
        self.holds_heads
    }

    /// Whether anything makes bytes wait.
    pub(super) const fn hold_anything(&self) -> bool {
        self.hold_anything
    }

    /// Whether candidates of this detector make bytes wait.
    pub(super) fn holds(&self, index: u16) -> bool {
        self.armed(index).is_some_and(Armed::holds)
    }

    /// The candidate that an anchor which ends at `end` opens, if what stands before it allows one.
    pub(super) fn candidate(&self, anchor: PatternID, view: &View<'_>, end: u64) -> Option<Live> {
        let (index, anchor) = *self.owners.get(anchor.as_usize())?;
        let start = end.checked_sub(anchor.len() as u64)?;
        let kind = self.armed(index)?.kind;
        let bound = end + self.config.hold.bytes as u64;
        // What takes least is asked first.
        (kind.left.may_allow(view, start)
            && kind.shape.may_begin(view, end, bound)
            && kind.left.allows(view, start))
        .then(|| Live::new(index, anchor, end, kind.left.head(view, start)))
    }
}

impl Armed {
    const fn new(kind: &'static Kind, action: LeakAction) -> Self {
        Self {
            kind,
            action,
            allowed: Vec::new(),
        }
    }

    /// Whether a candidate makes bytes wait; one that only flags, or is none in any case, does not.
    pub(super) fn holds(&self) -> bool {
        self.action > LeakAction::Flag && !self.allowed.iter().any(Allowed::covers_all)
    }

    /// A confirmed candidate. `body` is what is protected, or empty where that was too long to be held.
    pub(super) fn found(
        &self,
        anchor: &str,
        start: u64,
        end: u64,
        body: &[u8],
        config: &Config,
    ) -> Found {
        let is_lowered = matches!(self.kind.check, Check::Sealed(seal, _)
            if !body.is_empty() && !seal.is_whole(anchor, body));
        let mut allowed = self.allowed.iter();
        let allowed = allowed.find(|allowed| allowed.covers(anchor, body));
        Found {
            start,
            end,
            anchor: start.saturating_sub(anchor.len() as u64),
            mark: self.kind.mark,
            instead: None,
            is_generic: self.kind.is_generic(),
            is_long: false,
            finding: Finding {
                detector: self.kind.name,
                action: match allowed {
                    Some(_) => LeakAction::Allow,
                    None => self.action,
                },
                allowed_by: allowed.map(|allowed| allowed.name),
                severity: if is_lowered {
                    lower(self.kind.severity)
                } else {
                    self.kind.severity
                },
                channel: Arc::default(),
                offset: start,
                length: end - start,
                preview: format!("{anchor}****").into_boxed_str(),
                fingerprint: fingerprint(&config.fingerprint_key, body),
            },
        }
    }
}

/// The first 16 hex digits of the keyed hash.
fn fingerprint(key: &[u8; 32], body: &[u8]) -> Box<str> {
    if body.is_empty() {
        return Box::default();
    }
    let hex = blake3::keyed_hash(key, body).to_hex();
    hex.get(..16).unwrap_or_default().into()
}

/// A token whose checksum is wrong may be cut or made up, but may also be of a newer scheme.
const fn lower(severity: Severity) -> Severity {
    match severity {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium | Severity::Low => Severity::Low,
    }
}

/// Arms the detectors that the policy describes.
fn add_customs(config: &Config, armed: &mut Vec<Armed>) -> Result<Option<Customs>, CompileError> {
    let mut compiled = Vec::new();
    for custom in &config.custom {
        let pack = custom.name.split('.').next().unwrap_or_default();
        let action = config.actions.get(&custom.name).copied();
        let action = action.or_else(|| config.actions.get(pack).copied());
        let action = action.unwrap_or(custom.action);
        if action == LeakAction::Allow {
            continue;
        }
        let index = u16::try_from(armed.len()).map_err(|_| CompileError::TooMany)?;
        let kind = custom::kind(&custom.name, custom.severity).ok_or(CompileError::TooMany)?;
        let one = Armed::new(kind, action);
        compiled.push((index, custom, one.holds()));
        armed.push(one);
    }
    Ok(Customs::compile(compiled.into_iter()))
}

/// Arms the detectors that look for the values of a dictionary.
fn add_dictionaries(
    config: &Config,
    armed: &mut Vec<Armed>,
) -> Result<Option<Dictionaries>, CompileError> {
    let mut compiled = Vec::new();
    for listed in &config.listed {
        let action = config.actions.get(&listed.name).copied();
        let action = action.unwrap_or(listed.action);
        if action == LeakAction::Allow {
            continue;
        }
        let index = u16::try_from(armed.len()).map_err(|_| CompileError::TooMany)?;
        let kind = custom::kind(&listed.name, listed.severity).ok_or(CompileError::TooMany)?;
        let one = Armed::new(kind, action);
        compiled.push((index, listed, one.holds()));
        armed.push(one);
    }
    Ok(Dictionaries::compile(compiled.into_iter()))
}

/// Tells the detectors which of their findings are none; gives back what holds on some actions alone.
fn add_exceptions(config: &Config, armed: &mut [Armed]) -> Result<Vec<Scoped>, CompileError> {
    let mut scoped = Vec::new();
    for exception in &config.exceptions {
        let name = custom::name(&exception.name).ok_or(CompileError::TooMany)?;
        let allowed = Allowed::new(name, exception);
        let about = (0..)
            .zip(armed.iter_mut())
            .filter(|(_, armed)| exception.is_about(armed.kind.name));
        if exception.on.is_empty() {
            about.for_each(|(_, armed)| armed.allowed.push(allowed.clone()));
        } else {
            scoped.push(Scoped {
                on: exception.on.clone(),
                armed: about.map(|(index, _)| index).collect(),
                allowed,
            });
        }
    }
    Ok(scoped)
}

fn numbers(armed: &[Armed]) -> Option<Numbers> {
    Numbers::compile(
        (0..)
            .zip(armed)
            .filter_map(|(index, armed)| match armed.kind.shape {
                Shape::Number(number) => Some((index, number, armed)),
                _ => None,
            }),
    )
}

fn automaton(owners: &[(u16, &'static str)]) -> Result<DFA, CompileError> {
    DFA::builder()
        .match_kind(MatchKind::Standard)
        .start_kind(StartKind::Unanchored)
        // A prefilter would make the start state special, and at five bytes a piece it cannot pay.
        .prefilter(false)
        .build(owners.iter().map(|(_, anchor)| anchor))
        .map_err(|error| CompileError::Automaton(Box::new(error)))
}
