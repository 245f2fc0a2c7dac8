//! `lictor.yaml`: what the operator says, once, at start.

mod listening;
mod read;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;

use crate::config::policy::identities::holds_user;
use crate::identity::AssertionConfig;
use crate::{admin, audit, listener, stores, tls, upstream};

pub use listening::Listening;
pub(super) use read::inspect_operator;
pub use read::load_operator;

/// Everything that is fixed for the life of the process.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Who we stand beside, as audit records name it.
    pub agent_name: String,
    /// Where state lies: audit records, ownership.
    pub state_dir: PathBuf,
    /// The data port.
    pub public: Listening,
    /// Further ports where callers are served.
    pub further: Vec<Listening>,
    /// A plain port that sends everybody to the data port's TLS.
    pub redirect: Option<Redirect>,
    /// The agent.
    pub upstream: upstream::Config,
    /// Ports of its host where agents are that redirected connections may reach; [`Operator::ports`] says what none
    /// means.
    pub agent_ports: Vec<u16>,
    /// How an `https://` agent is spoken to.
    pub upstream_tls: tls::ClientFiles,
    /// Where certificates come from that are in no file, as far as the operator says it.
    pub workload_api: Option<tls::WorkloadApiConfig>,
    /// The policy file or folder.
    pub policies: PathBuf,
    /// Policies that are judged beside them from the start, and decide nothing.
    pub candidate: Option<PathBuf>,
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
    /// What is shared with other processes.
    pub redis: Option<stores::Config>,
    /// Worker threads; `None` is one for each core.
    pub workers: Option<NonZeroUsize>,
}

/// A plain port that redirects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// Where it listens.
    pub listener: listener::Config,
    /// The port of `https`, as callers see it.
    pub port: u16,
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
    /// Fields with credentials that the agent gets all the same.
    pub passed: Vec<HeaderName>,
    /// What the agent is told of the caller with a signature.
    pub assertion: Option<AssertionConfig>,
}

impl Default for HeaderNames {
    fn default() -> Self {
        Self {
            tenant: HeaderName::from_static("x-customer-id"),
            principal: HeaderName::from_static("x-user-id"),
            request_id: HeaderName::from_static("x-request-id"),
            passed: Vec::new(),
            assertion: None,
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
    /// A way from us to us.
    #[error(
        "port {0} is lictor's own, and a call there would come back; list only ports of agents"
    )]
    OwnPort(u16),
    /// An agent that connections without a redirection go to, and those with one do not reach.
    #[error("`ports` leaves out {0}, the port of `url`; list it too")]
    PortLeftOut(u16),
    /// Ports that no listener leads to.
    #[error("`ports` is for transparent listeners, and none is; set `transparent`, or remove it")]
    PortsUnused,
    /// There is nothing to redirect to.
    #[error("`redirect` leads to the TLS of `public`, which has none; give it certificates")]
    RedirectNowhere,
    /// Tokens and answers would cross a network in the clear.
    #[error(
        "`{0}` is reachable from elsewhere and has no TLS; give it certificates, bind 127.0.0.1, or say dangerousPlainHttp"
    )]
    PlainHttp(SocketAddr),
    /// Connections come from elsewhere to an address that is here only.
    #[error(
        "`tproxy` brings connections from elsewhere, whatever the address, and there is no TLS; give it certificates, or say dangerousPlainHttp"
    )]
    PlainTproxy,
    /// Only one of them could listen.
    #[error("`{0}` and `{1}` would both listen on {2}; give one of them another port")]
    SameAddress(Box<str>, Box<str>, SocketAddr),
    /// Connections that go by port, to an agent that has none.
    #[error(
        "a transparent listener finds the agent by its port, and a socket has none; use an address such as http://127.0.0.1:9000"
    )]
    TransparentSocket,
    /// Not `scheme://host[:port]`.
    #[error(
        "`{0}` is not the address of an agent, such as http://127.0.0.1:9000, https://agent.example, h2c://127.0.0.1:9000 or unix:/run/agent.sock"
    )]
    Upstream(String),
    /// A socket that has no absolute path.
    #[error("`{0}` is not the absolute path of a socket, such as unix:/run/agent.sock")]
    UpstreamSocket(String),
    /// A user or a password, which would be shown wherever the address is.
    #[error("the address of an agent may not hold a user or a password")]
    UpstreamUser,
    /// A Workload API that nothing is asked of.
    #[error(
        "`workloadApi` says where certificates come from, and none does; write `certificates: [workloadApi]` where it should, or remove it"
    )]
    WorkloadApiUnused,
}

/// The name of the listener that flags set.
pub const PUBLIC: &str = "public";

/// The name of the one that leads to its TLS.
pub const REDIRECT: &str = "redirect";

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Records that may wait for the disk: a second of a busy proxy.
const AUDIT_QUEUE: usize = 8192;

/// What an agent is called to which nobody gives a name.
pub const DEFAULT_AGENT: &str = "agent";

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

    fn new(endpoint: upstream::Endpoint, policies: PathBuf) -> Self {
        let state_dir = PathBuf::from(LOCAL_STATE_DIR);
        Self {
            agent_name: DEFAULT_AGENT.to_owned(),
            public: Listening::new(PUBLIC, SocketAddr::new(LOOPBACK, 8443)),
            further: Vec::new(),
            redirect: None,
            upstream: upstream::Config::new(endpoint),
            agent_ports: Vec::new(),
            upstream_tls: tls::ClientFiles {
                authorities: None,
                workload: None,
                certificate: None,
                versions: vec![tls::HttpVersion::H2, tls::HttpVersion::H1],
            },
            workload_api: None,
            policies,
            candidate: None,
            poll: Duration::from_secs(10),
            admin: admin::Config {
                token: None,
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
            redis: None,
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
        self.upstream.endpoint = parse_upstream(url)?;
        Ok(())
    }

    /// Serves this certificate on the data port, in place of those that are set.
    pub fn set_certificate(&mut self, certificate: PathBuf, key: PathBuf) {
        if let Some(tls) = &mut self.public.tls {
            tls.certificates.clear();
        }
        self.add_certificate(certificate, key);
    }

    /// Serves this certificate on the data port, in addition to those that are set.
    pub fn add_certificate(&mut self, certificate: PathBuf, key: PathBuf) {
        let files = tls::CertificateFiles { certificate, key };
        self.public
            .add_certificate(tls::CertificateSource::Files(files));
    }

    /// Whether a certificate or an authority comes from the Workload API.
    pub fn asks_workload_api(&self) -> bool {
        let is_https = matches!(self.upstream.endpoint, upstream::Endpoint::Https { .. });
        let mut listeners = self.listeners().filter_map(|it| it.tls.as_ref());
        listeners.any(tls::Config::asks_workload_api)
            || is_https && self.upstream_tls.asks_workload_api()
    }

    /// The ports where callers are served, the data port first.
    pub fn listeners(&self) -> impl Iterator<Item = &Listening> {
        std::iter::once(&self.public).chain(&self.further)
    }

    /// What holds between settings. [`load_operator`] has checked it; whoever changes fields asks again.
    ///
    /// # Errors
    /// When a plain port could be reached from elsewhere, a header is asked of peers that nobody trusts, or
    /// connections are to be redirected to what is no agent.
    pub fn check(&self) -> Result<(), OperatorError> {
        for listening in self.listeners() {
            listening.check()?;
        }
        self.check_addresses()?;
        self.check_workload_api()?;
        self.check_ports().into_iter().next().map_or(Ok(()), Err)
    }

    /// The ports that redirected connections may be for; the first is the agent's own, which stands for all when
    /// nobody lists any.
    pub fn ports(&self) -> Vec<u16> {
        match self.agent_ports.is_empty() {
            true => self.upstream.endpoint.port().into_iter().collect(),
            false => self.agent_ports.clone(),
        }
    }

    /// What is wrong about them.
    fn check_ports(&self) -> Vec<OperatorError> {
        if !self.listeners().any(Listening::is_transparent) {
            let unused = (!self.agent_ports.is_empty()).then_some(OperatorError::PortsUnused);
            return unused.into_iter().collect();
        }
        let Some(own) = self.upstream.endpoint.port() else {
            return vec![OperatorError::TransparentSocket];
        };
        let ports = self.ports();
        let left_out = (!ports.contains(&own)).then_some(OperatorError::PortLeftOut(own));
        let is_ours = |port: &u16| self.addresses().any(|(_, it)| it.port() == *port);
        let ours = ports.iter().copied().filter(is_ours);
        left_out
            .into_iter()
            .chain(ours.map(OperatorError::OwnPort))
            .collect()
    }

    /// Settings that nobody reads are a mistake about something else.
    fn check_workload_api(&self) -> Result<(), OperatorError> {
        let is_unused = self.workload_api.is_some() && !self.asks_workload_api();
        match is_unused {
            true => Err(OperatorError::WorkloadApiUnused),
            false => Ok(()),
        }
    }

    /// Two of lictor's own ports at one address. What only the system knows to be one, it refuses at start.
    fn check_addresses(&self) -> Result<(), OperatorError> {
        let addresses: Vec<_> = self.addresses().collect();
        for (index, (name, address)) in addresses.iter().enumerate() {
            let before = addresses.iter().take(index);
            let same = before.rev().find(|(_, other)| other == address);
            if let Some((other, _)) = same.filter(|_| address.port() != 0) {
                let (one, two) = ((*other).into(), (*name).into());
                return Err(OperatorError::SameAddress(one, two, *address));
            }
        }
        Ok(())
    }

    /// Where lictor listens, and by which name.
    fn addresses(&self) -> impl Iterator<Item = (&str, SocketAddr)> {
        let serving = self.listeners();
        let serving = serving.map(|it| (&*it.name, it.listener.address));
        let redirect = self.redirect.as_ref();
        let redirect = redirect.map(|it| (REDIRECT, it.listener.address));
        let admin = ("admin", self.admin.address);
        serving.chain(redirect).chain(std::iter::once(admin))
    }
}

/// The path in the address of a socket, such as `unix:/run/agent.sock`; `None` when it is none.
pub fn socket_path(address: &str) -> Option<PathBuf> {
    let path = address.strip_prefix("unix:")?;
    // `unix:///run/agent.sock` is what those write who think of it as a URL.
    let path = path.strip_prefix("//").unwrap_or(path);
    let is_file = path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
    is_file.then(|| path.into())
}

/// `scheme://host[:port]` and nothing else: a path would be prepended or ignored, and both surprise.
fn parse_upstream(url: &str) -> Result<upstream::Endpoint, OperatorError> {
    use upstream::Endpoint;
    if url.starts_with("unix:") {
        let wrong = || OperatorError::UpstreamSocket(url.to_owned());
        return socket_path(url).map(Endpoint::Unix).ok_or_else(wrong);
    }
    if holds_user(url) {
        return Err(OperatorError::UpstreamUser);
    }
    let bad = || OperatorError::Upstream(url.to_owned());
    let uri: http::Uri = url.parse().map_err(|_not_a_uri| bad())?;
    let authority = uri.authority().ok_or_else(bad)?;
    let port = match authority.port() {
        Some(port) => Some(port.as_u16()),
        // `host:` or a port out of range parse as no port.
        None if authority.as_str().len() > authority.host().len() => return Err(bad()),
        None => None,
    };
    let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    if !is_bare || authority.host().is_empty() || port == Some(0) {
        return Err(bad());
    }
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    match uri.scheme_str() {
        Some("h2c") => Ok(Endpoint::H2c {
            host,
            port: port.unwrap_or(80),
        }),
        Some("http") => Ok(Endpoint::Http {
            host,
            port: port.unwrap_or(80),
        }),
        Some("https") => Ok(Endpoint::Https {
            host,
            port: port.unwrap_or(443),
        }),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_a_host_and_a_port_or_a_socket() {
        use upstream::Endpoint::{H2c, Http, Https, Unix};
        let host = |host: &str| host.to_owned();
        let cases = [
            (
                "http://127.0.0.1:9000",
                Http {
                    host: host("127.0.0.1"),
                    port: 9000,
                },
            ),
            (
                "http://[::1]:9000/",
                Http {
                    host: host("::1"),
                    port: 9000,
                },
            ),
            (
                "http://agent",
                Http {
                    host: host("agent"),
                    port: 80,
                },
            ),
            (
                "h2c://agent:50051",
                H2c {
                    host: host("agent"),
                    port: 50051,
                },
            ),
            (
                "https://agent.example",
                Https {
                    host: host("agent.example"),
                    port: 443,
                },
            ),
            ("unix:/run/agent.sock", Unix("/run/agent.sock".into())),
            ("unix:///run/agent.sock", Unix("/run/agent.sock".into())),
        ];
        for (url, endpoint) in cases {
            assert_eq!(parse_upstream(url), Ok(endpoint), "{url}");
        }
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
                parse_upstream(bad),
                Err(OperatorError::Upstream(bad.to_owned())),
                "{bad}"
            );
        }
        for bad in [
            "unix:",
            "unix:agent.sock",
            "unix://agent.sock",
            "unix:/run/",
        ] {
            assert_eq!(
                parse_upstream(bad),
                Err(OperatorError::UpstreamSocket(bad.to_owned())),
                "{bad}"
            );
        }
        let user = parse_upstream("https://u:p@agent:1");
        assert_eq!(user, Err(OperatorError::UpstreamUser));
    }

    #[test]
    fn a_plain_port_stays_at_home_unless_told_otherwise() {
        let mut operator = Operator::standalone("http://127.0.0.1:9000", "p".into()).unwrap();
        assert_eq!(operator.check(), Ok(()));
        operator.public.listener.address = "0.0.0.0:8080".parse().unwrap();
        assert!(operator.check().is_err());
        operator.public.listener.address = "[::]:8080".parse().unwrap();
        assert!(operator.check().is_err());
        operator.public.dangerous_plain_http = true;
        assert_eq!(operator.check(), Ok(()));
        operator.public.dangerous_plain_http = false;
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
