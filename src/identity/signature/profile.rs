//! What the field agreed on: which parts a signature covers, and what it says of itself.

use std::time::Duration;

use super::component::{Component, Derived};
use super::key::Algorithm;
use super::requirements::{Nonces, Requirement, Requirements, When};

/// A convention about signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// The proposal for A2A (a2aproject/A2A#1829): Ed25519, no tag.
    A2a,
    /// lictor's own.
    #[default]
    Lictor,
    /// Web Bot Auth (draft-ietf-webbotauth-httpsig-protocol).
    WebBotAuth,
    /// Workloads whose key stands in a token (draft-ietf-wimse-http-signature).
    Wimse,
}

/// How much the clocks of a sender and of ours may differ, as for tokens.
pub const SKEW: Duration = Duration::from_secs(30);

impl Profile {
    /// Every profile.
    pub const ALL: &'static [Self] = &[Self::Lictor, Self::A2a, Self::WebBotAuth, Self::Wimse];

    /// The word in policies and on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A2a => "a2a",
            Self::Lictor => "lictor",
            Self::WebBotAuth => "web-bot-auth",
            Self::Wimse => "wimse",
        }
    }

    /// The purpose that its signatures name.
    pub const fn tag(self) -> Option<&'static str> {
        match self {
            Self::A2a => None,
            Self::Lictor => Some("lictor"),
            Self::WebBotAuth => Some("web-bot-auth"),
            Self::Wimse => Some("wimse-workload-to-workload"),
        }
    }

    /// The one algorithm, where there is but one.
    pub const fn algorithm(self) -> Option<Algorithm> {
        match self {
            Self::A2a => Some(Algorithm::Ed25519),
            Self::Lictor | Self::WebBotAuth | Self::Wimse => None,
        }
    }

    /// What signatures must be like, unless a policy says otherwise.
    pub fn requirements(self) -> Requirements {
        let derived = |derived: &[Derived]| -> Vec<Requirement> {
            let always = |derived: &Derived| Requirement {
                component: Component::derived(*derived),
                when: When::Always,
            };
            derived.iter().map(always).collect()
        };
        let fields = |fields: &[(&'static str, When)]| -> Vec<Requirement> {
            let requirement = |(name, when): &(&'static str, When)| {
                let component = Component::field(*name).ok()?;
                Some(Requirement {
                    component,
                    when: *when,
                })
            };
            fields.iter().filter_map(requirement).collect()
        };
        let (covers, max_age, nonces, expires) = match self {
            Self::A2a => (
                [
                    derived(&[Derived::Method, Derived::Path]),
                    fields(&[("content-digest", When::IfContent)]),
                ],
                MAX_AGE,
                Nonces::Required,
                false,
            ),
            Self::Lictor => (
                [
                    derived(&[
                        Derived::Method,
                        Derived::Authority,
                        Derived::Path,
                        Derived::Query,
                    ]),
                    fields(&[
                        ("content-type", When::IfPresent),
                        ("content-digest", When::IfContent),
                        ("authorization", When::IfPresent),
                        ("x-customer-id", When::IfPresent),
                    ]),
                ],
                MAX_AGE,
                Nonces::Required,
                true,
            ),
            Self::WebBotAuth => (
                [
                    derived(&[Derived::Authority]),
                    fields(&[("signature-agent", When::OwnMember)]),
                ],
                MAX_AGE_OF_BOTS,
                Nonces::Optional,
                true,
            ),
            Self::Wimse => (
                [
                    // Older drafts cover `@request-target`, which is both of them.
                    derived(&[Derived::Method, Derived::Path, Derived::Query]),
                    fields(&[
                        ("workload-identity-token", When::Always),
                        ("content-type", When::IfPresent),
                        ("content-digest", When::IfPresent),
                        ("authorization", When::IfPresent),
                        ("txn-token", When::IfPresent),
                    ]),
                ],
                MAX_AGE,
                Nonces::Required,
                true,
            ),
        };
        Requirements {
            covers: covers.concat(),
            max_age,
            skew: SKEW,
            nonces,
            expires,
        }
    }
}

/// Long enough for a slow upload of what was signed first, short enough to remember every nonce.
const MAX_AGE: Duration = Duration::from_secs(60);

/// As the draft recommends.
const MAX_AGE_OF_BOTS: Duration = Duration::from_hours(24);
