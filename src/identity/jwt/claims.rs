//! Claims with their types: a wrong type is a refusal, not an absence.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::binding::Binding;
use crate::identity::config::{ClaimPath, Jwt};
use crate::identity::error::{CredentialError, Excerpt};

/// The claims that decide whether a token counts (RFC 7519, section 4.1), and the rest as it came.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) issuer: String,
    pub(super) binding: Binding,
    subject: Option<String>,
    audiences: Vec<String>,
    expires: Option<Millis>,
    not_before: Option<Millis>,
    issued: Option<Millis>,
    all: Map<String, Value>,
}

/// Milliseconds since the epoch.
pub(super) type Millis = i64;

/// When a token counts: from the first to before the second, the allowed clock skew included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    from: Millis,
    until: Millis,
}

impl Validity {
    /// Without an end.
    pub(super) const ALWAYS: Self = Self {
        from: Millis::MIN,
        until: Millis::MAX,
    };

    pub(super) fn contains(self, now: Timestamp) -> bool {
        let now = now.as_millisecond();
        self.from <= now && now < self.until
    }

    /// The same, but no longer than so from now on.
    pub(super) fn for_at_most(self, time: Duration, now: Timestamp) -> Self {
        let most = now.as_millisecond().saturating_add(millis(time));
        Self {
            until: self.until.min(most),
            ..self
        }
    }

    pub(super) const fn until(self) -> Millis {
        self.until
    }
}

/// How the times of a token are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// How much our clock and the issuer's may differ.
    pub(super) leeway: Duration,
    /// Whether it must say until when it counts.
    pub(super) require_exp: bool,
    /// How long ago it may have been issued.
    pub(super) max_age: Option<Duration>,
}

impl Times {
    pub(super) const fn of(rules: &Jwt) -> Self {
        Self {
            leeway: rules.leeway,
            require_exp: rules.require_exp,
            max_age: rules.max_age,
        }
    }
}

impl Claims {
    /// Reads the typed claims of a payload. `iss` must be there: without it no key can be chosen.
    pub(super) fn new(all: Map<String, Value>) -> Result<Self, CredentialError> {
        Self::bound(Binding::read(&all)?, all)
    }

    fn bound(binding: Binding, all: Map<String, Value>) -> Result<Self, CredentialError> {
        Ok(Self {
            binding,
            issuer: text(&all, "iss")?.ok_or(CredentialError::ClaimMissing("iss"))?,
            subject: text(&all, "sub")?,
            audiences: audiences(&all)?,
            expires: date(&all, "exp")?,
            not_before: date(&all, "nbf")?,
            issued: date(&all, "iat")?,
            all,
        })
    }

    /// Reads what an issuer says of a token when it is asked. It need not name itself (RFC 7662, section 2.2), but must not
    /// name another.
    pub(super) fn told(mut all: Map<String, Value>, issuer: &str) -> Result<Self, CredentialError> {
        all.entry("iss").or_insert_with(|| issuer.into());
        Self::new(all)?.by(issuer)
    }

    /// Reads what an issuer says of a workload; `cnf` is another's to read. It must name this issuer, if there is one to name.
    pub(super) fn of_workload(
        mut all: Map<String, Value>,
        issuer: &str,
    ) -> Result<Self, CredentialError> {
        if issuer.is_empty() {
            all.entry("iss").or_insert_with(|| issuer.into());
        }
        Self::bound(Binding::default(), all)?.by(issuer)
    }

    fn by(self, issuer: &str) -> Result<Self, CredentialError> {
        let claims = self;
        if !issuer.is_empty() && claims.issuer != issuer {
            return Err(CredentialError::UnknownIssuer(Excerpt::new(&claims.issuer)));
        }
        Ok(claims)
    }

    pub(super) fn subject(&self) -> Result<&str, CredentialError> {
        self.subject
            .as_deref()
            .ok_or(CredentialError::ClaimMissing("sub"))
    }

    /// When the token was issued (`iat`).
    pub(super) fn issued(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.issued?).ok()
    }

    /// Whether the token is for one of these.
    pub(super) fn is_for(&self, audiences: &[String]) -> bool {
        self.audiences
            .iter()
            .any(|named| audiences.iter().any(|ours| is_same_audience(named, ours)))
    }

    pub(super) fn check_audience(&self, rules: &Jwt) -> Result<(), CredentialError> {
        if self.is_for(&rules.audiences) {
            return Ok(());
        }
        if self.audiences.is_empty() {
            return Err(CredentialError::ClaimMissing("aud"));
        }
        let named = self.audiences.join(" ");
        Err(CredentialError::WrongAudience(Excerpt::new(&named)))
    }

    /// The time in which the token counts, which includes now.
    pub(super) fn check_time(
        &self,
        rules: &Times,
        now: Timestamp,
    ) -> Result<Validity, CredentialError> {
        let now = now.as_millisecond();
        let leeway = millis(rules.leeway);
        let mut validity = Validity::ALWAYS;
        match self.expires {
            // "on or after which the JWT MUST NOT be accepted": the instant itself is too late.
            Some(expires) => validity.until = expires.saturating_add(leeway),
            None if rules.require_exp => return Err(CredentialError::ClaimMissing("exp")),
            None => {}
        }
        if now >= validity.until {
            return Err(CredentialError::Expired(between(validity.until, now)));
        }
        if let Some(not_before) = self.not_before {
            validity.from = not_before.saturating_sub(leeway);
            if now < validity.from {
                return Err(CredentialError::NotYetValid(between(now, validity.from)));
            }
        }
        if let Some(issued) = self.issued {
            let from = issued.saturating_sub(leeway);
            if now < from {
                return Err(CredentialError::IssuedInFuture(between(now, from)));
            }
            validity.from = validity.from.max(from);
        }
        if let Some(max_age) = rules.max_age {
            let issued = self.issued.ok_or(CredentialError::ClaimMissing("iat"))?;
            let until = issued
                .saturating_add(millis(max_age))
                .saturating_add(leeway);
            if now >= until {
                return Err(CredentialError::TooOld(between(until, now)));
            }
            validity.until = validity.until.min(until);
        }
        Ok(validity)
    }

    /// The text at a path; `None` when any step of it is absent.
    pub(super) fn text_at(&self, path: &ClaimPath) -> Result<Option<&str>, CredentialError> {
        match self.at(path)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_path(path, "a text")),
        }
    }

    /// The texts at a path: an array of texts, or one text with spaces.
    pub(super) fn list_at(&self, path: &ClaimPath) -> Result<Vec<Box<str>>, CredentialError> {
        let expected = "an array of texts, or one text";
        match self.at(path)? {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(text.split_ascii_whitespace().map(Box::from).collect()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(Box::from))
                .collect::<Option<_>>()
                .ok_or_else(|| wrong_path(path, expected)),
            Some(_) => Err(wrong_path(path, expected)),
        }
    }

    /// The claims of these names, as an object; `None` where none is asked for.
    pub(super) fn keep(&self, names: &[Box<str>]) -> Option<Value> {
        let kept = |name: &str| Some((name.to_owned(), self.all.get(name)?.clone()));
        let names = (!names.is_empty()).then(|| names.iter().map(|name| &**name))?;
        Some(Value::Object(names.filter_map(kept).collect()))
    }

    fn at(&self, path: &ClaimPath) -> Result<Option<&Value>, CredentialError> {
        let mut object = &self.all;
        let mut names = path.0.iter().peekable();
        while let Some(name) = names.next() {
            match object.get(&**name) {
                None => return Ok(None),
                found @ Some(_) if names.peek().is_none() => return Ok(found),
                Some(Value::Object(inner)) => object = inner,
                Some(_) => return Err(wrong_path(path, "inside an object")),
            }
        }
        Ok(None)
    }
}

fn text(all: &Map<String, Value>, name: &'static str) -> Result<Option<String>, CredentialError> {
    match all.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(wrong(name, "a text")),
    }
}

/// `aud` is one text or an array of texts (RFC 7519, section 4.1.3).
/// Whether two audiences are one: letter by letter (RFC 7519, section 2), but for scheme and host of a URI, which have no
/// case (RFC 3986, section 6.2.2.1). Libraries write hosts in lower case that people wrote otherwise.
pub fn is_same_audience(one: &str, other: &str) -> bool {
    fn without_case(uri: &str) -> Option<(&str, &str)> {
        let (scheme, rest) = uri.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        // A user has case.
        if authority.contains('@') {
            return None;
        }
        uri.split_at_checked(scheme.len() + "://".len() + authority.len())
    }
    match (without_case(one), without_case(other)) {
        (Some((one, path)), Some((other, other_path))) => {
            one.eq_ignore_ascii_case(other) && path == other_path
        }
        _ => one == other,
    }
}

fn audiences(all: &Map<String, Value>) -> Result<Vec<String>, CredentialError> {
    match all.get("aud") {
        None => Ok(Vec::new()),
        Some(Value::String(one)) => Ok(vec![one.clone()]),
        Some(Value::Array(many)) => many
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| wrong("aud", "a text or an array of texts")),
        Some(_) => Err(wrong("aud", "a text or an array of texts")),
    }
}

/// A NumericDate: seconds since the epoch, fractions allowed (RFC 7519, section 2). Beyond the year 9999
/// it is a mistake, most often milliseconds, and would be a token without an end.
pub(super) fn date(
    all: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<Millis>, CredentialError> {
    const END: f64 = 253_402_300_800.0;
    let Some(value) = all.get(name) else {
        return Ok(None);
    };
    let seconds = value
        .as_f64()
        .filter(|seconds| (0.0..END).contains(seconds))
        .ok_or_else(|| wrong(name, "a time in seconds"))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "below 2^48 by the filter above; cutting the rest of a millisecond is meant"
    )]
    let millis = (seconds * 1000.0) as Millis;
    Ok(Some(millis))
}

fn wrong(claim: &str, expected: &'static str) -> CredentialError {
    CredentialError::ClaimType {
        claim: Excerpt::new(claim),
        expected,
    }
}

fn wrong_path(path: &ClaimPath, expected: &'static str) -> CredentialError {
    wrong(&path.0.join("."), expected)
}

pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

const fn between(earlier: Millis, later: Millis) -> Duration {
    Duration::from_millis(later.abs_diff(earlier))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_host_of_an_audience_have_no_case_and_everything_else_has() {
        for (one, other, same) in [
            ("quotes-agent", "quotes-agent", true),
            ("quotes-agent", "Quotes-Agent", false),
            (
                "https://agent.example/mcp",
                "HTTPS://Agent.EXAMPLE/mcp",
                true,
            ),
            ("https://agent.example", "https://AGENT.example", true),
            ("https://agent.example?A", "https://AGENT.example?A", true),
            (
                "https://agent.example/mcp",
                "https://agent.example/MCP",
                false,
            ),
            (
                "https://agent.example/mcp?a",
                "https://agent.example/mcp?A",
                false,
            ),
            ("https://agent.example", "https://agent.example/", false),
            ("https://agent.example:443", "https://agent.example", false),
            (
                "https://Ana@agent.example",
                "https://ana@agent.example",
                false,
            ),
            (
                "https://agent.example/x",
                "https://agent.examplE\u{130}/x",
                false,
            ),
            ("urn:a:B", "urn:a:b", false),
            ("://", "://", true),
        ] {
            assert_eq!(is_same_audience(one, other), same, "{one} {other}");
            assert_eq!(is_same_audience(other, one), same, "{other} {one}");
        }
    }
}
