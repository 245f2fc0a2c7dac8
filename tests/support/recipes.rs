//! Bad credentials as recipes: what a token says, who signs it, and how it is mangled.
//!
//! Tokens are made when a test runs, with fresh keys, so that none stands in the sources. The same recipes are tried
//! against the room that verifies tokens and against the whole program. `tests/data/tokens/README.md` says how they are
//! written.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::minting::{Algorithm, TokenMinter};

/// The recipes of a file, in order.
pub(crate) fn read(text: &'static str) -> Vec<Recipe> {
    let mut recipes: Vec<Recipe> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let at = number + 1;
        let (key, value) = line
            .split_once(':')
            .unwrap_or_else(|| panic!("line {at}: no `:`"));
        let value = value.strip_prefix(' ').unwrap_or(value);
        assert!(KNOWN.contains(&key), "line {at}: `{key}` is not known");
        if key == "case" {
            recipes.push(Recipe {
                name: value,
                lines: Vec::new(),
            });
            continue;
        }
        let recipe = recipes.last_mut().expect("a line before the first case");
        recipe.lines.push((key, value));
    }
    recipes
}

const KNOWN: &[&str] = &[
    "case",
    "header",
    "payload",
    "claims",
    "by",
    "signature",
    "text",
    "field",
    "target",
    "body",
    "bound",
    "proof-header",
    "proof-claims",
    "proof-by",
    "proof",
    "expect",
    "challenge",
    "wire",
];

/// One bad credential.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    lines: Vec<(&'static str, &'static str)>,
}

/// A request that carries it.
pub(crate) struct Made {
    pub(crate) target: String,
    /// Names and values.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Option<String>,
}

/// Whose keys there are.
pub(crate) struct Cast {
    /// The keys of the issuer: all in its key set.
    pub(crate) issuer: BTreeMap<&'static str, TokenMinter>,
    /// The keys of another issuer that is believed too.
    pub(crate) partner: TokenMinter,
    /// Keys of nobody.
    foreign: TokenMinter,
    foreign_p256: TokenMinter,
    /// The key that tokens are bound to.
    caller: TokenMinter,
    /// By which requests come: `http` or `https`.
    scheme: &'static str,
}

/// The algorithms that the issuer has keys of.
const ISSUED: &[Algorithm] = &[
    Algorithm::EdDsa,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Ps256,
    Algorithm::Rs256,
];

impl Cast {
    pub(crate) fn new(scheme: &'static str) -> Self {
        let minter = |algorithm| TokenMinter::generate(algorithm).unwrap();
        let issued = ISSUED.iter();
        Self {
            issuer: issued
                .map(|algorithm| (algorithm.as_str(), minter(*algorithm)))
                .collect(),
            partner: minter(Algorithm::EdDsa),
            foreign: minter(Algorithm::EdDsa),
            foreign_p256: minter(Algorithm::Es256),
            caller: minter(Algorithm::Es256),
            scheme,
        }
    }

    pub(crate) fn key_set(&self) -> String {
        let keys: Vec<_> = self.issuer.values().map(TokenMinter::jwk).collect();
        json!({ "keys": keys }).to_string()
    }
}

impl Recipe {
    pub(crate) fn line(&self, key: &str) -> Option<&'static str> {
        let mut lines = self.lines.iter();
        lines
            .find(|(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &'static str> {
        self.lines
            .iter()
            .filter(move |(name, _)| *name == key)
            .map(|(_, value)| *value)
    }

    /// What the audit record says, up to `…`.
    pub(crate) fn explains(&self, detail: &str) -> bool {
        let expected = self.line("expect").unwrap();
        match expected.strip_suffix('…') {
            Some(start) => detail.starts_with(start),
            None => detail == expected,
        }
    }

    /// The request, at this second.
    pub(crate) fn make(&self, cast: &Cast, now: i64) -> Made {
        let token = self.token(cast, now);
        let proof = self.proof(cast, now, &token);
        let fill = |text: &str| {
            let text = text.replace("{token}", &token).replace("{proof}", &proof);
            unescape(&text)
        };
        let mut fields: Vec<&str> = self.all("field").collect();
        if fields.is_empty() {
            fields = match self.line("bound") {
                Some(_) => vec!["authorization: DPoP {token}", "dpop: {proof}"],
                None => vec!["authorization: Bearer {token}"],
            };
        }
        let fields = fields.into_iter().filter(|field| *field != "none");
        let field = |field: &str| {
            let (name, value) = field.split_once(": ").unwrap_or((field, ""));
            (name.to_owned(), fill(value))
        };
        Made {
            target: String::from_utf8(fill(self.line("target").unwrap_or("/"))).unwrap(),
            fields: fields.map(field).collect(),
            body: self
                .line("body")
                .map(|body| body.replace("{token}", &token)),
        }
    }

    fn token(&self, cast: &Cast, now: i64) -> String {
        let by = self.line("by").unwrap_or("EdDSA");
        let minter = match by {
            "foreign" => &cast.foreign,
            "foreign ES256" => &cast.foreign_p256,
            "partner" => &cast.partner,
            algorithm => &cast.issuer[algorithm],
        };
        let own = match by {
            "foreign" => &cast.issuer["EdDSA"],
            "foreign ES256" => &cast.issuer["ES256"],
            _ => minter,
        };
        let fill = |text: &str| {
            let text = dates(text, now)
                .replace("FOREIGN_JWK", &public(&cast.foreign_p256).to_string())
                .replace("PARTNER_KID", cast.partner.key_id())
                .replace("KID", own.key_id());
            expand(&text)
        };
        let alg = minter.jwk()["alg"].as_str().unwrap().to_owned();
        let header = match self.line("header") {
            Some(header) => fill(header),
            None => json!({"alg": alg, "kid": own.key_id(), "typ": "at+jwt"}).to_string(),
        };
        let payload = match self.line("payload") {
            Some(payload) => fill(payload),
            None => {
                let mut claims = json!({
                    "iss": "https://idp.example", "sub": "ana", "aud": "quotes-agent", "org_id": "acme",
                    "groups": ["analysts"], "iat": now - 60, "exp": now + 600,
                });
                if self.line("bound").is_some() {
                    claims["cnf"] = json!({"jkt": thumbprint(&cast.caller)});
                }
                let changes = self.line("claims").map_or_else(|| "{}".to_owned(), fill);
                merge(&mut claims, &changes, self.name);
                claims.to_string()
            }
        };
        self.put_together(
            cast,
            minter,
            self.line("signature"),
            "text",
            &header,
            &payload,
        )
    }

    fn proof(&self, cast: &Cast, now: i64, token: &str) -> String {
        if self.line("bound").is_none() {
            return String::new();
        }
        let minter = match self.line("proof-by") {
            None => &cast.caller,
            Some("foreign") => &cast.foreign_p256,
            Some(other) => panic!("{}: nobody is called `{other}`", self.name),
        };
        let jwk = public(&cast.caller);
        let header = match self.line("proof-header") {
            Some(header) => header
                .replace("FOREIGN_JWK", &public(&cast.foreign_p256).to_string())
                .replace("JWK_MEMBERS", jwk.to_string().trim_matches(['{', '}']))
                .replace("JWK", &jwk.to_string()),
            None => json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}).to_string(),
        };
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("{}{now}", self.name).as_bytes()));
        let mut claims = json!({
            "jti": id, "htm": "GET", "htu": "SCHEME://agent.example/", "iat": now, "ath": sha256(token),
        });
        let changes = self.line("proof-claims").unwrap_or("{}");
        merge(&mut claims, &expand(&dates(changes, now)), self.name);
        let claims = claims.to_string().replace("SCHEME", cast.scheme);
        self.put_together(cast, minter, None, "proof", &header, &claims)
    }

    fn put_together(
        &self,
        cast: &Cast,
        minter: &TokenMinter,
        signature: Option<&str>,
        template: &str,
        header: &str,
        payload: &str,
    ) -> String {
        let (header, payload) = (unescape(header), unescape(payload));
        let whole = minter.sign(&header, &payload).unwrap();
        let (signed, made) = whole.rsplit_once('.').unwrap();
        let (h, p) = signed.split_once('.').unwrap();
        let made = URL_SAFE_NO_PAD.decode(made).unwrap();
        let made = match signature {
            None => made,
            Some(how) => mangle(how, &made, signed.as_bytes(), cast, self.name),
        };
        let s = URL_SAFE_NO_PAD.encode(&made);
        let template = self.line(template).unwrap_or("{h}.{p}.{s}");
        let mut text = expand(template);
        if text.contains("{s trailing}") {
            text = text.replace("{s trailing}", &trailing_bits(&s));
        }
        text.replace("{h}", h)
            .replace("{p}", p)
            .replace("{s}", &s)
            .replace("{h padded}", &URL_SAFE.encode(&header))
            .replace("{p padded}", &URL_SAFE.encode(&payload))
            .replace("{s padded}", &URL_SAFE.encode(&made))
            .replace("{h standard}", &STANDARD.encode(&header))
            .replace("{p standard}", &STANDARD.encode(&payload))
            .replace("{s standard}", &STANDARD.encode(&made))
            .replace("{payload}", &String::from_utf8_lossy(&payload))
    }
}

/// A signature that is none, or another spelling of one.
fn mangle(how: &str, made: &[u8], signed: &[u8], cast: &Cast, case: &str) -> Vec<u8> {
    let sign = |hash, key: &[u8]| {
        hmac::sign(&hmac::Key::new(hash, key), signed)
            .as_ref()
            .to_vec()
    };
    let public_key = &cast.issuer["ES256"];
    let (r, s) = made.split_at(made.len() / 2);
    match how {
        "empty" => Vec::new(),
        "zeros" => vec![0; made.len()],
        "ones" => [&[&vec![0; r.len() - 1][..], &[1]].concat()[..]; 2].concat(),
        "half" => r.to_vec(),
        "doubled" => [made, made].concat(),
        "shortened" => made[..made.len() - 1].to_vec(),
        "lengthened" => [made, &[0]].concat(),
        "swapped" => [s, r].concat(),
        "r=n" => [&P256_ORDER[..], s].concat(),
        "s=n" => [r, &P256_ORDER[..]].concat(),
        "r=n s=n" => [P256_ORDER, P256_ORDER].concat(),
        "r=0" => [&[0; 32][..], s].concat(),
        "s=0" => [r, &[0; 32][..]].concat(),
        "r+n" => [&[0xff; 32][..], s].concat(),
        "der" => der(r, s),
        "hmac pem" => sign(hmac::HMAC_SHA256, pem(&spki(public_key)).as_bytes()),
        "hmac pem without end" => sign(hmac::HMAC_SHA256, pem(&spki(public_key)).trim().as_bytes()),
        "hmac der" => sign(hmac::HMAC_SHA256, &spki(public_key)),
        "hmac point" => sign(hmac::HMAC_SHA256, &point(public_key)),
        "hmac jwk" => sign(hmac::HMAC_SHA256, public_key.jwk().to_string().as_bytes()),
        "hmac jwks" => sign(hmac::HMAC_SHA256, cast.key_set().as_bytes()),
        "hmac 384" => sign(hmac::HMAC_SHA384, pem(&spki(public_key)).as_bytes()),
        "hmac 512" => sign(hmac::HMAC_SHA512, pem(&spki(public_key)).as_bytes()),
        "hmac nothing" => sign(hmac::HMAC_SHA256, b""),
        _ => panic!("{case}: no signature is made by `{how}`"),
    }
}

/// The order of the group of P-256 (FIPS 186-5).
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The same signature with the other `s`, which verifies too: ECDSA is malleable.
pub(crate) fn high_s(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i32::from(P256_ORDER[at]) - i32::from(signature[32 + at]) - borrow;
        borrow = i32::from(difference < 0);
        signature[32 + at] = u8::try_from(difference + 256 * borrow).unwrap();
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// `SEQUENCE { INTEGER r, INTEGER s }`, as everybody but JOSE writes it.
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let start = number
            .iter()
            .position(|byte| *byte != 0)
            .unwrap_or(number.len() - 1);
        let number = &number[start..];
        let sign = if number[0] < 0x80 { &[][..] } else { &[0][..] };
        let length = u8::try_from(sign.len() + number.len()).unwrap();
        [&[2, length], sign, number].concat()
    };
    let body = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
}

fn point(minter: &TokenMinter) -> Vec<u8> {
    let jwk = minter.jwk();
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    [vec![4], number("x"), number("y")].concat()
}

/// The public key of P-256 as X.509 has it (RFC 5480).
fn spki(minter: &TokenMinter) -> Vec<u8> {
    const PREFIX: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    [&PREFIX[..], &point(minter)].concat()
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// The public key without what is about it.
fn public(minter: &TokenMinter) -> Value {
    let mut jwk = minter.jwk();
    for name in ["kid", "use", "alg"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    jwk
}

/// RFC 7638: serde_json writes members in the order of their names, without blanks.
fn thumbprint(minter: &TokenMinter) -> String {
    sha256(&public(minter).to_string())
}

/// The last character of base64url carries bits that mean nothing and must be zero.
fn trailing_bits(text: &str) -> String {
    let (kept, last) = text.split_at(text.len() - 1);
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = ALPHABET.find(last).unwrap();
    assert!(
        !text.len().is_multiple_of(4),
        "all bits of the last character count"
    );
    format!("{kept}{}", ALPHABET.split_at(at + 1).1.split_at(1).0)
}

/// Merges an object into another; `null` takes a member away.
fn merge(into: &mut Value, changes: &str, case: &str) {
    let changes: Value =
        serde_json::from_str(changes).unwrap_or_else(|error| panic!("{case}: {error}: {changes}"));
    let into = into.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => into.remove(name),
            value => into.insert(name.clone(), value.clone()),
        };
    }
}

/// `NOW`, `NOW+600`, `NOW-40`.
fn dates(text: &str, now: i64) -> String {
    let mut parts = text.split("NOW");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let digits = part.strip_prefix(['+', '-']).unwrap_or_default();
        let length = digits.bytes().take_while(u8::is_ascii_digit).count();
        let (offset, rest) = match length {
            0 => ("0", part),
            _ => part.split_at(1 + length),
        };
        filled.push_str(&(now + offset.parse::<i64>().unwrap()).to_string());
        filled.push_str(rest);
    }
    filled
}

/// `{16384 x}` is so many times `x`.
fn expand(text: &str) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        expanded.push_str(before);
        let (inside, after) = from.split_at(1).1.split_once('}').unwrap_or((from, ""));
        let (count, what) = inside.split_once(' ').unwrap_or(("", ""));
        rest = match count.parse::<usize>() {
            Ok(count) => {
                // A brace cannot stand between braces.
                let what = what.replace("<<", "{").replace(">>", "}");
                expanded.push_str(&what.repeat(count));
                after
            }
            Err(_) => {
                expanded.push('{');
                from.split_at(1).1
            }
        };
    }
    expanded + rest
}

/// `%t`, `%xFF`: bytes that a line of text cannot show. `%%` is `%`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let (sign, behind) = after.split_at_checked(1).unwrap_or_default();
        rest = match sign {
            "t" => {
                bytes.push(b'\t');
                behind
            }
            "x" => {
                let (digits, behind) = behind.split_at(2);
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                behind
            }
            _ => {
                bytes.push(b'%');
                after.strip_prefix('%').unwrap_or(after)
            }
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
