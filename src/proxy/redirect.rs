//! Sends whoever comes in the clear to the same place over TLS, and serves nothing else.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderValue, LOCATION};
use http::uri::{Authority, Uri};
use http::{Request, Response, StatusCode};
use http_body_util::Full;

use crate::http1;
use crate::listener::{Config, Connection, Guarded};
use crate::model::Reason;
use crate::tls::Names;

use super::connection::http1_config;
use super::reply;

/// A listener that redirects. Only to names that our certificates have, so that nobody uses it to send somebody
/// elsewhere by a `Host` of their choice.
#[derive(Debug, Clone)]
pub struct Redirect {
    /// Whom our certificates are for.
    pub names: Names,
    /// Where TLS is spoken, as callers see it.
    pub port: u16,
    /// Caps and deadlines.
    pub config: Arc<Config>,
}

impl Redirect {
    /// Serves one connection until it ends.
    pub async fn serve(self, connection: Connection) {
        let Connection {
            stream,
            guard,
            place: _held,
            ..
        } = connection;
        let mut stream = Guarded::new(stream, self.config.deadlines.write_stall);
        let config = http1_config(&self.config, false);
        // However it ends: what it said was a head.
        let _ended = http1::serve(&mut stream, &self, config, guard).await;
    }

    /// Where the request belongs; `None` when it names no host of ours.
    fn place_of(&self, uri: &Uri, headers: &HeaderMap) -> Option<HeaderValue> {
        let host = host(uri, headers)?;
        let host = host.host();
        if !self.names.contains(host.trim_matches(['[', ']'])) {
            return None;
        }
        let path = uri.path_and_query()?.as_str();
        if !path.starts_with('/') {
            return None;
        }
        let location = match self.port {
            443 => format!("https://{host}{path}"),
            port => format!("https://{host}:{port}{path}"),
        };
        HeaderValue::from_str(&location).ok()
    }
}

impl http1::Service for Redirect {
    type Body = Full<Bytes>;
    type Switch = Infallible;

    async fn call(&self, request: Request<http1::Body>) -> http1::Reply<Self::Body, Self::Switch> {
        let response = match self.place_of(request.uri(), request.headers()) {
            Some(location) => {
                let mut response = Response::new(Bytes::new());
                // Method and body stay what they are (RFC 9110, section 15.4.9).
                *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
                response.headers_mut().insert(LOCATION, location);
                response
            }
            None => reply::brief(Reason::MalformedRequest),
        };
        http1::Reply::Response(response.map(Full::new))
    }

    fn refuse(&self, error: http1::HeadError) -> Response<Bytes> {
        reply::brief(error.reason())
    }
}

/// The one host that a request names (RFC 9112, section 3.2).
fn host(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let mut fields = headers.get_all(HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (Some(field), None) => Some(Authority::try_from(field.as_bytes()).ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    let host = match (uri.authority(), field) {
        (Some(target), Some(field)) if *target != field => return None,
        (Some(target), _) => target.clone(),
        (None, field) => field?,
    };
    (!host.as_str().contains('@')).then_some(host)
}
