//! `roles` and `rules`: who may do what.

use std::sync::Arc;

use ipnet::IpNet;

use super::condition;
use super::scope::fence_in;
use super::{Draft, actions, add, each_named, mode, rule_ref};
use crate::config::decode::{self, Fields, bad_value, nearest, number, text, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{FROM, MAX_RANK, ROLE, RULE, TO};
use crate::config::source::Span;
use crate::config::tree::{Entry, Node, quoted};
use crate::identity::{Identity, Kind};
use crate::model::{ActionPattern, Glob, IdentityName, Mode, TenantId};
use crate::policy::condition::Condition;
use crate::policy::{Callers, Effect, Role, Rule, Sources};

/// A role as it is written.
pub(super) struct RawRole {
    rank: u32,
    mode: Mode,
    fence: Option<Arc<[TenantId]>>,
    pub(super) allow: Vec<ActionPattern>,
    inherits: Vec<(String, Span)>,
    // Whether `to` is written, be it with mistakes.
    has_to: bool,
    to: Option<RawCallers>,
}

/// A rule as it is written.
pub(super) struct RawRule {
    pub(super) effect: Effect,
    pub(super) mode: Mode,
    fence: Option<Arc<[TenantId]>>,
    when: Option<Condition>,
    pub(super) actions: Vec<ActionPattern>,
    from: Option<RawCallers>,
    cidrs: Vec<IpNet>,
    anonymous: bool,
    say: Option<Arc<str>>,
}

impl RawRule {
    /// Whether it is about every call that its patterns cover.
    pub(super) const fn is_unconditional(&self) -> bool {
        self.fence.is_none()
            && self.when.is_none()
            && self.from.is_none()
            && self.cidrs.is_empty()
            && !self.anonymous
    }
}

/// `to` or `from`.
struct RawCallers {
    at: Span,
    identity: Option<(String, Span)>,
    callers: Callers,
    tenants: Vec<(String, Span)>,
    /// Where the first SPIFFE ID stands.
    spiffe: Option<Span>,
}

impl Draft {
    pub(super) fn read_roles(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "role", report) {
            if let Some(mut role) = read_role(entry, self.mode, report) {
                role.fence.clone_from(&self.fence);
                add(&mut self.roles, entry, "role", role, report);
            }
        }
    }

    pub(super) fn read_rules(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "rule", report) {
            if let Some(mut rule) = read_rule(entry, self.mode, report) {
                rule.fence.clone_from(&self.fence);
                add(&mut self.rules, entry, "rule", rule, report);
            }
        }
    }

    pub(super) fn check_roles(&self, report: &mut Diagnostics) -> Vec<Role> {
        let mut roles = Vec::new();
        for (name, (span, role)) in &self.roles {
            for (parent, at) in &role.inherits {
                self.check_parent(name, parent, *at, report);
            }
            if !role.has_to && !self.is_inherited(name) {
                report.push(
                    Diagnostic::error(
                        Code::Unheld,
                        format_args!("nobody can hold role {}", quoted(name)),
                    )
                    .at(*span, "")
                    .help("say who does: to: { groups: [...] }, or inherit it"),
                );
            }
            let parents = role.inherits.iter();
            roles.push(Role {
                rule: rule_ref(name, *span, report),
                fence: role.fence.clone(),
                rank: role.rank,
                mode: role.mode,
                allow: role.allow.clone(),
                inherits: parents
                    .map(|(parent, _)| Arc::from(parent.as_str()))
                    .collect(),
                to: role.to.as_ref().map(|to| {
                    let mut callers = self.check_callers(to, true, report);
                    if let Some(fence) = &role.fence {
                        fence_in(&mut callers, fence, to.at, report);
                    }
                    callers
                }),
            });
        }
        roles
    }

    pub(super) fn check_rules(&self, report: &mut Diagnostics) -> Vec<Rule> {
        let mut rules = Vec::new();
        for (name, (span, rule)) in &self.rules {
            let must_name = rule.effect == Effect::Allow;
            let from = rule.from.as_ref().map(|from| Sources {
                callers: self.check_callers(from, must_name, report),
                cidrs: rule.cidrs.clone(),
                anonymous: rule.anonymous,
            });
            let from = match &rule.fence {
                Some(fence) => Some(rule.fenced(from, fence, *span, report)),
                None => from,
            };
            rules.push(Rule {
                rule: rule_ref(name, *span, report),
                effect: rule.effect,
                mode: rule.mode,
                actions: rule.actions.clone(),
                when: rule.when.clone(),
                from,
                say: rule.say.clone(),
            });
        }
        rules
    }

    fn is_inherited(&self, name: &str) -> bool {
        let mut others = self.roles.iter().filter(|(other, _)| *other != name);
        others.any(|(_, (_, role))| role.inherits.iter().any(|(parent, _)| parent == name))
    }

    fn check_parent(&self, name: &str, parent: &str, at: Span, report: &mut Diagnostics) {
        let Some((definition, _)) = self.roles.get(parent) else {
            let title = format_args!(
                "role {} inherits {}, which is no role",
                quoted(name),
                quoted(parent)
            );
            let diagnostic = Diagnostic::error(Code::UnknownRole, title);
            let meant = nearest(parent, self.roles.keys().map(String::as_str));
            report.push(diagnostic.suggest(at, meant));
            return;
        };
        if self.reaches(parent, name) {
            report.push(
                Diagnostic::error(
                    Code::InheritCycle,
                    format_args!("role {} inherits itself", quoted(name)),
                )
                .at(
                    at,
                    format_args!("{} leads back to {}", quoted(parent), quoted(name)),
                )
                .also(*definition, ""),
            );
        }
    }

    /// Whether `from` is or inherits `to`, over any number of steps.
    fn reaches(&self, from: &str, to: &str) -> bool {
        let mut seen = vec![from];
        let mut next = 0;
        while let Some(name) = seen.get(next).copied() {
            if name == to {
                return true;
            }
            next += 1;
            let parents = self.roles.get(name).map(|(_, role)| &role.inherits);
            for (parent, _) in parents.into_iter().flatten() {
                if !seen.contains(&parent.as_str()) {
                    seen.push(parent);
                }
            }
        }
        false
    }

    /// Resolves the identity. What is granted to a group or an id must say whose: another issuer's caller
    /// with the same name is somebody else.
    fn check_callers(
        &self,
        raw: &RawCallers,
        must_name_identity: bool,
        report: &mut Diagnostics,
    ) -> Callers {
        let mut callers = raw.callers.clone();
        for (tenant, at) in &raw.tenants {
            self.check_tenant(tenant, *at, report);
        }
        match &raw.identity {
            Some((name, at)) => {
                // Granted to nobody if there is none; the mistake is told.
                let found = self.identity(name, *at, report);
                check_spiffe(raw, found, report);
                callers.identity = IdentityName::new(name).ok();
            }
            None if must_name_identity => self.imply_identity(raw, &mut callers, report),
            None => {}
        }
        callers
    }

    fn imply_identity(&self, raw: &RawCallers, callers: &mut Callers, report: &mut Diagnostics) {
        if callers.groups.is_empty() && callers.ids.is_empty() {
            return;
        }
        if let Some((only, identity)) = self.only_identity(raw.at, &NOBODY, report) {
            check_spiffe(raw, Some((only, identity)), report);
            callers.identity = IdentityName::new(only).ok();
        }
    }
}

/// SPIFFE IDs are names of client certificates, and of workloads whose token an identity takes by such names. What another
/// token says of itself in the same words is somebody else.
fn check_spiffe(raw: &RawCallers, identity: Option<(&str, &Identity)>, report: &mut Diagnostics) {
    let (Some(span), Some((name, identity))) = (raw.spiffe, identity) else {
        return;
    };
    let names_workloads = match &identity.kind {
        Kind::Mtls(_) => true,
        Kind::Signature(signed) => signed.workloads.is_some(),
        Kind::ApiKey(_) | Kind::Jwt(_) => false,
    };
    if !names_workloads {
        let title = format_args!(
            "a SPIFFE ID is the name of a client certificate, and identity `{name}` is of another kind"
        );
        let diagnostic = Diagnostic::error(Code::Contradiction, title).at(span, "");
        report.push(diagnostic.help("name an identity with `mtls`"));
    }
}

/// What is wrong with conditions on callers where no identity is declared.
const NOBODY: (&str, &str) = (
    "nobody can be one of these",
    "declare who vouches for callers under `identities`",
);

impl RawRule {
    /// The callers inside of the fence that the rule is about.
    fn fenced(
        &self,
        from: Option<Sources>,
        fence: &[TenantId],
        span: Span,
        report: &mut Diagnostics,
    ) -> Sources {
        let at = self.from.as_ref().map_or(span, |from| from.at);
        if self.anonymous {
            let title = "callers without a credential belong to no tenant of a scope";
            let diagnostic = Diagnostic::error(Code::OutsideScope, title).at(at, "");
            report.push(diagnostic.help("move this to a file without `scope`"));
        }
        let mut from = from.unwrap_or_default();
        fence_in(&mut from.callers, fence, at, report);
        from
    }
}

fn read_role(entry: &Entry, otherwise: Mode, report: &mut Diagnostics) -> Option<RawRole> {
    let what = format!("role {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&ROLE, &entry.value, &what, Some(entry.key.span), report)?;
    if fields.is_empty(report) {
        return None;
    }
    let allow = fields.take("allow");
    let inherits = fields.take("inherits");
    let to = fields.take("to");
    let mode = mode(&mut fields, otherwise, report);
    let rank = fields
        .take("rank")
        .and_then(|entry| number(&entry.value, "`rank`", 0..=MAX_RANK, report));
    fields.finish(report);
    if allow.is_none() && inherits.is_none() {
        let title = format_args!("{what} grants nothing");
        report.push(
            Diagnostic::error(Code::Empty, title)
                .at(entry.key.span, "")
                .help("add `allow` or `inherits`"),
        );
    }
    let allow = allow.map(|allow| actions(&allow.value, "`allow`", report));
    let inherits = inherits.map(|inherits| texts(&inherits.value, "`inherits`", report));
    Some(RawRole {
        rank: rank.and_then(|rank| u32::try_from(rank).ok()).unwrap_or(0),
        mode,
        fence: None,
        allow: allow
            .into_iter()
            .flatten()
            .map(|(pattern, _)| pattern)
            .collect(),
        inherits: inherits
            .into_iter()
            .flatten()
            .map(|(name, span)| (name.to_owned(), span))
            .collect(),
        has_to: to.is_some(),
        to: to.and_then(|to| read_to(to, report)),
    })
}

fn read_to(entry: &Entry, report: &mut Diagnostics) -> Option<RawCallers> {
    let mut fields = Fields::of(&TO, &entry.value, "`to`", Some(entry.key.span), report)?;
    if fields.is_empty(report) {
        return None;
    }
    let callers = read_callers(&mut fields, entry.key.span, report);
    fields.finish(report);
    Some(callers)
}

/// The conditions that `to` and `from` share.
fn read_callers(fields: &mut Fields<'_>, at: Span, report: &mut Diagnostics) -> RawCallers {
    let identity = fields.take("identity").and_then(|entry| {
        let name = text(&entry.value, "`identity`", report)?;
        Some((name.to_owned(), entry.value.span))
    });
    let mut callers = Callers::default();
    let mut tenants = Vec::new();
    let mut spiffe = None;
    if let Some(entry) = fields.take("groups") {
        let groups = texts(&entry.value, "`groups`", report);
        callers.groups = groups
            .into_iter()
            .map(|(text, _)| Box::from(text))
            .collect();
    }
    if let Some(entry) = fields.take("ids") {
        for (text, span) in texts(&entry.value, "`ids`", report) {
            if text.starts_with("spiffe://") {
                spiffe = spiffe.or(Some(span));
            }
            callers.ids.push(Glob::new(text));
        }
    }
    if let Some(entry) = fields.take("tenants") {
        for (text, span) in texts(&entry.value, "`tenants`", report) {
            match TenantId::new(text) {
                Ok(tenant) => {
                    callers.tenants.push(tenant);
                    tenants.push((text.to_owned(), span));
                }
                Err(error) => {
                    let title = format_args!("{} is not a tenant: {error}", quoted(text));
                    report.push(Diagnostic::error(Code::BadValue, title).at(span, ""));
                }
            }
        }
    }
    RawCallers {
        at,
        identity,
        callers,
        tenants,
        spiffe,
    }
}

fn read_rule(entry: &Entry, otherwise: Mode, report: &mut Diagnostics) -> Option<RawRule> {
    let what = format!("rule {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&RULE, &entry.value, &what, Some(entry.key.span), report)?;
    if fields.is_empty(report) {
        return None;
    }
    let (allow, deny) = (fields.take("allow"), fields.take("deny"));
    let from = fields.take("from");
    let say = fields.take("say");
    let when = fields
        .take("when")
        .and_then(|entry| condition::read(&entry.value, &what, report));
    let mode = mode(&mut fields, otherwise, report);
    fields.finish(report);
    let (effect, entry) = match (allow, deny) {
        (Some(allow), None) => (Effect::Allow, allow),
        (None, Some(deny)) => (Effect::Deny, deny),
        (None, None) => {
            let title = format_args!("{what} neither allows nor denies");
            report.push(
                Diagnostic::error(Code::Empty, title)
                    .at(entry.key.span, "")
                    .help("add `allow` or `deny`"),
            );
            return None;
        }
        (Some(allow), Some(deny)) => {
            let title = format_args!("{what} both allows and denies");
            report.push(
                Diagnostic::error(Code::Contradiction, title)
                    .at(deny.key.span, "")
                    .also(allow.key.span, "")
                    .help("make two rules of it"),
            );
            return None;
        }
    };
    let listed = format!("`{}` of {what}", entry.key.text);
    let actions = actions(&entry.value, &listed, report);
    let mut rule = RawRule {
        effect,
        mode,
        fence: None,
        when,
        actions: actions.into_iter().map(|(pattern, _)| pattern).collect(),
        from: None,
        cidrs: Vec::new(),
        anonymous: false,
        say: say.and_then(|say| read_say(&say.value, report)),
    };
    if let Some(from) = from {
        read_from(from, &mut rule, report);
    }
    Some(rule)
}

/// What the caller reads: one line, because it may travel in a header field.
fn read_say(node: &Node, report: &mut Diagnostics) -> Option<Arc<str>> {
    const MAX_BYTES: usize = 500;
    let text = text(node, "`say`", report)?.trim();
    if text.len() > MAX_BYTES || text.chars().any(char::is_control) {
        let expected = format_args!("one line of at most {MAX_BYTES} bytes");
        report.push(bad_value(node, "`say`", expected));
        return None;
    }
    Some(Arc::from(text))
}

fn read_from(entry: &Entry, rule: &mut RawRule, report: &mut Diagnostics) -> Option<()> {
    let mut fields = Fields::of(&FROM, &entry.value, "`from`", Some(entry.key.span), report)?;
    if fields.is_empty(report) {
        return None;
    }
    let callers = read_callers(&mut fields, entry.key.span, report);
    if let Some(entry) = fields.take("cidrs") {
        for node in decode::one_or_more(&entry.value, "`cidrs`", report) {
            rule.cidrs.extend(read_cidr(node, report));
        }
    }
    let anonymous = fields.take("anonymous");
    fields.finish(report);
    if let Some(entry) = anonymous {
        rule.anonymous = decode::boolean(&entry.value, "`anonymous`", report).unwrap_or(false);
        let conditions = &callers.callers;
        let names_callers = callers.identity.is_some()
            || !conditions.groups.is_empty()
            || !conditions.ids.is_empty()
            || !conditions.tenants.is_empty();
        if rule.anonymous && names_callers {
            report.push(
                Diagnostic::error(
                    Code::Contradiction,
                    "callers without a credential have no identity, tenant, group or id",
                )
                .at(entry.key.span, "")
                .help("beside `anonymous` only `cidrs` can hold; make two rules of it"),
            );
        }
        // A deny covers them unless it says who else it is about, so there is nothing to leave out.
        if !rule.anonymous && rule.effect == Effect::Deny {
            let title = "a deny covers callers without a credential too";
            report.push(
                Diagnostic::error(Code::Contradiction, title)
                    .at(entry.key.span, "leave it out")
                    .help("to deny only known callers, name their identity"),
            );
        }
    }
    rule.from = Some(callers);
    Some(())
}

/// A network, or one address.
fn read_cidr(node: &Node, report: &mut Diagnostics) -> Option<IpNet> {
    let text = text(node, "`cidrs`", report)?;
    let network = text.parse::<IpNet>().ok();
    let network = network.or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    let Some(network) = network else {
        report.push(bad_value(node, "`cidrs`", "a network such as 10.0.0.0/8"));
        return None;
    };
    if network.trunc() != network {
        let diagnostic = bad_value(node, "`cidrs`", "the beginning of its network");
        report.push(diagnostic.at(
            node.span,
            format_args!("did you mean `{}`?", network.trunc()),
        ));
        return None;
    }
    Some(network)
}
