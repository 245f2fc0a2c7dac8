//! The fields of `lictor.yaml`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use http::uri::PathAndQuery;
use ipnet::IpNet;
use rustls::pki_types::ServerName;

use super::{AUDIT_FILE, LogFormat, LogLevel, Operator, OperatorError, Redirect, parse_upstream};
use crate::config::decode::{
    self, Fields, bad_value, boolean, duration, not_enforced, number, text, word,
};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::policy::check_version;
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::config::{folder, tree};
use crate::upstream::Retry;
use crate::{audit, listener, tls, upstream};

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
        upstream::Endpoint::Http {
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

    fn listener(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        let at = fields.at;
        if let Some(address) = self.address(&mut fields) {
            operator.listener.address = address;
        }
        if let Some(entry) = fields.take("versions") {
            let words = [("h1", tls::HttpVersion::H1), ("h2", tls::HttpVersion::H2)];
            let nodes = decode::one_or_more(&entry.value, "`versions`", self.report);
            let mut versions: Vec<_> = nodes
                .into_iter()
                .filter_map(|node| word(node, "`versions`", &words, self.report))
                .collect();
            // The better one is offered first, however the operator lists them.
            versions.sort_by_key(|version| *version == tls::HttpVersion::H1);
            versions.dedup();
            operator.versions = versions;
        }
        let tls = fields.take("tls");
        if let Some(mut limits) = self.section(fields.take("limits")) {
            self.limits(&mut limits, &mut operator.listener.limits);
            limits.finish(self.report);
        }
        if let Some(mut deadlines) = self.section(fields.take("deadlines")) {
            self.deadlines(&mut deadlines, &mut operator.listener.deadlines);
            deadlines.finish(self.report);
        }
        // After what it takes over.
        if let Some(tls) = self.section(tls) {
            self.tls(tls, operator);
        }
        if let Some(entry) = fields.take("dangerousPlainHttp") {
            let plain = boolean(&entry.value, "`dangerousPlainHttp`", self.report);
            operator.dangerous_plain_http = plain.unwrap_or(false);
        }
        // Written as they are by default they say what is true.
        if let Some(entry) = fields.take("transparent")
            && !matches!(&*entry.value.kind, Kind::Text { text, .. } if text == "off")
        {
            self.report
                .push(not_enforced("transparent", entry.key.span));
        }
        if let Some(entry) = fields.take("proxyProtocol") {
            let words = [
                ("off", listener::ProxyProtocol::Off),
                ("optional", listener::ProxyProtocol::Optional),
                ("required", listener::ProxyProtocol::Required),
            ];
            let mode = word(&entry.value, "`proxyProtocol`", &words, self.report);
            operator.listener.proxy_protocol = mode.unwrap_or(listener::ProxyProtocol::Off);
        }
        if let Some(entry) = fields.take("trustedPeers") {
            operator.listener.trusted = Arc::new(self.trusted_peers(&entry.value));
        }
        fields.finish(self.report);
        if let Err(error) = operator.check() {
            let diagnostic = Diagnostic::error(Code::Contradiction, &error).at(at, "");
            self.report.push(diagnostic);
        }
    }

    fn redirect(&mut self, entry: &Entry, operator: &mut Operator) {
        let Some(mut fields) = self.section(Some(entry)) else {
            return;
        };
        let address = if fields.require("address", self.report).is_some() {
            self.address(&mut fields)
        } else {
            None
        };
        let port = self.count(&mut fields, "port", u64::from(u16::MAX));
        let port = port.and_then(|port| u16::try_from(port).ok());
        let mut listener = address.map(listener::Config::new);
        if let Some(mut limits) = self.section(fields.take("limits")) {
            let mut unused = listener::Limits::default();
            let place = listener.as_mut().map_or(&mut unused, |it| &mut it.limits);
            self.limits(&mut limits, place);
            limits.finish(self.report);
        }
        if let Some(mut deadlines) = self.section(fields.take("deadlines")) {
            let mut unused = listener::Deadlines::default();
            let place = listener
                .as_mut()
                .map_or(&mut unused, |it| &mut it.deadlines);
            self.deadlines(&mut deadlines, place);
            deadlines.finish(self.report);
        }
        fields.finish(self.report);
        if operator.tls.is_none() {
            let error = OperatorError::RedirectNowhere;
            let diagnostic = Diagnostic::error(Code::Contradiction, &error);
            self.report.push(diagnostic.at(entry.key.span, ""));
        }
        operator.redirect = listener.map(|listener| Redirect {
            listener,
            port: port.unwrap_or(443),
        });
    }

    fn trusted_peers(&mut self, node: &Node) -> listener::TrustedPeers {
        let mut networks = Vec::new();
        for node in decode::one_or_more(node, "`trustedPeers`", self.report) {
            let Some(text) = text(node, "`trustedPeers`", self.report) else {
                continue;
            };
            let host = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
            match text.parse().ok().or_else(|| host(text)) {
                Some(network) => networks.push(network),
                None => {
                    let expected = "a network such as 10.0.0.0/8 or an address";
                    self.report
                        .push(bad_value(node, "`trustedPeers`", expected));
                }
            }
        }
        listener::TrustedPeers::new(networks)
    }

    fn tls(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if let Some(entry) = fields.require("certificates", self.report) {
            let Kind::List(items) = &*entry.value.kind else {
                let what = decode::wrong_type(&entry.value, "`certificates`", "a list");
                self.report.push(what);
                return;
            };
            if items.is_empty() {
                let title = "`certificates` is empty";
                let diagnostic = Diagnostic::error(Code::Empty, title).at(entry.key.span, "");
                self.report.push(diagnostic);
            }
            for item in items {
                self.certificate(item, operator);
            }
        }
        if let Some(entry) = fields.take("minVersion") {
            let words = [("1.3", false), ("1.2", true)];
            let allow = word(&entry.value, "`minVersion`", &words, self.report);
            if let (Some(tls), Some(allow)) = (&mut operator.tls, allow) {
                tls.allow_tls12 = allow;
            }
        }
        if let Some(clients) = self.section(fields.take("clientCertificates")) {
            let clients = self.client_certificates(clients);
            if let Some(tls) = &mut operator.tls {
                tls.clients = clients;
            }
        }
        fields.finish(self.report);
    }

    fn client_certificates(&mut self, mut fields: Fields<'_>) -> Option<tls::ClientCertificates> {
        let authorities = fields.require("ca", self.report);
        let authorities = authorities.and_then(|entry| self.path(&entry.value, "`ca`"));
        // Whoever names an authority and nothing else means it.
        let mut mode = Some(tls::ClientMode::Required);
        if let Some(entry) = fields.take("mode") {
            let words = [
                ("optional", tls::ClientMode::Optional),
                ("required", tls::ClientMode::Required),
            ];
            mode = word(&entry.value, "`mode`", &words, self.report);
        }
        fields.finish(self.report);
        Some(tls::ClientCertificates {
            authorities: authorities?,
            mode: mode?,
        })
    }

    fn certificate(&mut self, node: &Node, operator: &mut Operator) {
        let Some(mut fields) = Fields::of(node, "a certificate", None, self.report) else {
            return;
        };
        let certificate = fields.require("cert", self.report);
        let key = fields.require("key", self.report);
        fields.finish(self.report);
        let certificate = certificate.and_then(|entry| self.path(&entry.value, "`cert`"));
        let key = key.and_then(|entry| self.path(&entry.value, "`key`"));
        if let (Some(certificate), Some(key)) = (certificate, key) {
            operator.add_certificate(certificate, key);
        }
    }

    fn limits(&mut self, fields: &mut Fields<'_>, limits: &mut listener::Limits) {
        const MANY: u64 = 1_000_000;
        let size = |count: Option<u64>| count.and_then(|count| usize::try_from(count).ok());
        if let Some(count) = size(self.count(fields, "connections", MANY)) {
            limits.connections = count;
        }
        if let Some(count) = size(self.count(fields, "perSource", MANY)) {
            limits.per_source = count;
        }
        if let Some(count) = size(self.count(fields, "handshakes", MANY)) {
            limits.handshakes = count;
        }
        if let Some(count) = size(self.count(fields, "headers", 10_000)) {
            limits.headers = count;
        }
        if let Some(count) = size(self.count(fields, "calls", MANY)) {
            limits.calls = count;
        }
        for (name, most, place) in [
            ("streams", 10_000, &mut limits.streams),
            ("resets", MANY, &mut limits.resets),
            ("controlFrames", MANY, &mut limits.control_frames),
        ] {
            let count = self.count(fields, name, most);
            *place = count
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(*place);
        }
        for (name, least, most, place) in [
            ("headerBytes", 1, 1 << 20, &mut limits.header_bytes),
            (
                "streamWindow",
                FRAME_BYTES,
                16 << 20,
                &mut limits.stream_window,
            ),
            // The protocol knows no smaller one (RFC 9113, section 6.9.2).
            (
                "connectionWindow",
                64 << 10,
                256 << 20,
                &mut limits.connection_window,
            ),
            ("sendBuffer", FRAME_BYTES, 16 << 20, &mut limits.send_buffer),
        ] {
            let bytes = size(self.size(fields, name, least, most));
            *place = bytes.unwrap_or(*place);
        }
    }

    fn size(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        least: u64,
        most: u64,
    ) -> Option<u64> {
        let entry = fields.take(name)?;
        let bytes = decode::bytes(&entry.value, format_args!("`{name}`"), most, self.report)?;
        if bytes < least {
            let expected = format_args!("a size from {least}B to {most}B");
            let what = format_args!("`{name}`");
            self.report.push(bad_value(&entry.value, what, expected));
            return None;
        }
        Some(bytes)
    }

    fn deadlines(&mut self, fields: &mut Fields<'_>, deadlines: &mut listener::Deadlines) {
        self.duration(fields, "handshake", &mut deadlines.handshake);
        self.duration(fields, "header", &mut deadlines.header);
        self.duration(fields, "bodyIdle", &mut deadlines.body_idle);
        self.duration(fields, "keepAlive", &mut deadlines.keep_alive);
        self.duration(fields, "writeStall", &mut deadlines.write_stall);
        self.duration(fields, "drain", &mut deadlines.drain);
    }

    fn upstream(&mut self, entry: Option<&Entry>, operator: &mut Operator) {
        let Some(mut fields) = self.section(entry) else {
            return;
        };
        if let Some(url) = fields.require("url", self.report) {
            match text(&url.value, "`url`", self.report).map(parse_upstream) {
                Some(Ok(endpoint)) => operator.upstream.endpoint = endpoint,
                Some(Err(error)) => {
                    let diagnostic = Diagnostic::error(Code::BadValue, &error);
                    self.report.push(diagnostic.at(url.value.span, ""));
                }
                None => {}
            }
        }
        if let Some(mut pool) = self.section(fields.take("pool")) {
            let idle = self.count(&mut pool, "idle", 10_000);
            if let Some(idle) = idle.and_then(|idle| usize::try_from(idle).ok()) {
                operator.upstream.idle = idle;
            }
            let streams = self.count(&mut pool, "streams", 10_000);
            if let Some(streams) = streams.and_then(|streams| usize::try_from(streams).ok()) {
                operator.upstream.streams = streams;
            }
            let exchanges = self.count(&mut pool, "exchanges", 1_000_000);
            if let Some(exchanges) = exchanges.and_then(|count| usize::try_from(count).ok()) {
                operator.upstream.exchanges = exchanges;
            }
            let pending = self.count(&mut pool, "pending", 1_000_000);
            if let Some(pending) = pending.and_then(|count| usize::try_from(count).ok()) {
                operator.upstream.pending = pending;
            }
            self.duration(&mut pool, "connect", &mut operator.upstream.connect);
            self.duration(&mut pool, "firstByte", &mut operator.upstream.first_byte);
            pool.finish(self.report);
        }
        if let Some(entry) = fields.take("retry") {
            let words = [("never", Retry::Never), ("safe", Retry::Safe)];
            if let Some(retry) = word(&entry.value, "`retry`", &words, self.report) {
                operator.upstream.retry = retry;
            }
        }
        if let Some(tls) = self.section(fields.take("tls")) {
            self.upstream_tls(tls, operator);
        }
        if let Some(entry) = fields.take("ejection") {
            operator.upstream.ejection = self.ejection(entry);
        }
        if let Some(health) = self.section(fields.take("health")) {
            operator.upstream.health = Some(self.health(health));
        }
        fields.finish(self.report);
    }

    fn ejection(&mut self, entry: &Entry) -> Option<upstream::Ejection> {
        if matches!(&*entry.value.kind, Kind::Text { text, .. } if text == "off") {
            return None;
        }
        let mut ejection = upstream::Ejection::default();
        let mut fields = self.section(Some(entry))?;
        for (name, place) in [
            ("connectFailures", &mut ejection.connect_failures),
            ("exchangeFailures", &mut ejection.exchange_failures),
        ] {
            let count = self.count(&mut fields, name, 1_000_000);
            *place = count
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(*place);
        }
        self.duration(&mut fields, "time", &mut ejection.time);
        fields.finish(self.report);
        Some(ejection)
    }

    fn health(&mut self, mut fields: Fields<'_>) -> upstream::Health {
        let mut health = upstream::Health::default();
        if let Some(entry) = fields.take("path")
            && let Some(path) = text(&entry.value, "`path`", self.report)
        {
            health.path = PathAndQuery::try_from(path)
                .ok()
                .filter(|_| path.starts_with('/'));
            if health.path.is_none() {
                let expected = "a path such as /health";
                self.report
                    .push(bad_value(&entry.value, "`path`", expected));
            }
        }
        self.duration(&mut fields, "every", &mut health.every);
        self.duration(&mut fields, "timeout", &mut health.timeout);
        for (name, place) in [
            ("healthy", &mut health.healthy),
            ("unhealthy", &mut health.unhealthy),
        ] {
            let count = self.count(&mut fields, name, 1000);
            *place = count
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(*place);
        }
        fields.finish(self.report);
        health
    }

    fn upstream_tls(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if !matches!(operator.upstream.endpoint, upstream::Endpoint::Https { .. }) {
            let title = "`tls` is for an agent whose `url` is https://";
            let diagnostic = Diagnostic::error(Code::Contradiction, title);
            self.report.push(diagnostic.at(fields.at, ""));
        }
        if let Some(entry) = fields.take("ca") {
            operator.upstream_tls.authorities = self.path(&entry.value, "`ca`");
        }
        let certificate = fields.take("cert");
        let key = fields.take("key");
        if certificate.is_some() != key.is_some() {
            let title = "`cert` and `key` are a pair, and one of them is missing";
            let diagnostic = Diagnostic::error(Code::MissingField, title);
            self.report.push(diagnostic.at(fields.at, ""));
        }
        let certificate = certificate.and_then(|entry| self.path(&entry.value, "`cert`"));
        let key = key.and_then(|entry| self.path(&entry.value, "`key`"));
        if let (Some(certificate), Some(key)) = (certificate, key) {
            operator.upstream_tls.certificate = Some(tls::CertificateFiles { certificate, key });
        }
        if let Some(entry) = fields.take("serverName")
            && let Some(name) = text(&entry.value, "`serverName`", self.report)
        {
            match ServerName::try_from(name.to_owned()) {
                Ok(name) => operator.upstream.server_name = Some(name),
                Err(_) => {
                    let expected = "a name such as agent.example, or an address";
                    self.report
                        .push(bad_value(&entry.value, "`serverName`", expected));
                }
            }
        }
        fields.finish(self.report);
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

/// The payload of an HTTP/2 frame that every peer may send (RFC 9113, section 4.2). Less room than for one
/// would stop a stream for each.
const FRAME_BYTES: u64 = 16 << 10;

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
