//! Requests of workloads that sign with the key of their token: good ones, and those of `tests/data/signatures/wimse.json`.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::minting::{Algorithm, TokenMinter};
use super::signing;

pub(crate) const ISSUER: &str = "https://wimse.example";
pub(crate) const WORKLOAD: &str = "spiffe://prod.example/ns/acme/sa/bot";
const BODY: &str = r#"{"amount":10}"#;
const TARGET: &str = "/reports?x=1";

#[derive(Deserialize)]
pub(crate) struct Table {
    #[serde(default)]
    covers: String,
    #[serde(default)]
    params: String,
    pub(crate) cases: Vec<Case>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) expect: String,
    token: Option<String>,
    tokens: Option<usize>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    jwk: Map<String, Value>,
    issued_by: Option<String>,
    bound_to: Option<String>,
    signed_by: Option<String>,
    unsigned: bool,
    swapped: bool,
    covers: Option<String>,
    params: Option<String>,
    headers: Vec<(String, String)>,
    sent_method: Option<String>,
    sent_target: Option<String>,
    sent_body: Option<String>,
    /// Claims of a proof token, in place of a signature.
    proof: Option<Map<String, Value>>,
    proof_header: Map<String, Value>,
    /// The proof as it is sent, `PROOF` in it being the one that was made.
    proof_text: Option<String>,
    proofs: Option<usize>,
    /// Where it stands.
    proof_field: Option<String>,
}

/// A request as it is sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// An issuer, and a workload.
pub(crate) struct Kit {
    pub(crate) issuer: TokenMinter,
    stranger_issuer: TokenMinter,
    key: signing::SigningKey,
    stranger: signing::SigningKey,
}

impl Kit {
    pub(crate) fn new(algorithm: signing::Algorithm) -> Self {
        let key = || signing::SigningKey::generate(algorithm).unwrap();
        let minter = || TokenMinter::generate(Algorithm::Es256).unwrap();
        Self {
            issuer: minter(),
            stranger_issuer: minter(),
            key: key(),
            stranger: key(),
        }
    }

    pub(crate) fn table() -> Table {
        let text = include_str!("../data/signatures/wimse.json");
        serde_json::from_str(text).unwrap()
    }

    /// The table of proof tokens.
    pub(crate) fn proofs() -> Table {
        let text = include_str!("../data/signatures/wpt.json");
        serde_json::from_str(text).unwrap()
    }

    /// The request of a case; `index` makes its nonce another than those before.
    pub(crate) fn request(&self, table: &Table, case: &Case, index: usize, now: i64) -> Sent {
        let fill = |text: &str| filled(text, now, &format!("n{index}"));
        let mut headers = HeaderMap::new();
        let add = |headers: &mut HeaderMap, name: &str, value: &str| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        };
        add(&mut headers, "content-type", "application/json");
        add(
            &mut headers,
            "content-digest",
            &signing::content_digest(BODY.as_bytes()),
        );
        for (name, value) in &case.headers {
            add(&mut headers, name, value);
        }
        let token = case.token.clone().unwrap_or_else(|| self.token(case, now));
        for _ in 0..case.tokens.unwrap_or(1) {
            add(&mut headers, "workload-identity-token", &token);
        }
        let covers = case.covers.as_ref().unwrap_or(&table.covers);
        let params = case.params.as_ref().unwrap_or(&table.params);
        let inner = fill(&format!("{covers}{params}"));
        let key = match case.signed_by {
            None => &self.key,
            Some(_) => &self.stranger,
        };
        if let Some(changes) = &case.proof {
            let proof = self.proof(case, changes, &token, &headers, &fill("{nonce}"), now);
            let text = case.proof_text.as_deref().unwrap_or("PROOF");
            let field = case.proof_field.as_deref();
            for _ in 0..case.proofs.unwrap_or(1) {
                let field = field.unwrap_or("workload-proof-token");
                add(&mut headers, field, &text.replace("PROOF", &proof));
            }
        } else if !case.unsigned {
            // What cannot be covered is not signed well either.
            let base = base(&headers, covers, &inner);
            let signature = STANDARD.encode(key.sign(base.as_bytes()).unwrap());
            add(&mut headers, "signature-input", &format!("sig={inner}"));
            add(&mut headers, "signature", &format!("sig=:{signature}:"));
        }
        if case.swapped {
            let token = self.token(case, now - 1);
            let token = HeaderValue::from_str(&token).unwrap();
            headers.insert("workload-identity-token", token);
        }
        let or =
            |text: &Option<String>, usual: &str| text.clone().unwrap_or_else(|| usual.to_owned());
        Sent {
            method: or(&case.sent_method, "POST"),
            target: or(&case.sent_target, TARGET),
            headers,
            body: or(&case.sent_body, BODY),
        }
    }

    /// A proof for this token and request, with these claims instead.
    fn proof(
        &self,
        case: &Case,
        changes: &Map<String, Value>,
        token: &str,
        headers: &HeaderMap,
        id: &str,
        now: i64,
    ) -> String {
        let key = match case.signed_by {
            None => &self.key,
            Some(_) => &self.stranger,
        };
        let header = json!({ "typ": "wpt+jwt", "alg": key.algorithm().jws_name() });
        let claims = json!({
            "aud": "https://agent.example/reports", "exp": now + 60, "iat": now, "jti": id,
            "wth": hash(token),
        });
        let (mut header, mut claims) = (
            header.as_object().unwrap().clone(),
            claims.as_object().unwrap().clone(),
        );
        patch(&mut header, &case.proof_header, now);
        patch(&mut claims, changes, now);
        // `hash:NAME` is the hash of that field.
        let hashed = |value: &mut Value| {
            if let Some(name) = value.as_str().and_then(|text| text.strip_prefix("hash:")) {
                *value = json!(hash(headers[name].to_str().unwrap()));
            } else if let Some(text) = value.as_str().and_then(|text| text.strip_prefix("of:")) {
                *value = json!(hash(text));
            }
        };
        for value in claims.values_mut() {
            match value {
                Value::Object(members) => members.values_mut().for_each(hashed),
                value => hashed(value),
            }
        }
        let part = |object| URL_SAFE_NO_PAD.encode(Value::Object(object).to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap());
        format!("{signed}.{signature}")
    }

    fn token(&self, case: &Case, now: i64) -> String {
        let holder = match case.bound_to {
            None => &self.key,
            Some(_) => &self.stranger,
        };
        self.token_of(holder, case, now)
    }

    /// The token of whoever holds this key.
    pub(crate) fn token_of(&self, holder: &signing::SigningKey, case: &Case, now: i64) -> String {
        let mut jwk = holder.public_jwk().unwrap();
        jwk.insert("alg".to_owned(), json!(holder.algorithm().jws_name()));
        patch(&mut jwk, &case.jwk, now);
        let issuer = match case.issued_by {
            None => &self.issuer,
            Some(_) => &self.stranger_issuer,
        };
        let header = json!({ "typ": "wit+jwt", "alg": "ES256", "kid": self.issuer.key_id() });
        let claims = json!({
            "iss": ISSUER, "sub": WORKLOAD, "iat": now, "exp": now + 3600, "jti": "w1", "cnf": { "jwk": jwk },
        });
        let (mut header, mut claims) = (
            header.as_object().unwrap().clone(),
            claims.as_object().unwrap().clone(),
        );
        patch(&mut header, &case.header, now);
        patch(&mut claims, &case.claims, now);
        let text = |object| Value::Object(object).to_string();
        let token = issuer.sign(text(header).as_bytes(), text(claims).as_bytes());
        token.unwrap()
    }
}

/// The signature base by hand (RFC 9421, section 2.5), so that nothing that is tested helps to make it.
fn base(headers: &HeaderMap, covers: &str, inner: &str) -> String {
    let mut base = String::new();
    for name in covers.split('"').skip(1).step_by(2) {
        let value = match name {
            "@method" => "POST".to_owned(),
            "@request-target" => TARGET.to_owned(),
            "@path" => "/reports".to_owned(),
            name => {
                let lines = headers.get_all(name).iter();
                let lines: Vec<_> = lines.map(|line| line.to_str().unwrap()).collect();
                lines.join(", ")
            }
        };
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    base + &format!("\"@signature-params\": {inner}")
}

fn hash(text: &str) -> String {
    use aws_lc_rs::digest::{SHA256, digest};
    URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// Puts members in, and takes away those that are `null`.
fn patch(object: &mut Map<String, Value>, changes: &Map<String, Value>, now: i64) {
    for (name, value) in changes {
        match value {
            Value::Null => drop(object.remove(name)),
            Value::String(text) if text.starts_with("{now") => {
                let time: i64 = filled(text, now, "").parse().unwrap();
                object.insert(name.clone(), json!(time));
            }
            value => drop(object.insert(name.clone(), value.clone())),
        }
    }
}

/// `{now}`, `{now-5}` and the like, and `{nonce}`.
fn filled(text: &str, now: i64, nonce: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{now") {
        let (offset, after) = after.split_once('}').unwrap();
        let offset: i64 = match offset {
            "" => 0,
            offset => offset.parse().unwrap(),
        };
        filled.push_str(&format!("{before}{}", now + offset));
        rest = after;
    }
    filled.push_str(rest);
    filled.replace("{nonce}", nonce)
}
