//! SHA-256 of bytes, of keys, and as digits.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};

/// SHA-256 of a key (RFC 7638) or of a certificate.
pub(super) type Thumbprint = [u8; 32];

/// The SHA-256 of these bytes.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    hash
}

/// In small letters, as `sha256sum` prints them.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// The thumbprint of a public key: the members that make it, in the order of their names (RFC 7638, section 3). `None` for
/// a kind of key that is not used. The key was read before, so that its members are base64url and need no escapes.
pub(super) fn thumbprint(jwk: &Map<String, Value>) -> Option<Thumbprint> {
    let text = |name: &str| jwk.get(name)?.as_str();
    let members: &[&str] = match text("kty")? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    let member = |name: &&str| Some(format!("\"{name}\":\"{}\"", text(name)?));
    let members: Vec<_> = members.iter().map(member).collect::<Option<_>>()?;
    Some(sha256(format!("{{{}}}", members.join(",")).as_bytes()))
}
