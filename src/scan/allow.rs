//! Findings that are none: values that everybody may see, and answers in which a detector finds no secrets.

use std::sync::Arc;

use hashbrown::HashSet;

use crate::model::ActionPattern;

/// What a policy says of findings that are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// As the policy calls it.
    pub name: Box<str>,
    /// The pack or detector whose findings they are.
    pub detector: Box<str>,
    /// The values that are meant; `None` is all.
    pub values: Option<Arc<Values>>,
    /// In answers to which actions; none stands for all bodies.
    pub on: Vec<ActionPattern>,
}

/// Values that may be seen, as keyed hashes: the list is not kept in memory as it was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Values {
    key: [u8; 32],
    hashes: HashSet<[u8; 16], foldhash::fast::FixedState>,
}

/// An exception that holds for a detector.
#[derive(Debug, Clone)]
pub(super) struct Allowed {
    pub(super) name: &'static str,
    values: Option<Arc<Values>>,
}

impl Exception {
    /// Whether it is about a detector.
    pub(super) fn is_about(&self, detector: &str) -> bool {
        let rest = detector.strip_prefix(&*self.detector);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl Values {
    /// These values, under a key that nobody knows.
    pub fn new<'a>(key: [u8; 32], values: impl Iterator<Item = &'a str>) -> Self {
        let mut new = Self {
            key,
            hashes: HashSet::default(),
        };
        for value in values {
            let hash = new.hash(&[value.as_bytes()]);
            new.hashes.insert(hash);
        }
        new
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether a secret is one of them, with the public prefix before it or without.
    fn hold(&self, anchor: &str, body: &[u8]) -> bool {
        let is_one = |parts: &[&[u8]]| self.hashes.contains(&self.hash(parts));
        !body.is_empty()
            && (is_one(&[body]) || (!anchor.is_empty() && is_one(&[anchor.as_bytes(), body])))
    }

    /// Without what people put between the groups of a number.
    fn hash(&self, parts: &[&[u8]]) -> [u8; 16] {
        let is_said = |byte: &&u8| !byte.is_ascii_whitespace() && **byte != b'-';
        let bytes: Vec<u8> = parts
            .iter()
            .copied()
            .flatten()
            .filter(is_said)
            .copied()
            .collect();
        let hash = blake3::keyed_hash(&self.key, &bytes);
        let [first, ..] = hash.as_bytes().as_chunks::<16>().0 else {
            return [0; 16];
        };
        *first
    }
}

impl Allowed {
    pub(super) fn new(name: &'static str, exception: &Exception) -> Self {
        Self {
            name,
            values: exception.values.clone(),
        }
    }

    /// Whether a finding is none. A secret without a length of its own has no `body` here.
    pub(super) fn covers(&self, anchor: &str, body: &[u8]) -> bool {
        let values = self.values.as_ref();
        values.is_none_or(|values| values.hold(anchor, body))
    }

    /// Whether every finding is none.
    pub(super) const fn covers_all(&self) -> bool {
        self.values.is_none()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::{Action, LeakAction, Protocol};
    use crate::scan::{Config, Detectors, Hold, sample, scan_text};

    fn exception(detector: &str, values: Option<&[&str]>, on: &[&str]) -> Exception {
        Exception {
            name: "public".into(),
            detector: detector.into(),
            values: values.map(|values| Arc::new(Values::new([3; 32], values.iter().copied()))),
            on: on
                .iter()
                .map(|on| ActionPattern::parse(on).unwrap())
                .collect(),
        }
    }

    fn detectors(exceptions: Vec<Exception>) -> Arc<Detectors> {
        let packs = ["cards", "credentials"];
        let actions = packs.map(|pack| (Box::from(pack), LeakAction::Redact));
        Arc::new(
            Detectors::compile(&Config {
                actions: BTreeMap::from(actions),
                custom: Vec::new(),
                listed: Vec::new(),
                exceptions,
                hold: Hold::default(),
                buffer_bytes: 0,
                fingerprint_key: [7; 32],
            })
            .unwrap(),
        )
    }

    fn told(detectors: &Detectors, text: &str) -> Vec<(LeakAction, Option<&'static str>)> {
        let findings = scan_text(detectors, text.as_bytes()).into_iter();
        findings.map(|it| (it.action, it.allowed_by)).collect()
    }

    #[test]
    fn a_listed_value_is_no_finding_however_it_is_grouped_and_others_are() {
        let token = sample("credentials.github-pat", 5).unwrap();
        let other = sample("credentials.github-pat", 6).unwrap();
        let detectors = detectors(vec![
            exception("cards", Some(&["4111111111111111"]), &[]),
            exception("credentials.github-pat", Some(&[&token]), &[]),
        ]);
        let allowed = [(LeakAction::Allow, Some("public"))];
        assert_eq!(told(&detectors, "pay 4111 1111 1111 1111 now"), allowed);
        assert_eq!(told(&detectors, "pay 4111-1111-1111-1111 now"), allowed);
        assert_eq!(told(&detectors, &format!("x {token} x")), allowed);
        assert_eq!(
            told(&detectors, "pay 5555 5555 5555 4444 now"),
            [(LeakAction::Redact, None)]
        );
        assert_eq!(
            told(&detectors, &format!("x {other} x")),
            [(LeakAction::Redact, None)]
        );
    }

    #[test]
    fn an_exception_holds_for_its_actions_alone() {
        let detectors = detectors(vec![exception(
            "credentials",
            None,
            &["mcp:resources/read file:///docs/**"],
        )]);
        let read = |name: &str| Action {
            name: Some(name.into()),
            ..Action::known(Protocol::Mcp, "resources/read")
        };
        let token = sample("credentials.github-pat", 5).unwrap();
        let card = "4111 1111 1111 1111";
        let text = format!("{token} and {card} ");
        let on_docs = detectors.for_action(&read("file:///docs/a"));
        assert_eq!(
            told(&on_docs, &text),
            [
                (LeakAction::Allow, Some("public")),
                (LeakAction::Redact, None)
            ]
        );
        let elsewhere = detectors.for_action(&read("file:///other"));
        assert!(Arc::ptr_eq(&elsewhere, &detectors));
        assert_eq!(told(&elsewhere, &text).len(), 2);
    }
}
