//! Refusals of gRPC: a status beside the answer, in its head or behind its body, and never in HTTP's status (gRPC over
//! HTTP/2, "Responses").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::status::Code;
use super::{A2A_DOMAIN, Metadata, OWN_DOMAIN, PublicError, Voice, whole_seconds};
use crate::model::{A2aVersion, Dialect};
use crate::protobuf::{put, put_number};

pub(in super::super) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(in super::super) const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(in super::super) const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
/// What is taken instead of what was refused (gRPC, "Compression").
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// The fields that say it.
pub(super) fn fields(dialect: Dialect, error: &PublicError<'_>) -> HeaderMap {
    let code = code(error.status, error.code);
    let is_of_0_3 = matches!(dialect, Dialect::A2a(A2aVersion::V0_3, _));
    let is_silent = error.voice == Voice::Agent;
    let mut fields = HeaderMap::with_capacity(4);
    fields.insert(STATUS, HeaderValue::from(code.number()));
    // The SDK of 0.3 says of what class its error is, and nothing more.
    let message = match error.reason {
        "TASK_NOT_FOUND" if is_of_0_3 => escape(&format!("TaskNotFoundError: {}", error.message)),
        _ => escape(error.message),
    };
    let mut put = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            fields.insert(name, value);
        }
    };
    put(MESSAGE, &message);
    if !(is_of_0_3 && is_silent) {
        put(
            DETAILS,
            &STANDARD_NO_PAD.encode(status(code.number(), error)),
        );
    }
    if error.status == UNSUPPORTED_MEDIA_TYPE {
        put(ACCEPT_ENCODING, "identity");
    }
    fields
}

/// The fields that say an error under a status that stays.
pub(in super::super) fn told(number: u16, error: &PublicError<'_>) -> [(HeaderName, String); 2] {
    [
        (MESSAGE, escape(error.message)),
        (DETAILS, STANDARD_NO_PAD.encode(status(number, error))),
    ]
}

const UNSUPPORTED_MEDIA_TYPE: u16 = 415;

/// The code: that of the HTTP status, but where gRPC or A2A has another one for the very fact.
pub(super) const fn code(status: u16, code: i32) -> Code {
    match (status, code) {
        // gRPC, "Compression"
        (UNSUPPORTED_MEDIA_TYPE, _) => Code::Unimplemented,
        // `PushNotificationNotSupportedError` and `UnsupportedOperationError` (A2A 1.0, section 5.4)
        (_, -32003 | -32004) => Code::FailedPrecondition,
        (status, _) => Code::of(status),
    }
}

/// `google.rpc.Status`, with an `ErrorInfo` and, where it helps to wait, a `RetryInfo`.
fn status(number: u16, error: &PublicError<'_>) -> Vec<u8> {
    let mut status = Vec::with_capacity(192);
    put_number(&mut status, 1, number.into());
    put(&mut status, 2, error.message.as_bytes());
    if let Some(reason) = error.kept {
        let mut info = Vec::with_capacity(64);
        put(&mut info, 1, reason.as_bytes());
        put(&mut info, 2, A2A_DOMAIN.as_bytes());
        put_any(
            &mut status,
            "type.googleapis.com/google.rpc.ErrorInfo",
            &info,
        );
    }
    put_any(
        &mut status,
        "type.googleapis.com/google.rpc.ErrorInfo",
        &error_info(error),
    );
    if let Some(delay) = error.retry_after {
        let mut duration = Vec::new();
        put_number(&mut duration, 1, whole_seconds(delay));
        let mut retry = Vec::new();
        put(&mut retry, 1, &duration);
        put_any(
            &mut status,
            "type.googleapis.com/google.rpc.RetryInfo",
            &retry,
        );
    }
    status
}

/// One of `details`: a `google.protobuf.Any`.
fn put_any(status: &mut Vec<u8>, url: &str, value: &[u8]) {
    let mut any = Vec::with_capacity(url.len() + value.len() + 8);
    put(&mut any, 1, url.as_bytes());
    put(&mut any, 2, value);
    put(status, 3, &any);
}

fn error_info(error: &PublicError<'_>) -> Vec<u8> {
    let mut info = Vec::with_capacity(96);
    put(&mut info, 1, error.reason.as_bytes());
    let domain = match error.voice {
        Voice::Agent => A2A_DOMAIN,
        Voice::Lictor => OWN_DOMAIN,
    };
    put(&mut info, 2, domain.as_bytes());
    let Metadata {
        request_id,
        decision_id,
    } = Metadata::of(error);
    for (key, value) in [("requestId", request_id), ("decisionId", decision_id)] {
        if let Some(value) = value {
            let mut entry = Vec::with_capacity(64);
            put(&mut entry, 1, key.as_bytes());
            put(&mut entry, 2, value.as_bytes());
            put(&mut info, 3, &entry);
        }
    }
    info
}

/// Percent-encodes what is not printable ASCII, and the percent sign (gRPC over HTTP/2, "Responses").
fn escape(message: &str) -> String {
    let mut escaped = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
