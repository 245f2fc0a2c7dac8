//! What the admin port answers.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use crate::telemetry::Registry;

use super::gate;
use super::server::State;

pub(super) fn reply<B>(state: &State, request: &Request<B>) -> Response<Full<Bytes>> {
    if let Err(status) = gate::admit(request.uri(), request.headers(), &state.names) {
        return text(status);
    }
    let page: fn(&State) -> Response<Full<Bytes>> = match request.uri().path() {
        "/livez" => |_| text(StatusCode::OK),
        "/metrics" => metrics,
        "/readyz" => ready,
        "/startupz" => started,
        _ => return text(StatusCode::NOT_FOUND),
    };
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED);
        response
            .headers_mut()
            .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    page(state)
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
