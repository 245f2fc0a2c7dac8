//! Finds the statements that may be about an action, so that a decision does not cost more with every
//! rule about other methods.

use hashbrown::HashMap;

use crate::model::{Action, ActionPattern, Protocol};

type ByMethod<T> = HashMap<&'static str, Box<[T]>, foldhash::fast::FixedState>;

/// Statements by protocol and method, in the order in which they were given.
#[derive(Debug)]
pub(super) struct Index<T> {
    protocols: [OfProtocol<T>; Protocol::ALL.len()],
}

#[derive(Debug)]
struct OfProtocol<T> {
    // The methods that the protocol has: what may be about each is known at compile time.
    methods: ByMethod<T>,
    // Everything, for methods that are not in the table: HTTP's, and MCP's notifications.
    all: Box<[T]>,
}

impl<T: Clone> Index<T> {
    /// Builds the index from statements and a way to see the pattern of each.
    pub(super) fn new(statements: &[T], pattern: impl Fn(&T) -> &ActionPattern) -> Self {
        let of_protocol = |protocol| {
            let all: Box<[T]> = statements
                .iter()
                .filter(|statement| pattern(statement).protocol() == protocol)
                .cloned()
                .collect();
            let methods = protocol.methods().iter().map(|(method, _)| {
                let action = Action::known(protocol, method);
                let candidates = all
                    .iter()
                    // Without a name, so that patterns with any name are kept.
                    .filter(|statement| pattern(statement).may_match(&action))
                    .cloned()
                    .collect();
                (*method, candidates)
            });
            OfProtocol {
                methods: methods.collect(),
                all,
            }
        };
        Self {
            protocols: [Protocol::A2a, Protocol::Http, Protocol::Llm, Protocol::Mcp]
                .map(of_protocol),
        }
    }

    /// A superset of the statements whose pattern matches the action.
    pub(super) fn candidates(&self, action: &Action) -> &[T] {
        let [a2a, http, llm, mcp] = &self.protocols;
        let of_protocol = match action.protocol {
            Protocol::A2a => a2a,
            Protocol::Http => http,
            Protocol::Llm => llm,
            Protocol::Mcp => mcp,
        };
        of_protocol
            .methods
            .get(&*action.method)
            .unwrap_or(&of_protocol.all)
    }
}
