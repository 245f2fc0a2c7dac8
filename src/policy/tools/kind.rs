//! Kinds of texts that arguments may be asked to be.

use crate::model::iban;

/// What a text can be asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// An e-mail address.
    Email,
    /// The number of a bank account (ISO 13616), with the right check digits.
    Iban,
    /// An absolute address of HTTP.
    Url,
    /// A UUID (RFC 9562, section 4).
    Uuid,
}

impl TextKind {
    /// What it is called in a policy, and all of them.
    pub const ALL: &[(&'static str, Self)] = &[
        ("iban", Self::Iban),
        ("email", Self::Email),
        ("url", Self::Url),
        ("uuid", Self::Uuid),
    ];

    /// What it is, in a sentence.
    pub(super) const fn article(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::Iban => "an IBAN",
            Self::Url => "a URL",
            Self::Uuid => "a UUID",
        }
    }

    /// Whether a text is one.
    pub fn includes(self, text: &str) -> bool {
        match self {
            Self::Email => is_email(text),
            Self::Iban => iban::is_iban(text),
            Self::Url => is_url(text),
            Self::Uuid => is_uuid(text),
        }
    }
}

/// What forms on web pages take (HTML, "valid e-mail address"), with a domain of two labels or more and at most
/// as long as a path of SMTP may be (RFC 5321, section 4.5.3.1).
fn is_email(text: &str) -> bool {
    let of_name =
        |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    text.len() <= 254
        && (1..=64).contains(&name.len())
        && name.bytes().all(of_name)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

/// A label of a name in the DNS (RFC 1123, section 2.1).
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// `http` or `https`, a host, perhaps a port; what stands behind is not looked at but for its letters. Nothing on
/// which readers of addresses are known to disagree: no name of a user, no backslash, and ASCII only (RFC 3986).
fn is_url(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let length = ["https://", "http://"]
        .iter()
        .find(|scheme| lower.starts_with(**scheme));
    let Some(rest) = length.and_then(|scheme| text.get(scheme.len()..)) else {
        return false;
    };
    let of_url = |byte: u8| byte.is_ascii_graphic() && !br#""<>\^`{|}"#.contains(&byte);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    rest.bytes().all(of_url) && is_authority(authority)
}

fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => (
            "localhost",
            port.strip_prefix(':')
                .or_else(|| port.is_empty().then_some("1")),
        ),
        Some(_) => return false,
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("1")),
        },
    };
    // A last dot ends the name of a host that is not to be searched for.
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    host.split('.').all(is_label) && port.is_some_and(is_port)
}

/// Thirty-two hexadecimal digits in five groups.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    let lengths = groups.iter().map(|group| group.len());
    lengths.eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: TextKind, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(kind.includes(text), "{text}");
        }
        for text in bad {
            assert!(!kind.includes(text), "{text}");
        }
    }

    #[test]
    fn an_email_address_is_one_line_and_one_address() {
        let long = format!("a@{}.example", ["b".repeat(60).as_str(); 5].join("."));
        check(
            TextKind::Email,
            &["a@b.co", "ana+x@mail.acme.example", "o'neil@a-b.example"],
            &[
                "",
                "a",
                "@b.co",
                "a@",
                "a@b",
                "a@b..co",
                "a@-b.co",
                "a@b.co ",
                "a@b.co\n",
                "a b@c.de",
                "a@b@c.de",
                "a@b.co,c@d.ef",
                "<a@b.co>",
                "\u{e4}@b.co",
                &long,
            ],
        );
    }

    #[test]
    fn a_url_is_absolute_and_of_http() {
        check(
            TextKind::Url,
            &[
                "http://a",
                "HTTPS://a.example:8443/x?y=z#t",
                "https://[::1]:80/",
                "https://10.0.0.1/",
                "https://a.example./",
                "https://a/%20",
            ],
            &[
                "",
                "a.example",
                "/x",
                "//a/x",
                "ftp://a/",
                "javascript:alert(1)",
                "file:///etc/passwd",
                "https://",
                "https:///x",
                "https:a",
                "https://a b/",
                "https://a/\n",
                "https://u@a/",
                "https://u:p@a/",
                "https://a:0/",
                "https://a:99999/",
                "https://a:+1/",
                "https://a:/",
                "https://[::1/",
                "https://[a]/",
                "https://a\\b/",
                "https://\u{e4}.example/",
                "https://a..b/",
                " https://a/",
                "https://a%2eb/",
            ],
        );
    }

    #[test]
    fn a_uuid_has_five_groups() {
        check(
            TextKind::Uuid,
            &[
                "018f3c4e-7b2a-7c3d-9e4f-5a6b7c8d9e0f",
                "018F3C4E-7B2A-7C3D-9E4F-5A6B7C8D9E0F",
            ],
            &[
                "",
                "018f3c4e7b2a7c3d9e4f5a6b7c8d9e0f",
                "{018f3c4e-7b2a-7c3d-9e4f-5a6b7c8d9e0f}",
                "018f3c4e-7b2a-7c3d-9e4f-5a6b7c8d9e0g",
                "018f3c4e-7b2a-7c3d-9e4f-5a6b7c8d9e0f0",
                "018f3c4e-7b2a-7c3d-9e4f-5a6b7c8d9e0f\n",
            ],
        );
    }
}
