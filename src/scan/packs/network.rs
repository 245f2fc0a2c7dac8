//! Addresses in networks, which lead to machines and people. Looked for only where a policy names the pack.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::matcher::kind::{Check, Kind, Left, Shape};
use super::super::matcher::number::{Asked, Form, Needs, Number, Writing};
use crate::model::Severity;

pub(super) static KINDS: [Kind; 3] = [
    Kind {
        name: "network.ipv4",
        mark: "[redacted:network.ipv4]",
        description: "public IPv4 address",
        severity: Severity::Low,
        anchors: &[],
        left: Left::Any,
        shape: Shape::Number(&Number {
            forms: &[free("[1-9]d?d?.dd?d?.dd?d?.dd?d?")],
            words: &[],
            asked: Asked::AsWritten(is_public_v4),
            checked: "not private, reserved or of documentation",
            examples: &["1.1.1.1", "8.8.4.4", "8.8.8.8", "9.9.9.9"],
        }),
        check: Check::None,
    },
    Kind {
        name: "network.ipv6",
        mark: "[redacted:network.ipv6]",
        description: "public IPv6 address",
        severity: Severity::Low,
        anchors: &[],
        left: Left::Any,
        shape: Shape::Number(&Number {
            forms: &[free("[23]h{3}:[0-9a-fA-F:]{2}[0-9a-fA-F:]?{32}")],
            words: &[],
            asked: Asked::AsWritten(is_public_v6),
            checked: "not private, reserved or of documentation",
            examples: &["2606:4700:4700::1111", "2001:4860:4860::8888"],
        }),
        check: Check::None,
    },
    Kind {
        name: "network.mac",
        mark: "[redacted:network.mac]",
        description: "address of a network card, by its maker, with a digit in its first byte",
        severity: Severity::Low,
        anchors: &[],
        left: Left::Any,
        shape: Shape::Number(&Number {
            // Found by a digit of the first byte; one in seven makers has none there.
            forms: &[
                free("dh:hh:hh:hh:hh:hh"),
                free("[a-fA-F]d:hh:hh:hh:hh:hh"),
                free("dh-hh-hh-hh-hh-hh"),
                free("[a-fA-F]d-hh-hh-hh-hh-hh"),
            ],
            words: &[],
            asked: Asked::AsWritten(is_of_maker),
            checked: "of one card, given by its maker",
            examples: &["00:11:22:33:44:55", "00-11-22-33-44-55"],
        }),
        check: Check::None,
    },
];

const fn free(pattern: &'static str) -> Form {
    Form(Writing::As(pattern), Needs::Nothing)
}

/// IANA's registry of addresses for special purposes.
fn is_public_v4(text: &[u8]) -> bool {
    let address = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<Ipv4Addr>().ok());
    address.is_some_and(|address| {
        let is_special = match address.octets() {
            [0 | 127 | 224.., ..] | [192, 0, 0, _] | [198, 18 | 19, ..] | [192, 88, 99, _] => true,
            [100, second, ..] => (64..128).contains(&second),
            _ => false,
        };
        !is_special
            && !address.is_private()
            && !address.is_link_local()
            && !address.is_documentation()
    })
}

/// Global unicast without documentation, Teredo and 6to4.
fn is_public_v6(text: &[u8]) -> bool {
    let address = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse::<Ipv6Addr>().ok());
    address.is_some_and(|address| {
        let is_special = matches!(
            address.segments(),
            [0x2001, 0 | 0xDB8, ..] | [0x2002, ..] | [0x3FFF, ..]
        );
        let [first, ..] = address.segments();
        !is_special && (0x2000..0x4000).contains(&first)
    })
}

/// Neither for groups nor given by an administrator or a program, nor of documentation (RFC 7042).
fn is_of_maker(text: &[u8]) -> bool {
    let mut groups = text
        .split(|byte| matches!(byte, b':' | b'-'))
        .filter_map(|group| u8::from_str_radix(std::str::from_utf8(group).ok()?, 16).ok());
    let mut address = [0_u8; 6];
    for byte in &mut address {
        *byte = groups.next().unwrap_or_default();
    }
    let [first, ..] = address;
    first & 3 == 0 && !matches!(address, [0, 0, 0, ..] | [0, 0, 0x5E, 0, 0x53, _])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_lead_to_somebody_count() {
        for text in ["81.2.69.142", "145.207.76.210", "200.1.1.1"] {
            assert!(is_public_v4(text.as_bytes()), "{text}");
        }
        for text in [
            "10.0.0.1",
            "127.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "192.0.2.7",
            "198.51.100.1",
            "203.0.113.9",
            "169.254.1.1",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "256.1.1.1",
            "198.18.0.1",
            "081.2.3.4",
        ] {
            assert!(!is_public_v4(text.as_bytes()), "{text}");
        }
        assert!(is_public_v6(b"2a02:8108:96c0:2b00::1"));
        assert!(!is_public_v6(b"2001:db8::1") && !is_public_v6(b"2a02:1"));
        assert!(is_of_maker(b"3c:e8:90:2f:b3:09"));
        for text in [
            "02:42:ac:11:00:02",
            "ff:ff:ff:ff:ff:ff",
            "00:00:5e:00:53:01",
            "01:00:5e:00:00:fb",
        ] {
            assert!(!is_of_maker(text.as_bytes()), "{text}");
        }
    }
}
