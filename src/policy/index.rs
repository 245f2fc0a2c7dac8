//! Finds the statements that may be about a call, so that a decision does not cost more with every statement
//! about something or somebody else.
//!
//! First by protocol and method, then by the most telling thing that a statement asks of its caller (an id,
//! a tenant, a group), then by what the name of the action must begin with. Each step is one look into a
//! table; what is found may still not match.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::config::Callers;
use crate::model::{Action, ActionPattern, Glob, Principal, Protocol};

/// What a statement is about, as far as the index is concerned. `None` is everybody.
pub(super) type About<'a> = (&'a ActionPattern, Option<&'a Callers>);

/// The numbers of statements, by what they are about.
#[derive(Debug)]
pub(super) struct Index {
    protocols: [Methods; Protocol::ALL.len()],
    is_empty: bool,
}

#[derive(Debug, Default)]
struct Methods {
    named: Table<Whom>,
    /// What may be about a method that no statement and no protocol names.
    others: Whom,
}

/// Numbers by whom the statement asks for.
#[derive(Debug, Default)]
struct Whom {
    ids: Table<Names>,
    tenants: Table<Names>,
    groups: Table<Names>,
    anybody: Names,
}

/// Numbers by what the action's name must begin with; each list ascends.
#[derive(Debug, Default)]
struct Names {
    /// Nothing is asked of the beginning.
    open: Box<[u32]>,
    prefixes: Table<Box<[u32]>>,
    /// The lengths of the prefixes in bytes, ascending.
    lengths: Box<[usize]>,
    /// The bytes that prefixes begin with: most names are told apart by it.
    firsts: Firsts,
}

/// A set of bytes.
#[derive(Debug, Default)]
struct Firsts([u64; 4]);

impl Firsts {
    fn of<'a>(prefixes: impl Iterator<Item = &'a str>) -> Self {
        let mut firsts = Self::default();
        for first in prefixes.filter_map(|prefix| prefix.bytes().next()) {
            if let Some(word) = firsts.0.get_mut(usize::from(first >> 6)) {
                *word |= 1 << (first & 63);
            }
        }
        firsts
    }

    fn has_first_of(&self, name: &str) -> bool {
        let Some(first) = name.bytes().next() else {
            return false;
        };
        let word = self.0.get(usize::from(first >> 6));
        word.is_some_and(|word| word & 1 << (first & 63) != 0)
    }
}

// The tables are made of what authors wrote, so a caller cannot choose keys that collide.
type Table<T> = HashMap<Box<str>, T, FixedState>;

impl Index {
    /// Numbers the statements in their order.
    pub(super) fn new(statements: &[About<'_>]) -> Self {
        let of_protocol = |protocol: &Protocol| {
            let numbered = (0..).zip(statements.iter().copied());
            let own: Vec<(u32, About<'_>)> = numbered
                .filter(|(_, (pattern, _))| pattern.protocol() == *protocol)
                .collect();
            Methods::new(*protocol, &own)
        };
        let [a2a, http, llm, mcp] = [Protocol::A2a, Protocol::Http, Protocol::Llm, Protocol::Mcp];
        Self {
            protocols: [a2a, http, llm, mcp].map(|protocol| of_protocol(&protocol)),
            is_empty: statements.is_empty(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }

    /// The lowest number of which `matches` says yes, among the statements that may be about the call.
    /// `nameless`: an action without a name may be about any name.
    pub(super) fn first(
        &self,
        action: &Action,
        principal: &Principal,
        nameless: bool,
        matches: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let mut lowest = None;
        self.each_list(action, principal, nameless, &mut |list| {
            let below = |number: &&u32| lowest.is_none_or(|lowest| **number < lowest);
            let found = list
                .iter()
                .take_while(below)
                .find(|number| matches(**number));
            lowest = found.copied().or(lowest);
        });
        lowest
    }

    /// The numbers of all statements that may be about the call, ascending.
    pub(super) fn all(&self, action: &Action, principal: &Principal, nameless: bool) -> Vec<u32> {
        let mut all = BTreeSet::new();
        self.each_list(action, principal, nameless, &mut |list| all.extend(list));
        all.into_iter().collect()
    }

    fn each_list<'a>(
        &'a self,
        action: &Action,
        principal: &Principal,
        nameless: bool,
        visit: &mut impl FnMut(&'a [u32]),
    ) {
        let [a2a, http, llm, mcp] = &self.protocols;
        let methods = match action.protocol {
            Protocol::A2a => a2a,
            Protocol::Http => http,
            Protocol::Llm => llm,
            Protocol::Mcp => mcp,
        };
        let whom = methods
            .named
            .get(&*action.method)
            .unwrap_or(&methods.others);
        let name = action.name.as_deref();
        let mut names = |names: &'a Names| names.each_list(name, nameless, visit);
        names(&whom.anybody);
        if let Some(found) = whom.ids.get(principal.id.as_str()) {
            names(found);
        }
        if let Some(found) = whom.tenants.get(principal.tenant.as_str()) {
            names(found);
        }
        if !whom.groups.is_empty() {
            let found = principal
                .groups
                .iter()
                .filter_map(|group| whom.groups.get(group));
            found.for_each(names);
        }
    }
}

impl Methods {
    fn new(protocol: Protocol, statements: &[(u32, About<'_>)]) -> Self {
        let mut exact: BTreeMap<&str, Vec<(u32, About<'_>)>> = BTreeMap::new();
        for (method, _) in protocol.methods() {
            exact.insert(method, Vec::new());
        }
        let mut wide = Vec::new();
        for statement @ (_, (pattern, _)) in statements {
            match pattern.method().literal() {
                Some(method) => exact.entry(method).or_default().push(*statement),
                None => wide.push(*statement),
            }
        }
        let named = exact.into_iter().map(|(method, mut own)| {
            let fits = |(_, (pattern, _)): &&(u32, About<'_>)| pattern.method().matches(method);
            own.extend(wide.iter().filter(fits));
            own.sort_unstable_by_key(|(number, _)| *number);
            (Box::from(method), Whom::new(&own))
        });
        Self {
            named: named.collect(),
            others: Whom::new(&wide),
        }
    }
}

impl Whom {
    fn new(statements: &[(u32, About<'_>)]) -> Self {
        type Sorted<'a> = BTreeMap<&'a str, Vec<(u32, Option<&'a Glob>)>>;
        let (mut ids, mut tenants, mut groups) = (Sorted::new(), Sorted::new(), Sorted::new());
        let mut anybody = Vec::new();
        for (number, (pattern, callers)) in statements {
            let entry = (*number, pattern.name());
            let Some(callers) = callers else {
                anybody.push(entry);
                continue;
            };
            let literal: Option<Vec<&str>> = callers.ids.iter().map(Glob::literal).collect();
            // The first that is asked for: few callers share an id, more a tenant, most a group.
            let (table, keys) = match literal.filter(|ids| !ids.is_empty()) {
                Some(literal) => (&mut ids, literal),
                None if !callers.tenants.is_empty() => {
                    let keys = callers.tenants.iter().map(|tenant| tenant.as_str());
                    (&mut tenants, keys.collect())
                }
                None => (
                    &mut groups,
                    callers.groups.iter().map(|group| &**group).collect(),
                ),
            };
            if keys.is_empty() {
                anybody.push(entry);
            }
            for key in keys {
                table.entry(key).or_default().push(entry);
            }
        }
        let table = |sorted: Sorted<'_>| {
            let names = sorted.into_iter();
            names
                .map(|(key, list)| (Box::from(key), Names::new(&list)))
                .collect()
        };
        Self {
            ids: table(ids),
            tenants: table(tenants),
            groups: table(groups),
            anybody: Names::new(&anybody),
        }
    }
}

impl Names {
    fn new(statements: &[(u32, Option<&Glob>)]) -> Self {
        let mut open = Vec::new();
        let mut prefixes: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (number, name) in statements {
            match name.map_or("", Glob::literal_prefix) {
                "" => open.push(*number),
                prefix => prefixes.entry(prefix).or_default().push(*number),
            }
        }
        let lengths: BTreeSet<usize> = prefixes.keys().map(|prefix| prefix.len()).collect();
        let firsts = Firsts::of(prefixes.keys().copied());
        let prefixes = prefixes.into_iter();
        Self {
            firsts,
            open: open.into(),
            prefixes: prefixes
                .map(|(prefix, list)| (Box::from(prefix), list.into()))
                .collect(),
            lengths: lengths.into_iter().collect(),
        }
    }

    fn each_list<'a>(
        &'a self,
        name: Option<&str>,
        nameless: bool,
        visit: &mut impl FnMut(&'a [u32]),
    ) {
        if !self.open.is_empty() {
            visit(&self.open);
        }
        match name {
            Some(name) if !self.firsts.has_first_of(name) => {}
            Some(name) => {
                let beginnings = self.lengths.iter().map_while(|length| {
                    // Beyond the name's end no longer one fits; inside of a character none does.
                    (*length <= name.len()).then(|| name.get(..*length))
                });
                let found = beginnings
                    .flatten()
                    .filter_map(|prefix| self.prefixes.get(prefix));
                found.for_each(|list| visit(list));
            }
            None if nameless => self.prefixes.values().for_each(|list| visit(list)),
            None => {}
        }
    }
}
