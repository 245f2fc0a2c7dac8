//! Tokens that only their issuer can read: it is asked about each (RFC 7662).

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::identity::config::Introspection;
use crate::identity::error::{CredentialError, KeysError};
use crate::identity::json;
use crate::identity::sources::{Fetcher, Form, Lines, secret};
use crate::telemetry::chain;

use super::cache::Digest;

/// The longest token that is asked about.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The longest secret of ours.
const MAX_SECRET_BYTES: usize = 4096;

/// Questions at the same time: what forged tokens can cost the issuer. Others wait for their turn.
const AT_ONCE: usize = 32;

/// How long a caller waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// For how long a token that counts for nothing is not asked about again.
const REFUSED_FOR: Duration = Duration::from_secs(5);

/// How many such tokens are remembered.
const MAX_REFUSED: usize = 4096;

/// Asks one issuer.
pub(super) struct Introspector {
    config: Introspection,
    fetcher: Arc<Fetcher>,
    lines: Lines,
    turns: Semaphore,
    refused: Mutex<HashMap<Digest, Timestamp>>,
    is_failing: AtomicBool,
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Introspector {
    pub(super) fn new(config: Introspection, fetcher: Arc<Fetcher>) -> Self {
        Self {
            config,
            fetcher,
            lines: Lines::default(),
            turns: Semaphore::new(AT_ONCE),
            refused: Mutex::default(),
            is_failing: AtomicBool::new(false),
        }
    }

    /// For how long an answer counts.
    pub(super) const fn cached_for(&self) -> Duration {
        self.config.cache
    }

    /// What the issuer says of a token that counts.
    ///
    /// # Errors
    /// When it counts for nothing, and when the issuer cannot be asked: nobody passes unasked.
    pub(super) async fn ask(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Map<String, Value>, CredentialError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(CredentialError::TooLarge);
        }
        let digest = Digest::of(token);
        if self.is_refused(&digest, now) {
            return Err(CredentialError::TokenInactive);
        }
        let told = self.question(token).await.and_then(|answer| read(&answer));
        let was_failing = self.is_failing.swap(told.is_err(), Ordering::Relaxed);
        match told {
            Ok(Some(claims)) => Ok(claims),
            Ok(None) => {
                self.refuse(digest, now);
                Err(CredentialError::TokenInactive)
            }
            Err(error) => {
                let text = chain(&error);
                // Said once for each outage, not once for each call.
                if !was_failing {
                    tracing::warn!(url = %self.config.url, error = %text, "tokens cannot be introspected");
                }
                Err(CredentialError::IntrospectionFailed(text.into()))
            }
        }
    }

    async fn question(&self, token: &str) -> Result<Vec<u8>, KeysError> {
        let timeout = || KeysError::Timeout(self.config.url.as_str().into());
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        // Nobody closes it.
        let _turn = turn.map_err(|_| timeout())?.map_err(|_| timeout())?;
        let secret = secret(&self.config.secret, 1, MAX_SECRET_BYTES).await?;
        let form = Form {
            authorization: basic(&self.config.client, &secret.bytes)?,
            body: format!(
                "token={}&token_type_hint=access_token",
                encoded(token.as_bytes())
            ),
        };
        let ca = self.config.ca.as_deref();
        let url = &self.config.url;
        // A question changes nothing (RFC 7662, section 2), so it may be put twice.
        Ok(self.fetcher.post(&self.lines, url, ca, &form).await?.bytes)
    }

    fn is_refused(&self, digest: &Digest, now: Timestamp) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(digest).is_some_and(|until| now < *until)
    }

    fn refuse(&self, digest: Digest, now: Timestamp) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MAX_REFUSED {
            refused.retain(|_, until| now < *until);
        }
        // At the bound it is asked about again, which the turns bound.
        if refused.len() < MAX_REFUSED
            && let Ok(until) = now.checked_add(REFUSED_FOR)
        {
            refused.insert(digest, until);
        }
    }
}

/// The claims of a token that is active; `None` for one that is not (RFC 7662, section 2.2).
fn read(answer: &[u8]) -> Result<Option<Map<String, Value>>, KeysError> {
    let malformed = |text: &str| KeysError::Malformed(Box::from(text));
    let mut claims =
        json::object(answer).map_err(|_| malformed("the answer is not a JSON object"))?;
    match claims.get("active") {
        Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Ok(None),
        Some(_) | None => return Err(malformed("the answer has no `active`")),
    }
    // A client that acts for itself has no subject but itself.
    if !claims.contains_key("sub")
        && let Some(client) = claims.get("client_id").cloned()
    {
        claims.insert("sub".to_owned(), client);
    }
    Ok(Some(claims))
}

/// How a client says who it is (RFC 6749, section 2.3.1): both parts are encoded as in a form.
fn basic(client: &str, secret: &[u8]) -> Result<HeaderValue, KeysError> {
    let pair = format!("{}:{}", encoded(client.as_bytes()), encoded(secret));
    let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
    let mut value =
        value.map_err(|_| KeysError::Malformed("the client's secret is malformed".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `application/x-www-form-urlencoded` without the shorthand for blanks, which every reader takes.
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(*byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
