//! Errors of the model APIs, as their clients know them.

use serde::Serialize;

use super::{Metadata, PublicError, json};
use crate::model::LlmApi;

/// OpenAI, "Error codes": what stands in `error`.
#[derive(Serialize)]
struct OpenAi<'a> {
    /// Events of `responses` have one.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'static str>,
    code: String,
    #[serde(flatten)]
    metadata: Metadata<'a>,
}

/// Anthropic, "Errors".
#[derive(Serialize)]
struct Anthropic<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: AnthropicError<'a>,
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    code: String,
    #[serde(flatten)]
    metadata: Metadata<'a>,
}

pub(super) fn error(api: LlmApi, error: &PublicError<'_>) -> String {
    match api {
        LlmApi::ChatCompletions => open_ai(None, error),
        LlmApi::Responses => open_ai(Some("error"), error),
        LlmApi::Messages => json(&Anthropic {
            kind: "error",
            error: AnthropicError {
                kind: match error.status {
                    401 => "authentication_error",
                    403 => "permission_error",
                    404 => "not_found_error",
                    413 => "request_too_large",
                    429 => "rate_limit_error",
                    503 => "overloaded_error",
                    504 => "timeout_error",
                    500..=599 => "api_error",
                    _ => "invalid_request_error",
                },
                message: error.message,
                code: error.reason.to_ascii_lowercase(),
                metadata: Metadata::of(error),
            },
            request_id: Some(error.request_id).filter(|id| !id.is_empty()),
        }),
    }
}

fn open_ai(kind: Option<&'static str>, error: &PublicError<'_>) -> String {
    json(&OpenAi {
        kind,
        error: OpenAiError {
            message: error.message,
            kind: match error.status {
                401 => "authentication_error",
                403 => "permission_error",
                429 => "requests",
                500..=599 => "server_error",
                _ => "invalid_request_error",
            },
            param: None,
            code: error.reason.to_ascii_lowercase(),
            metadata: Metadata::of(error),
        },
    })
}
