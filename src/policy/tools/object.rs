//! The arguments that a statement names, as the tree that they are.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Argument;
use super::spelling::fold;
use super::wanted::{Fault, Wanted};
use crate::model::Members;

/// An object of arguments: those of the tool, or those in one of them.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// The way here, with a dot behind it.
    prefix: Box<str>,
    members: BTreeMap<Box<str>, Member>,
    /// The members of which something is asked, by what all their spellings have in common.
    spellings: BTreeMap<Box<str>, Box<str>>,
    /// Nothing may be there that is not named.
    closed: bool,
}

#[derive(Debug, Default)]
struct Member {
    path: Box<str>,
    /// What is asked of itself, if it is named; else it is only on the way to others.
    itself: Option<Itself>,
    /// What is asked of what it holds.
    inner: Option<Object>,
}

#[derive(Debug)]
struct Itself {
    wanted: Wanted,
    optional: bool,
}

/// Something that is wrong.
#[derive(Debug)]
pub(super) struct Found<'t> {
    pub(super) path: Cow<'t, str>,
    pub(super) fault: Fault,
    pub(super) wanted: Option<&'t Wanted>,
}

/// More are not read by anybody.
const MAX_FOUND: usize = 20;

impl Object {
    pub(super) fn new(arguments: &[Argument], closed: bool) -> Self {
        let mut root = Self {
            closed,
            ..Self::default()
        };
        // Who is named comes before what it holds.
        let mut arguments: Vec<_> = arguments.iter().collect();
        arguments.sort_by(|one, other| one.path.cmp(&other.path));
        for argument in arguments {
            root.name(&argument.path, argument);
        }
        root
    }

    fn name(&mut self, path: &[Box<str>], argument: &Argument) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        if argument.asks() {
            self.spellings.insert(fold(first), first.clone());
        }
        let path = format!("{}{first}", self.prefix);
        let member = self.members.entry(first.clone()).or_default();
        if rest.is_empty() {
            member.itself = Some(Itself {
                wanted: argument.wanted.clone(),
                optional: argument.optional,
            });
        } else {
            // Who is named may hold what it likes, besides what is asked of parts of it.
            let closed = self.closed && member.itself.is_none();
            let inner = member.inner.get_or_insert_with(|| Self {
                prefix: format!("{path}.").into(),
                closed,
                ..Self::default()
            });
            inner.name(rest, argument);
        }
        member.path = path.into();
    }

    /// All that is wrong with an object. `None` is one that is not there, which lacks what must be there.
    pub(super) fn examine<'t>(&'t self, json: Option<&str>, found: &mut Vec<Found<'t>>) {
        let Some(members) = json.map_or_else(|| Some(Members::default()), Members::read) else {
            let path = self.prefix.strip_suffix('.').unwrap_or_default();
            let fault = if path.is_empty() {
                Fault::Unreadable
            } else {
                Fault::NotObject
            };
            found.push(Found {
                path: path.into(),
                fault,
                wanted: None,
            });
            return;
        };
        let (mut present, mut unnamed) = (BTreeMap::new(), Vec::new());
        for (key, value) in members.iter() {
            match self.members.get_key_value(key) {
                Some((name, _)) => {
                    present.insert(&**name, value);
                }
                None if unnamed.len() < MAX_FOUND => unnamed.extend(self.unnamed(key)),
                None => {}
            }
        }
        for (name, member) in &self.members {
            member.examine(present.get(&**name).copied(), found);
        }
        // What is named comes first: it is what the author thought of.
        found.append(&mut unnamed);
    }

    /// The member that some reader takes one of this name for, if something is asked of it or of what it holds.
    pub(super) fn looked_at(&self, key: &str) -> Option<&str> {
        self.spellings.get(&fold(key)).map(|meant| &**meant)
    }

    /// What is wrong with a member that is not named.
    fn unnamed(&self, key: &str) -> Option<Found<'_>> {
        if let Some(meant) = self.spellings.get(&fold(key)) {
            let member = self.members.get(meant)?;
            return Some(Found {
                path: (&*member.path).into(),
                fault: Fault::Ambiguous,
                wanted: None,
            });
        }
        self.closed.then(|| Found {
            path: format!("{}{key}", self.prefix).into(),
            fault: Fault::Unknown,
            wanted: None,
        })
    }
}

impl Member {
    fn examine<'t>(&'t self, value: Option<&str>, found: &mut Vec<Found<'t>>) {
        // Who writes `null` gives nothing: many clients do for what their user left open.
        let value = value.filter(|value| *value != "null");
        if let Some(Itself { wanted, optional }) = &self.itself {
            let fault = match value {
                None if *optional => return,
                None => wanted.is_something().then_some(Fault::Missing),
                Some(value) => wanted.fault(value),
            };
            found.extend(fault.map(|fault| Found {
                path: (&*self.path).into(),
                fault,
                wanted: Some(wanted),
            }));
        }
        if let Some(inner) = &self.inner {
            inner.examine(value, found);
        }
    }
}
