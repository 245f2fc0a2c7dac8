//! The fields of `lictor.yaml`. Those of listeners, of TLS and of the agent have a room of their own each.

mod listeners;
mod tls;
mod upstream;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::HeaderName;

use super::{AUDIT_FILE, LogFormat, LogLevel, Operator};
use crate::audit;
use crate::config::decode::{self, Fields, bad_value, duration, not_enforced, number, text, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::policy::check_version;
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::config::{folder, tree};
use crate::upstream::Endpoint;

const STATE_DIR: &str = "/var/lib/lictor";

/// Reads the operator's file.
///
/// # Errors
/// All mistakes of the file.
pub fn load_operator(path: &Path) -> Result<Operator, Diagnostics> {
    let mut report = Diagnostics::default();
    // A folder of files adds up for policies; this is one file.
    let contents = if path.is_dir() {
        let title = format!("`{}` is a folder", path.display());
        report.push(Diagnostic::error(Code::Unreadable, title));
        return Err(report);
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
    match operator {
        Some(operator) if report.errors() == 0 => Ok(operator),
        Some(_) | None => Err(report),
    }
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
    let mut fields = Fields::of(&root, "the operator's file", None, reader.report)?.hints(&[
        ("agentUrl", "upstream"),
        ("backend", "upstream"),
        ("identities", "policies"),
        ("listener", "listeners"),
        ("logging", "telemetry"),
        ("logs", "telemetry"),
        ("roles", "policies"),
        ("rules", "policies"),
    ]);
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
        if let Some(mut agent) = self.section(fields.take("agent")) {
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
        if let Some(mut listeners) = self.section(fields.take("listeners")) {
            let public = self.section(listeners.take("public"));
            if let Some(public) = public {
                self.listener(public, operator);
            }
            if let Some(entry) = listeners.take("redirect") {
                self.redirect(entry, operator);
            }
            listeners.finish(self.report);
        }
        let upstream = fields.require("upstream", self.report);
        self.upstream(upstream, operator);
        if let Some(mut policies) = self.section(fields.take("policies")) {
            if let Some(entry) = policies.take("path")
                && let Some(path) = self.path(&entry.value, "`path`")
            {
                operator.policies = path;
            }
            self.duration(&mut policies, "poll", &mut operator.poll);
            policies.finish(self.report);
        }
        if let Some(mut admin) = self.section(fields.take("admin")) {
            if let Some(address) = self.address(&mut admin) {
                operator.admin.address = address;
            }
            admin.refuse(&["token"], self.report);
            admin.finish(self.report);
        }
        if let Some(headers) = self.section(fields.take("identityHeaders")) {
            self.identity_headers(headers, operator);
        }
        if let Some(audit) = self.section(fields.take("audit")) {
            self.audit(audit, operator);
        }
        if let Some(telemetry) = self.section(fields.take("telemetry")) {
            self.telemetry(telemetry, operator);
        }
        if let Some(runtime) = self.section(fields.take("runtime")) {
            self.runtime(runtime, operator);
        }
        fields.refuse(&["dangerousShadowAll", "stores"], self.report);
    }

    /// The fields of a section, if it is written.
    fn section<'node>(&mut self, entry: Option<&'node Entry>) -> Option<Fields<'node>> {
        let entry = entry?;
        let what = format!("`{}`", entry.key.text);
        Fields::of(&entry.value, what, Some(entry.key.span), self.report)
    }

    /// A path, relative to the file.
    fn path(&mut self, node: &Node, what: &str) -> Option<PathBuf> {
        Some(self.folder.join(text(node, what, self.report)?))
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
        if let Some(entry) = fields.take("assertion")
            && !matches!(&*entry.value.kind, Kind::Text { text, .. } if text == "off")
        {
            self.report.push(not_enforced("assertion", entry.key.span));
        }
        fields.finish(self.report);
    }

    fn audit(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if let Some(mut spool) = self.section(fields.take("spool")) {
            if let Some(entry) = spool.take("onFull") {
                if matches!(&*entry.value.kind, Kind::Text { text, .. } if text == "block") {
                    self.report.push(not_enforced("block", entry.value.span));
                } else {
                    let words = [("deny", audit::OnFull::Deny), ("drop", audit::OnFull::Drop)];
                    if let Some(on_full) = word(&entry.value, "`onFull`", &words, self.report) {
                        operator.audit.on_full = on_full;
                    }
                }
            }
            spool.refuse(&["fsync", "maxSize"], self.report);
            spool.finish(self.report);
        }
        if let Some(mut sinks) = self.section(fields.take("sinks")) {
            if let Some(mut file) = self.section(sinks.take("file")) {
                if let Some(entry) = file.take("path")
                    && let Some(path) = text(&entry.value, "`path`", self.report)
                {
                    // Records are state: they lie in the state folder, not beside the configuration.
                    operator.audit.path = operator.state_dir.join(path);
                }
                file.refuse(&["keep", "rotate"], self.report);
                file.finish(self.report);
            }
            sinks.refuse(&["otlp", "postgres", "stdout"], self.report);
            sinks.finish(self.report);
        } else {
            operator.audit.path = operator.state_dir.join(AUDIT_FILE);
        }
        fields.finish(self.report);
    }

    fn telemetry(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if let Some(mut logs) = self.section(fields.take("logs")) {
            if let Some(entry) = logs.take("format") {
                let words = [("json", LogFormat::Json), ("pretty", LogFormat::Pretty)];
                let format = word(&entry.value, "`format`", &words, self.report);
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
                let level = word(&entry.value, "`level`", &words, self.report);
                operator.logs.level = level.unwrap_or(operator.logs.level);
            }
            logs.finish(self.report);
        }
        fields.refuse(&["traces"], self.report);
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
