//! Model APIs, as OpenAI and Anthropic have them: known by the end of the path, named by the model.

use http::Method as Verb;

use super::envelope::{Envelope, Value};
use super::names::is_plain;
use crate::model::LlmApi;

/// The longest name of a model, in bytes. Arbitrary.
const MAX_MODEL_BYTES: usize = 512;

/// A request for an answer of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) api: LlmApi,
    /// Where the path names the model, the body does not count.
    deployment: Option<Box<str>>,
}

/// Why the model cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ModelError {
    #[error("`model` can be read in two ways")]
    Ambiguous,
    #[error("`model` is not a name")]
    NotAName,
}

impl Route {
    /// `path` is decoded.
    pub(super) fn of(verb: &Verb, path: &str) -> Option<Self> {
        if *verb != Verb::POST {
            return None;
        }
        let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        let is = |name: &str, segment: &str| segment.eq_ignore_ascii_case(name);
        let (api, before) = match segments.as_slice() {
            [before @ .., chat, last] if is("chat", chat) && is("completions", last) => {
                (LlmApi::ChatCompletions, before)
            }
            [before @ .., last] if is("responses", last) => (LlmApi::Responses, before),
            [before @ .., v1, last] if is("v1", v1) && is("messages", last) => {
                (LlmApi::Messages, before)
            }
            _ => return None,
        };
        let deployment = match before {
            [.., deployments, name] if is("deployments", deployments) => Some(Box::from(*name)),
            _ => None,
        };
        Some(Self { api, deployment })
    }

    /// The canonical method.
    pub(super) const fn method(&self) -> &'static str {
        match self.api {
            LlmApi::ChatCompletions => "chat",
            LlmApi::Messages => "messages",
            LlmApi::Responses => "responses",
        }
    }

    /// The model that is asked.
    pub(super) fn model(&self, envelope: &Envelope<'_>) -> Result<Option<Box<str>>, ModelError> {
        if envelope.ambiguous_params {
            return Err(ModelError::Ambiguous);
        }
        let named = match envelope.model {
            Value::Absent | Value::Null => None,
            Value::String(text) => Some(text.decode().map_err(|_| ModelError::NotAName)?),
            Value::Number(_) | Value::Object | Value::Other => return Err(ModelError::NotAName),
        };
        let named = match &self.deployment {
            Some(deployment) => Some(&**deployment),
            None => named.as_deref(),
        };
        match named {
            Some(name) if !is_plain(name, MAX_MODEL_BYTES) => Err(ModelError::NotAName),
            named => Ok(named.map(Box::from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_path_is_the_api() {
        let api = |path| Route::of(&Verb::POST, path).map(|route| route.method());
        for (path, expected) in [
            ("/v1/chat/completions", Some("chat")),
            ("/openai/v1/chat/completions/", Some("chat")),
            ("/chat/completions", Some("chat")),
            ("/openai/deployments/gpt/chat/completions", Some("chat")),
            ("/v1/responses", Some("responses")),
            ("/v1/messages", Some("messages")),
            ("/messages", None),
            ("/v1/messages/count_tokens", None),
            ("/v1/embeddings", None),
        ] {
            assert_eq!(api(path), expected, "{path}");
        }
        assert_eq!(Route::of(&Verb::GET, "/v1/responses"), None);
    }
}
