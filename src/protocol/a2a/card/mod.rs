//! Agent cards: what an agent says of itself, and what lictor tells callers of it (A2A 1.0, section 4.4 and 8).
//!
//! Pure: a card that answers a call is read strictly, its addresses and its security become those of lictor, skills that
//! the caller may not use go, and so do signatures over what it said before. Who verifies the agent's signatures and makes
//! new ones is told over what ([`Card::payloads`]).

mod address;
mod canonical;
mod form;
mod security;
mod tree;

pub use address::BaseUrl;
pub use security::{CardSecurity, SecurityScheme};

use self::address::published;
use self::canonical::canonical;
use self::security::Shapes;
use self::tree::Tree;
use crate::model::{Action, Binding, Call, Dialect, Operation, Protocol};
use crate::protocol::envelope::is_spelling;
use crate::protocol::json::Flaw;

/// The canonical text (RFC 8785) of a document; `None` of one that two readers may see differently.
pub fn canonical_json(document: &str) -> Option<String> {
    let tree = Tree::read(document.as_bytes()).ok()?;
    canonical(&tree).ok()
}

/// The most signatures of one card that are looked at. Two are there while a key is replaced.
const MAX_SIGNATURES: usize = 8;

/// The largest card. Those of agents with hundreds of skills stay far below.
const MAX_BYTES: usize = 1024 * 1024;

/// Which card a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardKind {
    /// The one for callers who are known, as the result of a JSON-RPC request.
    ExtendedResult,
    /// The same, over REST.
    Extended,
    /// The one at a well-known path, for everybody.
    Public,
}

impl CardKind {
    /// The card that answers this call. Over gRPC there is none that could be rewritten yet.
    pub fn of(call: &Call) -> Option<Self> {
        if call.operation == Operation::AgentCard {
            return Some(Self::Public);
        }
        if *call.action.method != *"GetExtendedAgentCard" {
            return None;
        }
        match call.dialect {
            Dialect::A2a(_, Binding::JsonRpc) => Some(Self::ExtendedResult),
            Dialect::A2a(_, Binding::Rest) => Some(Self::Extended),
            _ => None,
        }
    }
}

/// What asking for a skill is called: to send, and to send and read along.
pub fn uses_of_skill(skill: &str) -> [Action; 2] {
    ["SendMessage", "SendStreamingMessage"].map(|method| Action {
        name: Some(Box::from(skill)),
        ..Action::known(Protocol::A2a, method)
    })
}

/// Why a card cannot be told to callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableCard {
    /// A key twice, or another spelling of a member, which some readers take for it.
    #[error("the agent's card can be read in two ways")]
    Ambiguous,
    /// No JSON, not only one document, or no card.
    #[error("the agent's card cannot be read")]
    Broken,
    /// No interface of it leads to the agent behind lictor.
    #[error(
        "no interface of the agent's card leads to this agent: name in `agentUrl` how it calls itself"
    )]
    NoInterface,
    /// RFC 8785 does not know it.
    #[error("the agent's card has a number that is too large")]
    Number,
    /// Above 1 MiB.
    #[error("the agent's card is larger than 1 MiB")]
    TooLarge,
}

impl From<Flaw> for UnreadableCard {
    fn from(flaw: Flaw) -> Self {
        if flaw.is_ambiguous() {
            Self::Ambiguous
        } else {
            Self::Broken
        }
    }
}

/// A signature as a card carries it (RFC 7515, section 7.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardSignature {
    /// The protected header, in base64url.
    pub protected: String,
    /// The signature, in base64url.
    pub signature: String,
}

/// What callers are told instead of what the agent says.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Where callers find the agent.
    pub public: &'a BaseUrl,
    /// How the agent calls itself.
    pub agent: &'a [BaseUrl],
    /// What callers have to show.
    pub security: &'a CardSecurity,
    /// Whether somebody who shows nothing may call, too.
    pub is_optional: bool,
}

/// A card that every reader sees alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    card: Tree,
    /// The answer of JSON-RPC that it stands in.
    around: Option<Tree>,
}

impl Card {
    /// Reads the card of an answer; `None` where the answer is an error of JSON-RPC.
    ///
    /// # Errors
    /// When two readers may see two cards, or none can be seen.
    pub fn read(kind: CardKind, body: &[u8]) -> Result<Option<Self>, UnreadableCard> {
        if body.len() > MAX_BYTES {
            return Err(UnreadableCard::TooLarge);
        }
        let mut document = Tree::read(body)?;
        let (card, around) = match kind {
            CardKind::Extended | CardKind::Public => (document, None),
            CardKind::ExtendedResult => {
                check_spelling(&document, &["error", "result"])?;
                let Some(card) = document.of("result").cloned() else {
                    // What is neither is no answer of JSON-RPC, and might be a card to somebody.
                    let is_error = document.of("error").is_some();
                    return if is_error {
                        Ok(None)
                    } else {
                        Err(UnreadableCard::Broken)
                    };
                };
                // Its place is kept, and with it the order of the members.
                document.set("result", Tree::Plain("null".to_owned()));
                (card, Some(document))
            }
        };
        if card.members().is_empty() {
            return Err(UnreadableCard::Broken);
        }
        check_spelling(&card, MEMBERS)?;
        for interface in list(&card, "supportedInterfaces")? {
            check_spelling(interface, &["url", "protocolBinding"])?;
        }
        for interface in list(&card, "additionalInterfaces")? {
            check_spelling(interface, &["url", "transport"])?;
        }
        for skill in list(&card, "skills")? {
            check_spelling(skill, &["id", "security", "securityRequirements"])?;
        }
        Ok(Some(Self { card, around }))
    }

    /// What it says of the agent, in one text (RFC 8785): signatures aside.
    ///
    /// # Errors
    /// When a number of it has no such form.
    pub fn canonical(&self) -> Result<String, UnreadableCard> {
        let mut card = self.card.clone();
        card.remove("signatures");
        canonical(&card)
    }

    /// The texts that signatures of it are made over: first that of the specification, then others that are in use,
    /// where they differ.
    ///
    /// # Errors
    /// When a number of it has no such form.
    pub fn payloads(&self) -> Result<Vec<String>, UnreadableCard> {
        form::payloads(&self.card)
    }

    /// The signatures that it carries, up to eight.
    ///
    /// # Errors
    /// When something else stands in their place.
    pub fn signatures(&self) -> Result<Vec<CardSignature>, UnreadableCard> {
        let signatures = list(&self.card, "signatures")?.iter().take(MAX_SIGNATURES);
        let signature = |tree: &Tree| {
            Some(CardSignature {
                protected: tree.text_of("protected")?.to_owned(),
                signature: tree.text_of("signature")?.to_owned(),
            })
        };
        signatures
            .map(|tree| signature(tree).ok_or(UnreadableCard::Broken))
            .collect()
    }

    /// Makes it the card that callers get: its interfaces are those that lictor serves, its security is what lictor asks
    /// for, and of its skills those stay that `sees` names. Signatures go with the first change.
    ///
    /// # Errors
    /// When no interface is left, or members are not of the kind that they should be.
    pub fn rewrite(
        &mut self,
        told: &Told<'_>,
        mut sees: impl FnMut(&str) -> bool,
    ) -> Result<(), UnreadableCard> {
        let before = self.card.clone();
        let card = &mut self.card;
        let shapes = Shapes {
            new: card.of("supportedInterfaces").is_some(),
            old: ["url", "additionalInterfaces", "authentication"]
                .iter()
                .any(|key| card.of(key).is_some()),
        };
        let new = rewrite_interfaces(card, told)?;
        let old = rewrite_addresses(card, told)?;
        if !new && !old {
            return Err(UnreadableCard::NoInterface);
        }
        told.security.put(card, shapes, told.is_optional);
        let skills = list(card, "skills")?;
        if !skills.is_empty() {
            let seen = skills.iter().filter(|skill| {
                let id = skill.text_of("id");
                id.is_some_and(&mut sees)
            });
            // What a skill asks for besides names schemes of the agent's.
            let seen = seen.cloned().map(|mut skill| {
                skill.remove("security");
                skill.remove("securityRequirements");
                skill
            });
            let seen = seen.collect();
            card.set("skills", Tree::List(seen));
        }
        if *card != before {
            card.remove("signatures");
        }
        Ok(())
    }

    /// Takes all signatures out.
    pub fn unsign(&mut self) {
        self.card.remove("signatures");
    }

    /// Carries these signatures and no others.
    pub fn sign(&mut self, signatures: &[CardSignature]) {
        let signatures = signatures.iter().map(|made| {
            Tree::object([
                ("protected", Tree::text(&made.protected)),
                ("signature", Tree::text(&made.signature)),
            ])
        });
        let signatures = signatures.collect();
        self.card.set("signatures", Tree::List(signatures));
    }

    /// The answer with this card in it.
    pub fn write(&self) -> String {
        let mut text = String::new();
        match &self.around {
            None => self.card.write(&mut text),
            Some(around) => {
                let mut around = around.clone();
                around.set("result", self.card.clone());
                around.write(&mut text);
            }
        }
        text
    }
}

/// Members of a card that are read or replaced.
const MEMBERS: &[&str] = &[
    "additionalInterfaces",
    "authentication",
    "preferredTransport",
    "security",
    "securityRequirements",
    "securitySchemes",
    "signatures",
    "skills",
    "supportedInterfaces",
    "url",
];

/// Rewrites the interfaces of 1.0. `false` where none is left.
fn rewrite_interfaces(card: &mut Tree, told: &Told<'_>) -> Result<bool, UnreadableCard> {
    let mut kept = Vec::new();
    for interface in list(card, "supportedInterfaces")? {
        let (url, binding) = (
            interface.text_of("url"),
            interface.text_of("protocolBinding"),
        );
        let url = url.ok_or(UnreadableCard::Broken)?;
        let found = published(url, binding.unwrap_or_default(), told.agent, told.public);
        if let Some(url) = found {
            let mut interface = interface.clone();
            interface.set("url", Tree::text(url));
            kept.push(interface);
        }
    }
    let any = !kept.is_empty();
    match any {
        true => card.set("supportedInterfaces", Tree::List(kept)),
        false => drop(card.remove("supportedInterfaces")),
    }
    Ok(any)
}

/// Rewrites the addresses of 0.3 and before: the preferred one, and the others. `false` where none is left.
fn rewrite_addresses(card: &mut Tree, told: &Told<'_>) -> Result<bool, UnreadableCard> {
    let main = match card.of("url") {
        None => None,
        Some(url) => {
            let url = url.as_text().ok_or(UnreadableCard::Broken)?;
            let transport = card.text_of("preferredTransport");
            published(url, transport.unwrap_or(JSONRPC), told.agent, told.public)
        }
    };
    let mut others = Vec::new();
    let mut first = None;
    for interface in list(card, "additionalInterfaces")? {
        let (url, transport) = (interface.text_of("url"), interface.text_of("transport"));
        let url = url.ok_or(UnreadableCard::Broken)?;
        let transport = transport.unwrap_or(JSONRPC);
        if let Some(url) = published(url, transport, told.agent, told.public) {
            first.get_or_insert_with(|| (url.clone(), transport.to_owned()));
            let mut interface = interface.clone();
            interface.set("url", Tree::text(url));
            others.push(interface);
        }
    }
    if card.of("additionalInterfaces").is_some() {
        card.set("additionalInterfaces", Tree::List(others));
    }
    match (main, first) {
        (Some(url), _) => card.set("url", Tree::text(url)),
        // The preferred one leads elsewhere: the next takes its place.
        (None, Some((url, transport))) => {
            card.set("url", Tree::text(url));
            card.set("preferredTransport", Tree::text(transport));
        }
        (None, None) => {
            for key in ["url", "preferredTransport", "additionalInterfaces"] {
                card.remove(key);
            }
            return Ok(false);
        }
    }
    Ok(true)
}

/// The transport of an interface that names none (A2A 0.3, section 5.5).
const JSONRPC: &str = "JSONRPC";

/// The items of a member; none where it is not there, or null.
fn list<'a>(object: &'a Tree, key: &str) -> Result<&'a [Tree], UnreadableCard> {
    match object.of(key) {
        None => Ok(&[]),
        Some(Tree::Plain(text)) if text == "null" => Ok(&[]),
        Some(value) => value.items().ok_or(UnreadableCard::Broken),
    }
}

/// Refuses a member that a reader might take for one of these.
fn check_spelling(object: &Tree, names: &[&str]) -> Result<(), UnreadableCard> {
    let mut members = object.members().iter();
    let is_other = |key: &str| {
        let mut names = names.iter();
        names.any(|name| key != *name && is_spelling(key, name))
    };
    match members.any(|(key, _)| is_other(key)) {
        true => Err(UnreadableCard::Ambiguous),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
