//! YAML 1.2 as a tree that remembers where everything stands.
//!
//! Serde would stop at the first mistake; this tree is decoded by hand so that one run reports all of
//! them. Strict where laxness could hide a mistake: duplicate keys, tags, keys that are no text and
//! second documents are errors.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle};

use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::source::Span;

/// A value and where it stands. Aliases share what they stand for.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Rc<Kind>,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum Kind {
    Null,
    /// `plain` is text without quotes, which alone can be a boolean or a number.
    Text {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) value: Node,
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) text: Rc<str>,
    pub(super) span: Span,
}

/// What a file may cost. Generous for people, small for bombs.
pub(super) const MAX_INPUT_BYTES: usize = 4 << 20;
const MAX_NODES: usize = 1_000_000;
const MAX_DEPTH: usize = 64;
const MAX_ALIASES: usize = 1_000;

/// Reads one file. Mistakes go to the report; `None` when nothing can be made of the file.
pub(super) fn parse(file: u32, text: &str, report: &mut Diagnostics) -> Option<Node> {
    let options = granit_parser::options! {
        disallow_directives: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        file,
        report,
        open: Vec::new(),
        anchors: HashMap::new(),
        nodes: 0,
        aliases: 0,
        documents: 0,
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let step = match event {
            Ok((event, span)) => {
                let range = span.byte_range().unwrap_or_default();
                builder.event(event, builder.span(range.start, range.end))
            }
            Err(error) => {
                let at = error.marker().byte_offset().unwrap_or(text.len());
                let span = builder.span(at, at + 1);
                if error.info().contains("recursion limit") {
                    builder.report.push(*nested(span));
                    return None;
                }
                let title = format_args!("this is not YAML: {}", error.info());
                Diagnostic::error(Code::Syntax, title).at(span, "").stop()
            }
        };
        if let Err(diagnostic) = step {
            builder.report.push(*diagnostic);
            return None;
        }
    }
    builder.root
}

struct Builder<'report> {
    file: u32,
    report: &'report mut Diagnostics,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    aliases: usize,
    documents: usize,
    root: Option<Node>,
}

/// A collection whose end has not been read.
struct Open {
    span: Span,
    anchor: usize,
    size: Size,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        places: HashMap<Rc<str>, usize>,
        key: Option<(Key, bool)>,
        merged: Vec<Node>,
    },
}

/// How much a node is when every alias in it is written out.
#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    height: usize,
}

type Step = Result<(), Box<Diagnostic>>;

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Step {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let title = "a file holds one document";
                    return Diagnostic::error(Code::Syntax, title)
                        .at(span, "a second one begins here")
                        .help("put it into a file of its own; files add up")
                        .stop();
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                no_tag(tag.is_some(), span)?;
                let plain = style == ScalarStyle::Plain;
                let kind = match &*text {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Kind::Null,
                    _ => Kind::Text {
                        text: text.into_owned(),
                        plain,
                    },
                };
                let size = Size {
                    nodes: 1,
                    height: 0,
                };
                self.spend(1, span)?;
                self.place(kind, span, anchor, size)
            }
            Event::SequenceStart(_, anchor, tag) => {
                no_tag(tag.is_some(), span)?;
                self.begin(Items::List(Vec::new()), anchor, span)
            }
            Event::MappingStart(_, anchor, tag) => {
                no_tag(tag.is_some(), span)?;
                let items = Items::Map {
                    entries: Vec::new(),
                    places: HashMap::new(),
                    key: None,
                    merged: Vec::new(),
                };
                self.begin(items, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(id) => self.alias(id, span),
            // Begin and end of the stream and of the document; comments are compiled out.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, items: Items, anchor: usize, span: Span) -> Step {
        self.spend(1, span)?;
        if self.open.len() >= MAX_DEPTH {
            return too_much(format_args!("{MAX_DEPTH} levels"), span);
        }
        self.open.push(Open {
            span,
            anchor,
            size: Size {
                nodes: 1,
                height: 0,
            },
            items,
        });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Step {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let kind = match open.items {
            Items::List(items) => Kind::List(items),
            Items::Map {
                mut entries,
                mut places,
                merged,
                ..
            } => {
                for node in merged {
                    merge(&node, &mut entries, &mut places)?;
                }
                Kind::Map(entries)
            }
        };
        let end = span.end.max(open.span.end);
        let span = Span { end, ..open.span };
        self.place(kind, span, open.anchor, open.size)
    }

    fn alias(&mut self, id: usize, span: Span) -> Step {
        self.aliases += 1;
        if self.aliases > MAX_ALIASES {
            return too_much(format_args!("{MAX_ALIASES} aliases"), span);
        }
        // An anchor is known once its node has ended, so one that contains itself is not.
        let Some((node, size)) = self.anchors.get(&id).cloned() else {
            let title = "this alias stands inside what it stands for";
            return Diagnostic::error(Code::Syntax, title).at(span, "").stop();
        };
        self.spend(size.nodes, span)?;
        if self.open.len() + size.height > MAX_DEPTH {
            return too_much(format_args!("{MAX_DEPTH} levels"), span);
        }
        self.attach(node, size)
    }

    fn place(&mut self, kind: Kind, span: Span, anchor: usize, size: Size) -> Step {
        let node = Node {
            kind: Rc::new(kind),
            span,
        };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        self.attach(node, size)
    }

    /// Adds a finished node to the innermost open collection.
    fn attach(&mut self, node: Node, size: Size) -> Step {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.size.nodes = open.size.nodes.saturating_add(size.nodes);
        open.size.height = open.size.height.max(size.height + 1);
        match &mut open.items {
            Items::List(items) => items.push(node),
            Items::Map {
                entries,
                places,
                key,
                merged,
            } => match key.take() {
                None => *key = Some(read_key(&node)?),
                Some((_, true)) => merged.push(node),
                Some((found, false)) => {
                    if let Some(first) = places.get(&found.text).and_then(|at| entries.get(*at)) {
                        self.report.push(
                            Diagnostic::error(
                                Code::DuplicateKey,
                                format_args!("key {} is written twice", quoted(&found.text)),
                            )
                            .at(found.span, "second")
                            .also(first.key.span, "first"),
                        );
                        return Ok(());
                    }
                    places.insert(Rc::clone(&found.text), entries.len());
                    entries.push(Entry {
                        key: found,
                        value: node,
                    });
                }
            },
        }
        Ok(())
    }

    fn spend(&mut self, nodes: usize, span: Span) -> Step {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return too_much(format_args!("{MAX_NODES} values"), span);
        }
        Ok(())
    }

    fn span(&self, start: usize, end: usize) -> Span {
        let offset = |at| u32::try_from(at).unwrap_or(u32::MAX);
        Span {
            file: self.file,
            start: offset(start),
            end: offset(end),
        }
    }
}

/// A key, and whether it is the merge key.
fn read_key(node: &Node) -> Result<(Key, bool), Box<Diagnostic>> {
    match &*node.kind {
        Kind::Text { text, plain } => Ok((
            Key {
                text: Rc::from(text.as_str()),
                span: node.span,
            },
            *plain && text == "<<",
        )),
        Kind::Null | Kind::List(_) | Kind::Map(_) => {
            Diagnostic::error(Code::Syntax, "a key must be a text")
                .at(node.span, "")
                .stop()
        }
    }
}

/// `<<:` takes over the entries of one mapping or several; what is written beside it wins, and of several
/// the earlier.
fn merge(node: &Node, entries: &mut Vec<Entry>, places: &mut HashMap<Rc<str>, usize>) -> Step {
    match &*node.kind {
        Kind::Map(base) => {
            for entry in base {
                if !places.contains_key(&entry.key.text) {
                    places.insert(Rc::clone(&entry.key.text), entries.len());
                    entries.push(entry.clone());
                }
            }
            Ok(())
        }
        Kind::List(bases) if bases.iter().all(|base| matches!(&*base.kind, Kind::Map(_))) => {
            for base in bases {
                merge(base, entries, places)?;
            }
            Ok(())
        }
        Kind::Null | Kind::Text { .. } | Kind::List(_) => {
            let title = "`<<` takes a mapping or a list of mappings";
            Diagnostic::error(Code::WrongType, title)
                .at(node.span, "")
                .stop()
        }
    }
}

fn no_tag(tagged: bool, span: Span) -> Step {
    if tagged {
        let title = "tags are not part of the language";
        return Diagnostic::error(Code::Syntax, title).at(span, "").stop();
    }
    Ok(())
}

fn too_much<T>(what: std::fmt::Arguments<'_>, span: Span) -> Result<T, Box<Diagnostic>> {
    let title = format_args!("a file may have at most {what}");
    Diagnostic::error(Code::Budget, title)
        .at(span, "")
        .help("split the file; what an alias stands for counts wherever it is used")
        .stop()
}

fn nested(span: Span) -> Box<Diagnostic> {
    let title = format_args!("a file may be nested {MAX_DEPTH} levels deep at most");
    Box::new(Diagnostic::error(Code::Budget, title).at(span, ""))
}

/// Text from a file as messages show it: in backticks, short, and without control characters.
pub(super) fn quoted(text: &str) -> String {
    const MAX_SHOWN: usize = 60;
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .map(|char| if char.is_control() { '\u{fffd}' } else { char })
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push_str("...");
    }
    format!("`{shown}`")
}
