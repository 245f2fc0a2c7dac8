//! Addresses of interfaces: which lead to this agent, and where callers find it.

use std::net::IpAddr;

/// The address of an agent: an origin, and perhaps a path below which all of it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// `https` or `http`.
    scheme: Box<str>,
    /// In small letters, an IPv6 address in its brackets.
    host: Box<str>,
    port: u16,
    /// Empty, or begins with `/` and does not end with one.
    path: Box<str>,
}

/// A URL in its parts.
#[derive(Debug, Clone, Copy)]
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<u16>,
    /// All behind the authority.
    rest: &'a str,
}

impl BaseUrl {
    /// Reads `http(s)://host[:port][/path]`; `None` for anything else, also with a user, a query or a fragment.
    pub fn parse(url: &str) -> Option<Self> {
        let parts = Parts::of(url)?;
        let path = parts.rest.strip_suffix('/').unwrap_or(parts.rest);
        if path.contains(['?', '#']) || path.contains("//") || !is_plain(path) {
            return None;
        }
        Self {
            scheme: parts.scheme.to_ascii_lowercase().into(),
            host: parts.host.to_ascii_lowercase().into(),
            port: 0,
            path: path.into(),
        }
        .with_port(parts.port)
    }

    /// The address that the operator reaches the agent at: any path of it.
    pub fn of_host(secure: bool, host: &str, port: u16) -> Self {
        let brackets = host.contains(':');
        Self {
            scheme: Box::from(if secure { "https" } else { "http" }),
            host: match brackets {
                true => format!("[{}]", host.to_ascii_lowercase()).into(),
                false => host.to_ascii_lowercase().into(),
            },
            port,
            path: Box::default(),
        }
    }

    fn with_port(mut self, port: Option<u16>) -> Option<Self> {
        self.port = port.or_else(|| usual(&self.scheme))?;
        Some(self)
    }

    /// Where an interface is found that lies at `url` for the agent; `None` where that does not lie below this base.
    fn moved(&self, url: &str, to: &Self) -> Option<String> {
        let parts = Parts::of(url)?;
        let port = parts.port.or_else(|| usual(parts.scheme))?;
        if port != self.port || !is_same_host(parts.host, &self.host) || !is_plain(parts.rest) {
            return None;
        }
        let below = parts.rest.strip_prefix(&*self.path)?;
        if !(below.is_empty() || below.starts_with(['/', '?', '#'])) {
            return None;
        }
        Some(format!("{to}{below}"))
    }

    /// The same for gRPC, whose interfaces are `host:port`, and whose paths have no base.
    fn moved_grpc(&self, address: &str, to: &Self) -> Option<String> {
        let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(authority)?;
        let port = port.or_else(|| usual(scheme))?;
        let is_ours = port == self.port && is_same_host(host, &self.host);
        (is_ours && to.path.is_empty()).then(|| format!("{}:{}", to.host, to.port))
    }
}

impl std::fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if usual(&self.scheme) != Some(self.port) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        usual(scheme)?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let (host, port) = split_port(authority)?;
        Some(Self {
            scheme,
            host,
            port,
            rest,
        })
    }
}

/// Host and port of an authority without a user.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority.get(bracket..)?.rfind(':') {
        None => (authority, None),
        Some(at) => {
            let (host, port) = authority.split_at_checked(bracket + at)?;
            (host, Some(port.strip_prefix(':')?.parse().ok()?))
        }
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~[:]".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_name)).then_some((host, port))
}

/// The port that goes without saying.
fn usual(scheme: &str) -> Option<u16> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    (is("https").then_some(443)).or_else(|| is("http").then_some(80))
}

/// An agent beside lictor calls itself by whatever name it listens on.
fn is_same_host(left: &str, right: &str) -> bool {
    left.eq_ignore_ascii_case(right) || (is_local(left) && is_local(right))
}

fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// Whether a path stays below where it begins, to every reader.
fn is_plain(rest: &str) -> bool {
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let is_dots = |segment: &str| {
        let segment = segment.to_ascii_lowercase().replace("%2e", ".");
        segment == "." || segment == ".."
    };
    let lower = path.to_ascii_lowercase();
    let is_visible = rest.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    is_visible
        && !path.contains('\\')
        && !lower.contains("%5c")
        && !lower.contains("%2f")
        && !path.split('/').any(is_dots)
}

/// Where callers find an interface: `None` where it does not lead to this agent.
pub(super) fn published(
    address: &str,
    transport: &str,
    agent: &[BaseUrl],
    public: &BaseUrl,
) -> Option<String> {
    let is_grpc = transport.eq_ignore_ascii_case("GRPC");
    if is_grpc {
        let mut bases = agent.iter().chain([public]);
        return bases.find_map(|base| base.moved_grpc(address, public));
    }
    // What is public already stays as it is.
    let is_public = Parts::of(address).is_some_and(|parts| {
        parts.scheme.eq_ignore_ascii_case(&public.scheme)
            && parts.host.eq_ignore_ascii_case(&public.host)
    });
    if is_public && public.moved(address, public).is_some() {
        return Some(address.to_owned());
    }
    // The longest path first: two bases of one origin may lie in each other.
    let mut bases: Vec<_> = agent.iter().collect();
    bases.sort_by_key(|base| std::cmp::Reverse(base.path.len()));
    bases
        .into_iter()
        .find_map(|base| base.moved(address, public))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_the_agent_is_published_and_nothing_else() {
        let agent = [
            BaseUrl::of_host(false, "127.0.0.1", 9000),
            BaseUrl::parse("http://quotes.svc/a2a").unwrap(),
        ];
        let cases = [
            ("http://127.0.0.1:9000/", Some("https://agents.example/q/")),
            ("http://localhost:9000", Some("https://agents.example/q")),
            (
                "http://0.0.0.0:9000/rest",
                Some("https://agents.example/q/rest"),
            ),
            (
                "http://[::1]:9000/x?y#z",
                Some("https://agents.example/q/x?y#z"),
            ),
            (
                "http://QUOTES.svc/a2a/v1",
                Some("https://agents.example/q/v1"),
            ),
            ("http://quotes.svc/a2ab", None),
            ("http://quotes.svc/", None),
            ("https://quotes.svc/a2a", None),
            ("http://127.0.0.1:9001/", None),
            ("http://evil.example:9000/", None),
            ("http://127.0.0.1:9000@evil.example/", None),
            ("http://user@127.0.0.1:9000/", None),
            ("http://127.0.0.1:9000/../x", None),
            ("http://127.0.0.1:9000/%2E%2e/x", None),
            ("http://127.0.0.1:9000/..%2fx", None),
            ("http://127.0.0.1:9000\\@evil.example/", None),
            ("//127.0.0.1:9000/", None),
            ("unix:/run/agent.sock", None),
            (
                "https://agents.example/q/v1",
                Some("https://agents.example/q/v1"),
            ),
            ("https://agents.example/other", None),
        ];
        let public = BaseUrl::parse("https://agents.example/q/").unwrap();
        for (address, expected) in cases {
            let found = published(address, "JSONRPC", &agent, &public);
            assert_eq!(found.as_deref(), expected, "{address}");
        }
    }

    #[test]
    fn grpc_has_no_path() {
        let agent = [BaseUrl::of_host(false, "127.0.0.1", 9000)];
        let public = BaseUrl::parse("https://agents.example").unwrap();
        let below = BaseUrl::parse("https://agents.example/q").unwrap();
        for (address, expected) in [
            ("127.0.0.1:9000", Some("agents.example:443")),
            ("http://localhost:9000/", Some("agents.example:443")),
            ("agents.example:443", Some("agents.example:443")),
            ("127.0.0.1:9001", None),
            ("127.0.0.1", None),
        ] {
            let found = published(address, "grpc", &agent, &public);
            assert_eq!(found.as_deref(), expected, "{address}");
            assert_eq!(published(address, "GRPC", &agent, &below), None);
        }
    }

    #[test]
    fn a_base_has_no_user_query_or_dots() {
        for url in [
            "agents.example",
            "ftp://a",
            "https://u@a",
            "https://a/?b",
            "https://a/../b",
            "https://",
        ] {
            assert_eq!(BaseUrl::parse(url), None, "{url}");
        }
        let written = BaseUrl::parse("HTTPS://A.example:443/x/").unwrap();
        assert_eq!(written.to_string(), "https://a.example/x");
    }
}
