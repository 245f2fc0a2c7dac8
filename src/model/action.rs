//! Actions: the one spelling of what is asked, in policies, quotas, audit and metrics alike.
//!
//! `protocol:method[ name]`, e.g. `a2a:SendMessage quote-equity` or `http:GET /v1/reports`. In a
//! pattern `*` stands for any text within a segment and `**` for any text across `/`.

use std::borrow::Cow;
use std::fmt;

/// A family of dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// Agent2Agent.
    A2a,
    /// Plain HTTP: the method is the HTTP method, the name is the path.
    Http,
    /// OpenAI- and Anthropic-like model APIs.
    Llm,
    /// Model Context Protocol.
    Mcp,
}

impl Protocol {
    /// Every protocol, with the word before the colon.
    pub const ALL: &[Self] = &[Self::A2a, Self::Http, Self::Llm, Self::Mcp];

    /// The word before the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A2a => "a2a",
            Self::Http => "http",
            Self::Llm => "llm",
            Self::Mcp => "mcp",
        }
    }

    /// The methods that this protocol has as (canonical name, aliases); empty where any token is one.
    pub const fn methods(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::A2a => A2A_METHODS,
            Self::Http => &[],
            Self::Llm => LLM_METHODS,
            Self::Mcp => MCP_METHODS,
        }
    }
}

/// A set of protocols.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Protocols(u8);

impl Protocols {
    /// All that there are.
    pub fn all() -> Self {
        Protocol::ALL.iter().copied().collect()
    }

    /// Whether the protocol is one of them.
    pub const fn contains(self, protocol: Protocol) -> bool {
        self.0 & bit(protocol) != 0
    }
}

impl FromIterator<Protocol> for Protocols {
    fn from_iter<I: IntoIterator<Item = Protocol>>(protocols: I) -> Self {
        Self(
            protocols
                .into_iter()
                .fold(0, |set, protocol| set | bit(protocol)),
        )
    }
}

const fn bit(protocol: Protocol) -> u8 {
    1 << protocol as u8
}

/// A2A methods: the 1.0 name, and the names of 0.3 and of 0.1 that mean the same (A2A 1.0, section 5.3).
pub const A2A_METHODS: &[(&str, &[&str])] = &[
    ("CancelTask", &["tasks/cancel"]),
    (
        "CreateTaskPushNotificationConfig",
        &[
            "tasks/pushNotificationConfig/set",
            "tasks/pushNotification/set",
        ],
    ),
    (
        "DeleteTaskPushNotificationConfig",
        &["tasks/pushNotificationConfig/delete"],
    ),
    ("GetAgentCard", &[]),
    (
        "GetExtendedAgentCard",
        &["agent/getAuthenticatedExtendedCard"],
    ),
    ("GetTask", &["tasks/get"]),
    (
        "GetTaskPushNotificationConfig",
        &[
            "tasks/pushNotificationConfig/get",
            "tasks/pushNotification/get",
        ],
    ),
    (
        "ListTaskPushNotificationConfigs",
        &["tasks/pushNotificationConfig/list"],
    ),
    ("ListTasks", &["tasks/list"]),
    ("SendMessage", &["message/send", "tasks/send"]),
    (
        "SendStreamingMessage",
        &["message/stream", "tasks/sendSubscribe"],
    ),
    ("SubscribeToTask", &["tasks/resubscribe"]),
];

/// Methods of the model APIs.
pub const LLM_METHODS: &[(&str, &[&str])] = &[("chat", &[]), ("messages", &[]), ("responses", &[])];

/// What every client of MCP does before and besides its calls, so that whoever holds anything of MCP holds these, and all
/// `notifications/`. Three are no methods of the standard: the answer to something that the server asked (`response`),
/// reading along with a session (`session/listen`, a GET) and its end (`session/end`, a DELETE).
const MCP_SESSION_METHODS: &[&str] = &[
    "initialize",
    "ping",
    "response",
    "server/discover",
    "session/end",
    "session/listen",
];

/// Methods that an MCP client calls (all versions to 2026-07-28).
pub const MCP_METHODS: &[(&str, &[&str])] = &[
    ("completion/complete", &[]),
    ("initialize", &[]),
    ("logging/setLevel", &[]),
    ("ping", &[]),
    ("prompts/get", &[]),
    ("prompts/list", &[]),
    ("resources/list", &[]),
    ("resources/read", &[]),
    ("resources/subscribe", &[]),
    ("resources/templates/list", &[]),
    ("resources/unsubscribe", &[]),
    ("response", &[]),
    ("server/discover", &[]),
    ("session/end", &[]),
    ("session/listen", &[]),
    ("subscriptions/listen", &[]),
    ("tasks/cancel", &[]),
    ("tasks/get", &[]),
    ("tasks/list", &[]),
    ("tasks/result", &[]),
    ("tasks/update", &[]),
    ("tools/call", &[]),
    ("tools/list", &[]),
];

/// What a call asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Action {
    /// The family of dialects.
    pub protocol: Protocol,
    /// The canonical method; for HTTP the HTTP method.
    pub method: Cow<'static, str>,
    /// What the method is applied to: a skill, a tool, a resource, a path.
    pub name: Option<Box<str>>,
}

impl Action {
    /// An action of a method that we know by name.
    pub const fn known(protocol: Protocol, method: &'static str) -> Self {
        Self {
            protocol,
            method: Cow::Borrowed(method),
            name: None,
        }
    }

    /// Whether it is one of those that belong to every use of MCP, so that whoever holds anything of it holds these:
    /// `initialize`, `ping`, `server/discover`, notifications, and what a session needs.
    pub fn belongs_to_mcp_session(&self) -> bool {
        self.protocol == Protocol::Mcp
            && (MCP_SESSION_METHODS.contains(&&*self.method)
                || self.method.starts_with("notifications/"))
    }

    /// The tool that it calls (MCP, `tools/call`).
    pub fn tool(&self) -> Option<&str> {
        let calls = self.protocol == Protocol::Mcp && self.method == "tools/call";
        self.name.as_deref().filter(|_| calls)
    }

    /// The action that shows itself so.
    pub fn from_shown(text: &str) -> Option<Self> {
        let (protocol, rest) = text.split_once(':')?;
        let mut protocols = Protocol::ALL.iter().copied();
        let (method, name) = match rest.split_once(' ') {
            Some((method, name)) => (method, Some(Box::from(name))),
            None => (rest, None),
        };
        Some(Self {
            protocol: protocols.find(|known| known.as_str() == protocol)?,
            method: Cow::Owned(method.to_owned()),
            name,
        })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.protocol.as_str(), self.method)?;
        match &self.name {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

/// Why a text is not an action pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActionError {
    /// The method holds a character that no method has.
    #[error("`{0}` is not a method")]
    BadMethod(String),
    /// There is no colon.
    #[error("an action is written `protocol:method`, for example `a2a:SendMessage`")]
    NoProtocol,
    /// The protocol has no such method.
    #[error("`{protocol}` has no method `{method}`")]
    UnknownMethod {
        /// The protocol's word.
        protocol: &'static str,
        /// What was written.
        method: String,
        /// The nearest method that exists.
        suggestion: Option<&'static str>,
    },
    /// No such protocol.
    #[error("`{protocol}` is not a protocol")]
    UnknownProtocol {
        /// What was written.
        protocol: String,
        /// The nearest protocol that exists.
        suggestion: Option<&'static str>,
    },
}

impl ActionError {
    /// What the author may have meant.
    pub const fn suggestion(&self) -> Option<&'static str> {
        match self {
            Self::BadMethod(_) | Self::NoProtocol => None,
            Self::UnknownMethod { suggestion, .. } | Self::UnknownProtocol { suggestion, .. } => {
                *suggestion
            }
        }
    }
}

/// A set of actions, as policies write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ActionPattern {
    protocol: Protocol,
    method: Glob,
    name: Option<Glob>,
}

impl ActionPattern {
    /// Parses `protocol:method[ name]`. Aliases become canonical; a method without wildcard that the
    /// protocol does not have is an error, except for HTTP, which takes any token.
    ///
    /// # Errors
    /// When the protocol or the method does not exist; the error carries a suggestion.
    pub fn parse(text: &str) -> Result<Self, ActionError> {
        let (protocol, rest) = text.split_once(':').ok_or(ActionError::NoProtocol)?;
        let protocol = Protocol::ALL
            .iter()
            .copied()
            .find(|known| known.as_str() == protocol)
            .ok_or_else(|| ActionError::UnknownProtocol {
                protocol: protocol.to_owned(),
                suggestion: nearest(protocol, Protocol::ALL.iter().map(|known| known.as_str())),
            })?;
        let (method, name) = match rest.split_once(' ') {
            Some((method, name)) => (method, Some(name.trim()).filter(|name| !name.is_empty())),
            None => (rest, None),
        };
        Ok(Self {
            protocol,
            method: Glob::new(canonical(protocol, method)?),
            name: name.map(Glob::new),
        })
    }

    /// Whether the action is in the set. An action without a name is in no set that asks for one.
    pub fn matches(&self, action: &Action) -> bool {
        self.matches_with(action, false)
    }

    /// Whether the action may be in the set: an action without a name may be in any. Deny rules ask
    /// this, because a deny that cannot be evaluated matches.
    pub fn may_match(&self, action: &Action) -> bool {
        self.matches_with(action, true)
    }

    fn matches_with(&self, action: &Action, nameless: bool) -> bool {
        self.protocol == action.protocol
            && self.method.matches(&action.method)
            && match (&self.name, &action.name) {
                (None, _) => true,
                (Some(_), None) => nameless,
                (Some(glob), Some(name)) => glob.matches(name),
            }
    }

    /// The protocol that the pattern is about.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The one action that the pattern stands for; `None` where it has wildcards.
    pub fn action(&self) -> Option<Action> {
        let name = match &self.name {
            Some(name) => Some(Box::from(name.literal()?)),
            None => None,
        };
        Some(Action {
            protocol: self.protocol,
            method: Cow::Owned(self.method.literal()?.to_owned()),
            name,
        })
    }

    /// The method, as a pattern.
    pub const fn method(&self) -> &Glob {
        &self.method
    }

    /// The name, as a pattern; `None` is any name and none.
    pub const fn name(&self) -> Option<&Glob> {
        self.name.as_ref()
    }

    /// Whether every action that `other` matches is one of these too. Errs towards no.
    pub fn includes(&self, other: &Self) -> bool {
        self.protocol == other.protocol
            && self.method.includes(&other.method)
            && match (&self.name, &other.name) {
                (None, _) => true,
                (Some(name), Some(other)) => name.includes(other),
                (Some(name), None) => *name.0 == *ANY,
            }
    }

    /// Whether some action may be in both sets. Errs towards yes: `*` counts as `**` here.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.protocol == other.protocol
            && self.method.overlaps(&other.method)
            && match (&self.name, &other.name) {
                (Some(left), Some(right)) => left.overlaps(right),
                (None, _) | (_, None) => true,
            }
    }

    /// How specific the pattern is: more literal characters are more specific, a name more than none.
    pub fn specificity(&self) -> (bool, usize) {
        let name = self.name.as_ref().map_or(0, Glob::literal_length);
        (self.name.is_some(), self.method.literal_length() + name)
    }
}

impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.protocol.as_str(), self.method.0)?;
        match &self.name {
            Some(name) => write!(f, " {}", name.0),
            None => Ok(()),
        }
    }
}

/// The canonical spelling of a method in a pattern.
fn canonical(protocol: Protocol, method: &str) -> Result<&str, ActionError> {
    if method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ActionError::BadMethod(method.to_owned()));
    }
    let methods = protocol.methods();
    // `notifications/...` is open-ended in MCP: servers and clients add their own.
    if methods.is_empty()
        || method.contains('*')
        || (protocol == Protocol::Mcp && method.starts_with("notifications/"))
    {
        return Ok(method);
    }
    let known = methods
        .iter()
        .find(|(name, aliases)| *name == method || aliases.contains(&method));
    known
        .map(|(name, _)| *name)
        .ok_or_else(|| ActionError::UnknownMethod {
            protocol: protocol.as_str(),
            method: method.to_owned(),
            suggestion: nearest(
                method,
                methods
                    .iter()
                    .flat_map(|(name, aliases)| aliases.iter().chain([name]))
                    .copied(),
            ),
        })
}

/// The candidate that differs least, if it differs little enough to have been meant.
fn nearest(text: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    candidates
        .map(|candidate| {
            (
                strsim::osa_distance(&lower, &candidate.to_ascii_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Text with `*` (any text without `/`) and `**` (any text). A `*` alone is any text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Glob(Box<str>);

impl Glob {
    /// Reads a pattern; every text is one.
    pub fn new(text: &str) -> Self {
        // A method or name that is nothing but `*` means any, also across `/`: `mcp:*` covers `tools/call`.
        Self(Box::from(if text == "*" { ANY } else { text }))
    }

    /// What every text begins with that the pattern covers.
    pub fn literal_prefix(&self) -> &str {
        self.0.split('*').next().unwrap_or_default()
    }

    /// The one text that the pattern covers, if it has no wildcard.
    pub fn literal(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&*self.0)
    }

    fn literal_length(&self) -> usize {
        self.0.bytes().filter(|byte| *byte != b'*').count()
    }

    /// Whether the pattern covers the text.
    pub fn matches(&self, text: &str) -> bool {
        if !self.0.contains('*') {
            return *self.0 == *text;
        }
        glob(self.0.as_bytes(), text.as_bytes())
    }

    /// Whether every text that `other` matches is one of these too. Errs towards no.
    fn includes(&self, other: &Self) -> bool {
        *self.0 == *ANY || self == other || other.literal().is_some_and(|text| self.matches(text))
    }

    /// Whether some text may match both, with every `*` read as `**`. One row of the usual table: what
    /// can be reached after a prefix of the left and each prefix of the right.
    pub fn overlaps(&self, other: &Self) -> bool {
        let right = other.0.as_bytes();
        let mut row: Vec<bool> = Vec::with_capacity(right.len() + 1);
        row.push(true);
        for byte in right {
            row.push(*byte == b'*' && row.last() == Some(&true));
        }
        for left in self.0.bytes() {
            let mut next = Vec::with_capacity(row.len());
            next.push(left == b'*' && row.first() == Some(&true));
            for ((byte, above), diagonal) in right.iter().zip(row.iter().skip(1)).zip(&row) {
                let beside = next.last() == Some(&true);
                next.push(match (left, *byte) {
                    (b'*', _) | (_, b'*') => *above || beside,
                    (left, right) => *diagonal && left == right,
                });
            }
            row = next;
        }
        row.last() == Some(&true)
    }
}

/// The pattern of every text.
const ANY: &str = "**";

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Matches with one point of return per kind of wildcard, so that the cost is bounded by the product
/// of the lengths whatever the pattern is: a `**` never needs to go back past a later `**`, and a `*`
/// never past a later `*` or `**`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    let mut globstar: Option<(usize, usize)> = None;
    loop {
        let rest = pattern.get(p..).unwrap_or_default();
        match (rest, text.get(t)) {
            ([b'*', b'*', ..], _) => {
                p += 2;
                globstar = Some((p, t));
                star = None;
                continue;
            }
            ([b'*', ..], _) => {
                p += 1;
                star = Some((p, t));
                continue;
            }
            ([], None) => return true,
            ([literal, ..], Some(byte)) if literal == byte => {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        // Take back: let the last wildcard swallow one byte more.
        match (&mut star, &mut globstar) {
            (Some((after, from)), _) if text.get(*from).is_some_and(|byte| *byte != b'/') => {
                *from += 1;
                (p, t) = (*after, *from);
            }
            (_, Some((after, from))) if *from < text.len() => {
                *from += 1;
                (p, t) = (*after, *from);
                star = None;
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, action: &Action) -> bool {
        ActionPattern::parse(pattern).unwrap().matches(action)
    }

    fn http(method: &'static str, path: &str) -> Action {
        Action {
            name: Some(Box::from(path)),
            ..Action::known(Protocol::Http, method)
        }
    }

    #[test]
    fn an_action_is_read_back_as_it_shows_itself() {
        for action in [
            Action::known(Protocol::A2a, "SendMessage"),
            http("GET", "/a b: c"),
            http("PROPFIND", " "),
        ] {
            assert_eq!(Action::from_shown(&action.to_string()), Some(action));
        }
        assert_eq!(Action::from_shown("ftp:GET /"), None);
    }

    #[test]
    fn wildcards_stay_within_their_segment() {
        let cases = [
            ("http:GET /v1/*", "/v1/reports", true),
            ("http:GET /v1/*", "/v1/reports/7", false),
            ("http:GET /v1/**", "/v1/reports/7", true),
            ("http:GET /v1/*/items/*", "/v1/a/items/b", true),
            ("http:GET /v1/*/items/*", "/v1/a/b/items/c", false),
            ("http:GET /**/secret", "/a/b/secret", true),
            ("http:GET /**/x*y/z", "/a/xqy/xwy/z", true),
            ("http:GET /a*", "/a", true),
            ("http:* /a", "/a", true),
            ("http:GET", "/anything", true),
            ("http:POST /a", "/a", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(
                matches(pattern, &http("GET", path)),
                expected,
                "{pattern} against {path}"
            );
        }
    }

    #[test]
    fn names_of_older_protocol_versions_mean_the_same() {
        let send = Action::known(Protocol::A2a, "SendMessage");
        assert!(matches("a2a:message/send", &send));
        assert!(matches("a2a:Send*", &send));
        assert!(matches("a2a:*", &send));
        assert_eq!(
            ActionPattern::parse("a2a:message/send")
                .unwrap()
                .to_string(),
            "a2a:SendMessage"
        );
    }

    #[test]
    fn a_missing_name_grants_nothing_and_denies_everything() {
        let send = Action::known(Protocol::A2a, "SendMessage");
        let pattern = ActionPattern::parse("a2a:SendMessage quote-*").unwrap();
        assert!(!pattern.matches(&send));
        assert!(pattern.may_match(&send));
    }

    #[test]
    fn patterns_overlap_where_some_action_may_be_in_both() {
        let cases = [
            ("a2a:Send*", "a2a:*Message", true),
            ("a2a:SendMessage", "a2a:GetTask", false),
            ("a2a:SendMessage quote-*", "a2a:SendMessage *-equity", true),
            ("a2a:SendMessage quote-*", "a2a:SendMessage order-*", false),
            ("a2a:SendMessage", "a2a:SendMessage order-*", true),
            ("http:* /a", "http:GET /**", true),
            ("http:GET /a", "a2a:*", false),
        ];
        for (left, right, expected) in cases {
            let [left, right] = [left, right].map(|text| ActionPattern::parse(text).unwrap());
            assert_eq!(left.overlaps(&right), expected, "{left} and {right}");
            assert_eq!(right.overlaps(&left), expected, "{right} and {left}");
        }
    }

    #[test]
    fn a_typo_gets_a_suggestion() {
        let suggestion = |text| ActionPattern::parse(text).unwrap_err().suggestion();
        assert_eq!(suggestion("a2a:SendMesage"), Some("SendMessage"));
        assert_eq!(suggestion("a2b:SendMessage"), Some("a2a"));
        assert_eq!(suggestion("mcp:tool/call"), Some("tools/call"));
        assert_eq!(
            ActionPattern::parse("SendMessage"),
            Err(ActionError::NoProtocol)
        );
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_the_product_of_the_lengths() {
        let pattern = format!("http:GET {}x", "a**".repeat(200));
        assert!(!matches(&pattern, &http("GET", &"a".repeat(4000))));
    }
}
