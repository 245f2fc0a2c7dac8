//! Finds the bearer token in a request's head (RFC 6750, section 2.1).
//!
//! Tokens in the query or in a form are never read: they end up in logs (RFC 9700, section 4.3.2).

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::identity::error::CredentialError;

/// The token, if the request carries one that is ours to judge.
///
/// # Errors
/// When there are several `authorization` fields, or the scheme is `Bearer` and no token follows.
pub(super) fn token(
    headers: &HeaderMap,
    is_accepted: bool,
) -> Result<Option<&str>, CredentialError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    // Not a list: a second one would be read by one of us and not by the other (RFC 9110, section 11.6.2).
    if fields.next().is_some() {
        return Err(CredentialError::AuthorizationRepeated);
    }
    // A kind of credential that no identity accepts is ignored.
    if !is_accepted {
        return Ok(None);
    }
    // Visible ASCII only, which is all that a scheme and a token are made of.
    let field = field
        .to_str()
        .map_err(|_| CredentialError::AuthorizationMalformed)?;
    let (scheme, rest) = split_scheme(field);
    if scheme.is_empty() {
        return Err(CredentialError::AuthorizationMalformed);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let token = rest.trim_start_matches(' ');
    let is_separated = token.len() < rest.len();
    // Without an early end, so that many bytes are looked at at once: each call brings a token.
    let is_graphic = token
        .bytes()
        .fold(true, |graphic, byte| graphic & byte.is_ascii_graphic());
    if !is_separated || token.is_empty() || !is_graphic {
        return Err(CredentialError::AuthorizationMalformed);
    }
    Ok(Some(token))
}

/// The scheme is a token (RFC 9110, section 5.6.2): `Bearer:` is a malformed `Bearer`, not another scheme.
fn split_scheme(field: &str) -> (&str, &str) {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let end = field
        .bytes()
        .position(|byte| !is_token(byte))
        .unwrap_or(field.len());
    field.split_at_checked(end).unwrap_or((field, ""))
}
