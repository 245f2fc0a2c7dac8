//! A2A over REST (A2A 1.0, section 11): the operation stands in method and path, the parameters in the body.
//!
//! An agent may live below a path of its own, and a tenant may stand before the operation, so only the end of
//! the path is looked at. Letters of another case count: some frameworks route them alike.

use std::borrow::Cow;

use http::Method as Verb;

use super::super::envelope::{Envelope, is_spelling};
use super::super::path;
use super::super::version::Asserted;
use super::{
    Method, Objects, ParamsError, References, addressed, context, needs_task, skill, task, tenant,
    text,
};
use crate::model::{A2aVersion, ContextId, Operation, TaskId};

/// What method and path ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Route {
    pub(in super::super) method: Method,
    /// The task that the path names.
    task: Option<Box<str>>,
    /// What stands before the operation, without the version.
    before: Box<str>,
    query: Option<Box<str>>,
}

impl Route {
    /// The operation of this request; `None` if it is none of A2A's. `path` is decoded.
    pub(in super::super) fn of(
        verb: &Verb,
        path: &str,
        query: Option<&str>,
        asserted: Asserted,
    ) -> Option<Self> {
        let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        let (canonical, task, before) = operation(verb, &segments)?;
        let version = match canonical {
            Called::Legacy(_) => A2aVersion::V0_1,
            Called::Named(_) => asserted.version().unwrap_or_else(|| {
                // Until 1.0 the version stood in the path.
                match before.last().is_some_and(|last| is("v1", last)) {
                    true => A2aVersion::V0_3,
                    false => A2aVersion::V1_0,
                }
            }),
        };
        let before = match before.split_last() {
            Some((last, before)) if version == A2aVersion::V0_3 && is("v1", last) => before,
            _ => before,
        };
        let (Called::Legacy(canonical) | Called::Named(canonical)) = canonical;
        Some(Self {
            before: before.join("/").into_boxed_str(),
            method: Method { canonical, version },
            task: task.map(Box::from),
            query: query.map(Box::from),
        })
    }

    /// What path, query and body name. The body's parameters are those of the method over JSON-RPC, or in
    /// 0.3 those of its protobuf.
    pub(in super::super) fn objects(
        &self,
        envelope: &Envelope<'_>,
    ) -> Result<Objects, ParamsError> {
        if envelope.ambiguous_request || envelope.ambiguous_params {
            return Err(ParamsError::Ambiguous);
        }
        let operation = self.method.operation();
        let sends = matches!(operation, Operation::SendMessage | Operation::StreamMessage);
        let is_legacy = self.method.version == A2aVersion::V0_1;
        let body_id = match operation {
            // Beside a push configuration it is the configuration's.
            Operation::PushConfig => None,
            _ => task(envelope.params_id)?,
        };
        let message_task = task(envelope.message_task)?;
        let named = match &self.task {
            Some(id) => Some(TaskId::new(id)?),
            None if sends && !is_legacy => message_task.clone(),
            None => body_id.clone(),
        };
        if named.is_none() && (needs_task(operation) || is_legacy) {
            return Err(ParamsError::NoTask);
        }
        let query = Query::read(self.query.as_deref())?;
        let mut references = References::besides(named.as_ref());
        references.extend([body_id, message_task, task(envelope.params_task)?])?;
        for name in [
            envelope.params_name,
            envelope.params_parent,
            envelope.push_name,
        ] {
            let name = text(name)?;
            references.extend([name.as_deref().and_then(resource).transpose()?])?;
        }
        references.extend(query.tasks.into_iter().map(Some))?;
        references.named_in(envelope)?;
        let context = context([
            envelope.message_context,
            envelope.params_context,
            envelope.params_session,
        ])?;
        if context.is_some() && query.context.is_some() && context != query.context {
            return Err(ParamsError::TwoContexts);
        }
        Ok(Objects {
            skill: skill(envelope.skill, operation)?,
            references: references.found,
            task: named,
            context: context.or(query.context),
            hook: None,
            addressed: addressed(
                [tenant(envelope.params_tenant), tenant(envelope.push_tenant)]
                    .into_iter()
                    .chain(query.tenants.into_iter().map(Some)),
                Some(&self.before),
            ),
        })
    }
}

/// A method by its name of 1.0.
#[derive(Debug, Clone, Copy)]
enum Called {
    /// As agents from before 0.2 were called, without JSON-RPC around it.
    Legacy(&'static str),
    Named(&'static str),
}

/// The method, the task of the path, and the segments before.
fn operation<'a>(
    verb: &Verb,
    segments: &'a [&'a str],
) -> Option<(Called, Option<&'a str>, &'a [&'a str])> {
    let reads = *verb == Verb::GET || *verb == Verb::HEAD;
    let posts = *verb == Verb::POST;
    let named = |canonical| Called::Named(canonical);
    let found = match segments {
        [before @ .., last] if posts && is("message:send", last) => {
            (named("SendMessage"), None, before)
        }
        [before @ .., last] if posts && is("message:stream", last) => {
            (named("SendStreamingMessage"), None, before)
        }
        [before @ .., tasks, last] if is_tasks(tasks) => (
            of_task(reads, posts, last)?,
            Some(without_verb(last)),
            before,
        ),
        [before @ .., tasks, id, configs] if is_tasks(tasks) && is(CONFIGS, configs) => {
            let canonical = match () {
                () if posts => "CreateTaskPushNotificationConfig",
                () if reads => "ListTaskPushNotificationConfigs",
                () => return None,
            };
            (named(canonical), Some(*id), before)
        }
        [before @ .., tasks, id, configs, _] if is_tasks(tasks) && is(CONFIGS, configs) => {
            let canonical = match () {
                () if reads => "GetTaskPushNotificationConfig",
                () if *verb == Verb::DELETE => "DeleteTaskPushNotificationConfig",
                () => return None,
            };
            (named(canonical), Some(*id), before)
        }
        [before @ .., last] if reads && is("tasks", last) => (named("ListTasks"), None, before),
        [before @ .., last] if reads && is("extendedAgentCard", last) => {
            (named("GetExtendedAgentCard"), None, before)
        }
        [_, .., version, last] if reads && is("v1", version) && is("card", last) => {
            let before = segments.split_last().map_or(segments, |(_, before)| before);
            (named("GetExtendedAgentCard"), None, before)
        }
        [before @ .., agent, last]
            if reads && is("agent", agent) && is("authenticatedExtendedCard", last) =>
        {
            (named("GetExtendedAgentCard"), None, before)
        }
        _ => return None,
    };
    // What a legacy agent is told by its path is no task.
    match found {
        (called @ Called::Legacy(_), _, before) => Some((called, None, before)),
        found => Some(found),
    }
}

/// What is asked of a task: `{id}`, `{id}:cancel` or `{id}:subscribe`.
fn of_task(reads: bool, posts: bool, last: &str) -> Option<Called> {
    let verb = last.rsplit_once(':').map(|(_, verb)| verb);
    let verb_is = |name| verb.is_some_and(|verb| is(name, verb));
    if posts {
        return match last.to_ascii_lowercase().as_str() {
            "cancel" => Some(Called::Legacy("CancelTask")),
            "get" => Some(Called::Legacy("GetTask")),
            "send" => Some(Called::Legacy("SendMessage")),
            "sendsubscribe" => Some(Called::Legacy("SendStreamingMessage")),
            _ if verb_is("cancel") => Some(Called::Named("CancelTask")),
            _ if verb_is("subscribe") => Some(Called::Named("SubscribeToTask")),
            _ => None,
        };
    }
    if !reads {
        return None;
    }
    Some(Called::Named(if verb_is("subscribe") {
        "SubscribeToTask"
    } else {
        "GetTask"
    }))
}

/// The id before the verb: a router that is not greedy reads it so, and one that is finds no such task.
fn without_verb(last: &str) -> &str {
    match last.rsplit_once(':') {
        Some((id, verb)) if is("cancel", verb) || is("subscribe", verb) => id,
        Some(_) | None => last,
    }
}

/// The agents of 0.2.5 have push configurations below `task`.
fn is_tasks(segment: &str) -> bool {
    is("tasks", segment) || is("task", segment)
}

fn is(name: &str, segment: &str) -> bool {
    segment.eq_ignore_ascii_case(name)
}

const CONFIGS: &str = "pushNotificationConfigs";

/// The task in the name of a resource: `tasks/{id}`, and what may stand behind it.
pub(super) fn resource(name: &str) -> Option<Result<TaskId, ParamsError>> {
    let rest = name.strip_prefix("tasks/").unwrap_or(name);
    let id = rest.split('/').next().unwrap_or_default();
    (!id.is_empty()).then(|| TaskId::new(id).map_err(ParamsError::IdNotValid))
}

/// What a query names.
#[derive(Debug, Default)]
struct Query {
    tasks: Vec<TaskId>,
    context: Option<ContextId>,
    tenants: Vec<Box<str>>,
}

impl Query {
    fn read(query: Option<&str>) -> Result<Self, ParamsError> {
        let mut read = Self::default();
        for pair in query.into_iter().flat_map(|query| query.split('&')) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (unescape(key), unescape(value)) else {
                return Err(ParamsError::Query);
            };
            if value.is_empty() {
                continue;
            }
            let spells = |name| is_spelling(&key, name);
            if spells("contextId") {
                let context = ContextId::new(&value)?;
                if read.context.as_ref().is_some_and(|other| *other != context) {
                    return Err(ParamsError::TwoContexts);
                }
                read.context = Some(context);
            } else if spells("tenant") {
                read.tenants.push(Box::from(&*value));
            } else if spells("id") || spells("taskId") {
                read.tasks.push(TaskId::new(&value)?);
            } else if (spells("name") || spells("parent"))
                && let Some(task) = resource(&value)
            {
                read.tasks.push(task?);
            }
        }
        Ok(read)
    }
}

/// The text of one part of a form (`+` is a space there).
fn unescape(part: &str) -> Option<Cow<'_, str>> {
    if !part.contains(['%', '+']) {
        return Some(Cow::Borrowed(part));
    }
    let bytes = path::unescape(&part.replace('+', " "))?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<String> {
        let (verb, target) = line.split_once(' ').unwrap();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let verb = verb.parse().unwrap();
        let route = Route::of(&verb, path, query, Asserted::default())?;
        let task = route.task.as_deref().unwrap_or("-");
        let version = match route.method.version {
            A2aVersion::V0_1 => "0.1",
            A2aVersion::V0_3 => "0.3",
            A2aVersion::V1_0 => "1.0",
        };
        Some(format!("{version} {} {task}", route.method.canonical))
    }

    #[test]
    fn the_end_of_the_path_is_the_operation() {
        for (line, expected) in [
            ("POST /message:send", "1.0 SendMessage -"),
            ("POST /v1/message:send", "0.3 SendMessage -"),
            ("POST /billing/message:stream", "1.0 SendStreamingMessage -"),
            (
                "POST /agents/a/v1/message:stream/",
                "0.3 SendStreamingMessage -",
            ),
            ("POST /Message:Send", "1.0 SendMessage -"),
            ("GET /tasks", "1.0 ListTasks -"),
            ("HEAD /v1/tasks/", "0.3 ListTasks -"),
            ("GET /tasks/t1", "1.0 GetTask t1"),
            ("GET /v1/TASKS/t1", "0.3 GetTask t1"),
            ("GET /tasks/a:b", "1.0 GetTask a:b"),
            ("GET /tasks/send", "1.0 GetTask send"),
            ("POST /tasks/t1:cancel", "1.0 CancelTask t1"),
            ("POST /tasks/a:b:cancel", "1.0 CancelTask a:b"),
            ("GET /v1/tasks/t1:subscribe", "0.3 SubscribeToTask t1"),
            ("POST /v1/tasks/t1:subscribe", "0.3 SubscribeToTask t1"),
            ("GET /tasks/t1:cancel", "1.0 GetTask t1"),
            (
                "POST /v1/task/t1/pushNotificationConfigs",
                "0.3 CreateTaskPushNotificationConfig t1",
            ),
            (
                "GET /tasks/t1/pushNotificationConfigs",
                "1.0 ListTaskPushNotificationConfigs t1",
            ),
            (
                "GET /tasks/t1/pushNotificationConfigs/c",
                "1.0 GetTaskPushNotificationConfig t1",
            ),
            (
                "DELETE /x/tasks/t1/pushNotificationConfigs/c",
                "1.0 DeleteTaskPushNotificationConfig t1",
            ),
            ("GET /v1/card", "0.3 GetExtendedAgentCard -"),
            ("GET /extendedAgentCard", "1.0 GetExtendedAgentCard -"),
            (
                "GET /agent/authenticatedExtendedCard",
                "1.0 GetExtendedAgentCard -",
            ),
            ("POST /tasks/send", "0.1 SendMessage -"),
            ("POST /tasks/sendSubscribe", "0.1 SendStreamingMessage -"),
            ("POST /tasks/cancel", "0.1 CancelTask -"),
        ] {
            assert_eq!(read(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_requests_are_none_of_it() {
        for line in [
            "GET /message:send",
            "PUT /tasks/t1",
            "POST /tasks",
            "POST /tasks/t1",
            "DELETE /tasks/t1",
            "POST /tasks/t1:pause",
            "GET /tasks/t1/artifacts",
            "GET /card",
            "POST /v1/card",
            "GET /",
            "GET /mytasks/1",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
