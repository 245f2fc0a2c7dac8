//! `lictor sign`: signs a request as its caller would (RFC 9421), so that a policy can be tried before a client is written.

mod curl;
mod proof;
mod raw;

use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use http::{HeaderMap, HeaderValue};

use super::{EXIT_ENVIRONMENT, EXIT_NO, EXIT_USAGE, print, say};
use crate::clock;
use crate::identity::signature::{
    Algorithm, Component, ContentDigest, Derived, Message, Parameter, Plan, Profile, Request,
    SigningKey, When, content_digest,
};

pub(super) const EXAMPLES: &str = "Examples:
  openssl genpkey -algorithm ed25519 -out desk.pem
  lictor sign --key desk.pem --jwks > desk-jwks.json           the public half, for the policy
  lictor sign --key desk.pem < request.http                    the same request, signed
  lictor sign --key desk.pem -- curl -d '{}' https://agent.example/a2a
  lictor sign --key bot.pem --profile wimse --wit bot.wit --aud https://agent.example < request.http
  lictor sign --key bot.pem --profile wimse --wit bot.wit --wpt < request.http
  eval \"$(lictor sign --key desk.pem -- curl https://agent.example/status)\"

A request on standard input is as HTTP/1.1 writes it: request line, fields, a blank line, content.
A command line of curl is printed with the fields added, and not run.
The key is a private key in PEM or as a JWK, or a shared key: a JWK of kind `oct`, or at least 32 bytes.
Exit codes: 0 signed, 1 the request cannot be signed, 2 usage, 3 a file that cannot be read.";

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The key to sign with
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What the key is called where it is verified; without it: the `kid` of a JWK, or the thumbprint of the public half
    #[arg(long, value_name = "NAME")]
    keyid: Option<String>,
    /// What the signature covers and says
    #[arg(long, value_name = "PROFILE", value_parser = profile, default_value = "lictor")]
    profile: Profile,
    /// By which algorithm, where the key leaves a choice: rsa-pss-sha512 or rsa-v1_5-sha256
    #[arg(long, value_name = "NAME", value_parser = algorithm)]
    alg: Option<Algorithm>,
    /// The purpose that the signature names, in place of the profile's
    #[arg(long, value_name = "TEXT", value_parser = visible)]
    tag: Option<String>,
    /// The workload identity token that names the key, with `--profile wimse`; without it: the one of the request
    #[arg(long, value_name = "FILE")]
    wit: Option<PathBuf>,
    /// For whom the signature is, with `--profile wimse`: its `wimse-aud`; with `--wpt` without it: the target of the request
    #[arg(long, value_name = "URI", value_parser = visible)]
    aud: Option<String>,
    /// Add a workload proof token instead of a signature, with `--profile wimse`
    #[arg(long)]
    wpt: bool,
    /// Something more to cover: a field, or a part such as @target-uri; may be given several times. With `--wpt`: a field
    #[arg(long, value_name = "COMPONENT")]
    cover: Vec<String>,
    /// For how many seconds the signature counts
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    expires: u32,
    /// What a request on standard input came by: its text does not say it
    #[arg(long, default_value = "https", value_parser = ["https", "http"])]
    scheme: String,
    /// Print the public half of the key as a key set, and sign nothing
    #[arg(long, conflicts_with_all = ["profile", "tag", "wpt", "cover", "expires", "scheme", "command"])]
    jwks: bool,
    /// A command line of curl, behind `--`
    #[arg(last = true, value_name = "curl …")]
    command: Vec<String>,
}

/// Why nothing was signed.
#[derive(Debug)]
enum Failure {
    /// The request cannot be signed.
    No(String),
    /// The command line makes no sense.
    Usage(String),
    /// A file cannot be read.
    Environment(String),
}

/// What is to be signed, from wherever it came.
#[derive(Debug)]
struct Unsigned {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Signs, and prints.
pub(super) fn sign(arguments: &Sign) -> u8 {
    match arguments.run() {
        Ok(text) => print(&text),
        Err(failure) => {
            let (text, code) = match failure {
                Failure::No(text) => (text, EXIT_NO),
                Failure::Usage(text) => (text, EXIT_USAGE),
                Failure::Environment(text) => (text, EXIT_ENVIRONMENT),
            };
            say(&format!("error: {text}"));
            code
        }
    }
}

impl Sign {
    fn run(&self) -> Result<String, Failure> {
        let key = self.load_key()?;
        if self.jwks {
            return self.key_set(&key);
        }
        if self.command.is_empty() {
            let (unsigned, text) = raw::read(&self.scheme)?;
            let added = self.fields(&unsigned, &key)?;
            return text.with(&added);
        }
        let command = curl::read(&self.command)?;
        let added = self.fields(&command.request, &key)?;
        Ok(command.with(&added))
    }

    fn load_key(&self) -> Result<SigningKey, Failure> {
        let path = self.key.display();
        let file = fs::read(&self.key)
            .map(zeroize::Zeroizing::new)
            .map_err(|error| Failure::Environment(format!("cannot read `{path}`: {error}")))?;
        SigningKey::parse(&file, self.alg)
            .map_err(|error| Failure::Usage(format!("`{path}`: {error}")))
    }

    fn key_id(&self, key: &SigningKey) -> Result<String, Failure> {
        let given = self.keyid.clone();
        let own = match self.profile {
            // There the thumbprint is the name.
            Profile::WebBotAuth => key.thumbprint(),
            Profile::A2a | Profile::Lictor | Profile::Wimse => key.name(),
        };
        let found = given.or_else(|| own.map(String::from)).ok_or_else(|| {
            Failure::Usage(
                "a shared key has no name of its own: give it one with --keyid".to_owned(),
            )
        })?;
        visible(&found).map_err(Failure::Usage)
    }

    fn key_set(&self, key: &SigningKey) -> Result<String, Failure> {
        let mut jwk = key.public_jwk().ok_or_else(|| {
            Failure::Usage("a shared key has no public half; both sides hold the same".to_owned())
        })?;
        jwk.insert("kid".to_owned(), self.key_id(key)?.into());
        let set = serde_json::json!({ "keys": [jwk] });
        Ok(format!("{set:#}\n"))
    }

    /// The fields that make it a signed request.
    fn fields(
        &self,
        unsigned: &Unsigned,
        key: &SigningKey,
    ) -> Result<Vec<(&'static str, String)>, Failure> {
        if unsigned.headers.contains_key("signature-input") {
            return Err(Failure::No("the request is signed already".to_owned()));
        }
        if self.wpt {
            return self.proof(unsigned, key);
        }
        let mut headers = unsigned.headers.clone();
        let mut added = Vec::new();
        let has_content = !unsigned.body.is_empty();
        match ContentDigest::of(&headers) {
            Ok(None) if has_content => {
                let digest = content_digest(&unsigned.body);
                let value = HeaderValue::from_str(&digest).map_err(no)?;
                headers.insert("content-digest", value);
                added.push(("Content-Digest", digest));
            }
            Ok(Some(digest)) => digest.check(&unsigned.body).map_err(no)?,
            Ok(None) => {}
            Err(error) => return Err(no(error)),
        }
        let is_wimse = self.profile == Profile::Wimse;
        if is_wimse {
            added.extend(self.token(&mut headers)?);
        } else if self.wit.is_some() || self.aud.is_some() {
            let text = "--wit and --aud go with --profile wimse";
            return Err(Failure::Usage(text.to_owned()));
        }
        let covers = self.covers(&headers, has_content)?;
        let created = clock::wall().as_second();
        let nonce = nonce()?;
        // There the token names the key.
        let key_id = match is_wimse {
            true => None,
            false => Some(self.key_id(key)?),
        };
        let plan = Plan {
            label: LABEL,
            covers: &covers,
            created: Some(created),
            expires: Some(created.saturating_add(i64::from(self.expires))),
            nonce: Some(&nonce),
            algorithm: None,
            key_id: key_id.as_deref(),
            tag: self.tag.as_deref().or_else(|| self.profile.tag()),
            audience: self.aud.as_deref(),
            request_nonce: None,
        };
        let message = Message::Request(unsigned.request(&headers));
        let signed = plan.sign(&message, key).map_err(no)?;
        added.push(("Signature-Input", signed.input));
        added.push(("Signature", signed.signature));
        Ok(added)
    }

    /// The token of a workload, put into the head unless it is there.
    fn token(&self, headers: &mut HeaderMap) -> Result<Option<(&'static str, String)>, Failure> {
        const NAME: &str = "workload-identity-token";
        let usage = |text: &str| Failure::Usage(text.to_owned());
        if self.keyid.is_some() {
            return Err(usage(
                "with --profile wimse the token names the key: leave --keyid out",
            ));
        }
        if self.aud.is_none() && !self.wpt {
            return Err(usage(
                "--profile wimse needs --aud, for whom the signature is",
            ));
        }
        let Some(path) = &self.wit else {
            return match headers.contains_key(NAME) {
                true => Ok(None),
                false => Err(usage(
                    "--profile wimse needs --wit, the token of the workload",
                )),
            };
        };
        if headers.contains_key(NAME) {
            return Err(usage("the request has a token already: leave --wit out"));
        }
        let shown = path.display();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::Environment(format!("cannot read `{shown}`: {error}")))?;
        let token = text.trim().to_owned();
        let value = HeaderValue::from_str(&token)
            .map_err(|_| Failure::No(format!("`{shown}` holds no token")))?;
        headers.insert(NAME, value);
        Ok(Some(("Workload-Identity-Token", token)))
    }

    /// What the profile asks for, and what was asked for besides.
    fn covers(
        &self,
        headers: &HeaderMap,
        has_content: bool,
    ) -> Result<Vec<Component<'static>>, Failure> {
        let mut covers: Vec<Component<'static>> = Vec::new();
        for requirement in self.profile.requirements().covers {
            let is_there = headers.contains_key(requirement.component.name());
            let component = match requirement.when {
                When::Always => requirement.component,
                When::IfContent if has_content => requirement.component,
                When::IfPresent if is_there => requirement.component,
                // Newer drafts have a dictionary, older ones a text.
                When::OwnMember if is_there => {
                    let own = requirement
                        .component
                        .clone()
                        .with(Parameter::Key(LABEL.into()));
                    let has_own = Component::value_of(headers, &own).is_ok();
                    if has_own { own } else { requirement.component }
                }
                When::IfContent | When::IfPresent | When::OwnMember => continue,
            };
            covers.push(component);
        }
        for text in &self.cover {
            let component = Component::parse(text)
                .map_err(|error| Failure::Usage(format!("--cover: {error}")))?;
            if !covers.contains(&component) {
                covers.push(component);
            }
        }
        let digest = Component::field("content-digest").map_err(no)?;
        if has_content && !covers.contains(&digest) {
            covers.push(digest);
        }
        debug_assert!(
            covers
                .iter()
                .all(|component| component.name() != Derived::Status.as_str())
        );
        Ok(covers)
    }
}

impl Unsigned {
    fn request<'a>(&'a self, headers: &'a HeaderMap) -> Request<'a> {
        Request {
            method: &self.method,
            scheme: &self.scheme,
            authority: &self.authority,
            path: &self.path,
            query: self.query.as_deref(),
            target: None,
            headers,
        }
    }
}

/// What the signature is called in the request.
const LABEL: &str = "sig1";

fn no(error: impl std::fmt::Display) -> Failure {
    Failure::No(error.to_string())
}

/// 128 random bits.
fn nonce() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Environment(format!("no randomness: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn profile(text: &str) -> Result<Profile, String> {
    let found = Profile::ALL.iter().find(|profile| profile.as_str() == text);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = Profile::ALL
            .iter()
            .map(|profile| profile.as_str())
            .collect();
        format!("it is one of {}", names.join(", "))
    })
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    let found = Algorithm::ALL
        .iter()
        .find(|algorithm| algorithm.as_str() == text);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.as_str())
            .collect();
        format!("it is one of {}", names.join(", "))
    })
}

/// A text that can stand in the field (RFC 9651, section 3.3.3).
fn visible(text: &str) -> Result<String, String> {
    match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{}` is not ASCII", text.escape_debug())),
    }
}
