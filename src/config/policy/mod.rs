//! Policy files: sections become each room's checked config.

mod a2a_tenant;
mod agent_card;
mod audit;
mod condition;
mod http;
pub(in crate::config) mod identities;
mod leaks;
mod limits;
mod proof;
mod push;
mod quotas;
mod resource;
mod revoke;
mod roles;
mod scope;
mod seniority;
mod shadowed;
mod signing;
mod tenants;
mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::decode::{Fields, nearest, word};
use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::language::policy::{MODE, POLICY};
use super::source::Span;
use super::tree::{Entry, Kind, Node, quoted};
use crate::audit::{Capture, Decisions};
use crate::model::{ActionPattern, Glob, Mode, Protocol, RuleRef, TenantId};
use crate::proxy::{card, hygiene, resource as protected};
use crate::{identity, policy, push as hooks, quota, rehearsal, scan};

/// Statements by name, from all files.
type Named<T> = BTreeMap<String, (Span, T)>;

/// What all files say together, before it is known whether it fits together.
#[derive(Default)]
pub(super) struct Draft {
    identities: Named<identity::Identity>,
    // The tenants that issuers may speak for, and where it says so.
    issuer_tenants: Vec<(String, Span)>,
    tenants: Option<Named<tenants::RawTenant>>,
    tiers: Named<tenants::RawTier>,
    roles: Named<roles::RawRole>,
    rules: Named<roles::RawRule>,
    quotas: Named<quotas::RawQuota>,
    limits: limits::RawLimits,
    leaks: leaks::RawLeaks,
    http: http::RawHttp,
    seniority: seniority::RawSeniority,
    audit: audit::RawAudit,
    tools: Named<tools::RawTool>,
    proof: proof::RawProof,
    revocations: Named<revoke::RawRevocation>,
    // What holds for the statements of the file that is being read, unless they say otherwise.
    mode: Mode,
    // The tenants that the file is about; `None` is all.
    fence: Option<Arc<[TenantId]>>,
}

/// The checked result.
pub(super) struct Checked {
    pub(super) policy: policy::Config,
    pub(super) quotas: quota::Config,
    pub(super) identity: identity::Config,
    pub(super) leaks: scan::Config,
    pub(super) directions: scan::Directions,
    pub(super) http: hygiene::Config,
    pub(super) resource: Option<protected::Config>,
    pub(super) card: Option<card::Config>,
    pub(super) push: Option<hooks::Config>,
    pub(super) capture: Capture,
    pub(super) decisions: Decisions,
    pub(super) include: policy::Reads,
    pub(super) rehearsal: rehearsal::Config,
    pub(super) revocations: Vec<policy::Revocation>,
    /// By kind and name.
    pub(super) statements: BTreeSet<String>,
    /// Roles and rules.
    pub(super) rules: usize,
}

impl Draft {
    /// Adds what one file says.
    pub(super) fn read(&mut self, file: u32, root: Option<&Node>, report: &mut Diagnostics) {
        let Some(root) = root else {
            report.push(no_version(Span {
                file,
                start: 0,
                end: 1,
            }));
            return;
        };
        super::decode::refuse_secrets(root, report);
        check_version(root, report);
        let Some(mut fields) = Fields::of(&POLICY, root, "the policy", None, report) else {
            return;
        };
        let _read_above = fields.take("lictor");
        self.mode = mode(&mut fields, Mode::Enforce, report);
        self.fence = None;
        if let Some(entry) = fields.take("scope") {
            self.fence = Some(scope::read(entry, report));
            scope::check_sections(root, report);
        }
        if let Some(entry) = fields.take("identities") {
            self.read_identities(entry, report);
        }
        if let Some(entry) = fields.take("tenants") {
            self.read_tenants(entry, report);
        }
        if let Some(entry) = fields.take("tiers") {
            self.read_tiers(entry, report);
        }
        if let Some(entry) = fields.take("roles") {
            self.read_roles(entry, report);
        }
        if let Some(entry) = fields.take("rules") {
            self.read_rules(entry, report);
        }
        if let Some(entry) = fields.take("seniority") {
            self.read_seniority(entry, report);
        }
        if let Some(entry) = fields.take("tools") {
            self.read_tools(entry, report);
        }
        if let Some(entry) = fields.take("quotas") {
            self.read_quotas(entry, report);
        }
        if let Some(entry) = fields.take("limits") {
            self.read_limits(entry, report);
        }
        if let Some(entry) = fields.take("leaks") {
            self.read_leaks(entry, report);
        }
        if let Some(entry) = fields.take("http") {
            self.http.read(entry, report);
        }
        if let Some(entry) = fields.take("audit") {
            self.read_audit(entry, report);
        }
        if let Some(entry) = fields.take("revoke") {
            self.read_revocations(entry, report);
        }
        if let Some(entry) = fields.take("people") {
            self.read_people(entry, report);
        }
        if let Some(entry) = fields.take("tests") {
            self.read_tests(entry, report);
        }
        fields.skip_extensions();
        fields.finish(report);
    }

    /// Checks what needs all files.
    pub(super) fn check(self, known_detectors: &[&str], report: &mut Diagnostics) -> Checked {
        let rules = self.roles.len() + self.rules.len();
        let statements = self.names();
        for (tenant, at) in &self.issuer_tenants {
            self.check_tenant(tenant, *at, report);
        }
        let detectors = self.detector_names(known_detectors);
        let leaks = self.check_leaks(known_detectors, &detectors, report);
        let directions = self.directions();
        let policy = self.check_policy(report);
        let quotas = self.check_quotas(report);
        let rehearsal = self.check_proof(&detectors, report);
        let revocations = self.check_revocations(report);
        let (capture, decisions) = (self.audit.capture(), self.audit.decisions());
        let include = self.audit.include();
        let resource = self.check_resource(&policy, report);
        let card = self.check_card(&policy, report);
        let push = self.check_push(report);
        let answers = self.http.answer_signing();
        let http = self.http.check(report);
        let conditions = policy.rules.iter().filter_map(|rule| rule.when.as_ref());
        let reads = policy::Reads::of(conditions);
        let identities = self.identities.into_values();
        Checked {
            policy,
            quotas,
            identity: identity::Config {
                identities: identities.map(|(_, identity)| identity).collect(),
                claims: reads.needing(&include).claims,
                answers,
            },
            leaks,
            directions,
            http,
            resource,
            card,
            push,
            capture,
            decisions,
            include,
            rehearsal,
            revocations,
            statements,
            rules,
        }
    }

    /// What is said under a name, so that two versions can be told apart.
    fn names(&self) -> BTreeSet<String> {
        fn named<T>(kind: &str, all: &Named<T>) -> impl Iterator<Item = String> {
            all.keys().map(move |name| format!("{kind} {name}"))
        }
        named("identity", &self.identities)
            .chain(named("role", &self.roles))
            .chain(named("rule", &self.rules))
            .chain(named("quota", &self.quotas))
            .chain(named("revocation", &self.revocations))
            .chain(named("detector", &self.leaks.custom))
            .chain(named("exception", self.leaks.exceptions()))
            .collect()
    }

    fn check_policy(&self, report: &mut Diagnostics) -> policy::Config {
        self.check_shadowed(report);
        policy::Config {
            tenants: self.check_tenants(report),
            roles: self.check_roles(report),
            rules: self.check_rules(report),
            seniority: self.seniority.check(),
            tools: self.check_tools(report),
            default_limits: self.limits.default(),
            limits: self.limits.check(report),
        }
    }
}

/// The revocations that one file has, whatever else it says: mistakes beside them are told elsewhere, and what is
/// wrong in one of them is about nobody.
pub(super) fn revocations(root: &Node, report: &mut Diagnostics) -> Vec<policy::Revocation> {
    let mut draft = Draft::default();
    if let Kind::Map(entries) = &*root.kind {
        for entry in entries.iter().filter(|entry| &*entry.key.text == "revoke") {
            draft.read_revocations(entry, report);
        }
    }
    revoke::all(&draft.revocations, report)
}

/// The first key of the first mapping must be `lictor: v1`: it is marker and version in one, and lets a
/// file that is no policy be told from one that has a typo.
pub(super) fn check_version(root: &Node, report: &mut Diagnostics) {
    let Kind::Map(entries) = &*root.kind else {
        return;
    };
    let is_v1 =
        |entry: &Entry| matches!(&*entry.value.kind, Kind::Text { text, .. } if text == "v1");
    match entries
        .iter()
        .position(|entry| &*entry.key.text == "lictor")
    {
        None => report.push(no_version(Span {
            end: root.span.start + 1,
            ..root.span
        })),
        Some(at) => {
            let Some(entry) = entries.get(at) else { return };
            if !is_v1(entry) {
                let title = "this version of lictor reads `lictor: v1`";
                report
                    .push(Diagnostic::error(Code::Version, title).at(entry.value.span, "write v1"));
            } else if at > 0 {
                let title = "`lictor: v1` must be the first key";
                report.push(Diagnostic::error(Code::Version, title).at(entry.key.span, ""));
            }
        }
    }
}

fn no_version(span: Span) -> Diagnostic {
    Diagnostic::error(Code::Version, "the first key of a policy is `lictor: v1`").at(span, "")
}

impl Fields<'_> {
    /// `x-*` keys hold anchors and say nothing.
    pub(super) fn skip_extensions(&mut self) {
        self.take_if(|key| key.starts_with("x-"));
    }
}

/// Whether a statement acts, or all of a file's.
fn mode(fields: &mut Fields<'_>, otherwise: Mode, report: &mut Diagnostics) -> Mode {
    let words = [("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];
    fields
        .take("mode")
        .and_then(|entry| word(&entry.value, "`mode`", MODE, &words, report))
        .unwrap_or(otherwise)
}

/// The named statements of a section: `f` for each, with the name checked.
fn each_named<'node>(
    section: &'node Entry,
    what: &str,
    report: &mut Diagnostics,
) -> Vec<&'node Entry> {
    let title = format!("`{}`", section.key.text);
    let Some(mut fields) = Fields::named(&section.value, title, Some(section.key.span), report)
    else {
        return Vec::new();
    };
    if fields.is_empty(report) {
        return Vec::new();
    }
    let entries = fields.rest();
    for entry in &entries {
        check_name(entry, what, report);
    }
    entries
}

/// Names stand in header fields, metrics and logs, so they are short and plain.
pub(in crate::config) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// Says so where something has no such name.
pub(in crate::config) fn check_name(entry: &Entry, what: &str, report: &mut Diagnostics) {
    let name = &*entry.key.text;
    if !is_name(name) {
        let article = if what.starts_with('a') { "an" } else { "a" };
        let title = format_args!("{} is not a name for {article} {what}", quoted(name));
        report.push(
            Diagnostic::error(Code::BadValue, title)
                .at(entry.key.span, "")
                .help("names are up to 64 letters, digits and `-`"),
        );
    }
}

/// Files add up and never override.
fn add<T>(map: &mut Named<T>, entry: &Entry, what: &str, value: T, report: &mut Diagnostics) {
    let name = entry.key.text.to_string();
    if let Some((first, _)) = map.get(&name) {
        report.push(defined_twice(
            &format!("{what} {}", quoted(&name)),
            entry.key.span,
            *first,
        ));
        return;
    }
    map.insert(name, (entry.key.span, value));
}

/// A setting of which there is one.
fn set<T>(
    place: &mut Option<(Span, T)>,
    entry: &Entry,
    value: Option<T>,
    report: &mut Diagnostics,
) {
    match (&place, value) {
        (Some((first, _)), _) => {
            let what = format!("`{}`", entry.key.text);
            report.push(defined_twice(&what, entry.key.span, *first));
        }
        (None, Some(value)) => *place = Some((entry.key.span, value)),
        (None, None) => {}
    }
}

fn defined_twice(what: &str, second: Span, first: Span) -> Diagnostic {
    Diagnostic::error(Code::DefinedTwice, format_args!("{what} is defined twice"))
        .at(second, "second definition")
        .also(first, "first definition")
        .help("files add up; nothing overrides. Rename one, or delete one.")
}

fn rule_ref(name: &str, span: Span, report: &Diagnostics) -> Arc<RuleRef> {
    Arc::new(RuleRef {
        name: Arc::from(name),
        place: report.source(span).map(|source| source.place(span)),
    })
}

/// Reads one action pattern or several.
fn actions(
    node: &Node,
    what: impl std::fmt::Display,
    report: &mut Diagnostics,
) -> Vec<(ActionPattern, Span)> {
    super::decode::texts(node, what, report)
        .into_iter()
        .filter_map(|(text, span)| Some((action(text, span, report)?, span)))
        .collect()
}

fn action(text: &str, span: Span, report: &mut Diagnostics) -> Option<ActionPattern> {
    match ActionPattern::parse(text) {
        Ok(pattern) => {
            check_action(&pattern, text, span, report);
            Some(pattern)
        }
        Err(error) => {
            let diagnostic = Diagnostic::error(Code::UnknownAction, &error);
            report.push(diagnostic.suggest(span, error.suggestion()));
            None
        }
    }
}

/// What parses and yet cannot act.
fn check_action(pattern: &ActionPattern, text: &str, span: Span, report: &mut Diagnostics) {
    let protocol = pattern.protocol();
    let methods = protocol.methods();
    let never = |title: String, help: &str| {
        Diagnostic::error(Code::NeverMatches, title)
            .at(span, "")
            .help(help)
    };
    match protocol {
        Protocol::Http => {
            let rest = text.strip_prefix("http:").unwrap_or_default();
            let (method, path) = rest.split_once(' ').unwrap_or((rest, "/"));
            if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
                let title = format!("{} can never match", quoted(text));
                report.push(never(
                    title,
                    "methods of HTTP are written in capitals: `http:GET /path`",
                ));
            }
            if !path.trim().starts_with(['/', '*']) {
                let title = format!("{} can never match", quoted(text));
                report.push(never(title, "a path begins with `/`"));
            }
        }
        Protocol::A2a | Protocol::Llm | Protocol::Mcp => {
            let matches =
                |method| pattern.may_match(&crate::model::Action::known(protocol, method));
            // Servers and clients of MCP add notifications of their own.
            let notifies = protocol == Protocol::Mcp
                && pattern.method().overlaps(&Glob::new("notifications/**"));
            if !notifies && !methods.iter().any(|(method, _)| matches(method)) {
                let names = methods.iter().map(|(method, _)| *method);
                let method = text.split_once(':').map_or(text, |(_, method)| method);
                let title = format!("{} matches no method", quoted(text));
                let help = match nearest(method.trim_end_matches('*'), names) {
                    Some(meant) => format!("did you mean `{}:{meant}`?", protocol.as_str()),
                    None => match protocol {
                        Protocol::A2a => {
                            "patterns are matched against names of A2A 1.0, such as `SendMessage`"
                        }
                        Protocol::Mcp => {
                            "methods of MCP are `tools/call`, `resources/read` and the like"
                        }
                        Protocol::Http | Protocol::Llm => {
                            "there are `chat`, `messages` and `responses`"
                        }
                    }
                    .to_owned(),
                };
                report.push(never(title, &help));
            }
        }
    }
}
