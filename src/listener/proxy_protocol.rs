//! The header with which a load balancer says for whom it connects (PROXY protocol, versions 1 and 2, as
//! HAProxy's `proxy-protocol.txt` of 2020/03/05 describes it; sections are of that text).
//!
//! Pure: bytes in, what they say out. Stricter than the text asks: whatever is not exactly a header ends the
//! connection, because what follows it would be read as the caller's own bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parsed {
    /// No header.
    Absent,
    /// The beginning of a header.
    Partial,
    /// What may become the beginning of a header.
    Undecided,
    /// A header of so many bytes, and the address that it announces. `None`: the sender speaks for itself
    /// (`LOCAL`, `UNKNOWN`, or a family without IP addresses).
    Whole(usize, Option<SocketAddr>),
}

/// Why bytes that begin like a header are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProxyHeaderError {
    #[error("an address or a port is malformed")]
    Address,
    #[error("the command is unknown")]
    Command,
    #[error("the address family or the transport does not fit a TCP connection")]
    Family,
    #[error("the header is malformed")]
    Syntax,
    #[error("the header is too long")]
    TooLong,
    #[error("the version is unknown")]
    Version,
}

/// Reads the header at the beginning of these bytes.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    if let Some(rest) = bytes.strip_prefix(V1) {
        return v1(rest);
    }
    if let Some(rest) = bytes.strip_prefix(V2) {
        return v2(rest);
    }
    let may_become = |signature: &[u8]| signature.starts_with(bytes);
    if may_become(V1) || may_become(V2) {
        return Ok(Parsed::Undecided);
    }
    Ok(Parsed::Absent)
}

/// One line of text (section 2.1).
fn v1(rest: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let most = MAX_V1 - V1.len();
    let Some(end) = memchr::memchr(b'\n', rest.get(..most).unwrap_or(rest)) else {
        return match rest.len() >= most {
            true => Err(ProxyHeaderError::TooLong),
            false => Ok(Parsed::Partial),
        };
    };
    let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = std::str::from_utf8(line.ok_or(ProxyHeaderError::Syntax)?)
        .map_err(|_| ProxyHeaderError::Syntax)?;
    let length = V1.len() + end + 1;
    let mut words = line.split(' ');
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        // What stands behind it is to be ignored.
        return Ok(Parsed::Whole(length, None));
    }
    let mut word = || words.next().ok_or(ProxyHeaderError::Syntax);
    let (source, destination, source_port, destination_port) = (word()?, word()?, word()?, word()?);
    if words.next().is_some() {
        return Err(ProxyHeaderError::Syntax);
    }
    let address = |text: &str| -> Result<IpAddr, ProxyHeaderError> {
        let parsed = match family {
            "TCP4" => text.parse::<Ipv4Addr>().map(IpAddr::V4),
            "TCP6" => text.parse::<Ipv6Addr>().map(IpAddr::V6),
            _ => return Err(ProxyHeaderError::Family),
        };
        parsed.map_err(|_| ProxyHeaderError::Address)
    };
    let _destination = (address(destination)?, port(destination_port)?);
    Ok(Parsed::Whole(
        length,
        Some(announced(address(source)?, port(source_port)?)),
    ))
}

/// Digits alone, and no zero before others: one number has one spelling.
fn port(text: &str) -> Result<u16, ProxyHeaderError> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    let parsed = is_plain.then(|| text.parse().ok()).flatten();
    parsed.ok_or(ProxyHeaderError::Address)
}

/// A binary head, addresses, and further fields that mean nothing to us (section 2.2).
fn v2(rest: &[u8]) -> Result<Parsed, ProxyHeaderError> {
    let Some((&[version_command, family, high, low], rest)) = rest.split_first_chunk() else {
        return Ok(Parsed::Partial);
    };
    if version_command >> 4 != 2 {
        return Err(ProxyHeaderError::Version);
    }
    let is_local = match version_command & 0xf {
        0 => true,
        1 => false,
        _ => return Err(ProxyHeaderError::Command),
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let whole = V2.len() + 4 + length;
    if whole > MAX {
        return Err(ProxyHeaderError::TooLong);
    }
    let Some(content) = rest.get(..length) else {
        return Ok(Parsed::Partial);
    };
    if is_local {
        // Addresses are to be ignored (section 2.2: a health check of the balancer).
        return Ok(Parsed::Whole(whole, None));
    }
    let (source, fields) = match family {
        TCP_OVER_IPV4 => addresses::<4, 12>(content)?,
        TCP_OVER_IPV6 => addresses::<16, 36>(content)?,
        UNSPECIFIED => (None, &[][..]),
        STREAM_OVER_UNIX => {
            let fields = content.get(UNIX_ADDRESSES..);
            (None, fields.ok_or(ProxyHeaderError::Syntax)?)
        }
        _ => return Err(ProxyHeaderError::Family),
    };
    check_fields(fields)?;
    Ok(Parsed::Whole(whole, source))
}

/// The source of an address block: two addresses of `N` bytes and two ports, `BLOCK` bytes in all.
fn addresses<const N: usize, const BLOCK: usize>(
    content: &[u8],
) -> Result<(Option<SocketAddr>, &[u8]), ProxyHeaderError>
where
    [u8; N]: Into<IpAddr>,
{
    let (block, fields) = content
        .split_at_checked(BLOCK)
        .ok_or(ProxyHeaderError::Syntax)?;
    let (source, rest) = block
        .split_first_chunk::<N>()
        .ok_or(ProxyHeaderError::Syntax)?;
    let port = rest.get(N..N + 2).ok_or(ProxyHeaderError::Syntax)?;
    let port = port
        .iter()
        .fold(0, |port, byte| port << 8 | u16::from(*byte));
    Ok((Some(announced((*source).into(), port)), fields))
}

/// Type, length and value, one after another to the very end (section 2.2.7).
fn check_fields(mut fields: &[u8]) -> Result<(), ProxyHeaderError> {
    while !fields.is_empty() {
        let (&[_kind, high, low], rest) =
            fields.split_first_chunk().ok_or(ProxyHeaderError::Syntax)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        fields = rest.get(length..).ok_or(ProxyHeaderError::Syntax)?;
    }
    Ok(())
}

const fn announced(address: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(address.to_canonical(), port)
}

/// Parses whatever comes, and panics where a header does not say the same in any cut.
pub fn fuzz_proxy_protocol(bytes: &[u8]) {
    let whole = parse(bytes);
    if let Ok(Parsed::Whole(length, _)) = whole {
        assert!(length <= bytes.len() && length <= MAX, "longer than it is");
        for cut in 0..length {
            let before = parse(bytes.get(..cut).unwrap_or_default());
            assert!(
                matches!(before, Ok(Parsed::Partial | Parsed::Undecided)),
                "a header is whole before its end"
            );
        }
        assert_eq!(parse(bytes.get(..length).unwrap_or_default()), whole);
    }
}

const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line with its end (section 2.1).
const MAX_V1: usize = 107;

/// The longest header that is read. The text asks for 536 bytes at least; with the fields that cloud
/// balancers add, this is plenty.
pub(super) const MAX: usize = 1024;

const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;
const STREAM_OVER_UNIX: u8 = 0x31;
const UNIX_ADDRESSES: usize = 216;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn binary(version_command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [V2, &[version_command, family], &length, content].concat()
    }

    fn source(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    const IPV4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x1f, 0x90, 1, 0xbb];

    #[test]
    fn headers_say_for_whom_the_peer_speaks() {
        let mut ipv6 = [0; 36];
        (ipv6[0], ipv6[1], ipv6[15], ipv6[33]) = (0x20, 1, 9, 80);
        let with_fields = [&IPV4[..], &[0x04, 0, 2, 1, 2, 0xea, 0, 0]].concat();
        let cases: Vec<(Vec<u8>, Option<SocketAddr>)> = vec![
            (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 8080 443\r\n".to_vec(),
                source("192.0.2.7:8080"),
            ),
            (
                b"PROXY TCP6 2001::9 ::1 1 443\r\n".to_vec(),
                source("[2001::9]:1"),
            ),
            (
                b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 443\r\n".to_vec(),
                source("192.0.2.7:1"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN any thing\r\n".to_vec(), None),
            (binary(0x21, TCP_OVER_IPV4, &IPV4), source("192.0.2.7:8080")),
            (binary(0x21, TCP_OVER_IPV6, &ipv6), source("[2001::9]:80")),
            (
                binary(0x21, TCP_OVER_IPV4, &with_fields),
                source("192.0.2.7:8080"),
            ),
            (binary(0x21, UNSPECIFIED, &[]), None),
            (binary(0x21, STREAM_OVER_UNIX, &[0; 216]), None),
            (binary(0x20, UNSPECIFIED, &[]), None),
            (binary(0x20, 0xff, &[1, 2, 3]), None),
        ];
        for (header, expected) in cases {
            let length = header.len();
            let bytes = [&header[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(
                parse(&bytes),
                Ok(Parsed::Whole(length, expected)),
                "{header:?}"
            );
            fuzz_proxy_protocol(&bytes);
        }
    }

    #[test]
    fn what_only_begins_like_a_header_is_refused() {
        use ProxyHeaderError::{Address, Command, Family, Syntax, TooLong, Version};
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 107], b"\r\n"].concat();
        let cases: Vec<(Vec<u8>, ProxyHeaderError)> = vec![
            (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 8080 443\n".to_vec(),
                Syntax,
            ),
            (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 8080\r\n".to_vec(),
                Syntax,
            ),
            (
                b"PROXY TCP4  192.0.2.7 198.51.100.1 8080 443\r\n".to_vec(),
                Syntax,
            ),
            (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 8080 443 \r\n".to_vec(),
                Syntax,
            ),
            (
                b"PROXY TCP4 192.0.2.07 198.51.100.1 8080 443\r\n".to_vec(),
                Address,
            ),
            (
                b"PROXY TCP4 ::1 198.51.100.1 8080 443\r\n".to_vec(),
                Address,
            ),
            (b"PROXY TCP6 192.0.2.7 ::1 8080 443\r\n".to_vec(), Address),
            (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 +80 443\r\n".to_vec(),
                Address,
            ),
            (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 080 443\r\n".to_vec(),
                Address,
            ),
            (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n".to_vec(),
                Address,
            ),
            (
                b"PROXY UDP4 192.0.2.7 198.51.100.1 8080 443\r\n".to_vec(),
                Family,
            ),
            (b"PROXY TCP4 \xff\r\n".to_vec(), Syntax),
            (b"PROXY \r\n".to_vec(), Syntax),
            (long, TooLong),
            (binary(0x11, TCP_OVER_IPV4, &IPV4), Version),
            (binary(0x22, TCP_OVER_IPV4, &IPV4), Command),
            (binary(0x21, 0x12, &IPV4), Family),
            (binary(0x21, TCP_OVER_IPV4, &IPV4[..11]), Syntax),
            (
                binary(0x21, TCP_OVER_IPV4, &[&IPV4[..], &[4, 0, 9, 1]].concat()),
                Syntax,
            ),
            (
                binary(0x21, TCP_OVER_IPV4, &[&IPV4[..], &[4]].concat()),
                Syntax,
            ),
            (binary(0x21, TCP_OVER_IPV4, &[0; 1009]), TooLong),
        ];
        for (bytes, expected) in cases {
            assert_eq!(
                parse(&bytes),
                Err(expected),
                "{:?}",
                String::from_utf8_lossy(&bytes)
            );
        }
        for other in [
            "GET / HTTP/1.1",
            "PROPFIND /",
            "PRI * HTTP/2.0",
            "\x16\x03\x01",
            "\r\n\r\nx",
        ] {
            assert_eq!(parse(other.as_bytes()), Ok(Parsed::Absent), "{other:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_answered(version in 0usize..3, rest in prop::collection::vec(any::<u8>(), 0..200)) {
            let begin = [&b""[..], V1, V2][version];
            fuzz_proxy_protocol(&[begin, &rest].concat());
        }

        #[test]
        fn any_source_is_read_back(address in any::<u32>(), other in any::<u128>(), port in any::<u16>()) {
            for ip in [IpAddr::from(address.to_be_bytes()), IpAddr::from(other.to_be_bytes())] {
                let family = if ip.is_ipv4() { "TCP4" } else { "TCP6" };
                let line = format!("PROXY {family} {ip} {ip} {port} 1\r\n");
                let expected = Some(announced(ip, port));
                prop_assert_eq!(parse(line.as_bytes()), Ok(Parsed::Whole(line.len(), expected)));
                fuzz_proxy_protocol(line.as_bytes());
            }
        }
    }
}
