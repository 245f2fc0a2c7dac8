//! A request on standard input.

use std::io::{self, Read as _};

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;

use super::{Failure, Unsigned, no};
use crate::cli::explain::saved;

/// More than any request that a person signs by hand.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A request, to be written with more fields.
pub(super) struct Text {
    parts: Parts,
    body: Vec<u8>,
}

pub(super) fn read(scheme: &str) -> Result<(Unsigned, Text), Failure> {
    let mut text = Vec::new();
    io::stdin()
        .lock()
        .take(MAX_BYTES)
        .read_to_end(&mut text)
        .map_err(|error| Failure::Environment(format!("cannot read standard input: {error}")))?;
    let saved = saved::read(&text).map_err(no)?;
    if let Some(claimed) = saved.claimed {
        let length = saved.body.len();
        return Err(Failure::No(format!(
            "`content-length` says {claimed} bytes, and the body has {length}"
        )));
    }
    let uri = &saved.parts.uri;
    let host = saved
        .parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(http::uri::Authority::as_str).or(host);
    let unsigned = Unsigned {
        method: saved.parts.method.to_string(),
        scheme: uri.scheme_str().unwrap_or(scheme).to_owned(),
        authority: authority
            .ok_or_else(|| Failure::No("the request has no `host`".to_owned()))?
            .to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        headers: saved.parts.headers.clone(),
        body: saved.body.clone(),
    };
    let text = Text {
        parts: saved.parts,
        body: saved.body,
    };
    Ok((unsigned, text))
}

impl Text {
    /// The request as HTTP/1.1 writes it, the new fields last.
    pub(super) fn with(&self, added: &[(&'static str, String)]) -> Result<String, Failure> {
        let Parts {
            method,
            uri,
            headers,
            ..
        } = &self.parts;
        let mut out = format!("{method} {uri} HTTP/1.1\r\n");
        write_fields(headers, &mut out)?;
        for (name, value) in added {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out.push_str("\r\n");
        let body = std::str::from_utf8(&self.body).map_err(|_| {
            Failure::No("the content is not text; sign a command line of curl instead".to_owned())
        })?;
        out.push_str(body);
        Ok(out)
    }
}

fn write_fields(headers: &HeaderMap, out: &mut String) -> Result<(), Failure> {
    for (name, value) in headers {
        let value = value.to_str().map_err(no)?;
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    Ok(())
}
