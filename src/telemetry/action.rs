//! Actions as a metric label: a closed set, whatever callers send.

use crate::model::{A2A_METHODS, Action, LLM_METHODS, MCP_METHODS, Protocol};

/// An action's place in the closed set of labels. All that is not in the set is `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActionLabel(usize);

impl ActionLabel {
    /// What has no label of its own: unknown methods, and requests that never became a call.
    pub const OTHER: Self = Self(0);

    /// How many labels there are.
    pub const COUNT: usize =
        1 + A2A_METHODS.len() + HTTP_METHODS.len() + LLM_METHODS.len() + MCP_METHODS.len();

    /// The label of an action: its protocol and method without its name, which callers choose.
    pub fn of(action: &Action) -> Self {
        let method = &*action.method;
        let (before, found) = match action.protocol {
            Protocol::A2a => (1, position(A2A_METHODS, method)),
            Protocol::Http => (
                1 + A2A_METHODS.len(),
                HTTP_METHODS.iter().position(|known| *known == method),
            ),
            Protocol::Llm => (
                1 + A2A_METHODS.len() + HTTP_METHODS.len(),
                position(LLM_METHODS, method),
            ),
            Protocol::Mcp => (
                1 + A2A_METHODS.len() + HTTP_METHODS.len() + LLM_METHODS.len(),
                position(MCP_METHODS, method),
            ),
        };
        found.map_or(Self::OTHER, |index| Self(before + index))
    }

    /// The label's text, e.g. `a2a:SendMessage` or `http:GET`.
    pub fn text(self) -> String {
        let canonical = |methods: &'static [(&'static str, _)], protocol: Protocol| {
            methods
                .iter()
                .map(move |(method, _)| (protocol, *method))
                .collect::<Vec<_>>()
        };
        let all = [
            canonical(A2A_METHODS, Protocol::A2a),
            HTTP_METHODS
                .iter()
                .map(|method| (Protocol::Http, *method))
                .collect(),
            canonical(LLM_METHODS, Protocol::Llm),
            canonical(MCP_METHODS, Protocol::Mcp),
        ];
        let found = self
            .0
            .checked_sub(1)
            .and_then(|index| all.iter().flatten().nth(index));
        match found {
            Some((protocol, method)) => format!("{}:{method}", protocol.as_str()),
            None => "other".to_owned(),
        }
    }

    /// The label as an index below [`Self::COUNT`].
    pub const fn index(self) -> usize {
        self.0
    }
}

fn position(methods: &[(&str, &[&str])], method: &str) -> Option<usize> {
    methods.iter().position(|(known, _)| *known == method)
}

/// The methods of RFC 9110, section 9, and `PATCH` (RFC 5789).
const HTTP_METHODS: &[&str] = &[
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_known_method_has_a_label_of_its_own() {
        let mut texts = BTreeSet::from([ActionLabel::OTHER.text()]);
        for protocol in Protocol::ALL {
            let methods: Vec<&'static str> = match protocol {
                Protocol::Http => HTTP_METHODS.to_vec(),
                Protocol::A2a | Protocol::Llm | Protocol::Mcp => {
                    protocol.methods().iter().map(|(name, _)| *name).collect()
                }
            };
            for method in methods {
                let label = ActionLabel::of(&Action::known(*protocol, method));
                assert_eq!(label.text(), format!("{}:{method}", protocol.as_str()));
                assert!(label.index() < ActionLabel::COUNT);
                texts.insert(label.text());
            }
        }
        assert_eq!(texts.len(), ActionLabel::COUNT);
    }

    #[test]
    fn text_of_a_caller_never_becomes_a_label() {
        let mut action = Action::known(Protocol::Http, "GET");
        action.name = Some(Box::from("/users/4711"));
        assert_eq!(ActionLabel::of(&action).text(), "http:GET");
        action.method = Cow::Owned("EVIL-1".to_owned());
        assert_eq!(ActionLabel::of(&action).text(), "other");
    }
}
