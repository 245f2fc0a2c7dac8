//! Callers by every kind of credential, several at once among them, on the wire.

#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lictor::identity::mint::TokenMinter;
use lictor::identity::{Algorithm, MadeKey};
use serde_json::{Value, json};

use command::lictor_in;
use support::client::Client;
use support::eventually;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::tls::Certificates;
use support::upstream::Upstream;

#[path = "support/command.rs"]
mod command;
mod support;

const POLICY: &str = r#"lictor: v1
identities:
  corp:
    jwt: { issuer: "https://idp.example", audience: agent, jwks: { file: ../jwks.json } }
    tenant: claims.org
  partners:
    apiKey: { header: x-api-key, keys: { file: ../keys.json } }
  models:
    apiKey: { header: authorization, keys: { file: ../keys.json } }
    tenants: [acme]
  mesh:
    mtls: { spiffe: "spiffe://prod.example/ns/*/sa/*" }
    tenant: spiffe.ns
roles:
  people: { allow: ["http:* /**"], to: { identity: corp } }
  keys: { allow: ["http:* /**"], to: { identity: partners, groups: [desk] } }
  models: { allow: ["http:* /**"], to: { identity: models } }
  workloads: { allow: ["http:* /**"], to: { identity: mesh, ids: ["spiffe://prod.example/ns/*/sa/bot"] } }
"#;

struct Stage {
    lictor: Lictor,
    upstream: Upstream,
    certificates: Certificates,
    minter: TokenMinter,
    acme: MadeKey,
    globex: MadeKey,
}

impl Stage {
    async fn new(config: &str) -> Self {
        let upstream = Upstream::json(json!({})).await;
        let setup = Setup::new(upstream.address);
        let home = setup.home().to_owned();
        let certificates = Certificates::generate(&home);
        fs::write(home.join("clients.crt"), certificates.authority()).unwrap();
        let minter = TokenMinter::generate(Algorithm::EdDsa).unwrap();
        fs::write(home.join("jwks.json"), minter.jwks()).unwrap();
        let (acme, globex) = (MadeKey::random().unwrap(), MadeKey::random().unwrap());
        let keys = json!({"keys": [
            {"id": "desk-7", "sha256": acme.sha256(), "tenant": "acme", "groups": ["desk"]},
            {"id": "desk-8", "sha256": globex.sha256(), "tenant": "globex", "groups": ["desk"]},
        ]});
        fs::write(home.join("keys.json"), keys.to_string()).unwrap();
        let listener = "listeners: { public: { tls: { certificates: [{ cert: tls.crt, key: tls.key }], \
             clientCertificates: { ca: clients.crt, mode: optional } } } }";
        let setup = setup.policy(POLICY).config(format!("{listener}\n{config}"));
        Self {
            lictor: setup.start().await,
            upstream,
            certificates,
            minter,
            acme,
            globex,
        }
    }

    fn token(&self, org: &str) -> String {
        let now = lictor::clock::wall().as_second();
        let claims = json!({"iss": "https://idp.example", "aud": "agent", "sub": "ana", "org": org,
            "iat": now, "exp": now + 600});
        self.minter.mint(&claims).unwrap()
    }

    async fn client(&self, uris: Option<&[&str]>) -> Client {
        let identity = uris.map(|uris| self.certificates.identity_of(uris));
        let address = self.lictor.public;
        let client = Client::try_connect_as(address, &self.certificates, identity.as_ref()).await;
        client.unwrap()
    }

    async fn ask(&self, uris: Option<&[&str]>, fields: &[(&str, &str)]) -> Message {
        let fields = fields
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        let fields: String = fields.collect();
        let request = format!("GET /reports HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
        self.client(uris)
            .await
            .exchange("GET", request.as_bytes())
            .await
    }

    /// The record of the last call for `/reports`.
    async fn record(&self, count: usize) -> Value {
        let records = eventually("the records", async || {
            let mut records = self.lictor.audit();
            records.retain(|record| record["path"] == "/reports");
            (records.len() >= count).then_some(records)
        });
        records.await.pop().unwrap()
    }
}

const BOT: &str = "spiffe://prod.example/ns/treasury/sa/bot";

#[tokio::test]
async fn each_kind_of_credential_names_its_caller() {
    let stage = Stage::new("").await;
    let (acme, globex) = (stage.acme.reveal(), stage.globex.reveal());
    let bearer_key = format!("Bearer {acme}");
    let foreign_key = format!("Bearer {globex}");
    let token = format!("Bearer {}", stage.token("acme"));
    let treasury = format!("Bearer {}", stage.token("treasury"));
    let bot = Some(&[BOT][..]);
    // Status; identity, caller and tenant; who stands beside.
    type Case<'a> = (
        Option<&'a [&'a str]>,
        Vec<(&'a str, &'a str)>,
        u16,
        [&'a str; 3],
        Option<&'a str>,
    );
    let cases: Vec<Case<'_>> = vec![
        (
            None,
            vec![("x-api-key", acme)],
            200,
            ["partners", "desk-7", "acme"],
            None,
        ),
        (
            None,
            vec![("authorization", &bearer_key)],
            200,
            ["models", "desk-7", "acme"],
            None,
        ),
        (
            None,
            vec![("authorization", &token)],
            200,
            ["corp", "ana", "acme"],
            None,
        ),
        (bot, vec![], 200, ["mesh", BOT, "treasury"], None),
        (
            bot,
            vec![("authorization", &treasury)],
            200,
            ["corp", "ana", "treasury"],
            Some("mesh"),
        ),
        (
            None,
            vec![("authorization", &token), ("x-api-key", acme)],
            200,
            ["corp", "ana", "acme"],
            Some("partners"),
        ),
        // Two tenants.
        (
            None,
            vec![("authorization", &token), ("x-api-key", globex)],
            403,
            ["", "", "unknown"],
            None,
        ),
        (
            bot,
            vec![("x-api-key", acme)],
            403,
            ["", "", "unknown"],
            None,
        ),
        // A key of a tenant that the identity may not speak for.
        (
            None,
            vec![("authorization", &foreign_key)],
            403,
            ["", "", "unknown"],
            None,
        ),
        // One that is wrong spoils the call, whatever else is right.
        (
            None,
            vec![("authorization", &token), ("x-api-key", "x")],
            401,
            ["", "", "unknown"],
            None,
        ),
        (
            bot,
            vec![("authorization", "Bearer x")],
            401,
            ["", "", "unknown"],
            None,
        ),
        (
            None,
            vec![("x-api-key", acme), ("x-api-key", acme)],
            401,
            ["", "", "unknown"],
            None,
        ),
        // Certificates of other workloads, and of none, count for nothing.
        (
            Some(&["spiffe://prod.example/ns/treasury/sa/other"]),
            vec![],
            403,
            [
                "mesh",
                "spiffe://prod.example/ns/treasury/sa/other",
                "treasury",
            ],
            None,
        ),
        (
            Some(&["spiffe://evil.example/ns/treasury/sa/bot"]),
            vec![],
            401,
            ["anonymous", "anonymous", "anonymous"],
            None,
        ),
        (
            Some(&[]),
            vec![],
            401,
            ["anonymous", "anonymous", "anonymous"],
            None,
        ),
        (
            Some(&[BOT, "https://prod.example"]),
            vec![],
            401,
            ["", "", "unknown"],
            None,
        ),
        // What nobody asks for is nothing: clients of models always send a key.
        (
            None,
            vec![("api-key", "x")],
            401,
            ["anonymous", "anonymous", "anonymous"],
            None,
        ),
    ];
    for (count, (uris, fields, status, [identity, caller, tenant], beside)) in (1..).zip(&cases) {
        let answer = stage.ask(*uris, fields).await;
        assert_eq!(answer.status(), *status, "case {count}: {}", answer.text());
        assert_eq!(
            *status == 401,
            answer.field("www-authenticate").is_some(),
            "case {count}"
        );
        let record = stage.record(count).await;
        let text = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            [text("identity"), text("principal"), text("tenant")],
            [*identity, *caller, *tenant],
            "case {count}"
        );
        assert_eq!(
            record["beside"][0]["identity"].as_str(),
            *beside,
            "case {count}"
        );
    }
    let seen = stage.upstream.requests();
    let seen: Vec<_> = seen
        .iter()
        .filter(|seen| seen.target() == "/reports")
        .collect();
    assert_eq!(seen.len(), 6);
    for name in ["authorization", "x-api-key"] {
        assert!(seen.iter().all(|seen| seen.field(name).is_none()), "{name}");
    }
    assert_eq!(seen[3].field("x-user-id"), Some(BOT));
    assert_eq!(seen[3].field("x-customer-id"), Some("treasury"));
}

#[tokio::test]
async fn the_operator_may_hand_credentials_to_the_agent() {
    let stage = Stage::new("identityHeaders: { passCredentials: [x-api-key] }").await;
    let key = stage.acme.reveal();
    let token = format!("Bearer {}", stage.token("acme"));
    let answer = stage
        .ask(None, &[("x-api-key", key), ("authorization", &token)])
        .await;
    assert_eq!(answer.status(), 200);
    let seen = stage.upstream.requests();
    let seen = seen
        .iter()
        .find(|seen| seen.target() == "/reports")
        .unwrap();
    assert_eq!(seen.field("x-api-key"), Some(key));
    assert_eq!(seen.field("authorization"), None);
}

// --- lictor keys -----------------------------------------------------------------------------

fn keys(folder: &Path, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    use std::io::Write as _;
    let mut command = Command::new(env!("CARGO_BIN_EXE_lictor"));
    command.arg("keys").args(arguments).current_dir(folder);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[tokio::test]
async fn a_key_that_was_made_opens_and_its_successor_too() {
    let stage = Stage::new("").await;
    let home = stage.lictor.policies().parent().unwrap().to_owned();
    let into = ["--into", "keys.json"];
    let mut arguments = vec![
        "new", "--id", "desk-9", "--tenant", "acme", "--group", "desk",
    ];
    arguments.extend(into);
    let (code, key, told) = keys(&home, &arguments, "");
    assert_eq!((code, &*told), (Some(0), "added `desk-9` to `keys.json`\n"));
    let old = "an-old-key-of-the-desk-that-somebody-has";
    let mut arguments = vec![
        "hash", "--id", "desk-9", "--tenant", "acme", "--group", "desk",
    ];
    arguments.extend(into);
    let (code, data, _) = keys(&home, &arguments, &format!("{old}\n"));
    assert_eq!((code, &*data), (Some(0), ""));
    for key in [key.trim(), old, stage.globex.reveal()] {
        eventually("the key to count", async || {
            let answer = stage.ask(None, &[("x-api-key", key)]).await;
            (answer.status() == 200).then_some(())
        })
        .await;
    }
}

#[test]
fn what_is_no_key_or_no_file_of_keys_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (code, data, told) = keys(path, &["new", "--id", "a"], "");
    assert_eq!((code, &*told), (Some(0), ""));
    let (key, entry) = data.split_once('\n').unwrap();
    assert!(key.starts_with("lictor_"));
    let entry: Value = serde_json::from_str(entry).unwrap();
    assert_eq!(entry["id"], "a");
    let (_, hashed, _) = keys(path, &["hash", "--id", "a"], key);
    let hashed: Value = serde_json::from_str(&hashed).unwrap();
    assert_eq!(hashed, entry, "with and without the end of a line");

    let cases = [
        (
            &["hash", "--id", "a"][..],
            "",
            2,
            "the key must be one line",
        ),
        (
            &["hash", "--id", "a"],
            "two\nlines-of-a-key-that-is-long",
            2,
            "the key must be one line",
        ),
        (&["hash", "--id", "a"], "changeme", 1, "well-known default"),
        (
            &["hash", "--id", "a"],
            "short-but-mine",
            0,
            "a key of 14 signs can be found out",
        ),
        (&["new", "--id", ""], "", 1, "`id`: must not be empty"),
        (
            &["new", "--id", "a", "--not-after", "soon"],
            "",
            2,
            "invalid value 'soon'",
        ),
        (
            &[
                "new",
                "--id",
                "a",
                "--not-before",
                "2027-01-02T00:00:00Z",
                "--not-after",
                "2027-01-01T00:00:00Z",
            ],
            "",
            1,
            "`notBefore` is not before `notAfter`",
        ),
        (
            &["new", "--id", "a", "--into", "broken.json"],
            "",
            1,
            "`broken.json`: the key set is malformed: no array `keys`; nothing was changed",
        ),
        (
            &["new", "--id", "a", "--into", "."],
            "",
            3,
            "cannot read `.`",
        ),
    ];
    fs::write(path.join("broken.json"), "{}").unwrap();
    for (arguments, input, code, expected) in cases {
        let (found, data, told) = keys(path, arguments, input);
        assert_eq!(found, Some(code), "{arguments:?}: {told}");
        assert!(told.contains(expected), "{arguments:?}: {told}");
        assert!(code == 0 || data.is_empty(), "{arguments:?}");
    }
    assert_eq!(fs::read_to_string(path.join("broken.json")).unwrap(), "{}");
}

// --- a protected resource of OAuth ------------------------------------------------------------

const RESOURCE: &str = r#"lictor: v1
http:
  protectedResource: { resource: "https://agent.example/mcp" }
identities:
  corp:
    jwt: { issuer: "https://idp.example", audience: "https://agent.example/mcp", jwks: { file: ../jwks.json } }
    groups: claims.scope
roles:
  reader: { allow: ["http:GET /reports"], to: { groups: [quotes.read] } }
  writer: { inherits: reader, allow: ["http:POST /reports"], to: { groups: [quotes.write] } }
"#;

#[tokio::test]
async fn clients_find_out_who_issues_tokens_and_which_scope_they_lack() {
    let upstream = Upstream::json(json!({})).await;
    let setup = Setup::new(upstream.address).policy(RESOURCE);
    let minter = TokenMinter::generate(Algorithm::EdDsa).unwrap();
    fs::write(setup.home().join("jwks.json"), minter.jwks()).unwrap();
    let lictor = setup.start().await;
    let ask = async |method: &str, path: &str, token: Option<&str>| {
        let token = token.map_or(String::new(), |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{token}content-length: 0\r\n\r\n"
        );
        lictor
            .client()
            .await
            .exchange(method, request.as_bytes())
            .await
    };
    let metadata = "/.well-known/oauth-protected-resource";
    for path in [format!("{metadata}/mcp"), metadata.to_owned()] {
        let answer = ask("GET", &path, None).await;
        assert_eq!(
            (answer.status(), answer.field("content-type")),
            (200, Some("application/json"))
        );
        let expected = json!({
            "resource": "https://agent.example/mcp",
            "authorization_servers": ["https://idp.example"],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["quotes.read", "quotes.write"],
        });
        assert_eq!(answer.json(), expected);
        let head = ask("HEAD", &path, None).await;
        assert_eq!((head.status(), head.text().len()), (200, 0));
    }
    let token = |scope: &str| {
        let now = lictor::clock::wall().as_second();
        let claims = json!({"iss": "https://idp.example", "aud": "https://agent.example/mcp", "sub": "ana",
            "scope": scope, "iat": now, "exp": now + 600});
        minter.mint(&claims).unwrap()
    };
    let named =
        "resource_metadata=\"https://agent.example/.well-known/oauth-protected-resource/mcp\"";
    let (reads, writes, none) = (
        token("openid quotes.read"),
        token("quotes.write"),
        token("openid"),
    );
    let cases = [
        (
            "GET",
            "/reports",
            None,
            401,
            format!("Bearer realm=\"lictor\", scope=\"quotes.read\", {named}"),
        ),
        (
            "GET",
            "/reports",
            Some("x"),
            401,
            format!("Bearer realm=\"lictor\", error=\"invalid_token\", {named}"),
        ),
        (
            "GET",
            "/reports",
            Some(&*none),
            403,
            format!(
                "Bearer realm=\"lictor\", error=\"insufficient_scope\", scope=\"quotes.read\", {named}"
            ),
        ),
        (
            "POST",
            "/reports",
            Some(&*reads),
            403,
            format!(
                "Bearer realm=\"lictor\", error=\"insufficient_scope\", scope=\"quotes.write\", {named}"
            ),
        ),
        ("GET", "/reports", Some(&*reads), 200, String::new()),
        ("GET", "/reports", Some(&*writes), 200, String::new()),
        ("POST", "/reports", Some(&*writes), 200, String::new()),
        // No scope opens what no role allows.
        ("DELETE", "/reports", Some(&*writes), 403, String::new()),
        (
            "POST",
            "/.well-known/oauth-protected-resource",
            None,
            401,
            format!("Bearer realm=\"lictor\", {named}"),
        ),
        (
            "GET",
            "/.well-known/oauth-protected-resource/other",
            None,
            401,
            format!("Bearer realm=\"lictor\", {named}"),
        ),
    ];
    for (method, path, token, status, challenge) in cases {
        let answer = ask(method, path, token).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(
            answer.field("www-authenticate").unwrap_or_default(),
            challenge,
            "{method} {path}"
        );
    }
    assert_eq!(upstream.requests().len(), 3, "only what was allowed");
    let denied = format!("{RESOURCE}rules:\n  hidden: {{ deny: \"http:GET {metadata}/**\" }}\n");
    lictor.rewrite_policy(&denied);
    eventually("the rule", async || {
        let hidden = ask("GET", &format!("{metadata}/mcp"), None).await.status() == 403;
        hidden.then_some(())
    })
    .await;
}

// --- what lictor asserts ----------------------------------------------------------------------

#[tokio::test]
async fn the_agent_gets_a_signed_word_on_who_calls() {
    use lictor::identity::{Authenticator, Config, KeyStore, Presented};
    let stage = Stage::new("identityHeaders: { assertion: { audience: quotes-agent } }").await;
    let token = format!("Bearer {}", stage.token("acme"));
    let forged = ("x-lictor-assertion", "forged");
    let answer = stage.ask(None, &[("authorization", &token), forged]).await;
    assert_eq!(answer.status(), 200);
    let seen = stage.upstream.requests();
    let seen = seen
        .iter()
        .find(|seen| seen.target() == "/reports")
        .unwrap();
    let assertion: Vec<_> = seen.values("x-lictor-assertion").collect();
    let [assertion] = &*assertion else {
        panic!("{assertion:?}")
    };

    // As an agent verifies it: by the keys of the admin port, and strictly.
    let url = format!("http://{}/jwks.json", stage.lictor.admin);
    let policies = lictor::config::parse_policy(
        "agent.yaml",
        &format!(
            "lictor: v1\nidentities: {{ lictor: {{ jwt: {{ issuer: lictor, audience: quotes-agent, algorithms: ES256, \
             jwks: {{ url: \"{url}\" }}, require: {{ maxAge: 2m }} }}, tenant: claims.tenant }} }}\n"
        ),
        lictor::scan::known_names(),
    );
    let config: Config = policies.unwrap().identity;
    let store = KeyStore::new(tokio::runtime::Handle::current());
    let agent = Authenticator::new(&config, &store);
    let mut headers = http::HeaderMap::new();
    headers.insert(
        "authorization",
        format!("Bearer {assertion}").parse().unwrap(),
    );
    let uri = http::Uri::from_static("http://agent/");
    let presented = Presented {
        headers: &headers,
        method: &http::Method::GET,
        uri: &uri,
        is_tls: false,
        host: None,
        has_content: false,
        client: None,
    };
    let caller = agent
        .authenticate(presented, lictor::clock::wall())
        .await
        .unwrap()
        .principal;
    assert_eq!(
        (caller.id.as_str(), caller.tenant.as_str()),
        ("ana", "acme")
    );

    // Nobody is asserted of who shows nothing.
    let answer = stage.ask(None, &[forged]).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn two_instances_sign_their_word_with_one_key_and_it_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("assertion.pem");
    let write = || {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let beside = folder.path().join("beside");
        fs::write(&beside, key.serialize_pem()).unwrap();
        fs::rename(&beside, &path).unwrap();
    };
    let printed = || {
        let printed = lictor_in(folder.path(), &["keys", "jwks", "assertion.pem"]);
        assert_eq!(printed.code, Some(0), "{}", printed.messages);
        serde_json::from_str::<Value>(&printed.data).unwrap()
    };
    write();
    let before = printed();
    let settings = format!(
        "identityHeaders: {{ assertion: {{ audience: quotes-agent, key: {{ file: \"{}\" }} }} }}",
        path.display()
    );
    let (one, other) = (Stage::new(&settings).await, Stage::new(&settings).await);
    let keys = async |stage: &Stage| -> Value {
        let mut admin = Client::connect(stage.lictor.admin).await;
        admin.get("/jwks.json").await.json()
    };
    assert_eq!(keys(&one).await, before);
    assert_eq!(keys(&other).await, before);
    let token = format!("Bearer {}", one.token("acme"));
    assert_eq!(
        one.ask(None, &[("authorization", &token)]).await.status(),
        200
    );

    write();
    let after = printed();
    // The one that signed tells both, the other the new one alone.
    let both = json!({ "keys": [after["keys"][0], before["keys"][0]] });
    eventually("both keys", async || {
        (keys(&one).await == both).then_some(())
    })
    .await;
    eventually("the new key", async || {
        (keys(&other).await == after).then_some(())
    })
    .await;

    // Files that give nothing.
    fs::write(folder.path().join("secret"), "x".repeat(40)).unwrap();
    let refused = lictor_in(folder.path(), &["keys", "jwks", "secret"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .messages
            .starts_with("error: `secret`: holds no private or public key")
    );
    assert_eq!(
        lictor_in(folder.path(), &["keys", "jwks", "nowhere"]).code,
        Some(3)
    );
    assert_eq!(lictor_in(folder.path(), &["keys", "jwks"]).code, Some(2));
}
