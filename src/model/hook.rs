//! Where a caller wants the news of a task pushed to (A2A 1.0, section 4.3), and with what.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest address, in bytes. Arbitrary: the longest that browsers and servers agree on.
const MAX_URL_BYTES: usize = 2048;

/// The longest token or credential, in bytes. Arbitrary: signed tokens stay below it.
const MAX_SECRET_BYTES: usize = 8192;

/// The longest name of a host (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;

/// How many ways of authentication one registration may name. Arbitrary: one is used.
const MAX_SCHEMES: usize = 8;

/// A registration for push notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Where the news goes.
    pub url: HookUrl,
    /// What the receiver knows the notification by.
    pub token: Option<HookSecret>,
    /// How the sender shows who it is: names of HTTP authentication schemes, in the order in which they were named.
    pub schemes: Vec<Box<str>>,
    /// What the sender shows.
    pub credentials: Option<HookSecret>,
}

/// Why a registration is not one that every reader reads alike.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// The host is a number that readers take for different addresses, or refuse.
    #[error("the host of the push URL is an address in an unusual spelling")]
    AddressSpelling,
    /// Nothing that could be a host.
    #[error("the push URL has no host that is one")]
    Host,
    /// Only ASCII that needs no escape stands in a URL (RFC 3986, section 2).
    #[error("the push URL has a character that does not belong into one")]
    Letter,
    /// A port that is none.
    #[error("the port of the push URL is none")]
    Port,
    /// Of a scheme that HTTP does not know, or not absolute.
    #[error("the push URL is not an absolute `http` or `https` URL")]
    Scheme,
    /// A name of an authentication scheme that is no token (RFC 9110, section 11.1), or too many of them.
    #[error("the authentication of the push configuration names no schemes that are ones")]
    SchemeOfAuthentication,
    /// A line break or another control character would end the header field that carries it.
    #[error("{0} of the push configuration cannot stand in a header field")]
    Secret(&'static str),
    /// Longer than anything in use.
    #[error("{0} of the push configuration is too long")]
    TooLong(&'static str),
    /// Who reads such a URL takes for the host what is none, or sends a password.
    #[error("the push URL has a user")]
    User,
}

impl Hook {
    /// Puts together what a registration says.
    ///
    /// # Errors
    /// When a part of it is none.
    pub fn new<'a>(
        url: &str,
        token: Option<&str>,
        schemes: impl IntoIterator<Item = &'a str>,
        credentials: Option<&str>,
    ) -> Result<Self, HookError> {
        let mut named: Vec<Box<str>> = Vec::new();
        for scheme in schemes {
            if named.len() == MAX_SCHEMES || !is_token(scheme) {
                return Err(HookError::SchemeOfAuthentication);
            }
            named.push(Box::from(scheme));
        }
        let secret = |text: Option<&str>, what| text.map(|text| HookSecret::new(text, what));
        Ok(Self {
            url: HookUrl::parse(url)?,
            token: secret(token, "the token").transpose()?,
            schemes: named,
            credentials: secret(credentials, "the credential").transpose()?,
        })
    }
}

/// What a receiver knows a notification by. Whoever has it can send news in the name of the agent.
#[derive(Clone, PartialEq, Eq)]
pub struct HookSecret(Box<str>);

impl HookSecret {
    fn new(text: &str, what: &'static str) -> Result<Self, HookError> {
        if text.len() > MAX_SECRET_BYTES {
            return Err(HookError::TooLong(what));
        }
        if text.chars().any(char::is_control) {
            return Err(HookError::Secret(what));
        }
        Ok(Self(Box::from(text)))
    }

    /// The text, for whoever sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookSecret")
    }
}

/// An absolute URL of HTTP that every reader cuts in the same places.
#[derive(Clone, PartialEq, Eq)]
pub struct HookUrl {
    text: Box<str>,
    secure: bool,
    host: HookHost,
    port: u16,
    // Where path and query begin.
    target: usize,
}

/// Whom a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookHost {
    /// An address that is written out.
    Address(IpAddr),
    /// A name in small letters, without a dot at its end.
    Name(Box<str>),
}

impl fmt::Display for HookHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl HookUrl {
    /// Reads a URL. Stricter than RFC 3986: what one reader takes for the host and another for something else is
    /// refused, and so are addresses that are spelt in other ways than with four decimal numbers.
    ///
    /// # Errors
    /// When it is none, or one that readers read in different ways.
    pub fn parse(text: &str) -> Result<Self, HookError> {
        if text.len() > MAX_URL_BYTES {
            return Err(HookError::TooLong("the URL"));
        }
        if !text.bytes().all(belongs) {
            return Err(HookError::Letter);
        }
        let (scheme, rest) = text.split_once("://").ok_or(HookError::Scheme)?;
        let secure = match scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => true,
            scheme if scheme.eq_ignore_ascii_case("http") => false,
            _ => return Err(HookError::Scheme),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, _) = rest.split_at_checked(end).ok_or(HookError::Host)?;
        if authority.contains('@') {
            return Err(HookError::User);
        }
        let (host, port) = cut(authority)?;
        let port = match port {
            None if secure => 443,
            None => 80,
            Some(port) => number(port).ok_or(HookError::Port)?,
        };
        Ok(Self {
            text: Box::from(text),
            secure,
            host: read_host(host)?,
            port,
            target: text.len() - rest.len() + end,
        })
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `https`.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whom it leads to.
    pub const fn host(&self) -> &HookHost {
        &self.host
    }

    /// The port, also where it is not written.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, as a request has them.
    pub fn target(&self) -> String {
        match self.text.get(self.target..).unwrap_or_default() {
            target if target.starts_with('/') => target.to_owned(),
            target => format!("/{target}"),
        }
    }

    /// Scheme, host and port: what may be told of it. Paths and queries of hooks are often secrets.
    pub fn origin(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for HookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin())
    }
}

/// RFC 3986, section 2, but for `#`: a fragment is not sent, and readers do not agree where it begins.
const fn belongs(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
        )
}

/// Host and port of an authority.
fn cut(authority: &str) -> Result<(&str, Option<&str>), HookError> {
    let end = match authority.starts_with('[') {
        true => authority.find(']').ok_or(HookError::Host)? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(end).ok_or(HookError::Host)?;
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Ok((host, None)),
        None => Err(HookError::Host),
        Some(port) => Ok((host, Some(port))),
    }
}

fn number(port: &str) -> Option<u16> {
    let plain = port.bytes().all(|byte| byte.is_ascii_digit()) && port.len() <= 5;
    port.parse().ok().filter(|port| plain && *port > 0)
}

fn read_host(host: &str) -> Result<HookHost, HookError> {
    if let Some(address) = host.strip_prefix('[') {
        // Zones are of one machine, and other readers want them escaped.
        let address = address.strip_suffix(']').unwrap_or_default();
        let address: Ipv6Addr = address.parse().map_err(|_| HookError::Host)?;
        return Ok(HookHost::Address(IpAddr::V6(address)));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let last = name.rsplit('.').next().unwrap_or_default();
    if is_numeric(last) {
        // What looks like a number is one to the URL Standard and to `inet_aton`, in base 8, 10 and 16, and of one to
        // four parts; a reader that knows none of this asks the DNS for it.
        let address: Ipv4Addr = host.parse().map_err(|_| HookError::AddressSpelling)?;
        return Ok(HookHost::Address(IpAddr::V4(address)));
    }
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    if name.len() > MAX_NAME_BYTES || !name.split('.').all(is_label) {
        return Err(HookError::Host);
    }
    Ok(HookHost::Name(name.to_ascii_lowercase().into()))
}

/// Whether a host with this last label is a number (URL Standard, "ends in a number").
fn is_numeric(label: &str) -> bool {
    let digits = |text: &str, is: fn(&u8) -> bool| text.as_bytes().iter().all(is);
    let hex = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"));
    !label.is_empty() && digits(label, u8::is_ascii_digit)
        || hex.is_some_and(|hex| digits(hex, u8::is_ascii_hexdigit))
}

/// RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let is = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, HookError> {
        let url = HookUrl::parse(text)?;
        Ok(format!("{} {}", url.origin(), url.target()))
    }

    #[test]
    fn a_url_is_cut_where_every_reader_cuts_it() {
        for (text, expected) in [
            ("https://c.example/hook", "https://c.example:443 /hook"),
            ("HTTP://C.Example", "http://c.example:80 /"),
            (
                "https://c.example.:8443?a=b",
                "https://c.example:8443 /?a=b",
            ),
            (
                "http://127.0.0.1:9000/h?u=http://x@y",
                "http://127.0.0.1:9000 /h?u=http://x@y",
            ),
            ("https://[::1]/", "https://[::1]:443 /"),
            (
                "https://[::ffff:10.0.0.1]:1/",
                "https://[::ffff:10.0.0.1]:1 /",
            ),
            (
                "https://a_b.c-d.example/%0d%0a",
                "https://a_b.c-d.example:443 /%0d%0a",
            ),
            ("https://1.2.3.4.example/", "https://1.2.3.4.example:443 /"),
            ("https://0xa.example/", "https://0xa.example:443 /"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_readers_read_in_two_ways_is_no_url() {
        for (text, error) in [
            ("", HookError::Scheme),
            ("/hook", HookError::Scheme),
            ("//c.example/", HookError::Scheme),
            ("https:/c.example/", HookError::Scheme),
            ("https:c.example", HookError::Scheme),
            ("ftp://c.example/", HookError::Scheme),
            ("file:///etc/passwd", HookError::Scheme),
            ("gopher://c.example/", HookError::Scheme),
            ("javascript://c.example/", HookError::Scheme),
            (" https://c.example/", HookError::Letter),
            ("https://c.example/\r\nx: y", HookError::Letter),
            ("https://c.example/a b", HookError::Letter),
            ("https://c.exa\tmple/", HookError::Letter),
            ("https://c.example\0/", HookError::Letter),
            ("https://c.example\\@d.example/", HookError::Letter),
            ("https://c.example#@d.example/", HookError::Letter),
            ("https://c\u{3002}example/", HookError::Letter),
            ("https://\u{24d2}.example/", HookError::Letter),
            ("https://user@c.example/", HookError::User),
            ("https://user:pass@c.example/", HookError::User),
            ("https://c.example:80@d.example/", HookError::User),
            ("https://", HookError::Host),
            ("https:///hook", HookError::Host),
            ("https://.", HookError::Host),
            ("https://c..example/", HookError::Host),
            ("https://c.example../", HookError::Host),
            ("https://%6cocalhost/", HookError::Host),
            ("https://c.example,d.example/", HookError::Host),
            ("https://[::1/", HookError::Host),
            ("https://[::1]x/", HookError::Host),
            ("https://[fe80::1%25eth0]/", HookError::Host),
            ("https://[v1.x]/", HookError::Host),
            ("https://::1/", HookError::Host),
            ("https://c.example:/", HookError::Port),
            ("https://c.example:0/", HookError::Port),
            ("https://c.example:65536/", HookError::Port),
            ("https://c.example:+80/", HookError::Port),
            ("https://c.example:080443/", HookError::Port),
            ("https://2130706433/", HookError::AddressSpelling),
            ("https://0x7f000001/", HookError::AddressSpelling),
            ("https://0X7F.1/", HookError::AddressSpelling),
            ("https://017700000001/", HookError::AddressSpelling),
            ("https://0177.0.0.1/", HookError::AddressSpelling),
            ("https://127.1/", HookError::AddressSpelling),
            ("https://127.0.0.1./", HookError::AddressSpelling),
            ("https://127.0.0.01/", HookError::AddressSpelling),
            ("https://256.0.0.1/", HookError::AddressSpelling),
            ("https://1.2.3.4.5/", HookError::AddressSpelling),
            ("https://c.0x/", HookError::AddressSpelling),
        ] {
            let read = read(text);
            let is_host = error == HookError::Host && read == Err(HookError::Port);
            assert!(is_host || read == Err(error.clone()), "{text:?}: {read:?}");
        }
        let long = format!("https://c.example/{}", "a".repeat(MAX_URL_BYTES));
        assert_eq!(read(&long), Err(HookError::TooLong("the URL")));
        assert_eq!(
            read(&format!("https://{}/", "a".repeat(64))),
            Err(HookError::Host)
        );
    }

    #[test]
    fn nothing_of_a_registration_can_end_a_header_field() {
        let url = "https://c.example/";
        for text in ["a\r\nx: y", "a\n", "a\0", "\u{85}", "\u{7f}"] {
            let hook = Hook::new(url, Some(text), [], None);
            assert_eq!(hook, Err(HookError::Secret("the token")), "{text:?}");
            let hook = Hook::new(url, None, [], Some(text));
            assert_eq!(hook, Err(HookError::Secret("the credential")), "{text:?}");
            let hook = Hook::new(url, None, [text], None);
            assert_eq!(hook, Err(HookError::SchemeOfAuthentication), "{text:?}");
        }
        let hook = Hook::new(url, Some("s3cret"), ["Bearer"], Some("s3cret")).unwrap();
        assert!(!format!("{hook:?}").contains("s3cret"));
        let long = "a".repeat(MAX_SECRET_BYTES + 1);
        let hook = Hook::new(url, Some(&long), [], None);
        assert_eq!(hook, Err(HookError::TooLong("the token")));
    }
}
