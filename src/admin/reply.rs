//! What the admin port answers.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::telemetry::Registry;

use super::desk::Asked;
use super::gate;
use super::server::State;

pub(super) async fn reply(state: &State, request: Request<Incoming>) -> Response<Full<Bytes>> {
    if let Err(status) = gate::admit(request.uri(), request.headers(), &state.names) {
        return text(status);
    }
    let page: fn(&State) -> Response<Full<Bytes>> = match request.uri().path() {
        "/jwks.json" => jwks,
        "/livez" => |_| text(StatusCode::OK),
        "/metrics" => metrics,
        "/readyz" => ready,
        "/startupz" => started,
        path if path.starts_with("/v1/") => return at_the_desk(state, request).await,
        _ => return text(StatusCode::NOT_FOUND),
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return not_allowed("GET, HEAD");
    }
    page(state)
}

/// What is for whoever shows the token.
async fn at_the_desk(state: &State, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let Some((token, desk)) = &state.desk else {
        let why = "no `admin.token` is set in lictor.yaml, so this is closed";
        return told(StatusCode::FORBIDDEN, &json!({ "error": why }));
    };
    let (head, body) = request.into_parts();
    // In any case: an answer to who still sends may be lost with the connection.
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE);
    };
    if !token.opens(&head.headers) {
        let why = "show the admin token: `authorization: Bearer ...`";
        let mut response = told(StatusCode::UNAUTHORIZED, &json!({ "error": why }));
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        return response;
    }
    let desk = Arc::clone(desk);
    // It may compile policies and write files.
    let answering = move || {
        let body = body.to_bytes();
        Some(desk.answer(asked(&head.method, head.uri.path(), &body)?))
    };
    match tokio::task::spawn_blocking(answering).await {
        Ok(Some(answer)) => told(answer.status, &answer.body),
        Ok(None) => not_allowed("GET, POST, DELETE"),
        Err(_bug) => text(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// `None` for what there is not, in path or method.
fn asked<'a>(method: &Method, path: &'a str, body: &'a [u8]) -> Option<Asked<'a>> {
    let path = path.strip_prefix("/v1/")?;
    Some(match (method.as_str(), path) {
        ("GET", "candidate") => Asked::Candidate,
        ("DELETE", "candidate") => Asked::DropCandidate,
        ("POST", "candidate") => Asked::TryCandidate(body),
        ("POST", "candidate/promote") => Asked::PromoteCandidate,
        ("GET", "policies") => Asked::Policies,
        ("POST", "policies/reload") => Asked::Reload,
        ("GET", "revocations") => Asked::Revocations,
        ("POST", "revocations") => Asked::Revoke(body),
        ("DELETE", path) => Asked::Restore(path.strip_prefix("revocations/")?),
        _ => return None,
    })
}

fn not_allowed(methods: &'static str) -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED);
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}

fn told(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    response(status, "application/json", format!("{body:#}\n"))
}

fn metrics(state: &State) -> Response<Full<Bytes>> {
    // Asks every control, so that the metric of their conditions is of this moment.
    state.health.report();
    response(
        StatusCode::OK,
        Registry::CONTENT_TYPE,
        state.registry.encode(),
    )
}

fn jwks(state: &State) -> Response<Full<Bytes>> {
    match (state.jwks)() {
        Some(keys) => response(StatusCode::OK, "application/jwk-set+json", keys),
        None => text(StatusCode::NOT_FOUND),
    }
}

fn ready(state: &State) -> Response<Full<Bytes>> {
    let report = state.health.report();
    let status = if report.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    response(status, "application/json", report.to_json())
}

fn started(state: &State) -> Response<Full<Bytes>> {
    text(if state.health.has_started() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    })
}

fn text(status: StatusCode) -> Response<Full<Bytes>> {
    let phrase = status.canonical_reason().unwrap_or_default();
    let body = format!("{}\n", phrase.to_ascii_lowercase());
    response(status, "text/plain; charset=utf-8", body)
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Forms are short.
const MAX_BODY_BYTES: usize = 64 * 1024;
