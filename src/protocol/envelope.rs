//! What a JSON body says of itself: the members of a JSON-RPC 2.0 request, or of its bare parameters, that decide
//! what it is, read in one pass and without a tree.
//!
//! Keys are compared as the least careful agent would. Readers of protobuf JSON take `task_id` for
//! `taskId`, so both spellings are the member. Readers that ignore case take `TaskID` too; no client
//! writes that, so such a key marks the body as one that nobody should forward.

use super::json::{Flaw, Reader, Text, Token};

/// The value of a member that matters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Value<'a> {
    #[default]
    Absent,
    Null,
    Number(&'a str),
    Object,
    /// An array or a truth value.
    Other,
    String(Text<'a>),
}

/// What kind of document it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Shape {
    Array,
    Object,
    #[default]
    Scalar,
}

/// The members that matter, as far as the document could be read.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    pub(super) shape: Shape,
    pub(super) jsonrpc: Value<'a>,
    pub(super) method: Value<'a>,
    pub(super) id: Value<'a>,
    pub(super) params: Value<'a>,
    pub(super) params_id: Value<'a>,
    pub(super) params_task: Value<'a>,
    pub(super) params_context: Value<'a>,
    /// What 0.1 calls a context.
    pub(super) params_session: Value<'a>,
    /// A tool or a prompt; in the protobuf of A2A 0.3 the name of a resource, as `parent` is.
    pub(super) params_name: Value<'a>,
    pub(super) params_parent: Value<'a>,
    pub(super) params_tenant: Value<'a>,
    pub(super) params_uri: Value<'a>,
    /// The version that a client of MCP begins with, and the one that it says with each request (`_meta`).
    pub(super) params_version: Value<'a>,
    pub(super) meta_version: Value<'a>,
    /// What an argument is to be completed for (MCP, `completion/complete`).
    pub(super) ref_name: Value<'a>,
    pub(super) ref_uri: Value<'a>,
    pub(super) message_task: Value<'a>,
    pub(super) message_context: Value<'a>,
    pub(super) push_task: Value<'a>,
    /// The name of a push configuration, in the protobuf of A2A 0.3.
    pub(super) push_name: Value<'a>,
    /// The tenant of a push configuration, in A2A 1.0.
    pub(super) push_tenant: Value<'a>,
    pub(super) skill: Value<'a>,
    /// The elements of `referenceTaskIds`, and the member itself.
    pub(super) references: Vec<Value<'a>>,
    pub(super) references_member: Value<'a>,
    /// The model that is asked (OpenAI, Anthropic).
    pub(super) model: Value<'a>,
    /// A member of the outermost object is there twice, or in letters of another case.
    pub(super) ambiguous_request: bool,
    /// So is a member of `params` or below.
    pub(super) ambiguous_params: bool,
    /// An element of the outermost array is a JSON-RPC message.
    pub(super) batch: bool,
    // Members that matter only as the way to others.
    passage: Value<'a>,
    seen: u64,
}

impl Envelope<'_> {
    /// Whether somebody may take the document for JSON-RPC.
    pub(super) const fn resembles_rpc(&self) -> bool {
        self.batch
            || !matches!(self.jsonrpc, Value::Absent)
            || !matches!(self.method, Value::Absent)
    }
}

/// Reads what can be read. With a flaw, the envelope holds what stood before it.
pub(super) fn read(body: &[u8], depth: usize) -> (Envelope<'_>, Option<Flaw>) {
    let mut envelope = Envelope::default();
    let flaw = fill(&mut envelope, Level::Request, body, depth).err();
    (envelope, flaw)
}

/// The same for a request to a model.
pub(super) fn read_prompt(body: &[u8], depth: usize) -> (Envelope<'_>, Option<Flaw>) {
    let mut envelope = Envelope::default();
    let flaw = fill(&mut envelope, Level::Prompt, body, depth).err();
    (envelope, flaw)
}

/// The same for a document that is the parameters and nothing around them.
pub(super) fn read_params(body: &[u8], depth: usize) -> (Envelope<'_>, Option<Flaw>) {
    let mut envelope = Envelope::default();
    let flaw = fill(&mut envelope, Level::BareParams, body, depth).err();
    (envelope, flaw)
}

fn fill<'a>(
    envelope: &mut Envelope<'a>,
    root: Level,
    body: &'a [u8],
    depth: usize,
) -> Result<(), Flaw> {
    let mut reader = Reader::new(body, depth)?;
    let mut levels: Vec<Level> = Vec::with_capacity(8);
    let mut member: Option<Field> = None;
    while let Some(token) = reader.next()? {
        let level = levels.last().copied();
        let value = match token {
            Token::Key(key) => {
                member = envelope.member(level.unwrap_or(Level::Other), key)?;
                continue;
            }
            Token::ArrayEnd | Token::ObjectEnd => {
                levels.pop();
                continue;
            }
            Token::ArrayBegin | Token::Bool => Value::Other,
            Token::Null => Value::Null,
            Token::Number(number) => Value::Number(number),
            Token::ObjectBegin => Value::Object,
            Token::String(text) => Value::String(text),
        };
        let member = member.take();
        match (level, member) {
            (_, Some(field)) => *envelope.slot(field) = value,
            (Some(Level::References), None) => envelope.references.push(value),
            (Some(_) | None, None) => {}
        }
        if matches!(token, Token::ArrayBegin | Token::ObjectBegin) {
            let object = matches!(token, Token::ObjectBegin);
            if level.is_none() {
                envelope.shape = if object { Shape::Object } else { Shape::Array };
            }
            levels.push(below(root, level, member, object));
        }
    }
    Ok(())
}

impl<'a> Envelope<'a> {
    /// Which member that matters the key names, if any.
    fn member(&mut self, level: Level, key: Text<'_>) -> Result<Option<Field>, Flaw> {
        let fields = level.fields();
        if fields.is_empty() && level != Level::Meta {
            return Ok(None);
        }
        let key = key.decode()?;
        if let Some(field) = level.literal(&key) {
            return Ok(Some(field));
        }
        let Some((name, field)) = spelt(fields, &key) else {
            return Ok(None);
        };
        if level == Level::Element {
            self.batch = true;
            return Ok(None);
        }
        let bit = 1 << (*field as u64);
        let again = self.seen & bit != 0;
        self.seen |= bit;
        if again || !is_member(key.as_bytes(), name) {
            match level {
                Level::Request => self.ambiguous_request = true,
                _ => self.ambiguous_params = true,
            }
        }
        Ok(Some(*field))
    }

    const fn slot(&mut self, field: Field) -> &mut Value<'a> {
        match field {
            Field::Id => &mut self.id,
            Field::Jsonrpc => &mut self.jsonrpc,
            Field::MessageContext => &mut self.message_context,
            Field::MessageTask => &mut self.message_task,
            Field::Method => &mut self.method,
            Field::Model => &mut self.model,
            Field::Params => &mut self.params,
            Field::MetaVersion => &mut self.meta_version,
            Field::Name => &mut self.params_name,
            Field::ParamsContext => &mut self.params_context,
            Field::ParamsId => &mut self.params_id,
            Field::ParamsTask => &mut self.params_task,
            Field::ParamsVersion => &mut self.params_version,
            Field::Parent => &mut self.params_parent,
            Field::PushName => &mut self.push_name,
            Field::PushTask => &mut self.push_task,
            Field::PushTenant => &mut self.push_tenant,
            Field::RefName => &mut self.ref_name,
            Field::RefUri => &mut self.ref_uri,
            Field::References => &mut self.references_member,
            Field::Session => &mut self.params_session,
            Field::Skill => &mut self.skill,
            Field::Tenant => &mut self.params_tenant,
            Field::Uri => &mut self.params_uri,
            Field::Arguments
            | Field::Configuration
            | Field::Message
            | Field::Meta
            | Field::Metadata
            | Field::PushConfiguration
            | Field::Ref => &mut self.passage,
        }
    }
}

/// Where in the document we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The parameters, where they are the whole document.
    BareParams,
    Batch,
    Configuration,
    Element,
    Message,
    Meta,
    Metadata,
    Other,
    Params,
    Prompt,
    PushConfiguration,
    Ref,
    References,
    Request,
}

/// A member that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Arguments,
    Configuration,
    Id,
    Jsonrpc,
    Message,
    MessageContext,
    MessageTask,
    Meta,
    MetaVersion,
    Metadata,
    Method,
    Model,
    Name,
    Params,
    ParamsContext,
    ParamsId,
    ParamsTask,
    ParamsVersion,
    Parent,
    PushConfiguration,
    PushName,
    PushTask,
    PushTenant,
    Ref,
    RefName,
    RefUri,
    References,
    Session,
    Skill,
    Tenant,
    Uri,
}

impl Level {
    /// The members that matter here, in camel case.
    const fn fields(self) -> &'static [(&'static str, Field)] {
        match self {
            Self::Batch | Self::Other | Self::References => &[],
            // The protobuf of A2A 0.3 calls the message `request`, and its JSON may, too.
            Self::BareParams => &[
                ("config", Field::PushConfiguration),
                ("configuration", Field::Configuration),
                ("contextId", Field::ParamsContext),
                ("id", Field::ParamsId),
                ("jsonrpc", Field::Jsonrpc),
                ("message", Field::Message),
                ("method", Field::Method),
                ("name", Field::Name),
                ("parent", Field::Parent),
                ("request", Field::Message),
                ("sessionId", Field::Session),
                ("taskId", Field::ParamsTask),
                ("tenant", Field::Tenant),
            ],
            Self::Configuration => &[
                ("pushNotification", Field::PushConfiguration),
                ("pushNotificationConfig", Field::PushConfiguration),
                ("taskPushNotificationConfig", Field::PushConfiguration),
            ],
            Self::Element => &[("jsonrpc", Field::Jsonrpc), ("method", Field::Method)],
            Self::Message => &[
                ("contextId", Field::MessageContext),
                ("metadata", Field::Metadata),
                ("referenceTaskIds", Field::References),
                ("taskId", Field::MessageTask),
            ],
            Self::Meta => &[],
            Self::Metadata => &[("skill", Field::Skill)],
            Self::Params => &[
                ("arguments", Field::Arguments),
                ("configuration", Field::Configuration),
                ("contextId", Field::ParamsContext),
                ("id", Field::ParamsId),
                ("message", Field::Message),
                ("name", Field::Name),
                ("parent", Field::Parent),
                ("protocolVersion", Field::ParamsVersion),
                ("ref", Field::Ref),
                ("sessionId", Field::Session),
                ("taskId", Field::ParamsTask),
                ("tenant", Field::Tenant),
                ("uri", Field::Uri),
            ],
            Self::Prompt => &[("model", Field::Model)],
            Self::PushConfiguration => &[
                ("name", Field::PushName),
                ("taskId", Field::PushTask),
                ("tenant", Field::PushTenant),
            ],
            Self::Ref => &[("name", Field::RefName), ("uri", Field::RefUri)],
            Self::Request => &[
                ("id", Field::Id),
                ("jsonrpc", Field::Jsonrpc),
                ("method", Field::Method),
                ("params", Field::Params),
            ],
        }
    }

    /// A member whose key is no word that readers would spell otherwise.
    fn literal(self, key: &str) -> Option<Field> {
        match (self, key) {
            (Self::Params, "_meta") => Some(Field::Meta),
            (Self::Meta, "io.modelcontextprotocol/protocolVersion") => Some(Field::MetaVersion),
            _ => None,
        }
    }
}

/// The level of a container that begins.
const fn below(root: Level, level: Option<Level>, member: Option<Field>, object: bool) -> Level {
    match (level, member, object) {
        (None, _, true) => root,
        (None, _, false) => Level::Batch,
        (Some(Level::Batch), _, true) => Level::Element,
        (Some(_), Some(Field::Params), true) => Level::Params,
        (Some(_), Some(Field::Message), true) => Level::Message,
        (Some(_), Some(Field::Meta), true) => Level::Meta,
        (Some(_), Some(Field::Metadata), true) => Level::Metadata,
        (Some(_), Some(Field::Configuration), true) => Level::Configuration,
        (Some(_), Some(Field::PushConfiguration), true) => Level::PushConfiguration,
        (Some(_), Some(Field::Ref), true) => Level::Ref,
        (Some(_), Some(Field::References), false) => Level::References,
        (Some(_), _, _) => Level::Other,
    }
}

/// Whether a key is the member `name`: in camel case, or in the snake case of its protobuf field.
pub(super) fn is_member(key: &[u8], name: &str) -> bool {
    if key == name.as_bytes() {
        return true;
    }
    let mut key = key.iter().copied();
    let written = name.bytes().all(|byte| {
        if byte.is_ascii_uppercase() {
            key.next() == Some(b'_') && key.next() == Some(byte.to_ascii_lowercase())
        } else {
            key.next() == Some(byte)
        }
    });
    written && key.next().is_none()
}

/// The member that a key would be to a reader that ignores case and underscores.
fn spelt<'a>(fields: &'a [(&'static str, Field)], key: &str) -> Option<&'a (&'static str, Field)> {
    let mut fields = fields.iter();
    if !key.is_ascii() {
        return fields.find(|(name, _)| is_spelling(key, name));
    }
    // Most differ in their first letter.
    let first = key.bytes().find(|byte| *byte != b'_')?;
    let first = Some(first.to_ascii_lowercase());
    fields
        .find(|(name, _)| name.bytes().next() == first && (key == *name || is_spelling(key, name)))
}

/// Whether a key would be the member `name` to a reader that ignores case and underscores.
pub(super) fn is_spelling(key: &str, name: &str) -> bool {
    if key.is_ascii() {
        let letters = key.bytes().filter(|byte| *byte != b'_');
        return letters
            .map(|byte| byte.to_ascii_lowercase())
            .eq(name.bytes().map(|byte| byte.to_ascii_lowercase()));
    }
    let letters = key.chars().filter(|char| *char != '_');
    letters.map(fold).eq(name.chars().map(fold))
}

/// Simple case folding of what can fold to an ASCII letter: two more characters do (Unicode,
/// CaseFolding.txt), and readers written in Go know them.
const fn fold(char: char) -> char {
    match char {
        '\u{17F}' => 's',
        '\u{212A}' => 'k',
        _ => char.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_two_spellings_and_many_look_alikes() {
        for key in ["taskId", "task_id"] {
            assert!(
                is_member(key.as_bytes(), "taskId") && is_spelling(key, "taskId"),
                "{key}"
            );
        }
        for key in [
            "TaskId",
            "taskID",
            "taskid",
            "tas\u{212A}Id",
            "ta\u{17F}kId",
            "t_askId",
            "task__id",
            "_task_id",
        ] {
            assert!(
                !is_member(key.as_bytes(), "taskId") && is_spelling(key, "taskId"),
                "{key}"
            );
        }
        for key in ["task", "taskIds", "id", ""] {
            assert!(!is_spelling(key, "taskId"), "{key}");
        }
    }

    #[test]
    fn members_are_found_where_they_count_and_nowhere_else() {
        let body = br#"{"params":{"message":{"metadata":{"skill":"s","taskId":"no"},"parts":[{"data":{"taskId":"no"}}],
            "taskId":"t","referenceTaskIds":["a","b"]},"metadata":{"skill":"no"}},"method":"m","result":{"jsonrpc":"no"}}"#;
        let (envelope, flaw) = read(body, 64);
        assert_eq!(flaw, None);
        let text = |value| match value {
            Value::String(text) => text.decode().unwrap().into_owned(),
            other => format!("{other:?}"),
        };
        assert_eq!(text(envelope.message_task), "t");
        assert_eq!(text(envelope.skill), "s");
        assert_eq!(text(envelope.method), "m");
        assert_eq!(text(envelope.jsonrpc), "Absent");
        assert_eq!(text(envelope.params_task), "Absent");
        assert_eq!(envelope.references.len(), 2);
        assert!(!envelope.ambiguous_request && !envelope.ambiguous_params);
    }
}
