//! Which addresses anybody may be sent to.
//!
//! By the registries of special-purpose addresses (RFC 6890 and the tables of IANA that it began), and by what clouds
//! serve their credentials at.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing that anybody listens at, or for one link, one machine's configuration, or many at once: never.
    Never(&'static str),
    /// For a private network or this machine: where the policy says so.
    Private(&'static str),
    /// For everybody.
    Public,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never(what) | Self::Private(what) => f.write_str(what),
            Self::Public => f.write_str("public"),
        }
    }
}

/// What an address is for, that of IPv4 in it included, where it stands for one.
pub fn kind(address: IpAddr) -> Kind {
    match address {
        IpAddr::V4(address) => kind_of_v4(address),
        IpAddr::V6(address) => kind_of_v6(address),
    }
}

fn kind_of_v4(address: Ipv4Addr) -> Kind {
    if METADATA_V4.contains(&address) {
        return METADATA;
    }
    match address.octets() {
        [0, ..] => Kind::Never("unspecified"),
        [127, ..] => Kind::Private("loopback"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => Kind::Private("private"),
        [100, 64..=127, ..] => Kind::Private("shared by a carrier (RFC 6598)"),
        [169, 254, ..] => Kind::Never("link-local"),
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => Kind::Never("for documentation"),
        [192, 0, 0, _] => Kind::Never("for protocols"),
        [192, 88, 99, _] => Kind::Never("a relay of 6to4"),
        [198, 18..=19, ..] => Kind::Never("for benchmarks"),
        [224..=239, ..] => Kind::Never("multicast"),
        [240..=255, ..] => Kind::Never("reserved"),
        _ => Kind::Public,
    }
}

fn kind_of_v6(address: Ipv6Addr) -> Kind {
    if METADATA_V6.contains(&address) {
        return METADATA;
    }
    if address.is_unspecified() {
        return Kind::Never("unspecified");
    }
    if address.is_loopback() {
        return Kind::Private("loopback");
    }
    match address.segments() {
        // Mapped, compatible (deprecated), translated by NAT64 (RFC 6052), and by SIIT (RFC 2765).
        [0, 0, 0, 0, 0, 0xffff | 0, a, b]
        | [0x64, 0xff9b, 0, 0, 0, 0, a, b]
        | [0, 0, 0, 0, 0xffff, 0, a, b]
        // 6to4 (RFC 3056).
        | [0x2002, a, b, ..] => kind_of_v4(embedded(a, b)),
        [0x64, 0xff9b, 1, ..] => Kind::Private("translated by a network of its own (RFC 8215)"),
        [0xfc00..=0xfdff, ..] => Kind::Private("private"),
        [0xfec0..=0xfeff, ..] => Kind::Private("site-local"),
        [0xfe80..=0xfebf, ..] => Kind::Never("link-local"),
        [0xff00..=0xffff, ..] => Kind::Never("multicast"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Kind::Never("for documentation"),
        [0x2001, 0, ..] => Kind::Never("a tunnel of Teredo"),
        [0x2001, 0..=0x1ff, ..] => Kind::Never("for protocols"),
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => Kind::Never("reserved"),
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

const METADATA: Kind = Kind::Never("where a cloud tells credentials");

/// Of AWS, Azure, Google and others; of Azure's agent; of Alibaba.
const METADATA_V4: &[Ipv4Addr] = &[
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
];

/// Of AWS, and of Google.
const METADATA_V6: &[Ipv6Addr] = &[
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Kind {
        kind(text.parse().unwrap())
    }

    #[test]
    fn what_is_public_is() {
        for text in [
            "1.1.1.1",
            "9.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "198.17.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860::8888",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert_eq!(of(text), Kind::Public, "{text}");
        }
    }

    #[test]
    fn what_is_private_is_in_every_disguise() {
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fc00::1",
            "fd12:3456::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "::ffff:0:10.0.0.1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
        ] {
            assert!(matches!(of(text), Kind::Private(_)), "{text}: {}", of(text));
        }
    }

    #[test]
    fn what_nobody_should_be_sent_to_is_never_allowed() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.1.1",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.8",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "198.18.0.1",
            "198.19.255.255",
            "192.88.99.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::ffff:169.254.169.254",
            "::ffff:0.0.0.0",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "2001::1",
            "2001:2::1",
            "100::1",
            "5f00::1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "4000::1",
        ] {
            assert!(matches!(of(text), Kind::Never(_)), "{text}: {}", of(text));
        }
    }
}
