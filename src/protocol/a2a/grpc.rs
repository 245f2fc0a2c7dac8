//! A2A over gRPC (A2A 1.0, section 10): the operation stands in the path, the parameters in one protobuf message.
//!
//! The message is read by the numbers of its fields, and only as far as it names something. A field of ours that is
//! there twice is refused, where readers of protobuf would take the last one or merge the two: as keys of JSON are.

use http::Method as Verb;

use super::super::envelope::is_spelling;
use super::schema::{Field, Level, METHODS_OF_0_3, METHODS_OF_1_0};
use super::{
    MAX_REFERENCES, Method, Objects, ParamsError, References, addressed, needs_task, skill_name,
};
use crate::model::{A2aVersion, ContextId, Hook, Operation, TaskId};
use crate::protobuf::{Fields, Flaw, Wire};

/// The bytes before each message: whether it is compressed, and its length (gRPC over HTTP/2, "Requests").
pub(in super::super) const PREFIX_BYTES: usize = 5;

/// What the path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Route {
    pub(in super::super) method: Method,
    request: Level,
}

/// Why a request over gRPC cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum GrpcError {
    /// What is compressed is not read.
    #[error("the message is compressed")]
    Compressed,
    /// No message, half of one, several, or more behind it.
    #[error("the body is not exactly one message")]
    NotOneMessage,
    /// The name of a resource that is no task's, or that readers cut in two ways.
    #[error("the name of the resource is not that of a task")]
    NotTheNameOfATask,
    /// What is named cannot be judged.
    #[error(transparent)]
    Params(#[from] ParamsError),
    /// The message cannot be read.
    #[error("the message has {0}")]
    Protobuf(#[from] Flaw),
    /// Readers take the last one, or merge them.
    #[error("field {0} is there twice")]
    Twice(u32),
    /// Readers take it for another field, or refuse it.
    #[error("field {0} is of another type")]
    Type(u32),
}

impl Route {
    /// The operation of this request; `None` if it is none of A2A's. `path` is decoded. Most servers of gRPC compare it
    /// letter by letter; those that are built on routers of HTTP may live below a path of their own, take letters of
    /// any case, and not mind a slash at the end.
    pub(in super::super) fn of(verb: &Verb, path: &str) -> Option<Self> {
        let (before, name) = path.strip_suffix('/').unwrap_or(path).rsplit_once('/')?;
        let (_, service) = before.rsplit_once('/')?;
        let is = |name: &str, written: &str| written.eq_ignore_ascii_case(name);
        let (version, methods) = match service {
            service if is("a2a.v1.A2AService", service) => (A2aVersion::V0_3, METHODS_OF_0_3),
            service if is("lf.a2a.v1.A2AService", service) => (A2aVersion::V1_0, METHODS_OF_1_0),
            _ => return None,
        };
        let mut methods = methods.iter().filter(|_| *verb == Verb::POST);
        let (_, canonical, request) = methods.find(|(method, ..)| is(method, name))?;
        Some(Self {
            method: Method { canonical, version },
            request: *request,
        })
    }

    /// What the body names.
    pub(in super::super) fn objects(self, body: &[u8]) -> Result<Objects, GrpcError> {
        let mut named = Named::default();
        named.read(self.request, one_message(body)?)?;
        let operation = self.method.operation();
        let is_config = matches!(
            self.method.canonical,
            "GetTaskPushNotificationConfig" | "DeleteTaskPushNotificationConfig"
        );
        let task = match named.name {
            Some(name) => Some(task_of(name, is_config)?),
            None => task_id(named.task)?,
        };
        let message_task = task_id(named.message_task)?;
        let config_task = match named.config_name {
            Some(name) => Some(task_of(name, true).or_else(|_| task_of(name, false))?),
            None => task_id(named.config_task)?,
        };
        let about = match operation {
            Operation::SendMessage | Operation::StreamMessage => message_task.clone(),
            _ => task.clone().or_else(|| config_task.clone()),
        };
        if about.is_none() && needs_task(operation) {
            return Err(ParamsError::NoTask.into());
        }
        let mut references = References::besides(about.as_ref());
        references.extend([task, message_task, config_task])?;
        for reference in &named.references {
            references.extend([task_id(Some(*reference))?])?;
        }
        let references = references.found;
        Ok(Objects {
            hook: named.hook()?,
            addressed: addressed(
                // What is no text is nobody's name.
                [named.tenant, named.config_tenant].map(|bytes| {
                    bytes.map(|bytes| Box::from(std::str::from_utf8(bytes).unwrap_or_default()))
                }),
                None,
            ),
            skill: named.skill.map(skill_name).transpose()?.flatten(),
            references,
            task: about,
            context: context_id(named.context)?,
        })
    }
}

/// The message of a unary request.
fn one_message(body: &[u8]) -> Result<&[u8], GrpcError> {
    let (prefix, message) = body
        .split_first_chunk::<PREFIX_BYTES>()
        .ok_or(GrpcError::NotOneMessage)?;
    let [compressed, length @ ..] = prefix;
    if *compressed != 0 {
        return Err(GrpcError::Compressed);
    }
    let is_one = u32::from_be_bytes(*length) as usize == message.len();
    is_one.then_some(message).ok_or(GrpcError::NotOneMessage)
}

/// What a message names, as it stands there. An empty text is what an absent field says.
#[derive(Debug, Default)]
struct Named<'a> {
    /// The resource in 0.3, the task in 1.0.
    name: Option<&'a [u8]>,
    task: Option<&'a [u8]>,
    context: Option<&'a [u8]>,
    message_task: Option<&'a [u8]>,
    config_name: Option<&'a [u8]>,
    config_task: Option<&'a [u8]>,
    references: Vec<&'a [u8]>,
    tenant: Option<&'a [u8]>,
    config_tenant: Option<&'a [u8]>,
    skill: Option<&'a str>,
    hook_url: Option<&'a [u8]>,
    hook_token: Option<&'a [u8]>,
    hook_schemes: Vec<&'a [u8]>,
    hook_credentials: Option<&'a [u8]>,
    seen: u32,
}

impl<'a> Named<'a> {
    /// Reads one message, and those in it that matter: never more than five, one in another.
    fn read(&mut self, level: Level, message: &'a [u8]) -> Result<(), GrpcError> {
        let fields = level.fields();
        for field in Fields::of(message) {
            let (number, wire) = field?;
            let Some((_, field)) = fields.iter().find(|(ours, _)| *ours == number) else {
                continue;
            };
            let Wire::Bytes(bytes) = wire else {
                return Err(GrpcError::Type(number));
            };
            let bit = 1 << field.index();
            let may_repeat = matches!(field, Field::HookScheme | Field::Reference);
            if self.seen & bit != 0 && !may_repeat {
                return Err(GrpcError::Twice(number));
            }
            self.seen |= bit;
            self.take(*field, bytes)?;
        }
        Ok(())
    }

    fn take(&mut self, field: Field, bytes: &'a [u8]) -> Result<(), GrpcError> {
        let text = Some(bytes).filter(|bytes| !bytes.is_empty());
        match field {
            Field::Config(level)
            | Field::Configuration(level)
            | Field::Hook(level)
            | Field::HookAuthentication(level)
            | Field::Message(level) => {
                return self.read(level, bytes);
            }
            Field::ConfigName => self.config_name = text,
            Field::ConfigTask => self.config_task = text,
            Field::Context => self.context = text,
            Field::HookCredentials => self.hook_credentials = text,
            // One above what is accepted is enough to refuse it.
            Field::HookScheme if self.hook_schemes.len() > MAX_REFERENCES => {}
            Field::HookScheme => self.hook_schemes.extend(text),
            Field::HookToken => self.hook_token = text,
            Field::HookUrl => self.hook_url = text,
            Field::MessageTask => self.message_task = text,
            Field::Metadata => self.skill = skill(bytes)?,
            Field::Name => self.name = text,
            Field::Reference if self.references.len() == MAX_REFERENCES => {
                return Err(ParamsError::TooManyReferences.into());
            }
            Field::Reference => self.references.extend(text),
            Field::Task => self.task = text,
            Field::Tenant => self.tenant = text,
            Field::TenantOfConfig => self.config_tenant = text,
        }
        Ok(())
    }
}

impl Named<'_> {
    /// What is registered for push notifications.
    fn hook(&self) -> Result<Option<Box<Hook>>, ParamsError> {
        let read = |bytes| text(bytes).map_err(|_| ParamsError::HookNotText);
        let Some(url) = self.hook_url.map(read).transpose()? else {
            return Ok(None);
        };
        let token = self.hook_token.map(read).transpose()?;
        let credentials = self.hook_credentials.map(read).transpose()?;
        let schemes = self.hook_schemes.iter().map(|scheme| read(scheme));
        let schemes: Vec<_> = schemes.collect::<Result<_, _>>()?;
        Ok(Some(Box::new(Hook::new(url, token, schemes, credentials)?)))
    }
}

/// The `skill` of a `google.protobuf.Struct`, if it is a text.
fn skill(metadata: &[u8]) -> Result<Option<&str>, GrpcError> {
    let mut skill = None;
    for field in Fields::of(metadata) {
        // Of map<string, Value> each entry is a message of a key and a value.
        let (1, wire) = field? else { continue };
        let Wire::Bytes(entry) = wire else {
            return Err(GrpcError::Type(1));
        };
        let (key, value) = entry_of(entry)?;
        let key = std::str::from_utf8(key).map_err(|_| ParamsError::Ambiguous)?;
        if !is_spelling(key, SKILL) {
            continue;
        }
        if key != SKILL || skill.is_some() {
            return Err(ParamsError::Ambiguous.into());
        }
        skill = Some(text_of(value)?);
    }
    Ok(skill.flatten())
}

const SKILL: &str = "skill";

/// The key and the value of an entry; each may be absent, and is empty then.
fn entry_of(entry: &[u8]) -> Result<(&[u8], &[u8]), GrpcError> {
    let (mut key, mut value) = (None, None);
    for field in Fields::of(entry) {
        let (number, wire) = field?;
        let place = match number {
            1 => &mut key,
            2 => &mut value,
            _ => continue,
        };
        let Wire::Bytes(bytes) = wire else {
            return Err(GrpcError::Type(number));
        };
        if place.replace(bytes).is_some() {
            return Err(GrpcError::Twice(number));
        }
    }
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}

/// The text of a `google.protobuf.Value`; `None` if it is something else.
fn text_of(value: &[u8]) -> Result<Option<&str>, GrpcError> {
    let mut text = None;
    let mut kinds = 0;
    for field in Fields::of(value) {
        // Of null, number, string, bool, struct and list it is one. Of two, the last one would count.
        let (number @ 1..=6, wire) = field? else {
            continue;
        };
        kinds += 1;
        if kinds > 1 {
            return Err(ParamsError::Ambiguous.into());
        }
        text = match (number, wire) {
            (3, Wire::Bytes(bytes)) => {
                Some(std::str::from_utf8(bytes).map_err(|_| ParamsError::SkillNotValid)?)
            }
            (3, Wire::Fixed | Wire::Number(_)) => return Err(GrpcError::Type(3)),
            (_, _) => None,
        };
    }
    Ok(text)
}

/// The task in the name of a resource: `tasks/{id}`, behind which a push configuration may stand. Some agents take
/// what is behind the first slash and some what is behind the last, so there is no other.
fn task_of(name: &[u8], is_config: bool) -> Result<TaskId, GrpcError> {
    let name = text(name)?;
    let mut parts = name.split('/');
    let (Some("tasks"), Some(id)) = (parts.next(), parts.next()) else {
        return Err(GrpcError::NotTheNameOfATask);
    };
    let is_whole = match (is_config, parts.next(), parts.next(), parts.next()) {
        (false, rest, _, _) => rest.is_none(),
        (true, Some("pushNotificationConfigs"), Some(_), rest) => rest.is_none(),
        (true, ..) => false,
    };
    if !is_whole {
        return Err(GrpcError::NotTheNameOfATask);
    }
    Ok(TaskId::new(id).map_err(ParamsError::IdNotValid)?)
}

fn task_id(bytes: Option<&[u8]>) -> Result<Option<TaskId>, ParamsError> {
    let id = bytes.map(text).transpose()?;
    Ok(id.map(TaskId::new).transpose()?)
}

fn context_id(bytes: Option<&[u8]>) -> Result<Option<ContextId>, ParamsError> {
    let id = bytes.map(text).transpose()?;
    Ok(id.map(ContextId::new).transpose()?)
}

/// Readers refuse what is not UTF-8, or do not.
fn text(bytes: &[u8]) -> Result<&str, ParamsError> {
    std::str::from_utf8(bytes).map_err(|_| ParamsError::IdNotText)
}
