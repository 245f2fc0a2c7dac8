//! The listeners: addresses, caps, deadlines, whom they believe.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;

use super::Reader;
use crate::config::decode::{self, Fields, bad_value, boolean, text, word};
use crate::config::diagnostic::{Code, Diagnostic};
use crate::config::language::operator as shapes;
use crate::config::operator::{Listening, Operator, OperatorError, PUBLIC, REDIRECT, Redirect};
use crate::config::policy::check_name;
use crate::config::tree::{Entry, Node};
use crate::{listener, tls};

impl Reader<'_> {
    pub(super) fn listeners(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        if let Some(mut public) = self.section(&shapes::PUBLIC, fields.take(PUBLIC)) {
            if let Some(address) = self.address(&mut public) {
                operator.public.listener.address = address;
            }
            self.listener(public, &mut operator.public);
        }
        if let Some(entry) = fields.take(REDIRECT) {
            self.redirect(entry, operator);
        }
        let further = fields.rest();
        if let Some(entry) = further.get(MOST_FURTHER) {
            let title = format_args!("more than {MOST_FURTHER} listeners besides `public`");
            let diagnostic = Diagnostic::error(Code::BadValue, title);
            self.report.push(diagnostic.at(entry.key.span, ""));
        }
        for entry in further.into_iter().take(MOST_FURTHER) {
            if let Some(listening) = self.further(entry) {
                operator.further.push(listening);
            }
        }
        fields.finish(self.report);
    }

    fn further(&mut self, entry: &Entry) -> Option<Listening> {
        check_name(entry, "listener", self.report);
        let mut fields = self.section(&shapes::LISTENER, Some(entry))?;
        let address = if fields.require("address", self.report).is_some() {
            self.address(&mut fields)
        } else {
            None
        };
        // Read to the end without one too, for what else is wrong.
        let place = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let mut listening = Listening::new(&entry.key.text, place);
        self.listener(fields, &mut listening);
        address.map(|_| listening)
    }

    fn listener(&mut self, mut fields: Fields<'_>, listening: &mut Listening) {
        let at = fields.at;
        if let Some(entry) = fields.take("versions") {
            let words = [("h1", tls::HttpVersion::H1), ("h2", tls::HttpVersion::H2)];
            let nodes = decode::one_or_more(&entry.value, "`versions`", self.report);
            let mut versions: Vec<_> = nodes
                .into_iter()
                .filter_map(|node| word(node, "`versions`", shapes::VERSIONS, &words, self.report))
                .collect();
            // The better one is offered first, however the operator lists them.
            versions.sort_by_key(|version| *version == tls::HttpVersion::H1);
            versions.dedup();
            listening.versions = versions;
        }
        let tls = fields.take("tls");
        if let Some(mut limits) = self.section(&shapes::LIMITS, fields.take("limits")) {
            self.limits(&mut limits, &mut listening.listener.limits);
            limits.finish(self.report);
        }
        if let Some(mut deadlines) = self.section(&shapes::DEADLINES, fields.take("deadlines")) {
            self.deadlines(&mut deadlines, &mut listening.listener.deadlines);
            deadlines.finish(self.report);
        }
        // After what it takes over.
        if let Some(tls) = self.section(&shapes::TLS, tls) {
            self.tls(tls, listening);
        }
        if let Some(entry) = fields.take("dangerousPlainHttp") {
            let plain = boolean(&entry.value, "`dangerousPlainHttp`", self.report);
            listening.dangerous_plain_http = plain.unwrap_or(false);
        }
        if let Some(entry) = fields.take("transparent") {
            let modes = [
                ("off", listener::Transparent::Off),
                ("redirect", listener::Transparent::Redirect),
                ("tproxy", listener::Transparent::Tproxy),
            ];
            let mode = self.word(entry, shapes::TRANSPARENT, &modes);
            listening.listener.transparent = mode.unwrap_or_default();
        }
        if let Some(entry) = fields.take("proxyProtocol") {
            let words = [
                ("off", listener::ProxyProtocol::Off),
                ("optional", listener::ProxyProtocol::Optional),
                ("required", listener::ProxyProtocol::Required),
            ];
            let mode = self.word(entry, shapes::PROXY_PROTOCOL, &words);
            listening.listener.proxy_protocol = mode.unwrap_or(listener::ProxyProtocol::Off);
        }
        if let Some(entry) = fields.take("trustedPeers") {
            listening.listener.trusted = Arc::new(self.trusted_peers(&entry.value));
        }
        fields.finish(self.report);
        if let Err(error) = listening.check() {
            let diagnostic = Diagnostic::error(Code::Contradiction, &error).at(at, "");
            self.report.push(diagnostic);
        }
    }

    fn redirect(&mut self, entry: &Entry, operator: &mut Operator) {
        let Some(mut fields) = self.section(&shapes::REDIRECT, Some(entry)) else {
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
        if let Some(mut limits) = self.section(&shapes::LIMITS, fields.take("limits")) {
            let mut unused = listener::Limits::default();
            let place = listener.as_mut().map_or(&mut unused, |it| &mut it.limits);
            self.limits(&mut limits, place);
            limits.finish(self.report);
        }
        if let Some(mut deadlines) = self.section(&shapes::DEADLINES, fields.take("deadlines")) {
            let mut unused = listener::Deadlines::default();
            let place = listener
                .as_mut()
                .map_or(&mut unused, |it| &mut it.deadlines);
            self.deadlines(&mut deadlines, place);
            deadlines.finish(self.report);
        }
        fields.finish(self.report);
        if operator.public.tls.is_none() {
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
}

/// The payload of an HTTP/2 frame that every peer may send (RFC 9113, section 4.2). Less room than for one
/// would stop a stream for each.
const FRAME_BYTES: u64 = 16 << 10;

/// Each has sockets, caps and metrics of its own.
const MOST_FURTHER: usize = 15;
