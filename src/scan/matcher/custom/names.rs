//! The names of detectors that policies describe, kept for as long as the process runs.
//!
//! Findings travel with the name of their detector, through all of the proxy and into metrics that outlive a policy; so a
//! name is made once and stays. Reloads with the same names make none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::super::kind::{Check, Kind, Left, Shape};
use crate::model::Severity;

/// As many as all policies of a process may name: some 4 MiB.
const MAX_KINDS: usize = 16 * 1024;

static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// A name that stays. None when there are too many.
pub(in crate::scan) fn name(name: &str) -> Option<&'static str> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return Some(known);
    }
    if names.len() >= MAX_KINDS {
        return None;
    }
    let name: &'static str = String::leak(name.to_owned());
    names.insert(name);
    Some(name)
}

static KINDS: Mutex<BTreeMap<(Box<str>, Severity), &'static Kind>> = Mutex::new(BTreeMap::new());

/// The kind of this name. None when there are too many.
pub(in crate::scan) fn kind(name: &str, severity: Severity) -> Option<&'static Kind> {
    // Nothing panics while it is locked; and if, what is in it is whole.
    let mut kinds = KINDS.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (Box::from(name), severity);
    if let Some(kind) = kinds.get(&key) {
        return Some(kind);
    }
    if kinds.len() >= MAX_KINDS {
        return None;
    }
    let kind: &'static Kind = Box::leak(Box::new(Kind {
        name: String::leak(name.to_owned()),
        mark: String::leak(format!("[redacted:{name}]")),
        description: "described by the policy",
        severity,
        anchors: &[],
        left: Left::Any,
        shape: Shape::Custom,
        check: Check::None,
    }));
    kinds.insert(key, kind);
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_once() {
        let first = kind("employee-id", Severity::High).unwrap();
        assert!(std::ptr::eq(
            first,
            kind("employee-id", Severity::High).unwrap()
        ));
        assert_eq!(first.mark, "[redacted:employee-id]");
        assert_eq!(
            kind("employee-id", Severity::Low).unwrap().severity,
            Severity::Low
        );
    }
}
