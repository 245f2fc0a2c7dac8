//! What the operator says of one port where callers are served.

use std::net::SocketAddr;
use std::sync::Arc;

use super::OperatorError;
use crate::{listener, tls};

/// A port where callers are served. All of them lead to the same agent, under the same policies.
#[derive(Debug, Clone)]
pub struct Listening {
    /// What metrics and records call it.
    pub name: Arc<str>,
    /// Its address, caps and deadlines, and whom it believes.
    pub listener: listener::Config,
    /// Its certificates; without them it is plain.
    pub tls: Option<tls::Config>,
    /// HTTP versions that it speaks; a plain port is told by the first bytes.
    pub versions: Vec<tls::HttpVersion>,
    /// The operator accepts that it is plain and reached from elsewhere.
    pub dangerous_plain_http: bool,
}

impl Listening {
    /// A plain one with the defaults of all else.
    pub(super) fn new(name: &str, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            listener: listener::Config::new(address),
            tls: None,
            versions: vec![tls::HttpVersion::H2, tls::HttpVersion::H1],
            dangerous_plain_http: false,
        }
    }

    /// Serves this certificate, in addition to those that are set.
    pub(super) fn add_certificate(&mut self, certificate: tls::CertificateSource) {
        let tls = self.tls.get_or_insert_with(|| tls::Config {
            certificates: Vec::new(),
            allow_tls12: false,
            versions: self.versions.clone(),
            clients: None,
            handshakes: self.listener.limits.handshakes,
            handshake_time: self.listener.deadlines.handshake,
        });
        tls.certificates.push(certificate);
    }

    /// What holds between its own settings.
    pub(super) fn check(&self) -> Result<(), OperatorError> {
        let is_announced = self.listener.proxy_protocol != listener::ProxyProtocol::Off;
        if is_announced && self.listener.trusted.is_empty() {
            return Err(OperatorError::NobodyTrusted);
        }
        let address = self.listener.address;
        if self.tls.is_some() || self.dangerous_plain_http {
            Ok(())
        } else if !address.ip().to_canonical().is_loopback() {
            Err(OperatorError::PlainHttp(address))
        } else if self.listener.transparent == listener::Transparent::Tproxy {
            Err(OperatorError::PlainTproxy)
        } else {
            Ok(())
        }
    }

    /// Whether the kernel brings it connections that were for an agent.
    pub(super) fn is_transparent(&self) -> bool {
        self.listener.transparent != listener::Transparent::Off
    }
}
