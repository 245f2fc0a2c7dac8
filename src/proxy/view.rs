//! Lists as the caller may see them.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Instant;

use crate::ledger::Ledger;
use crate::model::{ActionPattern, Call, TaskId};
use crate::policy::{PolicySet, Question, RequestFacts};
use crate::protocol::{Carrier, Listing, Viewer};

use super::standing::Case;
use super::tools::ToolMemory;

/// Who asks for a list, and what decides over its entries.
pub(super) struct View<'a> {
    pub(super) listing: Listing,
    pub(super) case: &'a Case,
    pub(super) agent: &'a str,
    pub(super) policy: &'a PolicySet,
    pub(super) ledger: &'a Ledger,
    pub(super) tools: &'a ToolMemory,
    pub(super) now: Instant,
    /// Tasks that are the caller's by the word of other processes.
    pub(super) owned: HashSet<TaskId>,
}

impl Viewer for View<'_> {
    fn sees(&self, name: &str) -> bool {
        let principal = &self.case.principal;
        let Some(action) = self.listing.use_of(name) else {
            let task = TaskId::new(name);
            return task.is_ok_and(|task| {
                self.owned.contains(&task) || self.ledger.owns(principal, &task, self.now)
            });
        };
        let call = Call {
            action,
            ..self.case.call.clone()
        };
        let asked = self.case.question(self.agent);
        let question = Question {
            call: &call,
            request: RequestFacts {
                args: None,
                tool: None,
                ..asked.request
            },
            ..asked
        };
        if self.listing == Listing::Templates {
            let pattern = ActionPattern::parse(&format!("mcp:resources/read {}", any_of(name)));
            return pattern.is_ok_and(|pattern| self.policy.may_be_granted(&question, &pattern));
        }
        self.policy.may_pass(&question)
    }

    fn trusts(&self, name: &str, entry: &str) -> bool {
        self.listing != Listing::Tools || self.tools.listed(self.policy, name, entry)
    }

    fn owned(&self) -> u64 {
        self.ledger.count_of(&self.case.principal)
    }
}

/// The tasks that a list names. One that cannot be read names none: whoever filters it will say so.
pub(super) fn tasks_in(listing: Listing, carrier: Carrier, body: &[u8]) -> Vec<TaskId> {
    let names = Names {
        listing,
        tasks: RefCell::default(),
    };
    let _only_read = listing.filter(carrier, body, &names);
    names.tasks.into_inner()
}

/// A reader who writes down what tasks there are.
struct Names {
    listing: Listing,
    tasks: RefCell<Vec<TaskId>>,
}

impl Viewer for Names {
    fn sees(&self, name: &str) -> bool {
        if self.listing.use_of(name).is_none()
            && let Ok(task) = TaskId::new(name)
        {
            self.tasks.borrow_mut().push(task);
        }
        true
    }

    fn owned(&self) -> u64 {
        0
    }
}

/// The pattern of what a template may become (RFC 6570): a variable is any text.
fn any_of(template: &str) -> String {
    let mut pattern = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, tail)) = rest.split_once('{') {
        pattern.push_str(before);
        pattern.push_str("**");
        rest = tail.split_once('}').map_or("", |(_, after)| after);
    }
    pattern.push_str(rest);
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_what_it_may_become() {
        for (template, expected) in [
            ("file:///docs/{path}", "file:///docs/**"),
            ("x://{a}/b/{+c}.txt", "x://**/b/**.txt"),
            ("x://y", "x://y"),
            ("x://{broken", "x://**"),
        ] {
            assert_eq!(any_of(template), expected);
        }
    }
}
