//! What the head of a request of MCP says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::super::path;
use crate::model::SessionId;

pub(super) const VERSION: &str = "mcp-protocol-version";
pub(super) const METHOD: &str = "mcp-method";
pub(super) const NAME: &str = "mcp-name";
static SESSION: HeaderName = HeaderName::from_static("mcp-session-id");

/// What the SDKs offer as the subprotocol of a WebSocket.
const SUBPROTOCOL: &str = "mcp";

/// How clients of 2024-11-05 are told to name their session (the SDKs' spellings).
const SESSION_PARAMETERS: [&str; 2] = ["session_id", "sessionId"];

/// A field that should be there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Said {
    #[default]
    Nothing,
    Once(Box<str>),
    /// Several times, or in no text.
    Broken,
}

/// The fields of MCP.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Fields {
    pub(super) version: Said,
    pub(super) method: Said,
    pub(super) name: Said,
    session: Said,
    /// Where the session was begun.
    path: Box<str>,
    /// It is the head of a tunnel, which repeats nothing of what its messages say.
    pub(super) is_tunnelled: bool,
    /// A tunnel that is for MCP by its own word.
    is_for_mcp: bool,
}

impl Fields {
    /// `path` is decoded.
    pub(in super::super) fn of(parts: &Parts, path: &str) -> Self {
        let session = match field(&parts.headers, SESSION.as_str()) {
            Said::Nothing => parameter(parts.uri.query().unwrap_or_default()),
            said => said,
        };
        Self {
            version: field(&parts.headers, VERSION),
            method: field(&parts.headers, METHOD),
            name: field(&parts.headers, NAME).decoded(),
            session,
            path: Box::from(path),
            is_tunnelled: false,
            is_for_mcp: false,
        }
    }

    /// The same for the messages of a tunnel that begins with them.
    pub(in super::super) fn tunnelled(&self, headers: &HeaderMap) -> Self {
        let protocols = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        let mut protocols = protocols
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        Self {
            is_tunnelled: true,
            is_for_mcp: protocols.any(|protocol| protocol.trim() == SUBPROTOCOL),
            ..self.clone()
        }
    }

    /// Whether the head is one of the only version that has batches: clients of it do not say so, but may.
    pub(in super::super) fn have_batches(&self) -> bool {
        match &self.version {
            Said::Nothing => !self.is_tunnelled,
            Said::Once(version) => &**version == "2025-03-26",
            Said::Broken => false,
        }
    }

    /// Whether the head says that this is MCP.
    pub(super) fn are_there(&self) -> bool {
        let said = [&self.version, &self.method, &self.session];
        self.is_for_mcp || said.into_iter().any(|said| *said != Said::Nothing)
    }

    /// The session; an error where it cannot be told which.
    pub(in super::super) fn session(&self) -> Result<Option<SessionId>, ()> {
        match &self.session {
            Said::Nothing => Ok(None),
            Said::Broken => Err(()),
            Said::Once(id) => session_id(&self.path, id).map(Some).ok_or(()),
        }
    }
}

/// The session that an answer begins at this path.
pub fn begun_session(path: &str, headers: &HeaderMap) -> Option<SessionId> {
    match field(headers, SESSION.as_str()) {
        Said::Once(id) => session_id(path, &id),
        Said::Broken | Said::Nothing => None,
    }
}

/// The session at an address that a server of 2024-11-05 gives: a path, or a whole URL.
pub(in super::super) fn session_at(endpoint: &str) -> Option<SessionId> {
    let uri: http::Uri = endpoint.parse().ok()?;
    let path = path::decode(uri.path()).ok()?;
    match parameter(uri.query().unwrap_or_default()) {
        Said::Once(id) => session_id(&path, &id),
        Said::Broken | Said::Nothing => None,
    }
}

fn session_id(path: &str, id: &str) -> Option<SessionId> {
    SessionId::new(&format!("{path} {id}")).ok()
}

fn field(headers: &HeaderMap, name: &str) -> Said {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Said::Nothing,
        (Some(value), None) => match value.to_str() {
            Ok(text) => Said::Once(Box::from(text)),
            Err(_) => Said::Broken,
        },
        (Some(_), Some(_)) => Said::Broken,
    }
}

fn parameter(query: &str) -> Said {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut found = pairs.filter(|(key, _)| SESSION_PARAMETERS.contains(key));
    match (found.next(), found.next()) {
        (None, _) => Said::Nothing,
        (Some((_, value)), None) => Said::Once(Box::from(value)),
        (Some(_), Some(_)) => Said::Broken,
    }
}

impl Said {
    /// What stands in it is no plain text (MCP 2026-07-28, basic/transports, value encoding).
    fn decoded(self) -> Self {
        let Self::Once(text) = &self else {
            return self;
        };
        let Some(coded) = text.strip_prefix("=?base64?") else {
            return self;
        };
        let decoded = coded.strip_suffix("?=");
        let decoded = decoded.and_then(|coded| STANDARD.decode(coded).ok());
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.map_or(Self::Broken, |text| Self::Once(text.into()))
    }
}
