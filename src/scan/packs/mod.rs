//! The built-in packs: what is looked for, as data.

mod cards;
mod credentials;
#[cfg(test)]
mod near_misses;
mod network;
mod page;
mod pii;
mod private_keys;
mod sample;

use std::sync::LazyLock;

#[cfg(test)]
pub(super) use self::near_misses::near_misses;
pub use self::page::detectors_page;
#[cfg(test)]
pub(super) use self::sample::Draw;
pub use self::sample::sample;
use super::matcher::kind::Kind;

/// All kinds of all packs.
pub(super) fn kinds() -> impl Iterator<Item = &'static Kind> {
    cards::KINDS
        .iter()
        .chain(credentials::kinds())
        .chain(&network::KINDS)
        .chain(pii::kinds())
        .chain(&private_keys::KINDS)
}

/// Every pack (`pii`) and every detector (`pii.email`), as a policy names them, each pack before its detectors.
pub fn known_names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let mut names = Vec::new();
        for kind in kinds() {
            if !names.contains(&kind.pack()) {
                names.push(kind.pack());
            }
            names.push(kind.name);
        }
        names
    });
    &NAMES
}

/// What a detector looks for, in one line for people.
pub fn describe(name: &str) -> Option<&'static str> {
    kinds()
        .find(|kind| kind.name == name)
        .map(|kind| kind.description)
}

/// Whether a detector finds what a session may well be named by. Whoever begins one is given it in `Set-Cookie`, where it
/// is no leak.
pub fn may_be_session(name: &str) -> bool {
    const NAMES: [&str; 4] = ["gitlab-session", "jwe", "jwt", "session-cookie"];
    let name = name.strip_prefix("credentials.");
    name.is_some_and(|name| NAMES.contains(&name) || name.starts_with("generic-"))
}

/// Whether a policy may name it.
pub(super) fn is_known(name: &str) -> bool {
    known_names().contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_session_is_known() {
        let count = known_names()
            .iter()
            .filter(|name| may_be_session(name))
            .count();
        assert_eq!(count, 4 + 6);
    }
}
