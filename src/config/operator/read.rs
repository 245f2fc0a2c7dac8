//! The fields of `lictor.yaml`. Those of listeners, of TLS and of the agent have a room of their own each.

mod listeners;
mod stores;
mod tls;
mod upstream;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;

use super::{AUDIT_FILE, LogFormat, LogLevel, Operator};
use crate::admin::TokenSource;
use crate::audit;
use crate::config::decode::{
    self, Fields, Secret, bad_value, duration, number, refuse_literal, text, texts,
};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::operator::{self as shapes, OPERATOR};
use crate::config::language::{Record, Word};
use crate::config::policy::check_version;
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::config::{folder, tree};
use crate::identity::{AssertionConfig, SecretSource};
use crate::upstream::Endpoint;

const STATE_DIR: &str = "/var/lib/lictor";

/// Reads the operator's file.
///
/// # Errors
/// All mistakes of the file.
pub fn load_operator(path: &Path) -> Result<Operator, Diagnostics> {
    match inspect_operator(path) {
        (Some(operator), report) if report.errors() == 0 => Ok(operator),
        (Some(_) | None, report) => Err(report),
    }
}

/// What the file says as far as it can be made out, and all that is wrong or doubtful with it.
pub(in crate::config) fn inspect_operator(path: &Path) -> (Option<Operator>, Diagnostics) {
    let mut report = Diagnostics::default();
    // A folder of files adds up for policies; this is one file.
    let contents = if path.is_dir() {
        let title = format!("`{}` is a folder", path.display());
        report.push(Diagnostic::error(Code::Unreadable, title));
        return (None, report);
    } else {
        folder::read(path)
    };
    for failure in contents.failures {
        report.push(failure);
    }
    report.sources = contents.sources;
    let operator = read(&mut report);
    report.of_settings();
    report.sort();
    (operator, report)
}

fn read(report: &mut Diagnostics) -> Option<Operator> {
    let source = report.sources.first()?;
    let (content, folder) = (source.text.clone(), source.folder.clone());
    let before = report.errors();
    let Some(root) = tree::parse(0, &content, report) else {
        if report.errors() == before {
            let title = "the file is empty; its first key is `lictor: v1`";
            report.push(Diagnostic::error(Code::Version, title));
        }
        return None;
    };
    decode::refuse_secrets(&root, report);
    check_version(&root, report);
    let mut reader = Reader { folder, report };
    let mut fields = Fields::of(&OPERATOR, &root, "the operator's file", None, reader.report)?;
    let _read_above = fields.take("lictor");
    let mut operator = Operator::new(
        // Stands until the real one is read; without one the file does not load.
        Endpoint::Http {
            host: String::new(),
            port: 0,
        },
        reader.folder.join("policies"),
    );
    operator.set_state_dir(PathBuf::from(STATE_DIR));
    reader.file(&mut fields, &mut operator);
    fields.skip_extensions();
    fields.finish(reader.report);
    Some(operator)
}

/// What all readers of fields need.
struct Reader<'report> {
    folder: PathBuf,
    report: &'report mut Diagnostics,
}

impl Reader<'_> {
    fn file(&mut self, fields: &mut Fields<'_>, operator: &mut Operator) {
        if let Some(mut agent) = self.section(&shapes::AGENT, fields.take("agent")) {
            if let Some(entry) = agent.take("name")
                && let Some(name) = text(&entry.value, "`name`", self.report)
            {
                name.clone_into(&mut operator.agent_name);
            }
            agent.finish(self.report);
        }
        if let Some(entry) = fields.take("stateDir")
            && let Some(path) = self.path(&entry.value, "`stateDir`")
        {
            operator.set_state_dir(path);
        }
        let listeners = fields.take("listeners");
        if let Some(listeners) = self.section(&shapes::LISTENERS, listeners) {
            self.listeners(listeners, operator);
        }
        let upstream = fields.require("upstream", self.report);
        let ports_at = self.upstream(upstream, operator);
        if let Some(mut policies) = self.section(&shapes::POLICIES, fields.take("policies")) {
            if let Some(entry) = policies.take("path")
                && let Some(path) = self.path(&entry.value, "`path`")
            {
                operator.policies = path;
            }
            self.duration(&mut policies, "poll", &mut operator.poll);
            policies.finish(self.report);
        }
        let admin_entry = fields.take("admin");
        if let Some(mut admin) = self.section(&shapes::ADMIN, admin_entry) {
            if let Some(address) = self.address(&mut admin) {
                operator.admin.address = address;
            }
            if let Some(entry) = admin.take("token") {
                operator.admin.token = self.token(entry);
            }
            admin.finish(self.report);
        }
        self.check_addresses(listeners.or(admin_entry), operator);
        self.check_ports(ports_at, operator);
        let workload_api = fields.take("workloadApi");
        if let Some(workload_api) = self.section(&shapes::WORKLOAD_API, workload_api) {
            self.workload_api(workload_api, operator);
        }
        if let (Some(at), Err(error)) = (workload_api, operator.check_workload_api()) {
            let diagnostic = Diagnostic::error(Code::Contradiction, &error);
            self.report.push(diagnostic.at(at.key.span, ""));
        }
        if let Some(headers) =
            self.section(&shapes::IDENTITY_HEADERS, fields.take("identityHeaders"))
        {
            self.identity_headers(headers, operator);
        }
        if let Some(audit) = self.section(&shapes::AUDIT, fields.take("audit")) {
            self.audit(audit, operator);
        }
        if let Some(telemetry) = self.section(&shapes::TELEMETRY, fields.take("telemetry")) {
            self.telemetry(telemetry, operator);
        }
        if let Some(stores) = self.section(&shapes::STORES, fields.take("stores")) {
            self.stores(stores, operator);
        }
        if let Some(runtime) = self.section(&shapes::RUNTIME, fields.take("runtime")) {
            self.runtime(runtime, operator);
        }
    }

    /// What holds between listeners and the admin port.
    fn check_addresses(&mut self, at: Option<&Entry>, operator: &Operator) {
        // Where neither is written, the defaults are apart.
        if let (Some(at), Err(error)) = (at, operator.check_addresses()) {
            let diagnostic = Diagnostic::error(Code::Contradiction, &error);
            self.report.push(diagnostic.at(at.key.span, ""));
        }
    }

    /// What holds between listeners, agents and the admin port.
    fn check_ports(&mut self, at: Option<Span>, operator: &Operator) {
        let Some(at) = at else {
            return;
        };
        for error in operator.check_ports() {
            let diagnostic = Diagnostic::error(Code::Contradiction, &error);
            self.report.push(diagnostic.at(at, ""));
        }
    }

    /// The fields of a section, if it is written.
    fn section<'node>(
        &mut self,
        record: &'static Record,
        entry: Option<&'node Entry>,
    ) -> Option<Fields<'node>> {
        let entry = entry?;
        let what = format!("`{}`", entry.key.text);
        Fields::of(
            record,
            &entry.value,
            what,
            Some(entry.key.span),
            self.report,
        )
    }

    /// What the word of a field is here.
    fn word<T: Copy>(
        &mut self,
        entry: &Entry,
        words: &'static [Word],
        values: &[(&'static str, T)],
    ) -> Option<T> {
        let what = format_args!("`{}`", entry.key.text);
        decode::word(&entry.value, what, words, values, self.report)
    }

    /// A path, relative to the file.
    fn path(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        Some(self.folder.join(text(node, what, self.report)?))
    }

    fn token(&mut self, entry: &Entry) -> Option<TokenSource> {
        Some(match decode::secret(entry, self.report)? {
            Secret::File(node) => TokenSource::File(self.path(node, "`file`")?),
            Secret::Variable(name) => TokenSource::Env(name.to_owned()),
        })
    }

    fn secret_source(&mut self, entry: &Entry) -> Option<SecretSource> {
        Some(match decode::secret(entry, self.report)? {
            Secret::File(node) => SecretSource::File(self.path(node, "`file`")?),
            Secret::Variable(name) => SecretSource::Variable(name.to_owned()),
        })
    }

    fn address(&mut self, fields: &mut Fields<'_>) -> Option<SocketAddr> {
        let entry = fields.take("address")?;
        let text = text(&entry.value, "`address`", self.report)?;
        let address = text.parse().ok();
        if address.is_none() {
            let expected = "an address and a port such as 127.0.0.1:8443";
            self.report
                .push(bad_value(&entry.value, "`address`", expected));
        }
        address
    }

    fn duration(&mut self, fields: &mut Fields<'_>, name: &'static str, place: &mut Duration) {
        if let Some(entry) = fields.take(name)
            && let Some(value) = duration(&entry.value, format_args!("`{name}`"), self.report)
        {
            *place = value;
        }
    }

    fn count(&mut self, fields: &mut Fields<'_>, name: &'static str, most: u64) -> Option<u64> {
        let entry = fields.take(name)?;
        number(
            &entry.value,
            format_args!("`{name}`"),
            1..=most,
            self.report,
        )
    }

    fn identity_headers(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        let names = &mut operator.identity_headers;
        let mut seen: Vec<HeaderName> = Vec::new();
        for (field, place) in [
            ("tenant", &mut names.tenant),
            ("principal", &mut names.principal),
            ("requestId", &mut names.request_id),
        ] {
            if let Some(entry) = fields.take(field)
                && let Some(name) = header_name(&entry.value, field, self.report)
            {
                *place = name;
            }
            if seen.contains(place) {
                let title = format_args!("two facts would share the header field `{place}`");
                self.report
                    .push(Diagnostic::error(Code::Contradiction, title).at(fields.at, ""));
            }
            seen.push(place.clone());
        }
        if let Some(entry) = fields.take("passCredentials") {
            for (text, span) in texts(&entry.value, "`passCredentials`", self.report) {
                match text.parse::<HeaderName>() {
                    Ok(name) => operator.identity_headers.passed.push(name),
                    Err(_) => {
                        let title =
                            format_args!("{} is not the name of a header field", quoted(text));
                        self.report
                            .push(Diagnostic::error(Code::BadValue, title).at(span, ""));
                    }
                }
            }
        }
        if let Some(entry) = fields.take("assertion") {
            let assertion = self.assertion(entry);
            if let Some(assertion) = &assertion
                && seen.contains(&assertion.header)
            {
                let title = format_args!(
                    "two facts would share the header field `{}`",
                    assertion.header
                );
                self.report
                    .push(Diagnostic::error(Code::Contradiction, title).at(entry.key.span, ""));
            }
            operator.identity_headers.assertion = assertion;
        }
        fields.finish(self.report);
    }

    /// What the agent is told with a signature; `None` for `off`.
    fn assertion(&mut self, entry: &Entry) -> Option<AssertionConfig> {
        if matches!(&*entry.value.kind, Kind::Text { .. }) {
            let _off = self.word(entry, shapes::OFF_ALONE, &[("off", ())]);
            return None;
        }
        let mut fields = self.section(&shapes::ASSERTION, Some(entry))?;
        let audience = fields.require("audience", self.report);
        let audience = audience.and_then(|entry| text(&entry.value, "`audience`", self.report));
        let mut assertion = AssertionConfig {
            header: HeaderName::from_static("x-lictor-assertion"),
            issuer: "lictor".to_owned(),
            audience: audience.unwrap_or_default().to_owned(),
            lifetime: Duration::from_secs(60),
            key: None,
        };
        if let Some(entry) = fields.take("key")
            && !refuse_literal(entry, "use { file: secrets/assertion.pem }", self.report)
        {
            assertion.key = self.secret_source(entry);
        }
        if let Some(entry) = fields.take("header")
            && let Some(name) = header_name(&entry.value, "header", self.report)
        {
            assertion.header = name;
        }
        if let Some(entry) = fields.take("issuer")
            && let Some(issuer) = text(&entry.value, "`issuer`", self.report)
        {
            issuer.clone_into(&mut assertion.issuer);
        }
        if let Some(entry) = fields.take("lifetime")
            && let Some(lifetime) = duration(&entry.value, "`lifetime`", self.report)
        {
            let most = Duration::from_secs(3600);
            if (Duration::from_secs(10)..=most).contains(&lifetime) {
                assertion.lifetime = lifetime;
            } else {
                let diagnostic = bad_value(&entry.value, "`lifetime`", "a time from 10s to 1h");
                self.report.push(diagnostic);
            }
        }
        fields.finish(self.report);
        Some(assertion)
    }

    fn audit(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if let Some(mut spool) = self.section(&shapes::SPOOL, fields.take("spool")) {
            if let Some(entry) = spool.take("onFull") {
                let words = [("deny", audit::OnFull::Deny), ("drop", audit::OnFull::Drop)];
                let on_full = self.word(entry, shapes::ON_FULL, &words);
                operator.audit.on_full = on_full.unwrap_or(operator.audit.on_full);
            }
            spool.finish(self.report);
        }
        if let Some(mut sinks) = self.section(&shapes::SINKS, fields.take("sinks")) {
            if let Some(mut file) = self.section(&shapes::FILE, sinks.take("file")) {
                if let Some(entry) = file.take("path")
                    && let Some(path) = text(&entry.value, "`path`", self.report)
                {
                    // Records are state: they lie in the state folder, not beside the configuration.
                    operator.audit.path = operator.state_dir.join(path);
                }
                file.finish(self.report);
            }
            sinks.finish(self.report);
        } else {
            operator.audit.path = operator.state_dir.join(AUDIT_FILE);
        }
        fields.finish(self.report);
    }

    fn telemetry(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if let Some(mut logs) = self.section(&shapes::LOGS, fields.take("logs")) {
            if let Some(entry) = logs.take("format") {
                let words = [("json", LogFormat::Json), ("pretty", LogFormat::Pretty)];
                let format = self.word(entry, shapes::LOG_FORMAT, &words);
                operator.logs.format = format.unwrap_or(operator.logs.format);
            }
            if let Some(entry) = logs.take("level") {
                let words = [
                    LogLevel::Trace,
                    LogLevel::Debug,
                    LogLevel::Info,
                    LogLevel::Warn,
                    LogLevel::Error,
                ]
                .map(|level| (level.as_str(), level));
                let level = self.word(entry, shapes::LOG_LEVEL, &words);
                operator.logs.level = level.unwrap_or(operator.logs.level);
            }
            logs.finish(self.report);
        }
        fields.finish(self.report);
    }

    fn runtime(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if let Some(entry) = fields.take("workers")
            && !matches!(&*entry.value.kind, Kind::Text { text, .. } if text == "auto")
        {
            let workers = number(&entry.value, "`workers`", 1..=1024, self.report);
            let workers = workers.and_then(|workers| usize::try_from(workers).ok());
            operator.workers = workers.and_then(NonZeroUsize::new);
        }
        fields.finish(self.report);
    }
}

/// Fields that mean something else, to us or to the agent.
const RESERVED_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn header_name(node: &Node, field: &str, report: &mut Diagnostics) -> Option<HeaderName> {
    let text = text(node, format_args!("`{field}`"), report)?;
    let name = HeaderName::from_bytes(text.as_bytes()).ok();
    let name = name.filter(|name| !RESERVED_HEADERS.contains(&name.as_str()));
    if name.is_none() {
        let title = format_args!("{} cannot carry the {field}", quoted(text));
        report.push(Diagnostic::error(Code::BadValue, title).at(node.span, ""));
    }
    name
}
