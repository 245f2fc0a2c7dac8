//! What is wrong with a file, and how it is shown.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::source::{Source, Span};
use crate::model::Place;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The policy does not load.
    Error,
    /// The policy loads, and is probably not what its author meant.
    Warning,
}

/// One mistake.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    /// A stable code, e.g. `L0102`; see [`Code`].
    code: &'static str,
    severity: Severity,
    title: String,
    primary: Option<(Span, String)>,
    secondary: Option<(Span, String)>,
    // Shown above the mistake so that the reader knows where they are.
    context: Option<Span>,
    note: Option<String>,
    help: Option<String>,
}

impl Diagnostic {
    pub(super) fn error(code: Code, title: impl fmt::Display) -> Self {
        Self {
            code: code.as_str(),
            severity: Severity::Error,
            title: title.to_string(),
            primary: None,
            secondary: None,
            context: None,
            note: None,
            help: None,
        }
    }

    pub(super) fn warning(code: Code, title: impl fmt::Display) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, title)
        }
    }

    pub(super) fn at(mut self, span: Span, label: impl fmt::Display) -> Self {
        self.primary = Some((span, label.to_string()));
        self
    }

    /// At the place of a name that nothing has, with the one that may have been meant.
    pub(super) fn suggest(self, span: Span, meant: Option<impl fmt::Display>) -> Self {
        match meant {
            Some(meant) => self.at(span, format_args!("did you mean `{meant}`?")),
            None => self.at(span, ""),
        }
    }

    pub(super) fn also(mut self, span: Span, label: impl fmt::Display) -> Self {
        self.secondary = Some((span, label.to_string()));
        self
    }

    pub(super) const fn within(mut self, span: Option<Span>) -> Self {
        self.context = span;
        self
    }

    pub(super) fn note(mut self, note: impl fmt::Display) -> Self {
        self.note = Some(note.to_string());
        self
    }

    pub(super) fn help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// As the error of a step; boxed, because a diagnostic is large and seldom.
    pub(super) fn stop<T>(self) -> Result<T, Box<Self>> {
        Err(Box::new(self))
    }

    /// The stable code, e.g. `L0102`.
    pub const fn code(&self) -> &'static str {
        self.code
    }

    /// How bad it is.
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in one line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What stands under the excerpt, and what to do.
    pub(super) fn advice(&self) -> (Option<&str>, Option<&str>) {
        (self.note.as_deref(), self.help.as_deref())
    }

    /// Where it is, and what is said there.
    pub(super) fn primary(&self) -> Option<(Span, &str)> {
        let (span, label) = self.primary.as_ref()?;
        Some((*span, label.as_str()))
    }

    /// What it has to do with, and what is said there.
    pub(super) fn secondary(&self) -> Option<(Span, &str)> {
        let (span, label) = self.secondary.as_ref()?;
        Some((*span, label.as_str()))
    }

    fn spans(&mut self) -> impl Iterator<Item = &mut Span> {
        let places = [self.primary.as_mut(), self.secondary.as_mut()];
        let spans = places.into_iter().flatten().map(|(span, _)| span);
        spans.chain(self.context.as_mut())
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident $text:literal),* $(,)?) => {
        /// Kinds of mistakes. The texts are stable: editors and scripts may match them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant),*
        }

        impl Code {
            /// All of them, in the order of their texts.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// What kind of mistake it is, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),* }
            }

            /// The stable text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

codes! {
    /// A file or folder cannot be read.
    Unreadable "L0001",
    /// Not well-formed YAML, or YAML that we do not take: tags, several documents, keys that are no text.
    Syntax "L0100",
    /// The same key twice in one mapping.
    DuplicateKey "L0101",
    /// No such field.
    UnknownField "L0102",
    /// Part of the language that this version does not enforce.
    NotEnforced "L0103",
    /// A list where a text is wanted, and the like.
    WrongType "L0104",
    /// A field that must be there is not.
    MissingField "L0105",
    /// A text that is not a value of its field: a unit, a word, an address.
    BadValue "L0106",
    /// Something that says nothing.
    Empty "L0107",
    /// The first line is not `lictor: v1`.
    Version "L0108",
    /// More nodes, levels or aliases than a policy may have.
    Budget "L0109",
    /// The same name in two places.
    DefinedTwice "L0110",
    /// No such action.
    UnknownAction "L0201",
    /// No such role.
    UnknownRole "L0202",
    /// A role that inherits itself.
    InheritCycle "L0203",
    /// No such identity.
    UnknownIdentity "L0204",
    /// Several identities are declared, and this does not say which is meant.
    IdentityRequired "L0205",
    /// No such pack or detector.
    UnknownDetector "L0206",
    /// Two limits that are equally specific and differ.
    LimitConflict "L0207",
    /// Conditions that cannot hold together.
    Contradiction "L0208",
    /// No such tier.
    UnknownTier "L0209",
    /// A tenant without the number that a quota asks of its tier.
    MissingNumber "L0210",
    /// No such tenant, where all are listed.
    UnknownTenant "L0211",
    /// Something in a file with a scope that is about more than its tenants.
    OutsideScope "L0212",
    /// A condition that cannot be read, or says what conditions do not have.
    BadCondition "L0213",
    /// Kinds that do not go together in a condition.
    ConditionType "L0214",
    /// A condition reads what no call has, or not at that time.
    UnknownAttribute "L0215",
    /// A detector finds a sample that it must not, or does not find one that it must.
    FailingSample "L0216",
    /// No such person under `people`.
    UnknownPerson "L0220",
    /// A test expects a role, a rule or a quota that does not exist, or does something else.
    UnknownStatement "L0221",
    /// A secret stands where it can be read.
    SecretLiteral "L0301",
    /// A role that nobody can hold.
    Unheld "L0401",
    /// Something that can never match.
    NeverMatches "L0403",
    /// A condition that is probably not meant so.
    DoubtfulCondition "L0409",
    /// A tenant whose time is over.
    Expired "L0404",
    /// An allow of which a deny leaves nothing.
    ShadowedAllow "L0405",
    /// A quota on actions that nothing allows.
    IdleQuota "L0407",
    /// Something is open that is usually closed.
    Lax "L0408",
    /// A statement about a tool that nobody may call.
    IdleTool "L0410",
    /// A detector of your own that makes prose wait, or the scan slow.
    CostlyDetector "L0411",
}

/// All that is wrong, or doubtful, with a set of files.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    pub(super) sources: Vec<Source>,
    pub(super) list: Vec<Diagnostic>,
    // Mistakes beyond the bound are counted and not kept.
    pub(super) unlisted: usize,
}

/// More are not read by anybody, and a hostile file could have a million.
const MAX_LISTED: usize = 500;

impl Diagnostics {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.len() < MAX_LISTED {
            self.list.push(diagnostic);
        } else if diagnostic.severity == Severity::Error {
            self.unlisted += 1;
        }
    }

    /// How many errors there are.
    pub fn errors(&self) -> usize {
        self.count(Severity::Error) + self.unlisted
    }

    /// How many warnings there are.
    pub fn warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    /// How many files were read.
    pub fn files(&self) -> usize {
        self.sources.len()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether a file or folder could not be read, so that nothing is known of what it says.
    pub fn is_unreadable(&self) -> bool {
        self.list
            .iter()
            .any(|diagnostic| diagnostic.code() == Code::Unreadable.as_str())
    }

    /// Each of them, in the order of files and lines.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Where a diagnostic of this list points to.
    pub fn place(&self, diagnostic: &Diagnostic) -> Option<Place> {
        let (span, _) = diagnostic.primary.as_ref()?;
        Some(self.source(*span)?.place(*span))
    }

    /// All of them as text with excerpts, and a last line that counts them.
    pub fn render(&self, color: bool) -> String {
        let mut text = self.excerpts(color);
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    /// All of them as text with excerpts, each with an empty line after it.
    pub fn excerpts(&self, color: bool) -> String {
        let renderer = if color {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut text = String::new();
        for diagnostic in &self.list {
            text.push_str(&self.render_one(diagnostic, &renderer));
            text.push_str("\n\n");
        }
        text
    }

    /// The line that counts: `3 errors, 1 warning in 4 files`.
    pub fn summary(&self) -> String {
        let count = |number: usize, noun: &str| {
            let plural = if number == 1 { "" } else { "s" };
            format!("{number} {noun}{plural}")
        };
        format!(
            "{}, {} in {}",
            count(self.errors(), "error"),
            count(self.warnings(), "warning"),
            count(self.sources.len(), "file"),
        )
    }

    /// Takes over what another list says of other files.
    pub(super) fn absorb(&mut self, other: Self) {
        let files = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.extend(other.sources);
        for mut diagnostic in other.list {
            for span in diagnostic.spans() {
                span.file = span.file.saturating_add(files);
            }
            self.push(diagnostic);
        }
        self.unlisted += other.unlisted;
    }

    /// Says of what is not enforced that it is a setting and no policy.
    pub(super) fn of_settings(&mut self) {
        for diagnostic in &mut self.list {
            if diagnostic.code == Code::NotEnforced.as_str() {
                diagnostic.note = Some("a setting that cannot act does not load".to_owned());
            }
        }
    }

    /// Orders by file and place, so that output does not depend on the order of checks.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|diagnostic| {
            let place = diagnostic.primary.as_ref();
            place.map(|(span, _)| (span.file, span.start))
        });
    }

    fn count(&self, severity: Severity) -> usize {
        let is = |diagnostic: &&Diagnostic| diagnostic.severity == severity;
        self.list.iter().filter(is).count()
    }

    pub(super) fn source(&self, span: Span) -> Option<&Source> {
        self.sources.get(span.file as usize)
    }

    fn render_one(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        // The code stands in one column, where the eye can skip it.
        let (level, width) = match diagnostic.severity {
            Severity::Error => (Level::ERROR, 73),
            Severity::Warning => (Level::WARNING, 71),
        };
        let title = format!("{:<width$} [{}]", diagnostic.title, diagnostic.code);
        let mut group = match &diagnostic.primary {
            Some(_) => level
                .primary_title(title)
                .elements(self.snippets(diagnostic)),
            None => Group::with_title(level.primary_title(title)),
        };
        if let Some(note) = &diagnostic.note {
            group = group.element(Level::NOTE.message(note.as_str()));
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group])
    }

    /// One excerpt for each file that the diagnostic points to.
    fn snippets<'a>(&self, diagnostic: &'a Diagnostic) -> Vec<Snippet<'a, Annotation<'a>>> {
        let points = [
            diagnostic
                .primary
                .as_ref()
                .map(|(span, label)| (*span, AnnotationKind::Primary, Some(label.as_str()))),
            diagnostic
                .secondary
                .as_ref()
                .map(|(span, label)| (*span, AnnotationKind::Context, Some(label.as_str()))),
            diagnostic
                .context
                .map(|span| (span, AnnotationKind::Visible, None)),
        ];
        let points: Vec<_> = points.into_iter().flatten().collect();
        let mut files: Vec<_> = points.iter().map(|(span, ..)| span.file).collect();
        files.dedup();
        let mut snippets = Vec::new();
        for file in files {
            let here: Vec<_> = points
                .iter()
                .filter(|(span, ..)| span.file == file)
                .collect();
            let Some(source) = self.sources.get(file as usize) else {
                continue;
            };
            let lines = || {
                here.iter()
                    .map(|(span, ..)| source.line(span.start as usize))
            };
            let (first, last) = (lines().min().unwrap_or(1), lines().max().unwrap_or(1));
            // Only the lines between: a renderer that reads megabytes for each mistake is slow.
            let window = source.line_range(first).start..source.line_range(last).end;
            let shown = source.shown(window.clone());
            let clips: Vec<_> = here
                .iter()
                .map(|(span, ..)| clip(source, *span, &window, &shown))
                .collect();
            let mut snippet = Snippet::source(shown)
                .path(source.name.to_string())
                .line_start(first);
            for ((_, kind, label), span) in here.into_iter().zip(clips) {
                let label = label.filter(|label| !label.is_empty());
                snippet = snippet.annotation(kind.span(span).label(label));
            }
            snippets.push(snippet);
        }
        snippets
    }
}

/// The part of a span that stands in its first line, from the beginning of the window, in whole
/// characters: the renderer panics inside one.
fn clip(source: &Source, span: Span, window: &Range<usize>, shown: &str) -> Range<usize> {
    let range = span.range();
    let line = source.line_range(source.line(range.start));
    let text = source.text.get(line.clone()).unwrap_or_default();
    let line_end = line.start + text.trim_end().len();
    let end = range.end.min(line_end).max(range.start);
    let within = |at: usize| at.saturating_sub(window.start).min(shown.len());
    shown.floor_char_boundary(within(range.start))..shown.ceil_char_boundary(within(end))
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}
