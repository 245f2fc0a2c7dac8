//! Finds the tokens in a request's head (RFC 6750, section 2.1; RFC 9449, section 7.1).
//!
//! Tokens in the query or in a form are never read: they end up in logs (RFC 9700, section 4.3.2).

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::identity::error::{CredentialError, Excerpt};

/// A token, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(in crate::identity) struct Carried<'a> {
    pub(in crate::identity) text: &'a str,
    pub(in crate::identity) place: Place<'a>,
}

/// Where a token stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::identity) enum Place<'a> {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `Authorization: DPoP …`, with a proof in a field of its own.
    Dpop,
    /// A field with the token and nothing else, in which a proxy before us vouches for the caller.
    Field(&'a HeaderName),
}

/// The token of a field that holds one and nothing else, if the request has it.
///
/// # Errors
/// When it stands there several times, or holds something else.
pub(in crate::identity) fn assertion<'a>(
    headers: &'a HeaderMap,
    name: &'a HeaderName,
) -> Result<Option<Carried<'a>>, CredentialError> {
    let excerpt = || Excerpt::new(name.as_str());
    let mut fields = headers.get_all(name).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(CredentialError::AssertionRepeated(excerpt()));
    }
    let text = field.to_str().ok().filter(|text| is_graphic(text));
    let text = text.ok_or_else(|| CredentialError::AssertionMalformed(excerpt()))?;
    let place = Place::Field(name);
    Ok(Some(Carried { text, place }))
}

/// The token of `authorization`, if the request carries one that is ours to judge.
///
/// # Errors
/// When there are several `authorization` fields, or the scheme is `Bearer` or `DPoP` and no token follows.
pub(in crate::identity) fn authorization(
    headers: &HeaderMap,
    is_accepted: bool,
) -> Result<Option<Carried<'_>>, CredentialError> {
    let Some((scheme, rest)) = scheme(headers, is_accepted)? else {
        return Ok(None);
    };
    let place = if scheme.eq_ignore_ascii_case("bearer") {
        Place::Bearer
    } else if scheme.eq_ignore_ascii_case("dpop") {
        Place::Dpop
    } else {
        return Ok(None);
    };
    let text = token(rest)?;
    Ok(Some(Carried { text, place }))
}

/// The token of `authorization` behind this scheme, which is written in small letters.
///
/// # Errors
/// As above.
pub(in crate::identity) fn with_scheme<'a>(
    headers: &'a HeaderMap,
    wanted: &str,
) -> Result<Option<&'a str>, CredentialError> {
    match scheme(headers, true)? {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case(wanted) => token(rest).map(Some),
        Some(_) | None => Ok(None),
    }
}

/// The scheme of `authorization`, and what follows.
fn scheme(headers: &HeaderMap, is_accepted: bool) -> Result<Option<(&str, &str)>, CredentialError> {
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
    let field = HeaderValue::to_str(field).map_err(|_| CredentialError::AuthorizationMalformed)?;
    let (scheme, rest) = split_scheme(field);
    match scheme {
        "" => Err(CredentialError::AuthorizationMalformed),
        scheme => Ok(Some((scheme, rest))),
    }
}

/// What follows the scheme: spaces and a token.
fn token(rest: &str) -> Result<&str, CredentialError> {
    let text = rest.trim_start_matches(' ');
    let is_separated = text.len() < rest.len();
    match is_separated && is_graphic(text) {
        true => Ok(text),
        false => Err(CredentialError::AuthorizationMalformed),
    }
}

/// Without an early end, so that many bytes are looked at at once: each call brings a token.
fn is_graphic(text: &str) -> bool {
    !text.is_empty()
        & text
            .bytes()
            .fold(true, |graphic, byte| graphic & byte.is_ascii_graphic())
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
