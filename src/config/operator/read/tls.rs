//! TLS on both sides.

use rustls::pki_types::ServerName;

use super::Reader;
use crate::config::decode::{self, Fields, bad_value, text};
use crate::config::diagnostic::{Code, Diagnostic};
use crate::config::language::operator as shapes;
use crate::config::operator::{Listening, Operator};
use crate::config::tree::{Kind, Node};
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
                self.certificate(item, listening);
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
        let authorities = authorities.and_then(|entry| self.path(&entry.value, "`ca`"));
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

    fn certificate(&mut self, node: &Node, listening: &mut Listening) {
        let Some(mut fields) = Fields::of(
            &shapes::CERTIFICATE,
            node,
            "a certificate",
            None,
            self.report,
        ) else {
            return;
        };
        let certificate = fields.require("cert", self.report);
        let key = fields.require("key", self.report);
        fields.finish(self.report);
        let certificate = certificate.and_then(|entry| self.path(&entry.value, "`cert`"));
        let key = key.and_then(|entry| self.path(&entry.value, "`key`"));
        if let (Some(certificate), Some(key)) = (certificate, key) {
            listening.add_certificate(certificate, key);
        }
    }

    pub(super) fn upstream_tls(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
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
}
