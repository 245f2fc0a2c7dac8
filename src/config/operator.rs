//! `lictor.yaml`: what the operator says, once, at start.

mod read;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use crate::config::policy::identities::holds_user;
use crate::{admin, audit, listener, tls, upstream};

pub use read::load_operator;

/// Everything that is fixed for the life of the process.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Who we stand beside, as audit records name it.
    pub agent_name: String,
    /// Where state lies: audit records, ownership.
    pub state_dir: PathBuf,
    /// The data port.
    pub listener: listener::Config,
    /// Its certificates; without them it is plain.
    pub tls: Option<tls::Config>,
    /// HTTP versions that the data port speaks; a plain port is told by the first bytes.
    pub versions: Vec<tls::HttpVersion>,
    /// The operator accepts that a plain port is reached from elsewhere.
    pub dangerous_plain_http: bool,
    /// The agent.
    pub upstream: upstream::Config,
    /// The policy file or folder.
    pub policies: PathBuf,
    /// How often the policies are compared with what is loaded, whether or not a change was noticed.
    pub poll: Duration,
    /// The admin port.
    pub admin: admin::Config,
    /// In which header fields the agent reads what was verified.
    pub identity_headers: HeaderNames,
    /// Where records go.
    pub audit: audit::Config,
    /// What is logged, and how.
    pub logs: Logs,
    /// Worker threads; `None` is one for each core.
    pub workers: Option<NonZeroUsize>,
}

/// In which header fields the agent reads what was verified. Whatever a caller sends in them is removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderNames {
    /// The tenant.
    pub tenant: HeaderName,
    /// The caller's id.
    pub principal: HeaderName,
    /// The id of the exchange.
    pub request_id: HeaderName,
}

impl Default for HeaderNames {
    fn default() -> Self {
        Self {
            tenant: HeaderName::from_static("x-customer-id"),
            principal: HeaderName::from_static("x-user-id"),
            request_id: HeaderName::from_static("x-request-id"),
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logs {
    /// For machines or for people.
    pub format: LogFormat,
    /// From which level on.
    pub level: LogLevel,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object to a line.
    Json,
    /// For a terminal.
    Pretty,
}

/// From which level on lines are logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps to find a bug.
    Debug,
    /// What happens.
    Info,
    /// What an operator can act on.
    Warn,
    /// What does not work.
    Error,
}

impl LogLevel {
    /// The word that stands in `lictor.yaml`, and that log filters take.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Error => "error",
            Self::Info => "info",
            Self::Trace => "trace",
            Self::Warn => "warn",
        }
    }
}

/// Why settings do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// Nobody could connect, or nobody's word would count.
    #[error(
        "`proxyProtocol` is for trusted peers only, and `trustedPeers` names none; list the networks of the load balancers"
    )]
    NobodyTrusted,
    /// Tokens and answers would cross a network in the clear.
    #[error(
        "`{0}` is reachable from elsewhere and has no TLS; give it certificates, bind 127.0.0.1, or say dangerousPlainHttp"
    )]
    PlainHttp(SocketAddr),
    /// Not `http://host[:port]`.
    #[error("`{0}` is not the address of an agent, such as http://127.0.0.1:9000")]
    Upstream(String),
    /// A user or a password, which would be shown wherever the address is.
    #[error("the address of an agent may not hold a user or a password")]
    UpstreamUser,
    /// A scheme of the design that this version does not speak.
    #[error("`{0}` is not yet spoken to agents; use http://")]
    UpstreamScheme(&'static str),
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Records that may wait for the disk: a second of a busy proxy.
const AUDIT_QUEUE: usize = 8192;

/// Where state lies when nobody says so and there is no `lictor.yaml` either.
const LOCAL_STATE_DIR: &str = "lictor-state";

const AUDIT_FILE: &str = "audit.jsonl";

impl Operator {
    /// Settings for `lictor run --upstream URL --policies DIR`: everything else has its default and can be
    /// set on the fields; [`Operator::set_state_dir`] moves what lies in the state folder with it.
    ///
    /// # Errors
    /// When the address is not one of an agent.
    pub fn standalone(upstream_url: &str, policies: PathBuf) -> Result<Self, OperatorError> {
        Ok(Self::new(parse_upstream(upstream_url)?, policies))
    }

    fn new(upstream: upstream::Config, policies: PathBuf) -> Self {
        let state_dir = PathBuf::from(LOCAL_STATE_DIR);
        Self {
            agent_name: "agent".to_owned(),
            listener: listener::Config::new(SocketAddr::new(LOOPBACK, 8443)),
            tls: None,
            versions: vec![tls::HttpVersion::H2, tls::HttpVersion::H1],
            dangerous_plain_http: false,
            upstream,
            policies,
            poll: Duration::from_secs(10),
            admin: admin::Config {
                address: SocketAddr::new(LOOPBACK, 9901),
            },
            identity_headers: HeaderNames::default(),
            audit: audit::Config {
                path: state_dir.join(AUDIT_FILE),
                queue: AUDIT_QUEUE,
                on_full: audit::OnFull::Deny,
            },
            state_dir,
            logs: Logs {
                format: LogFormat::Json,
                level: LogLevel::Info,
            },
            workers: None,
        }
    }

    /// Moves the state folder, and what lies in it by a relative path.
    pub fn set_state_dir(&mut self, state_dir: PathBuf) {
        if let Ok(below) = self.audit.path.strip_prefix(&self.state_dir) {
            self.audit.path = state_dir.join(below);
        }
        self.state_dir = state_dir;
    }

    /// Stands beside the agent at this address, with the settings of its pool as they are.
    ///
    /// # Errors
    /// When the address is not one of an agent.
    pub fn set_upstream(&mut self, url: &str) -> Result<(), OperatorError> {
        let upstream::Config { host, port, .. } = parse_upstream(url)?;
        (self.upstream.host, self.upstream.port) = (host, port);
        Ok(())
    }

    /// Serves this certificate, in place of those that are set.
    pub fn set_certificate(&mut self, certificate: PathBuf, key: PathBuf) {
        if let Some(tls) = &mut self.tls {
            tls.certificates.clear();
        }
        self.add_certificate(certificate, key);
    }

    /// Serves this certificate, in addition to those that are set.
    pub fn add_certificate(&mut self, certificate: PathBuf, key: PathBuf) {
        let tls = self.tls.get_or_insert_with(|| tls::Config {
            certificates: Vec::new(),
            allow_tls12: false,
            versions: self.versions.clone(),
            clients: None,
            handshakes: self.listener.limits.handshakes,
            handshake_time: self.listener.deadlines.handshake,
        });
        tls.certificates
            .push(tls::CertificateFiles { certificate, key });
    }

    /// What holds between settings. [`load_operator`] has checked it; whoever changes fields asks again.
    ///
    /// # Errors
    /// When a plain port could be reached from elsewhere, or a header is asked of peers that nobody trusts.
    pub fn check(&self) -> Result<(), OperatorError> {
        let is_announced = self.listener.proxy_protocol != listener::ProxyProtocol::Off;
        if is_announced && self.listener.trusted.is_empty() {
            return Err(OperatorError::NobodyTrusted);
        }
        let address = self.listener.address;
        let is_safe = self.tls.is_some()
            || address.ip().to_canonical().is_loopback()
            || self.dangerous_plain_http;
        if is_safe {
            Ok(())
        } else {
            Err(OperatorError::PlainHttp(address))
        }
    }
}

/// `http://host[:port]` and nothing else: a path would be prepended or ignored, and both surprise.
fn parse_upstream(url: &str) -> Result<upstream::Config, OperatorError> {
    if holds_user(url) {
        return Err(OperatorError::UpstreamUser);
    }
    let bad = || OperatorError::Upstream(url.to_owned());
    for scheme in ["https:", "h2c:", "unix:"] {
        if url.starts_with(scheme) {
            return Err(OperatorError::UpstreamScheme(scheme));
        }
    }
    let uri: http::Uri = url.parse().map_err(|_not_a_uri| bad())?;
    let authority = uri.authority().ok_or_else(bad)?;
    let is_plain = uri.scheme_str() == Some("http")
        && matches!(uri.path(), "" | "/")
        && uri.query().is_none()
        && !authority.host().is_empty();
    let port = match authority.port() {
        Some(port) => port.as_u16(),
        // `host:` or a port out of range parse as no port.
        None if authority.as_str().len() > authority.host().len() => return Err(bad()),
        None => 80,
    };
    if !is_plain || port == 0 {
        return Err(bad());
    }
    let host = authority.host().trim_matches(['[', ']']);
    Ok(upstream::Config::new(host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_a_host_and_a_port() {
        let parsed = |url| parse_upstream(url).map(|upstream| (upstream.host, upstream.port));
        let ok = |host: &str, port| Ok((host.to_owned(), port));
        assert_eq!(parsed("http://127.0.0.1:9000"), ok("127.0.0.1", 9000));
        assert_eq!(parsed("http://[::1]:9000/"), ok("::1", 9000));
        assert_eq!(parsed("http://agent"), ok("agent", 80));
        for bad in [
            "agent:9000",
            "http://",
            "http://agent:99999",
            "http://agent:",
            "http://agent:0",
            "http://agent/base",
            "http://agent/?q",
            "ftp://agent",
            "",
        ] {
            assert_eq!(
                parsed(bad),
                Err(OperatorError::Upstream(bad.to_owned())),
                "{bad}"
            );
        }
        let user = parsed("http://u:p@agent:1");
        assert_eq!(user, Err(OperatorError::UpstreamUser));
        let tls = parsed("https://agent:9000");
        assert_eq!(tls, Err(OperatorError::UpstreamScheme("https:")));
    }

    #[test]
    fn a_plain_port_stays_at_home_unless_told_otherwise() {
        let mut operator = Operator::standalone("http://127.0.0.1:9000", "p".into()).unwrap();
        assert_eq!(operator.check(), Ok(()));
        operator.listener.address = "0.0.0.0:8080".parse().unwrap();
        assert!(operator.check().is_err());
        operator.listener.address = "[::]:8080".parse().unwrap();
        assert!(operator.check().is_err());
        operator.dangerous_plain_http = true;
        assert_eq!(operator.check(), Ok(()));
        operator.dangerous_plain_http = false;
        operator.add_certificate("a.crt".into(), "a.key".into());
        assert_eq!(operator.check(), Ok(()));
    }

    #[test]
    fn the_audit_file_moves_with_the_state_folder() {
        let mut operator = Operator::standalone("http://127.0.0.1:9000", "p".into()).unwrap();
        operator.set_state_dir("/var/lib/lictor".into());
        assert_eq!(
            operator.audit.path,
            PathBuf::from("/var/lib/lictor/audit.jsonl")
        );
    }
}
