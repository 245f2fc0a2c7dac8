//! The closed vocabulary: what a condition may read, of which type it is, and when it exists.

use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};

use super::value::{Kind, Value};

/// When a condition is judged, which says what it may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A request is judged: everything but what a scan finds in its answer.
    Request,
    /// An allow-list of leaks is asked about one finding: everything of the request, and `finding`.
    Finding,
}

macro_rules! attributes {
    ($($(#[$meta:meta])* $variant:ident $text:literal $kind:ident),* $(,)?) => {
        /// The root of a [`Path`]: one thing that lictor knows of a call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Attribute {
            $($(#[$meta])* $variant),*
        }

        impl Attribute {
            /// Every attribute, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// How it is written, e.g. `caller.id`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            pub(super) const fn kind(self) -> Kind {
                match self { $(Self::$variant => Kind::$kind),* }
            }
        }
    };
}

attributes! {
    /// The canonical action, e.g. `mcp:tools/call wire_transfer`.
    Action "action" Text,
    /// The groups of the last delegate; [`Value::Texts`].
    ActorGroups "actor.groups" List,
    /// Who passed the request on, the last of the chain. Missing where nobody did.
    ActorId "actor.id" Text,
    /// What vouches for the last delegate.
    ActorIdentity "actor.identity" Text,
    /// The last delegate's tenant.
    ActorTenant "actor.tenant" Text,
    /// The agent behind lictor that is called.
    Agent "agent" Text,
    /// The arguments of the call: of a tool, or the params of another JSON-RPC request. Any JSON.
    Args "args" Any,
    /// The groups that the identity asserts; [`Value::Texts`].
    CallerGroups "caller.groups" List,
    /// Who calls.
    CallerId "caller.id" Text,
    /// Which identity vouches for the caller, by the name that the policy gives it.
    CallerIdentity "caller.identity" Text,
    /// The highest rank of the caller's roles, 0 without one; [`Value::Int`].
    CallerRank "caller.rank" Number,
    /// The caller's tenant.
    CallerTenant "caller.tenant" Text,
    /// The claims of the verified token. Any JSON; missing where the credential has none.
    Claims "claims" Any,
    /// The detector that found something, e.g. `credentials.github-pat`.
    FindingDetector "finding.detector" Text,
    /// Where in the answer it was found, e.g. a JSON path.
    FindingPath "finding.path" Text,
    /// The canonical method, e.g. `tools/call`.
    Method "method" Text,
    /// What the method is applied to: a skill, a tool, a resource, a path.
    Name "name" Text,
    /// `a2a`, `http`, `llm` or `mcp`.
    Protocol "protocol" Text,
    /// A field of the request's head by its lower-case name. Of a field that comes several times, the lines
    /// joined by `, ` (RFC 9110, section 5.3): a caller must not choose which of them is judged.
    RequestHeader "request.header" Text,
    /// The path, percent-decoded, without the query.
    RequestPath "request.path" Text,
    /// The bytes of the request's body; [`Value::Int`].
    RequestSize "request.size" Number,
    /// The address that the call comes from, an IPv4 address never in its IPv6 form; [`Value::Ip`].
    SourceIp "source.ip" Ip,
    /// The task that the call names.
    TaskId "task.id" Text,
    /// Who owns that task.
    TaskOwner "task.owner" Text,
    /// The state of that task, as far as the ledger knows it.
    TaskState "task.state" Text,
    /// The time at which the call is judged; [`Value::Time`].
    Time "time" Time,
}

impl Attribute {
    /// Whether it exists in that phase.
    pub const fn exists_in(self, phase: Phase) -> bool {
        !matches!(self, Self::FindingDetector | Self::FindingPath)
            || matches!(phase, Phase::Finding)
    }

    /// Whether it is a document into which a path leads.
    pub const fn is_document(self) -> bool {
        matches!(self, Self::Args | Self::Claims)
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One step of a path into a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The member of an object.
    Name(Box<str>),
    /// The element of an array, from 0.
    Index(u32),
}

impl Key {
    /// The value that it leads to.
    pub fn step<'a>(&self, value: &'a serde_json::Value) -> Option<&'a serde_json::Value> {
        match self {
            Self::Name(name) => value.as_object()?.get(&**name),
            Self::Index(index) => value.as_array()?.get(usize::try_from(*index).ok()?),
        }
    }
}

/// What a condition reads: an attribute and, within `args`, `claims` and `request.header`, the way to the
/// value. Two paths to the same value are equal, whatever their [slots](Self::slot).
#[derive(Debug, Clone)]
pub struct Path {
    attribute: Attribute,
    keys: Box<[Key]>,
    slot: u32,
}

impl Path {
    pub(super) fn new(attribute: Attribute, keys: Vec<Key>) -> Self {
        Self {
            attribute,
            keys: keys.into_boxed_slice(),
            slot: 0,
        }
    }

    pub(super) const fn set_slot(&mut self, slot: u32) {
        self.slot = slot;
    }

    /// Where it begins.
    pub const fn attribute(&self) -> Attribute {
        self.attribute
    }

    /// The steps from there; empty for all attributes but `args`, `claims` and `request.header`.
    pub const fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The name of a header, in lower case, where this is one.
    pub fn header(&self) -> Option<&str> {
        match (self.attribute, self.keys()) {
            (Attribute::RequestHeader, [Key::Name(name)]) => Some(name),
            _ => None,
        }
    }

    /// The number under which values of this path can be kept, so that nobody looks for it by name while a
    /// condition is evaluated. Paths are numbered from 0 within their condition unless
    /// [`Condition::number`](super::Condition::number) said otherwise.
    pub const fn slot(&self) -> u32 {
        self.slot
    }

    /// Follows the steps into the document of the attribute.
    pub fn walk<'a>(&self, document: &'a serde_json::Value) -> Option<Value<'a>> {
        let mut keys = self.keys.iter();
        let found = keys.try_fold(document, |value, key| key.step(value))?;
        Some(Value::Json(found))
    }

    /// The path to the object or array in a document that its last step is made in, and that step.
    pub fn parent(&self) -> Option<(Self, &Key)> {
        let (last, keys) = self.keys.split_last()?;
        let is_within = self.attribute.is_document();
        is_within.then(|| (Self::new(self.attribute, keys.to_vec()), last))
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.attribute == other.attribute && self.keys == other.keys
    }
}

impl Eq for Path {}

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.attribute.hash(state);
        self.keys.hash(state);
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.attribute.as_str())?;
        self.keys.iter().try_for_each(|key| match key {
            Key::Index(index) => write!(f, "[{index}]"),
            Key::Name(name) if is_plain(name) && self.header().is_none() => write!(f, ".{name}"),
            Key::Name(name) => {
                f.write_str("['")?;
                name.chars().try_for_each(|c| match c {
                    '\'' => f.write_str("\\'"),
                    '"' => f.write_char(c),
                    _ => write!(f, "{}", c.escape_debug()),
                })?;
                f.write_str("']")
            }
        })
    }
}

fn is_plain(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What a call gives a condition to read.
pub trait Attributes {
    /// The value at the path; `None` where there is none, which is not the same as a JSON `null`.
    ///
    /// For documents this is the value at the end of the path: see [`Path::walk`].
    fn attribute(&self, path: &Path) -> Option<Value<'_>>;
}

/// A call of which nothing is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nothing;

impl Attributes for Nothing {
    fn attribute(&self, _: &Path) -> Option<Value<'_>> {
        None
    }
}
