//! The agent's card as callers get it: of the agent, and yet with lictor's addresses, credentials and signature.
//!
//! What the policy says of it ([`AgentCards`]) is compiled with each snapshot; what cards were like before
//! ([`CardMemory`]) outlives it. How a card is read and rewritten, `protocol` knows, and `identity` has the keys.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, request, response};

use crate::audit::{CardNote, Note};
use crate::identity::{CardKeys, CardKeysConfig, CardKeysError, CardSigner, KeyStore, text_sha256};
use crate::model::{Action, ActionPattern, Call, Facts, Principal, Reason, Refusal};
use crate::policy::{PolicySet, Question, RequestFacts};
use crate::protocol::{
    BaseUrl, Card, CardKind, CardSecurity, CardSignature, Told, UnreadableCard, uses_of_skill,
};

use super::Parts;
use super::headers;
use super::standing::Case;

/// How many signatures are kept, so that what has not changed is not signed anew. Extended cards differ by what their
/// readers may use: there are about as many as roles.
const MAX_KEPT: usize = 64;

/// How many cards are remembered. Most agents have one, at two paths.
const MAX_REMEMBERED: usize = 64;

/// The longest path under which a card is remembered.
const MAX_PATH_BYTES: usize = 256;

/// How long a card may be kept where the agent says nothing: clients ask often, and cards change seldom (A2A 1.0,
/// section 8.6).
const MAX_AGE: HeaderValue = HeaderValue::from_static("max-age=300");

/// What the policy says of the agent's card, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where callers find the agent.
    pub public: BaseUrl,
    /// How the agent calls itself; empty is as lictor reaches it.
    pub agent: Vec<BaseUrl>,
    /// What the policy's identities ask of callers.
    pub security: CardSecurity,
    /// With what cards are verified and signed.
    pub keys: CardKeysConfig,
}

/// The same, with its keys.
#[derive(Debug)]
pub struct AgentCards {
    public: BaseUrl,
    agent: Vec<BaseUrl>,
    security: CardSecurity,
    keys: CardKeys,
    kept: Mutex<VecDeque<(blake3::Hash, Vec<CardSignature>)>>,
}

/// A call for a card, and what it asked.
#[derive(Debug)]
pub(super) struct AskedCard {
    kind: CardKind,
    /// Under what the card is remembered, if it is compared with what it was.
    remembered: Option<Box<str>>,
    /// `If-None-Match`.
    known: Option<String>,
}

impl AgentCards {
    /// Takes the keys from the store.
    pub fn new(config: Config, store: &KeyStore) -> Self {
        Self {
            public: config.public,
            agent: config.agent,
            security: config.security,
            keys: CardKeys::new(&config.keys, store),
            kept: Mutex::default(),
        }
    }

    /// The public half of the key that signs, as a JWK, if there is one.
    pub fn public_jwk(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        self.keys.public_jwk()
    }

    /// Whether a call is for a card. If so, the agent is asked for all of it whatever the caller knows, because what the
    /// caller knows is not the agent's.
    pub(super) fn asked(parts: &mut request::Parts, call: &Call) -> Option<AskedCard> {
        let kind = CardKind::of(call)?;
        let mut known = None;
        if kind != CardKind::ExtendedResult {
            let fields = parts.headers.get_all(header::IF_NONE_MATCH).iter();
            let fields: Vec<_> = fields.filter_map(|field| field.to_str().ok()).collect();
            known = (!fields.is_empty()).then(|| fields.join(","));
            for condition in &CONDITIONS {
                parts.headers.remove(condition);
            }
            if parts.method == Method::HEAD {
                parts.method = Method::GET;
            }
        }
        let remembered = match (kind, parts.uri.query()) {
            (CardKind::Public, None) => remembered(parts),
            // Another caller may get another one, and a query another one still.
            (CardKind::Extended | CardKind::ExtendedResult, _) | (CardKind::Public, Some(_)) => {
                None
            }
        };
        Some(AskedCard {
            kind,
            remembered,
            known,
        })
    }

    /// Whether it is the agent's card, as far as the policy asks for that.
    ///
    /// # Errors
    /// When it is none that can be told, or not signed as it must be.
    pub(super) async fn verify(
        &self,
        asked: &AskedCard,
        body: &[u8],
        parts: &Parts,
    ) -> Result<(), Refusal> {
        self.keys.ready().await;
        let Some(card) = Card::read(asked.kind, body).map_err(unreadable)? else {
            return Ok(());
        };
        let signatures = card.signatures().map_err(unreadable)?;
        let signatures = signatures
            .iter()
            .map(|made| (made.protected.as_str(), made.signature.as_str()));
        let payloads = card.payloads().map_err(unreadable)?;
        self.keys.verify(signatures, &payloads).map_err(refused)?;
        if let Some(path) = &asked.remembered {
            let digest = text_sha256(&card.canonical().map_err(unreadable)?);
            parts.cards.compare(path, digest, parts);
        }
        Ok(())
    }

    /// What the caller gets of a card that was verified.
    ///
    /// # Errors
    /// When no interface of it leads to the agent, or it cannot be signed.
    pub(super) fn tell(
        &self,
        asked: &AskedCard,
        body: Bytes,
        headers: &mut HeaderMap,
        view: &CardView<'_>,
    ) -> Result<Bytes, Refusal> {
        let Some(before) = Card::read(asked.kind, &body).map_err(unreadable)? else {
            return Ok(body);
        };
        let own = view.base.cloned();
        let agent = match (self.agent.is_empty(), &own) {
            (false, _) => self.agent.as_slice(),
            (true, own) => own.as_slice(),
        };
        let told = Told {
            public: &self.public,
            agent,
            security: &self.security,
            is_optional: view.serves_anybody(),
        };
        let mut card = before.clone();
        card.rewrite(&told, |skill| view.sees(asked.kind, skill))
            .map_err(unreadable)?;
        let signer = self.keys.signer().map_err(refused)?;
        let mut tag = blake3::Hasher::new();
        if let Some(signer) = &signer {
            card.unsign();
            tag.update(signer.key_id().as_bytes());
            tag.update(signer.thumbprint().unwrap_or_default().as_bytes());
        }
        tag.update(card.write().as_bytes());
        if let Some(signer) = &signer {
            let signatures = self.signatures(signer, &card)?;
            card.sign(&signatures);
        }
        let body = match card == before {
            true => body,
            false => {
                headers::remove_digests(headers);
                for field in ["signature", "signature-input"] {
                    headers.remove(field);
                }
                Bytes::from(card.write())
            }
        };
        headers.remove(header::LAST_MODIFIED);
        headers.remove(header::ETAG);
        if asked.kind != CardKind::ExtendedResult {
            // Weak: signatures of one card may differ, and say the same.
            let tag = tag.finalize().to_hex();
            let tag = format!("W/\"{}\"", tag.get(..32).unwrap_or_default());
            if let Ok(tag) = HeaderValue::from_str(&tag) {
                headers.insert(header::ETAG, tag);
            }
        }
        match asked.kind {
            CardKind::Public => {
                headers.entry(header::CACHE_CONTROL).or_insert(MAX_AGE);
            }
            CardKind::Extended | CardKind::ExtendedResult => {
                headers::keep_to_one(headers);
                let private = HeaderValue::from_static("private");
                headers.entry(header::CACHE_CONTROL).or_insert(private);
            }
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        Ok(body)
    }

    /// The signatures of a card, made now or before.
    fn signatures(&self, signer: &CardSigner, card: &Card) -> Result<Vec<CardSignature>, Refusal> {
        let payloads = card.payloads().map_err(unreadable)?;
        let mut key = blake3::Hasher::new();
        key.update(&signer.generation().to_le_bytes());
        key.update(signer.key_id().as_bytes());
        for payload in &payloads {
            key.update(&[0]);
            key.update(payload.as_bytes());
        }
        let key = key.finalize();
        let kept = |kept: &VecDeque<(blake3::Hash, Vec<CardSignature>)>| {
            let mut kept = kept.iter();
            kept.find(|(found, _)| *found == key)
                .map(|(_, made)| made.clone())
        };
        if let Some(made) = kept(&self.kept.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(made);
        }
        let made = signer.sign(&payloads).map_err(refused)?.into_iter();
        let made: Vec<_> = made
            .map(|(protected, signature)| CardSignature {
                protected,
                signature,
            })
            .collect();
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KEPT {
            all.pop_front();
        }
        all.push_back((key, made.clone()));
        Ok(made)
    }
}

impl AskedCard {
    /// Says that the caller has this card already, if so (RFC 9110, section 13.1.2).
    pub(super) fn answer(&self, head: &mut response::Parts, body: &mut Bytes) {
        let tag = head
            .headers
            .get(header::ETAG)
            .and_then(|tag| tag.to_str().ok());
        let (Some(tag), Some(known)) = (tag, &self.known) else {
            return;
        };
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let is_known = known
            .split(',')
            .any(|one| one.trim() == "*" || opaque(one) == opaque(tag));
        if is_known {
            head.status = StatusCode::NOT_MODIFIED;
            head.headers.remove(header::CONTENT_TYPE);
            head.headers.remove(header::CONTENT_LENGTH);
            *body = Bytes::new();
        }
    }
}

/// Fields that make a request conditional (RFC 9110, section 13.1).
static CONDITIONS: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
];

/// Under what a card is remembered: its path, and the version that the caller asks for, since some agents have a card for
/// each. `None` where a caller could choose it freely.
fn remembered(parts: &request::Parts) -> Option<Box<str>> {
    let path = parts.uri.path();
    let mut versions = parts.headers.get_all("a2a-version").iter();
    let version = match (versions.next(), versions.next()) {
        (None, _) => "",
        (Some(version), None) if version.as_bytes() == b"0.3" => " 0.3",
        (Some(version), None) if version.as_bytes() == b"1.0" => " 1.0",
        _ => return None,
    };
    (path.len() <= MAX_PATH_BYTES).then(|| format!("{path}{version}").into())
}

fn unreadable(error: UnreadableCard) -> Refusal {
    Refusal::new(Reason::UpstreamInvalid).detail(error)
}

fn refused(error: CardKeysError) -> Refusal {
    let reason = match error {
        CardKeysError::Forged(_) | CardKeysError::Unsigned => Reason::UpstreamInvalid,
        CardKeysError::Missing => Reason::KeysUnavailable,
        CardKeysError::Signing(_) => Reason::Internal,
    };
    Refusal::new(reason).detail(error)
}

/// Who reads a card, and what decides over its skills.
pub(super) struct CardView<'a> {
    pub(super) case: &'a Case,
    pub(super) agent: &'a str,
    /// How lictor reaches the agent.
    pub(super) base: Option<&'a BaseUrl>,
    pub(super) policy: &'a PolicySet,
}

impl CardView<'_> {
    /// The extended card shows what its reader may ask for. The public one is the same for everybody, so that it can be
    /// kept: it hides what nobody without a credential could ever ask for because a rule denies it.
    fn sees(&self, kind: CardKind, skill: &str) -> bool {
        uses_of_skill(skill).into_iter().any(|action| match kind {
            CardKind::Extended | CardKind::ExtendedResult => {
                let call = self.call(action);
                let question = Question {
                    call: &call,
                    request: RequestFacts {
                        args: None,
                        tool: None,
                        ..self.case.question(self.agent).request
                    },
                    ..self.case.question(self.agent)
                };
                self.policy.may_pass(&question)
            }
            CardKind::Public => {
                !self.of_anybody(action, |question| self.policy.must_deny(question))
            }
        })
    }

    /// Whether somebody without a credential may send something.
    fn serves_anybody(&self) -> bool {
        let [send, _] = uses_of_skill("");
        let send = Action { name: None, ..send };
        let Ok(pattern) = ActionPattern::parse("a2a:SendMessage") else {
            return false;
        };
        self.of_anybody(send, |question| {
            self.policy.may_be_granted(question, &pattern)
        })
    }

    /// Asks about a call of somebody who shows no credential, whoever calls now.
    fn of_anybody(&self, action: Action, ask: impl FnOnce(&Question<'_>) -> bool) -> bool {
        let (call, anonymous) = (self.call(action), Principal::anonymous());
        let question = Question {
            call: &call,
            principal: &anonymous,
            facts: &Facts::default(),
            source: None,
            request: RequestFacts::default(),
            ..self.case.question(self.agent)
        };
        ask(&question)
    }

    fn call(&self, action: Action) -> Call {
        Call {
            action,
            http: None,
            ..self.case.call.clone()
        }
    }
}

/// What the agent's public cards were like when they were last seen: at most 64, the last ones.
#[derive(Debug, Default)]
pub struct CardMemory(Mutex<VecDeque<(Box<str>, String)>>);

impl CardMemory {
    /// Tells of a card that is not what it was.
    fn compare(&self, path: &str, digest: String, parts: &Parts) {
        let Some(previous) = self.replace(path, &digest) else {
            return;
        };
        tracing::warn!(
            card.path = path,
            card.sha256 = %digest,
            card.previous = %previous,
            "the agent's card has changed"
        );
        parts.calls.card_changes.inc();
        parts.audit.note(Note::Card(CardNote {
            path: Box::from(path),
            digest: digest.into(),
            previous: previous.into(),
        }));
    }

    /// Remembers the digest of a card. Gives the one from before where that was another.
    fn replace(&self, path: &str, digest: &str) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|(known, _)| **known == *path);
        let before = at.and_then(|at| all.remove(at)).map(|(_, digest)| digest);
        if all.len() >= MAX_REMEMBERED {
            all.pop_front();
        }
        all.push_back((Box::from(path), digest.to_owned()));
        before.filter(|before| before != digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_the_last_cards_are_remembered() {
        let memory = CardMemory::default();
        assert_eq!(memory.replace("/a", "1"), None);
        assert_eq!(memory.replace("/a", "1"), None);
        assert_eq!(memory.replace("/b", "1"), None);
        assert_eq!(memory.replace("/a", "2").as_deref(), Some("1"));
        assert_eq!(memory.replace("/a", "2"), None);
        for number in 0..MAX_REMEMBERED {
            assert_eq!(memory.replace("/a", "2"), None);
            memory.replace(&format!("/{number}"), "1");
        }
        assert_eq!(memory.0.lock().unwrap().len(), MAX_REMEMBERED);
        assert_eq!(memory.replace("/b", "2"), None);
        assert_eq!(memory.replace("/a", "3").as_deref(), Some("2"));
    }

    #[test]
    fn what_the_caller_has_is_not_sent_again() {
        for (known, status) in [
            ("W/\"a\"", 304),
            ("\"a\"", 304),
            ("\"b\", W/\"a\"", 304),
            ("*", 304),
            ("\"b\"", 200),
            ("a", 200),
        ] {
            let asked = AskedCard {
                kind: CardKind::Public,
                remembered: None,
                known: Some(known.to_owned()),
            };
            let answer = http::Response::builder()
                .header("etag", "W/\"a\"")
                .header("content-length", 1)
                .body(());
            let (mut head, ()) = answer.unwrap().into_parts();
            let mut body = Bytes::from_static(b"x");
            asked.answer(&mut head, &mut body);
            assert_eq!(head.status, status, "{known}");
            assert_eq!(body.is_empty(), status == 304, "{known}");
        }
    }
}
