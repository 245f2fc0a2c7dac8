//! TLS on both sides.

use rustls::pki_types::ServerName;

use super::Reader;
use crate::config::decode::{self, Fields, bad_value, text};
use crate::config::diagnostic::{Code, Diagnostic};
use crate::config::language::operator as shapes;
use crate::config::operator::{Listening, Operator, socket_path};
use crate::config::tree::{Entry, Kind, Node};
use crate::identity::SpiffePattern;
use crate::{tls, upstream};

impl Reader<'_> {
    pub(super) fn tls(&mut self, mut fields: Fields<'_>, listening: &mut Listening) {
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
                if let Some(certificate) = self.certificate(item) {
                    listening.add_certificate(certificate);
                }
            }
        }
        if let Some(entry) = fields.take("minVersion") {
            let words = [("1.3", false), ("1.2", true)];
            let allow = self.word(entry, shapes::MIN_VERSION, &words);
            if let (Some(tls), Some(allow)) = (&mut listening.tls, allow) {
                tls.allow_tls12 = allow;
            }
        }
        if let Some(clients) = self.section(
            &shapes::CLIENT_CERTIFICATES,
            fields.take("clientCertificates"),
        ) {
            let clients = self.client_certificates(clients);
            if let Some(tls) = &mut listening.tls {
                tls.clients = clients;
            }
        }
        fields.finish(self.report);
    }

    fn client_certificates(&mut self, mut fields: Fields<'_>) -> Option<tls::ClientCertificates> {
        let authorities = fields.require("ca", self.report);
        let authorities = authorities.and_then(|entry| self.authorities(entry));
        // Whoever names an authority and nothing else means it.
        let mut mode = Some(tls::ClientMode::Required);
        if let Some(entry) = fields.take("mode") {
            let words = [
                ("optional", tls::ClientMode::Optional),
                ("required", tls::ClientMode::Required),
            ];
            mode = self.word(entry, shapes::CLIENT_MODE, &words);
        }
        fields.finish(self.report);
        Some(tls::ClientCertificates {
            authorities: authorities?,
            mode: mode?,
        })
    }

    fn certificate(&mut self, node: &Node) -> Option<tls::CertificateSource> {
        if matches!(&*node.kind, Kind::Text { .. }) {
            self.refuse_workload_api(node);
            let words = [(WORKLOAD_API, ())];
            let svid = decode::word(node, "a certificate", shapes::SVID, &words, self.report);
            return svid.map(|()| tls::CertificateSource::WorkloadApi);
        }
        let mut fields = Fields::of(
            &shapes::CERTIFICATE,
            node,
            "a certificate",
            None,
            self.report,
        )?;
        let certificate = fields.require("cert", self.report);
        let key = fields.require("key", self.report);
        fields.finish(self.report);
        let certificate = certificate.and_then(|entry| self.path(&entry.value, "`cert`"));
        let key = key.and_then(|entry| self.path(&entry.value, "`key`"));
        Some(tls::CertificateSource::Files(tls::CertificateFiles {
            certificate: certificate?,
            key: key?,
        }))
    }

    fn authorities(&mut self, entry: &Entry) -> Option<tls::AuthoritySource> {
        if is_workload_api(&entry.value) {
            self.refuse_workload_api(&entry.value);
            return Some(tls::AuthoritySource::WorkloadApi);
        }
        let path = self.path(&entry.value, "`ca`")?;
        Some(tls::AuthoritySource::File(path))
    }

    /// What this build cannot ask.
    fn refuse_workload_api(&mut self, at: &Node) {
        if cfg!(feature = "spiffe") {
            return;
        }
        let title = "this build of lictor has no Workload API";
        let diagnostic = Diagnostic::error(Code::NotEnforced, title).at(at.span, "");
        let help = "use one that was built with the cargo feature `spiffe`, as releases are";
        self.report.push(diagnostic.help(help));
    }

    pub(super) fn workload_api(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        let mut config = tls::WorkloadApiConfig::default();
        if let Some(entry) = fields.take("socket")
            && let Some(address) = text(&entry.value, "`socket`", self.report)
        {
            config.socket = socket_path(address);
            if config.socket.is_none() {
                let expected = "the address of a socket, such as unix:///run/spire/agent.sock";
                self.report
                    .push(bad_value(&entry.value, "`socket`", expected));
            }
        }
        self.duration(&mut fields, "wait", &mut config.wait);
        fields.finish(self.report);
        operator.workload_api = Some(config);
    }

    pub(super) fn upstream_tls(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if !matches!(operator.upstream.endpoint, upstream::Endpoint::Https { .. }) {
            let title = "`tls` is for an agent whose `url` is https://";
            let diagnostic = Diagnostic::error(Code::Contradiction, title);
            self.report.push(diagnostic.at(fields.at, ""));
        }
        if let Some(entry) = fields.take("ca") {
            operator.upstream_tls.authorities = self.authorities(entry);
        }
        let certificate = fields.take("cert");
        let key = fields.take("key");
        if let Some(certificate) = certificate.filter(|entry| is_workload_api(&entry.value)) {
            self.refuse_workload_api(&certificate.value);
            operator.upstream_tls.certificate = Some(tls::CertificateSource::WorkloadApi);
            if let Some(key) = key {
                let title = "the Workload API brings the key with the certificate";
                let diagnostic = Diagnostic::error(Code::Contradiction, title);
                self.report
                    .push(diagnostic.at(key.key.span, "remove `key`"));
            }
        } else if certificate.is_some() != key.is_some() {
            let title = "`cert` and `key` are a pair, and one of them is missing";
            let diagnostic = Diagnostic::error(Code::MissingField, title);
            self.report.push(diagnostic.at(fields.at, ""));
        }
        if operator.upstream_tls.certificate.is_none() {
            let certificate = certificate.and_then(|entry| self.path(&entry.value, "`cert`"));
            let key = key.and_then(|entry| self.path(&entry.value, "`key`"));
            let pair = certificate.zip(key);
            operator.upstream_tls.certificate = pair.map(|(certificate, key)| {
                tls::CertificateSource::Files(tls::CertificateFiles { certificate, key })
            });
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
        if let Some(entry) = fields.take("spiffeId") {
            operator.upstream_tls.workload = self.workload(entry);
            if operator.upstream_tls.authorities != Some(tls::AuthoritySource::WorkloadApi) {
                let title = "`spiffeId` needs `ca: workloadApi`, which says who may vouch for it";
                let diagnostic = Diagnostic::error(Code::Contradiction, title);
                self.report.push(diagnostic.at(entry.key.span, ""));
            }
        }
        fields.finish(self.report);
    }

    fn workload(&mut self, entry: &Entry) -> Option<Box<str>> {
        let id = text(&entry.value, "`spiffeId`", self.report)?;
        // A pattern without a star is a name.
        let is_one = SpiffePattern::parse(id).is_ok_and(|pattern| !pattern.is_wimse());
        let is_name = is_one && !id.contains('*') && id.matches('/').count() > 2;
        if !is_name {
            let expected = "a SPIFFE ID such as spiffe://prod.example/ns/agents/sa/quotes";
            self.report
                .push(bad_value(&entry.value, "`spiffeId`", expected));
        }
        is_name.then(|| id.into())
    }
}

/// The word that stands in place of a file.
const WORKLOAD_API: &str = "workloadApi";

/// A file of that name is written `./workloadApi`.
fn is_workload_api(node: &Node) -> bool {
    matches!(&*node.kind, Kind::Text { text, .. } if text == WORKLOAD_API)
}
