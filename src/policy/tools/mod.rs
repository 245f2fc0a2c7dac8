//! Arguments of tools: what a call of a tool must look like, before its agent sees it.
//!
//! A statement is about every JSON-RPC request `tools/call` that names its tool, whichever statement allowed the
//! call and on whatever path it comes. It only ever refuses. What cannot be told from the request is refused as
//! well: a name or an argument that two readers may see in different ways, a value of another kind, and, where
//! something is asked of it, an argument that is not there: the tool would choose one in its place.

mod decimal;
mod kept;
mod kind;
mod object;
mod pin;
mod spelling;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use decimal::Decimal;
pub use kept::{Given, KeptTool};
pub use kind::TextKind;
pub use pin::{Pin, Pinned};
pub use wanted::Wanted;

use self::object::{Found, Object};
use self::spelling::fold;
use self::wanted::Fault;
use super::question::Question;
use crate::model::{Mode, Reason, Refusal, RuleRef, ToolArgs, ToolCall};

/// What calls of one tool must look like.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The tool's name, just as its agent lists it, and where the statement stands.
    pub rule: Arc<RuleRef>,
    /// Whether it refuses.
    pub mode: Mode,
    /// The arguments that are named.
    pub args: Vec<Argument>,
    /// Whether an argument that is not named is refused.
    pub closed: bool,
    /// What the agent must describe it as.
    pub pin: Option<Pin>,
}

/// What one argument must be.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Its name; for one inside of another, the names on the way.
    pub path: Vec<Box<str>>,
    /// What it must be.
    pub wanted: Wanted,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What was made of the arguments of a call.
#[derive(Debug)]
pub struct Examined {
    /// The statement about the tool.
    pub rule: Arc<RuleRef>,
    /// Whether it refuses.
    pub mode: Mode,
    /// What is not as it must be.
    pub wrong: Vec<Wrong>,
}

/// An argument that is not what it must be.
#[derive(Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Its name, or the way to it.
    pub argument: String,
    /// What it is.
    pub fact: String,
    /// What would have to change.
    pub remedy: String,
}

impl Argument {
    /// Whether something is asked of it.
    pub const fn asks(&self) -> bool {
        self.wanted.is_something()
    }
}

/// All statements, compiled.
#[derive(Debug)]
pub(super) struct Tools {
    enforced: Table,
    shadow: Table,
}

#[derive(Debug, Default)]
struct Table {
    tools: BTreeMap<Box<str>, Compiled>,
    /// Their names by what all spellings have in common.
    spellings: BTreeMap<Box<str>, Box<str>>,
}

#[derive(Debug)]
struct Compiled {
    rule: Arc<RuleRef>,
    arguments: Object,
    pin: Option<Pin>,
}

/// What a table has about a name.
enum Meant<'t> {
    Tool(&'t Compiled),
    /// Another spelling of this tool's name, which its agent may take for it.
    Spelling(&'t Compiled),
}

impl Tools {
    pub(super) fn new(tools: Vec<Tool>) -> Self {
        let (enforced, shadow) = tools
            .into_iter()
            .partition(|tool| tool.mode == Mode::Enforce);
        Self {
            enforced: Table::new(enforced),
            shadow: Table::new(shadow),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.enforced.tools.is_empty() && self.shadow.tools.is_empty()
    }

    /// Refuses a call of a tool that is not what it must be.
    pub(super) fn admit(&self, question: &Question<'_>) -> Result<(), Box<Refusal>> {
        if self.enforced.tools.is_empty() {
            return Ok(());
        }
        let Some(call) = question.request.tool else {
            return Ok(());
        };
        let Some(name) = &call.name else {
            return Err(unreadable(None));
        };
        match self.enforced.find(name) {
            None => Ok(()),
            Some(Meant::Spelling(tool)) => Err(unreadable(Some(&tool.rule))),
            Some(Meant::Tool(tool)) => match tool.examine(&call.args).first() {
                None => Ok(()),
                Some(found) => Err(refusal(&tool.rule, found)),
            },
        }
    }

    /// The statement in shadow mode that would have refused.
    pub(super) fn shadow(&self, question: &Question<'_>) -> Option<&Arc<RuleRef>> {
        if self.shadow.tools.is_empty() {
            return None;
        }
        let call = question.request.tool?;
        match self.shadow.find(call.name.as_deref()?)? {
            Meant::Spelling(tool) => Some(&tool.rule),
            Meant::Tool(tool) if tool.examine(&call.args).is_empty() => None,
            Meant::Tool(tool) => Some(&tool.rule),
        }
    }

    /// All that is wrong with a call of a tool about which there is a statement.
    pub(super) fn explain(&self, call: &ToolCall) -> Option<Examined> {
        let name = call.name.as_deref()?;
        let tables = [
            (Mode::Enforce, &self.enforced),
            (Mode::Shadow, &self.shadow),
        ];
        tables.into_iter().find_map(|(mode, table)| {
            let (tool, wrong) = match table.find(name)? {
                Meant::Tool(tool) => {
                    let found = tool.examine(&call.args);
                    (tool, found.iter().map(Wrong::of).collect())
                }
                Meant::Spelling(tool) => (tool, vec![Wrong::spelling(name, &tool.rule)]),
            };
            Some(Examined {
                rule: Arc::clone(&tool.rule),
                mode,
                wrong,
            })
        })
    }

    /// The statements that refuse, in the order of names.
    pub(super) fn enforced(&self) -> impl Iterator<Item = &Arc<RuleRef>> {
        self.enforced.tools.values().map(|tool| &tool.rule)
    }
}

impl Table {
    fn new(tools: Vec<Tool>) -> Self {
        let mut table = Self::default();
        for tool in tools {
            let name: Box<str> = Box::from(&*tool.rule.name);
            table.spellings.insert(fold(&name), name.clone());
            let arguments = Object::new(&tool.args, tool.closed);
            let Tool { rule, pin, .. } = tool;
            let compiled = Compiled {
                rule,
                arguments,
                pin,
            };
            table.tools.insert(name, compiled);
        }
        table
    }

    fn find(&self, name: &str) -> Option<Meant<'_>> {
        if let Some(tool) = self.tools.get(name) {
            return Some(Meant::Tool(tool));
        }
        let meant = self.spellings.get(&fold(name))?;
        self.tools.get(meant).map(Meant::Spelling)
    }
}

impl Compiled {
    /// What is wrong with the arguments, as far as anybody reads.
    fn examine(&self, args: &ToolArgs) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        match args {
            ToolArgs::Absent => self.arguments.examine(None, &mut found),
            ToolArgs::Json(json) => self.arguments.examine(Some(json), &mut found),
            ToolArgs::Unreadable => found.push(Found {
                path: "".into(),
                fault: Fault::Unreadable,
                wanted: None,
            }),
        }
        found
    }
}

impl Wrong {
    fn of(found: &Found<'_>) -> Self {
        let remedy = match (found.fault, found.wanted) {
            (Fault::Unknown, _) => "leave it out".to_owned(),
            (Fault::Ambiguous, _) => "write it once, as the policy spells it".to_owned(),
            (Fault::NotObject, _) => "it must be an object".to_owned(),
            (Fault::Unreadable, _) => "write one object".to_owned(),
            (_, Some(wanted)) => format!("it must be {wanted}"),
            (_, None) => String::new(),
        };
        Self {
            argument: found.path.to_string(),
            fact: found.fault.to_string(),
            remedy,
        }
    }

    fn spelling(name: &str, rule: &RuleRef) -> Self {
        Self {
            argument: name.to_owned(),
            fact: format!("is another spelling of the tool `{}`", rule.name),
            remedy: "name the tool as the policy spells it".to_owned(),
        }
    }
}

/// `` `amount` is above `max`: it must be a number of at most 250000 ``.
impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            argument,
            fact,
            remedy,
        } = self;
        match argument.is_empty() {
            true => write!(f, "what is given {fact}: {remedy}"),
            false => write!(f, "`{argument}` {fact}: {remedy}"),
        }
    }
}

/// Nobody can tell which tool would run.
fn unreadable(rule: Option<&Arc<RuleRef>>) -> Box<Refusal> {
    let refusal = Refusal::new(Reason::ArgumentDenied).detail(match rule {
        None => "the name of the tool is missing, or can be read in two ways",
        Some(_) => "the tool is named in another spelling",
    });
    Box::new(Refusal {
        rule: rule.cloned(),
        say: Some(Arc::from("The name of the tool cannot be read.")),
        ..refusal
    })
}

/// The caller learns which argument it is, and nothing of what the policy would take. The record has the fact
/// without the value; the name of an argument that nobody knows is a text of the caller's, and not for it either.
fn refusal(rule: &Arc<RuleRef>, found: &Found<'_>) -> Box<Refusal> {
    let Found { path, fault, .. } = found;
    let fact = format!("the argument `{path}` {fault}");
    let (detail, say) = match fault {
        Fault::Unreadable => (
            "the arguments can be read in two ways, or are no object".to_owned(),
            "The arguments of the tool cannot be read.".to_owned(),
        ),
        Fault::Missing => (fact, format!("The argument `{path}` is missing.")),
        Fault::Ambiguous => (
            fact,
            format!("The argument `{path}` can be read in two ways."),
        ),
        Fault::Unknown => (
            "there is an argument that `args` does not name".to_owned(),
            match is_plain(path) {
                true => format!("The argument `{path}` is not known."),
                false => "An argument is not known.".to_owned(),
            },
        ),
        Fault::Above
        | Fault::Below
        | Fault::NoMatch
        | Fault::NotBoolean
        | Fault::NotNumber
        | Fault::NotObject
        | Fault::NotOfKind(_)
        | Fault::NotOneOf
        | Fault::NotText => (
            fact,
            format!("The value of the argument `{path}` is not allowed."),
        ),
    };
    Box::new(Refusal {
        rule: Some(Arc::clone(rule)),
        say: Some(say.into()),
        ..Refusal::new(Reason::ArgumentDenied).detail(detail)
    })
}

/// Whether a name is one that may be repeated to whoever sent it.
fn is_plain(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control)
}

/// A name longer than this is none of an argument.
const MAX_NAME_BYTES: usize = 128;
