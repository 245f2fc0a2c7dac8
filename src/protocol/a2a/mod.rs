//! A2A in all its versions and bindings: which operation is asked for, and which tasks and context it names.

pub(super) mod card;
pub(super) mod grpc;
pub(super) mod hook;
pub(super) mod messages;
pub(super) mod rest;
mod schema;

use std::borrow::Cow;

use crate::model::{
    A2A_METHODS, A2aVersion, Action, Addressed, ContextId, Hook, HookError, NameError, Operation,
    Protocol, TaskId,
};

use super::envelope::{Envelope, Value};

/// How many tasks one message may refer to. Arbitrary: far above what a conversation quotes, and each
/// costs a look-up.
const MAX_REFERENCES: usize = 64;

/// The longest name of a skill, in bytes. Arbitrary: cards name skills in one or two words.
const MAX_SKILL_BYTES: usize = 512;

/// A method that both we and the agent know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Method {
    /// The name of 1.0, in which policies are written.
    pub(super) canonical: &'static str,
    /// Which version's name the caller used; it decides the shape of the objects.
    pub(super) version: A2aVersion,
}

/// What a call names.
#[derive(Debug)]
pub(super) struct Objects {
    pub(super) skill: Option<Box<str>>,
    pub(super) task: Option<TaskId>,
    pub(super) references: Vec<TaskId>,
    pub(super) context: Option<ContextId>,
    /// What it registers, where the binding was read as far as that.
    pub(super) hook: Option<Box<Hook>>,
    pub(super) addressed: Option<Box<Addressed>>,
}

impl Objects {
    /// The same with what the call registers.
    pub(super) fn and(self, hook: Option<Hook>) -> Result<Self, ParamsError> {
        let hook = hook.map(Box::new);
        Ok(Self { hook, ..self })
    }
}

/// Why the parameters of a known method cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParamsError {
    /// A key is there twice, or once in letters of another case.
    #[error("a key of the parameters can be read in two ways")]
    Ambiguous,
    /// Two places name different contexts.
    #[error("two contexts are named")]
    TwoContexts,
    /// What is registered for push notifications is none.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A value of it is of another type.
    #[error("the push configuration is not made of texts")]
    HookNotText,
    /// An id that is no text.
    #[error("an id is not a string")]
    IdNotText,
    /// An id that cannot be one.
    #[error("an id is not valid: {0}")]
    IdNotValid(#[from] NameError),
    /// The operation is about a task and names none that we can see.
    #[error("no task is named")]
    NoTask,
    /// Parameters by position, or none at all.
    #[error("the parameters are not an object")]
    NotAnObject,
    /// A part of the query that cannot be decoded.
    #[error("the query has a broken escape")]
    Query,
    /// The skill's name cannot be compared with a policy.
    #[error("the skill is not a valid name")]
    SkillNotValid,
    /// More than we are willing to look up.
    #[error("more than {MAX_REFERENCES} tasks are referred to")]
    TooManyReferences,
}

impl Method {
    /// The method of a JSON-RPC request. What 0.1 and 0.3 call alike is 0.3 here: its objects name tasks alike, too.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        A2A_METHODS
            .iter()
            // A card is fetched with GET and is public; no JSON-RPC method may pass for that.
            .filter(|(canonical, _)| *canonical != AGENT_CARD)
            .find_map(|(canonical, aliases)| {
                let version = if *canonical == name {
                    A2aVersion::V1_0
                } else if !aliases.contains(&name) {
                    return None;
                } else if NAMES_OF_0_1.contains(&name) {
                    A2aVersion::V0_1
                } else {
                    A2aVersion::V0_3
                };
                Some(Self { canonical, version })
            })
    }

    pub(super) fn operation(self) -> Operation {
        match self.canonical {
            "CancelTask" => Operation::CancelTask,
            "GetTask" => Operation::GetTask,
            "ListTasks" => Operation::ListTasks,
            "SendMessage" => Operation::SendMessage,
            "SendStreamingMessage" => Operation::StreamMessage,
            "SubscribeToTask" => Operation::SubscribeTask,
            name if name.ends_with("PushNotificationConfig")
                || name.ends_with("PushNotificationConfigs") =>
            {
                Operation::PushConfig
            }
            _ => Operation::Other,
        }
    }

    /// Finds what the parameters name. Every place that an agent may read a task from is looked at,
    /// also where this method has none: what is named besides the task becomes a reference, and the
    /// ledger asks for each whether the caller owns it.
    pub(super) fn objects(self, envelope: &Envelope<'_>) -> Result<Objects, ParamsError> {
        if envelope.ambiguous_params {
            return Err(ParamsError::Ambiguous);
        }
        if !matches!(envelope.params, Value::Absent | Value::Null | Value::Object) {
            return Err(ParamsError::NotAnObject);
        }
        let operation = self.operation();
        let id = if self.names_task_by_id(operation) {
            task(envelope.params_id)?
        } else {
            None
        };
        let params_task = task(envelope.params_task)?;
        let message_task = task(envelope.message_task)?;
        let named = match operation {
            Operation::SendMessage | Operation::StreamMessage
                if self.version != A2aVersion::V0_1 =>
            {
                message_task.clone()
            }
            _ => id.clone().or_else(|| params_task.clone()),
        };
        if named.is_none() && (needs_task(operation) || self.version == A2aVersion::V0_1) {
            return Err(ParamsError::NoTask);
        }
        let mut references = References::besides(named.as_ref());
        references.extend([id, params_task, message_task])?;
        references.named_in(envelope)?;
        Ok(Objects {
            skill: skill(envelope.skill, operation)?,
            references: references.found,
            task: named,
            context: context([
                envelope.message_context,
                envelope.params_context,
                envelope.params_session,
            ])?,
            hook: None,
            addressed: addressed(
                [envelope.params_tenant, envelope.push_tenant].map(tenant),
                None,
            ),
        })
    }

    /// In 1.0 the `id` beside a push configuration is the configuration's; before it is the task's.
    fn names_task_by_id(self, operation: Operation) -> bool {
        operation != Operation::PushConfig || self.version != A2aVersion::V1_0
    }
}

/// The names that only 0.1 has.
const NAMES_OF_0_1: &[&str] = &[
    "tasks/pushNotification/get",
    "tasks/pushNotification/set",
    "tasks/send",
    "tasks/sendSubscribe",
];

/// The tasks that a call names besides the one that it is about.
struct References<'a> {
    task: Option<&'a TaskId>,
    found: Vec<TaskId>,
}

impl<'a> References<'a> {
    const fn besides(task: Option<&'a TaskId>) -> Self {
        Self {
            task,
            found: Vec::new(),
        }
    }

    fn extend(
        &mut self,
        tasks: impl IntoIterator<Item = Option<TaskId>>,
    ) -> Result<(), ParamsError> {
        for task in tasks.into_iter().flatten() {
            if self.task != Some(&task) && !self.found.contains(&task) {
                if self.found.len() == MAX_REFERENCES {
                    return Err(ParamsError::TooManyReferences);
                }
                self.found.push(task);
            }
        }
        Ok(())
    }

    /// What stands in places of its own: the push configuration, and what a message refers to.
    fn named_in(&mut self, envelope: &Envelope<'_>) -> Result<(), ParamsError> {
        self.extend([task(envelope.push_task)?])?;
        if matches!(
            envelope.references_member,
            Value::Number(_) | Value::Object | Value::String(_)
        ) {
            return Err(ParamsError::IdNotText);
        }
        for value in &envelope.references {
            self.extend([task(*value)?])?;
        }
        Ok(())
    }
}

/// The action of fetching an agent's card.
pub(super) const fn agent_card() -> Action {
    Action::known(Protocol::A2a, AGENT_CARD)
}

const AGENT_CARD: &str = "GetAgentCard";

const fn needs_task(operation: Operation) -> bool {
    match operation {
        Operation::CancelTask
        | Operation::GetTask
        | Operation::PushConfig
        | Operation::SubscribeTask => true,
        Operation::AgentCard
        | Operation::ListTasks
        | Operation::Other
        | Operation::SendMessage
        | Operation::StreamMessage => false,
    }
}

fn task(value: Value<'_>) -> Result<Option<TaskId>, ParamsError> {
    text(value)?
        .map(|text| TaskId::new(&text).map_err(ParamsError::IdNotValid))
        .transpose()
}

/// The context that these places name, if they name one.
fn context<const N: usize>(places: [Value<'_>; N]) -> Result<Option<ContextId>, ParamsError> {
    let mut named: Option<Cow<'_, str>> = None;
    for place in places {
        let text = text(place)?;
        if text.is_some() && named.is_some() && text != named {
            return Err(ParamsError::TwoContexts);
        }
        named = named.or(text);
    }
    named
        .map(|text| ContextId::new(&text).map_err(ParamsError::IdNotValid))
        .transpose()
}

/// An id's text. Protobuf JSON does not tell an empty text from an absent one, so neither do we.
fn text(value: Value<'_>) -> Result<Option<Cow<'_, str>>, ParamsError> {
    match value {
        Value::Absent | Value::Null => Ok(None),
        Value::String(text) => {
            let text = text.decode().map_err(|_| ParamsError::IdNotText)?;
            Ok(Some(text).filter(|text| !text.is_empty()))
        }
        Value::Number(_) | Value::Object | Value::Other => Err(ParamsError::IdNotText),
    }
}

/// The tenant that a place names. What cannot be compared is nobody's name.
fn tenant(value: Value<'_>) -> Option<Box<str>> {
    match text(value) {
        Ok(text) => text.map(Box::from),
        Err(_) => Some(Box::default()),
    }
}

/// To whom a call is addressed, if it says so anywhere.
fn addressed(
    tenants: impl IntoIterator<Item = Option<Box<str>>>,
    before: Option<&str>,
) -> Option<Box<Addressed>> {
    let addressed = Addressed {
        tenants: tenants.into_iter().flatten().collect(),
        before: before.filter(|before| !before.is_empty()).map(Box::from),
    };
    let is_said = !addressed.tenants.is_empty() || addressed.before.is_some();
    is_said.then(|| Box::new(addressed))
}

/// The skill that a message asks for. What is not a text is no skill: an allow that names one does not
/// match then, and a deny that names one does.
fn skill(value: Value<'_>, operation: Operation) -> Result<Option<Box<str>>, ParamsError> {
    if !matches!(operation, Operation::SendMessage | Operation::StreamMessage) {
        return Ok(None);
    }
    let Value::String(text) = value else {
        return Ok(None);
    };
    skill_name(&text.decode().map_err(|_| ParamsError::SkillNotValid)?)
}

fn skill_name(skill: &str) -> Result<Option<Box<str>>, ParamsError> {
    // An agent may trim what it dispatches on, and then a deny of that name would have missed it.
    let trimmed = skill.trim().len() == skill.len();
    if skill.len() > MAX_SKILL_BYTES || !trimmed || skill.chars().any(char::is_control) {
        return Err(ParamsError::SkillNotValid);
    }
    Ok(Some(skill).filter(|skill| !skill.is_empty()).map(Box::from))
}
