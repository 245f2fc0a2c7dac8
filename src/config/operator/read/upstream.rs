//! The agent: where it is, its pool, and how it is cared for.

use http::uri::PathAndQuery;

use super::Reader;
use crate::config::decode::{self, Fields, bad_value, number, text};
use crate::config::diagnostic::{Code, Diagnostic};
use crate::config::language::operator as shapes;
use crate::config::operator::{Operator, parse_upstream};
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind};
use crate::upstream::{self, Retry};

impl Reader<'_> {
    /// Gives the place where the agents' ports are said, as far as they could be read.
    pub(super) fn upstream(
        &mut self,
        entry: Option<&Entry>,
        operator: &mut Operator,
    ) -> Option<Span> {
        let mut fields = self.section(&shapes::UPSTREAM, entry)?;
        let mut ports_at = None;
        if let Some(url) = fields.require("url", self.report) {
            match text(&url.value, "`url`", self.report).map(parse_upstream) {
                Some(Ok(endpoint)) => {
                    operator.upstream.endpoint = endpoint;
                    ports_at = Some(url.value.span);
                }
                Some(Err(error)) => {
                    let diagnostic = Diagnostic::error(Code::BadValue, &error);
                    self.report.push(diagnostic.at(url.value.span, ""));
                }
                None => {}
            }
        }
        if let Some(entry) = fields.take("ports") {
            let ports = self.ports(entry);
            // Of what was not understood nothing is said besides.
            let is_read = ports.is_some() && ports_at.is_some();
            ports_at = is_read.then_some(entry.key.span);
            operator.agent_ports = ports.unwrap_or_default();
        }
        if let Some(mut pool) = self.section(&shapes::POOL, fields.take("pool")) {
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
            if let Some(retry) = self.word(entry, shapes::RETRY, &words) {
                operator.upstream.retry = retry;
            }
        }
        if let Some(tls) = self.section(&shapes::UPSTREAM_TLS, fields.take("tls")) {
            self.upstream_tls(tls, operator);
        }
        if let Some(entry) = fields.take("ejection") {
            operator.upstream.ejection = self.ejection(entry);
        }
        if let Some(health) = self.section(&shapes::HEALTH, fields.take("health")) {
            operator.upstream.health = Some(self.health(health));
        }
        fields.finish(self.report);
        ports_at
    }

    /// `None` when one of them is none.
    fn ports(&mut self, entry: &Entry) -> Option<Vec<u16>> {
        let before = self.report.errors();
        let nodes = decode::one_or_more(&entry.value, "`ports`", self.report);
        if nodes.len() > MOST_PORTS {
            let expected = format_args!("at most {MOST_PORTS} ports, each an agent of its own");
            self.report
                .push(bad_value(&entry.value, "`ports`", expected));
        }
        let mut ports = Vec::new();
        for node in nodes {
            let port = number(node, "`ports`", 1..=u64::from(u16::MAX), self.report);
            if let Some(port) = port.and_then(|port| u16::try_from(port).ok())
                && !ports.contains(&port)
            {
                ports.push(port);
            }
        }
        (self.report.errors() == before).then_some(ports)
    }

    fn ejection(&mut self, entry: &Entry) -> Option<upstream::Ejection> {
        if matches!(&*entry.value.kind, Kind::Text { text, .. } if text == "off") {
            return None;
        }
        let mut ejection = upstream::Ejection::default();
        let mut fields = self.section(&shapes::EJECTION, Some(entry))?;
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
}

/// Each has a pool, probes and metrics of its own.
const MOST_PORTS: usize = 32;
