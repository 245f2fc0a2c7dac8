//! `lictor sign --wpt`: a token by which a workload proves that it holds the key of its identity token
//! (draft-ietf-wimse-wpt).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{Failure, Sign, Unsigned, no, nonce};
use crate::clock;
use crate::identity::signature::{Profile, SigningKey};
use crate::identity::token_hash;

impl Sign {
    /// The fields that prove it.
    pub(super) fn proof(
        &self,
        unsigned: &Unsigned,
        key: &SigningKey,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        if self.profile != Profile::Wimse || self.tag.is_some() {
            let text = "--wpt goes with --profile wimse, and without --tag";
            return Err(Failure::Usage(text.to_owned()));
        }
        if unsigned.headers.contains_key("workload-proof-token") {
            return Err(Failure::No("the request has a proof already".to_owned()));
        }
        let algorithm = key.algorithm().jws_name();
        let algorithm = algorithm.ok_or_else(|| no("a shared key proves nothing to others"))?;
        let mut headers = unsigned.headers.clone();
        let mut added: Vec<_> = self.token(&mut headers)?.into_iter().collect();
        let value = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next().and_then(|value| value.to_str().ok());
            value.filter(|_| values.next().is_none())
        };
        let hash = |text: &str| token_hash(text.trim());
        let now = clock::wall().as_second();
        let mut claims = Map::new();
        let audience = self.aud.clone().unwrap_or_else(|| unsigned.target());
        claims.insert("aud".to_owned(), audience.into());
        claims.insert("exp".to_owned(), json!(now + i64::from(self.expires)));
        claims.insert("iat".to_owned(), json!(now));
        claims.insert("jti".to_owned(), nonce()?.into());
        let token = value("workload-identity-token").unwrap_or_default();
        claims.insert("wth".to_owned(), hash(token).into());
        let access = value("authorization").and_then(|field| field.split_once(' '));
        if let Some((scheme, token)) = access
            && (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("dpop"))
        {
            claims.insert("ath".to_owned(), hash(token).into());
        }
        if let Some(token) = value("txn-token") {
            claims.insert("tth".to_owned(), hash(token).into());
        }
        let mut others = Map::new();
        for name in &self.cover {
            let name = name.to_ascii_lowercase();
            let value = value(&name).ok_or_else(|| {
                Failure::No(format!("--cover: the request does not have `{name}` once"))
            })?;
            others.insert(name, hash(value).into());
        }
        if !others.is_empty() {
            claims.insert("oth".to_owned(), Value::Object(others));
        }
        let header = json!({ "typ": "wpt+jwt", "alg": algorithm });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&Value::Object(claims)));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).map_err(no)?);
        added.push(("Workload-Proof-Token", format!("{signed}.{signature}")));
        Ok(added)
    }
}

impl Unsigned {
    /// What it asks for, without its query (RFC 9110, section 7.1).
    fn target(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.path)
    }
}
