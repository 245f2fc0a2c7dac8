//! The handshake (RFC 6455, section 4).

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Version, request, response};

/// A caller's wish to leave HTTP for WebSocket, in which nothing is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handshake {
    /// What the agent has to answer (section 4.2.2).
    accept: String,
    /// The subprotocols that are offered, in the caller's order.
    protocols: Vec<String>,
    /// Whether compression is offered, and nothing else besides.
    offers_compression: bool,
}

/// What the agent has agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Messages may be compressed (RFC 7692).
    pub is_compressed: bool,
}

/// Why a request that names WebSocket is no handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// It has a body.
    #[error("a websocket handshake with a body")]
    Body,
    /// `Connection` does not name `upgrade`.
    #[error("upgrade is not named by connection")]
    Connection,
    /// `Sec-WebSocket-Key` is not once there, as 16 bytes in base64.
    #[error("sec-websocket-key is not one key of 16 bytes")]
    Key,
    /// The method is not GET.
    #[error("a websocket handshake is a GET")]
    Method,
    /// `Sec-WebSocket-Protocol` is not a list of different tokens.
    #[error("sec-websocket-protocol is not a list of different tokens")]
    Protocol,
    /// `Sec-WebSocket-Version` is not 13.
    #[error("sec-websocket-version is not 13")]
    Version,
}

/// Why a 101 does not open a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// `Sec-WebSocket-Accept` does not answer the key.
    #[error("sec-websocket-accept does not answer the key")]
    Accept,
    /// `Connection` does not name `upgrade`.
    #[error("upgrade is not named by connection")]
    Connection,
    /// An extension that was not offered.
    #[error("an extension that was not offered")]
    Extension,
    /// A 101 with a length: it has no body (RFC 9110, section 8.6; RFC 9112, section 6.1).
    #[error("a 101 with a length")]
    Length,
    /// A subprotocol that was not offered, or several.
    #[error("a subprotocol that was not offered")]
    Protocol,
    /// `Upgrade` is not `websocket`.
    #[error("upgrade is not `websocket`")]
    Upgrade,
}

impl Handshake {
    /// Reads the head of a request. `None` is a request for something else: whatever it says of
    /// other protocols, and of this one among others, is not listened to (RFC 9110, section 7.8).
    ///
    /// # Errors
    /// When it asks for WebSocket in another way than RFC 6455, section 4.2.1, says.
    pub fn read(head: &request::Parts) -> Result<Option<Self>, HandshakeError> {
        let headers = &head.headers;
        // Only HTTP/1.1 has it: before, `Upgrade` is to be ignored, and after, there is none (RFC 9113,
        // section 8.6).
        if head.version != Version::HTTP_11 || !is_websocket(headers) {
            return Ok(None);
        }
        if head.method != Method::GET {
            return Err(HandshakeError::Method);
        }
        if !names_upgrade(headers) {
            return Err(HandshakeError::Connection);
        }
        let length = headers.get(CONTENT_LENGTH);
        if length.is_some_and(|length| length != "0") || headers.contains_key(TRANSFER_ENCODING) {
            return Err(HandshakeError::Body);
        }
        if only(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(HandshakeError::Version);
        }
        let key = only(headers, &SEC_WEBSOCKET_KEY).ok_or(HandshakeError::Key)?;
        let mut bytes = [0; 18];
        if STANDARD.decode_slice(key, &mut bytes) != Ok(16) {
            return Err(HandshakeError::Key);
        }
        Ok(Some(Self {
            accept: accept_of(key.as_bytes()),
            protocols: protocols(headers).ok_or(HandshakeError::Protocol)?,
            offers_compression: offers_compression(headers),
        }))
    }

    /// Makes what the caller offers into what the agent is offered. What is `scanned` must not be
    /// compressed, and an extension that nobody knows here may change what a frame is.
    pub fn offer(&mut self, headers: &mut HeaderMap, scanned: bool) {
        self.offers_compression &= !scanned;
        if !self.offers_compression {
            headers.remove(SEC_WEBSOCKET_EXTENSIONS);
        }
    }

    /// Checks a 101 (section 4.1).
    ///
    /// # Errors
    /// When it is not the answer to this handshake.
    pub fn check(&self, head: &response::Parts) -> Result<Accepted, AcceptError> {
        let headers = &head.headers;
        if !is_websocket(headers) {
            return Err(AcceptError::Upgrade);
        }
        if !names_upgrade(headers) {
            return Err(AcceptError::Connection);
        }
        if headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING) {
            return Err(AcceptError::Length);
        }
        if only(headers, &SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| accept != self.accept.as_str())
        {
            return Err(AcceptError::Accept);
        }
        if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            let chosen = only(headers, &SEC_WEBSOCKET_PROTOCOL);
            let is_offered = |chosen: &HeaderValue| {
                let mut offered = self.protocols.iter();
                offered.any(|offered| chosen == offered.as_str())
            };
            if !chosen.is_some_and(is_offered) {
                return Err(AcceptError::Protocol);
            }
        }
        if !are_texts(headers, &SEC_WEBSOCKET_EXTENSIONS) {
            return Err(AcceptError::Extension);
        }
        let mut extensions = list(headers, &SEC_WEBSOCKET_EXTENSIONS).map(extension);
        match (extensions.next(), extensions.next()) {
            (None, _) => Ok(Accepted {
                is_compressed: false,
            }),
            (Some(COMPRESSION), None) if self.offers_compression => Ok(Accepted {
                is_compressed: true,
            }),
            (Some(_), _) => Err(AcceptError::Extension),
        }
    }
}

/// Whether `Upgrade` names WebSocket, and nothing else.
fn is_websocket(headers: &HeaderMap) -> bool {
    only(headers, &UPGRADE)
        .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    list(headers, &CONNECTION).any(|option| option.eq_ignore_ascii_case("upgrade"))
}

/// The answer to a key (section 4.2.2). SHA-1 proves here that somebody has read the key, and nothing else.
fn accept_of(key: &[u8]) -> String {
    let salted = [key, SALT].concat();
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &salted))
}

fn protocols(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut protocols: Vec<String> = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_PROTOCOL) {
        for protocol in value.to_str().ok()?.split(',').map(str::trim) {
            let is_new = protocols.iter().all(|known| known != protocol);
            // The characters of a token are those of a field's name (RFC 9110, section 5.6.2).
            if !is_new || HeaderName::from_bytes(protocol.as_bytes()).is_err() {
                return None;
            }
            protocols.push(protocol.to_owned());
        }
    }
    Some(protocols)
}

fn offers_compression(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)
        && are_texts(headers, &SEC_WEBSOCKET_EXTENSIONS)
        && list(headers, &SEC_WEBSOCKET_EXTENSIONS).all(|offer| extension(offer) == COMPRESSION)
}

/// The name of an extension, without its parameters.
fn extension(offer: &str) -> &str {
    offer
        .split_once(';')
        .map_or(offer, |(name, _)| name.trim_end())
}

/// The only value of a field.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether [`list`] sees all of a field.
fn are_texts(headers: &HeaderMap, name: &HeaderName) -> bool {
    let mut values = headers.get_all(name).iter();
    values.all(|value| value.to_str().is_ok())
}

/// The elements of a list, over all fields of that name. A value that is no text is left out.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

const COMPRESSION: &str = "permessage-deflate";

/// RFC 6455, section 1.3.
const SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
