//! What pinned tools were described as when they were last listed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::identity::text_sha256;
use crate::model::{Mode, Reason, Refusal};
use crate::policy::{Pinned, PolicySet, Question};
use crate::protocol;

/// The descriptions of an agent's pinned tools, by their hashes. It outlives policies: a tool that has changed stays changed when
/// they are loaded anew.
///
/// Holds at most as many tools as policies have pinned, and no more than 4096; behind that the ones that were first stay.
#[derive(Debug, Default)]
pub struct ToolMemory(Mutex<HashMap<Box<str>, String>>);

/// More tools than any policy pins.
const MOST: usize = 4096;

impl ToolMemory {
    /// Takes note of a tool as it is listed. Whether it may be shown.
    pub(super) fn listed(&self, policy: &PolicySet, name: &str, entry: &str) -> bool {
        let Some(pinned) = policy.pin_of(name) else {
            return true;
        };
        // What two readers may see differently is not what anybody has looked at.
        let hash = protocol::canonical_json(entry).map(|text| text_sha256(&text));
        let hash = hash.unwrap_or_default();
        let is_new = self.note(name, &hash);
        if pinned.is_of(&hash) {
            return true;
        }
        if is_new {
            tell(name, &pinned, &hash);
        }
        pinned.mode == Mode::Shadow
    }

    /// Refuses the call of a tool whose description was another one when it was last listed.
    ///
    /// # Errors
    /// [`Reason::ToolChanged`].
    pub(super) fn admit(&self, policy: &PolicySet, question: &Question<'_>) -> Result<(), Refusal> {
        let name = question.request.tool.and_then(|tool| tool.name.as_deref());
        let Some((name, pinned)) = name.and_then(|name| Some((name, policy.pin_of(name)?))) else {
            return Ok(());
        };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pinned.mode == Mode::Shadow || known.get(name).is_none_or(|hash| pinned.is_of(hash)) {
            return Ok(());
        }
        drop(known);
        Err(Refusal {
            rule: Some(pinned.rule.clone()),
            ..Refusal::new(Reason::ToolChanged).detail("the agent lists another description")
        })
    }

    /// Whether this is news.
    fn note(&self, name: &str, hash: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = known.get_mut(name) {
            let is_new = before != hash;
            hash.clone_into(before);
            return is_new;
        }
        if known.len() < MOST {
            known.insert(Box::from(name), hash.to_owned());
        }
        true
    }
}

fn tell(name: &str, pinned: &Pinned<'_>, hash: &str) {
    let listed = match hash {
        "" => "what two readers may see differently".to_owned(),
        hash => format!("sha256:{hash}"),
    };
    let pin = pinned.pin.map(ToString::to_string).unwrap_or_default();
    tracing::warn!(
        tool = name,
        pin,
        listed,
        "a pinned tool is listed with another description: {}",
        match pinned.mode {
            Mode::Enforce => "it is not shown, and calls of it are refused",
            Mode::Shadow => "its pin is in shadow mode, so it stays",
        }
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_not_known_is_news() {
        let memory = ToolMemory::default();
        assert!(memory.note("wire", "a"));
        assert!(!memory.note("wire", "a"));
        assert!(memory.note("wire", "b"));
        assert!(memory.note("search", "a"));
        for number in 0..MOST {
            memory.note(&number.to_string(), "a");
        }
        assert!(memory.0.lock().unwrap().len() <= MOST);
    }
}
