//! Refusals of plain HTTP, and of the REST of A2A before 1.0.

use http::StatusCode;
use serde::Serialize;

use super::{Metadata, PlainData, PublicError, Voice, json, whole_seconds};

/// Problem details (RFC 9457).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_seconds: Option<u64>,
}

pub(super) fn details(error: &PublicError<'_>) -> String {
    json(&Problem {
        // RFC 9457, section 4.2.1: with `about:blank` the title is the status's phrase.
        kind: "about:blank",
        title: StatusCode::from_u16(error.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Error"),
        status: error.status,
        detail: error.message,
        reason: (error.voice == Voice::Lictor).then_some(error.reason),
        metadata: Metadata::of(error),
        retry_after_seconds: error.retry_after.map(whole_seconds),
    })
}

/// As the SDKs of A2A 0.3 say it: that for Python reads the message alone, and its agents say no more; that for
/// JavaScript takes only what has a code as well for an error of its protocol.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    message: &'a str,
    #[serde(flatten)]
    data: Option<PlainData<'a>>,
}

pub(super) fn message(error: &PublicError<'_>) -> String {
    let is_own = error.voice == Voice::Lictor;
    json(&Message {
        code: is_own.then_some(error.code),
        message: error.message,
        data: is_own.then(|| PlainData::of(error)),
    })
}
