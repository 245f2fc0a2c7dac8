//! `lictor sign`: what it prints verifies, and what cannot be signed says why.

#![cfg(test)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use http::{HeaderMap, HeaderName, HeaderValue};
use lictor::clock;
use lictor::identity::signature::{
    Acceptance, Algorithm, Fields, KeyKind, Message, Profile, Request, Signatures, VerifyingKeys,
    choose,
};

struct Output {
    code: Option<i32>,
    data: String,
    messages: String,
}

fn sign(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_lictor"))
        .arg("sign")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whoever needs no input may have ended.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Output {
        code: output.status.code(),
        data: text(output.stdout),
        messages: text(output.stderr),
    }
}

/// A folder with a key to sign with, and its public half.
fn folder() -> (tempfile::TempDir, VerifyingKeys) {
    let folder = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    std::fs::write(folder.path().join("desk.pem"), key.serialize_pem()).unwrap();
    let made = sign(folder.path(), &["--key", "desk.pem", "--jwks"], b"");
    assert_eq!(made.code, Some(0), "{}", made.messages);
    let keys = VerifyingKeys::parse(made.data.as_bytes(), KeyKind::Public).unwrap();
    (folder, keys)
}

fn judge(
    keys: &VerifyingKeys,
    profile: Profile,
    request: &Request<'_>,
    body: &[u8],
) -> Result<(), String> {
    let requirements = profile.requirements();
    let acceptance = Acceptance {
        identity: "desk",
        tag: profile.tag(),
        requirements: &requirements,
        bound_for: None,
        algorithm: profile.algorithm(),
        keys,
    };
    let fields = Fields::of(request.headers).unwrap().unwrap();
    let signatures = Signatures::parse(&fields).unwrap();
    let now = clock::wall().as_second();
    let message = Message::Request(*request);
    let accepted = choose(&signatures, &[acceptance])
        .and_then(|chosen| chosen.verify(&message, !body.is_empty(), now))
        .map_err(|error| error.to_string())?;
    accepted
        .digest
        .map_or(Ok(()), |digest| digest.check(body))
        .map_err(|error| error.to_string())
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_str(value.trim()).unwrap());
    }
    headers
}

const REQUEST: &str = "POST /a2a?x=1 HTTP/1.1\r\nHost: agent.example\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

fn request<'a>(headers: &'a HeaderMap, method: &'a str, query: Option<&'a str>) -> Request<'a> {
    Request {
        method,
        scheme: "https",
        authority: "agent.example",
        path: "/a2a",
        query,
        target: None,
        headers,
    }
}

#[test]
fn a_request_on_standard_input_comes_out_signed() {
    let (folder, keys) = folder();
    for profile in [Profile::Lictor, Profile::A2a, Profile::WebBotAuth] {
        let arguments = ["--key", "desk.pem", "--profile", profile.as_str()];
        let signed = sign(folder.path(), &arguments, REQUEST.as_bytes());
        assert_eq!((signed.code, &*signed.messages), (Some(0), ""));
        let (head, body) = signed.data.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some("POST /a2a?x=1 HTTP/1.1"));
        let headers = fields(lines);
        let request = request(&headers, "POST", Some("x=1"));
        assert_eq!(judge(&keys, profile, &request, body.as_bytes()), Ok(()));
    }
    let again = sign(folder.path(), &["--key", "desk.pem"], REQUEST.as_bytes());
    let twice = sign(folder.path(), &["--key", "desk.pem"], again.data.as_bytes());
    assert_eq!(twice.code, Some(1));
    assert_eq!(twice.messages, "error: the request is signed already\n");
}

#[test]
fn a_command_of_curl_comes_out_with_fields() {
    let (folder, keys) = folder();
    std::fs::write(folder.path().join("body.json"), "{\"a\":\n1}\n").unwrap();
    let cases: [(&[&str], &str, &[u8]); 4] = [
        (
            &["-d", "{}", "-H", "content-type: application/json"],
            "POST",
            b"{}",
        ),
        (&["-sS", "--json", "@body.json"], "POST", b"{\"a\":\n1}\n"),
        (
            &["-d@body.json", "-XPUT", "-o", "/dev/null"],
            "PUT",
            b"{\"a\":1}",
        ),
        (&["-d", "a=it's", "-d", "b=2"], "POST", b"a=it's&b=2"),
    ];
    for (options, method, body) in cases {
        let mut arguments = vec!["--key", "desk.pem", "--", "curl"];
        arguments.extend(options);
        arguments.push("https://agent.example/a2a?x=1");
        let signed = sign(folder.path(), &arguments, b"");
        assert_eq!(
            (signed.code, &*signed.messages),
            (Some(0), ""),
            "{options:?}"
        );
        // As a shell reads it.
        let script = format!(
            "curl() {{ for word; do printf '%s\\0' \"$word\"; done; }}; {}",
            signed.data
        );
        let words = Command::new("sh")
            .arg("-c")
            .arg(script)
            .output()
            .unwrap()
            .stdout;
        let words = String::from_utf8(words).unwrap();
        let words: Vec<_> = words.split('\0').collect();
        let headers = words
            .windows(2)
            .filter(|pair| pair[0] == "-H")
            .map(|pair| pair[1]);
        let headers = fields(headers);
        let request = request(&headers, method, Some("x=1"));
        let judged = judge(&keys, Profile::Lictor, &request, body);
        assert_eq!(judged, Ok(()), "{options:?}: {}", signed.data);
    }
}

#[test]
fn what_cannot_be_signed_says_why_and_shows_no_key() {
    let (folder, _) = folder();
    std::fs::write(folder.path().join("short"), "geheim").unwrap();
    std::fs::write(
        folder.path().join("shared"),
        "geheim-geheim-geheim-geheim-geheim",
    )
    .unwrap();
    let curl = |more: &[&'static str]| {
        let mut words = vec!["--key", "desk.pem", "--", "curl", "https://agent.example/"];
        words.extend(more);
        words
    };
    let cases: [(Vec<&str>, &str, i32, &str); 12] = [
        (vec!["--key", "absent"], REQUEST, 3, "cannot read `absent`"),
        (vec!["--key", "short"], REQUEST, 2, "shorter than 32 bytes"),
        (
            vec!["--key", "shared"],
            REQUEST,
            2,
            "give it one with --keyid",
        ),
        (
            vec!["--key", "shared", "--jwks"],
            REQUEST,
            2,
            "no public half",
        ),
        (
            vec!["--key", "desk.pem", "--alg", "hmac-sha256"],
            REQUEST,
            2,
            "the key is for `ed25519`",
        ),
        (
            vec!["--key", "desk.pem", "--cover", "x-absent"],
            REQUEST,
            1,
            "`x-absent` is covered, and not in the message",
        ),
        (
            vec!["--key", "desk.pem", "--cover", "@body"],
            REQUEST,
            2,
            "`@body` is not a component",
        ),
        (
            vec!["--key", "desk.pem"],
            "nonsense",
            1,
            "not the head of a request",
        ),
        (
            curl(&["--form", "a=b"]),
            "",
            2,
            "--form is not an option of curl that is understood here",
        ),
        (
            curl(&["https://other.example/"]),
            "",
            2,
            "more than one URL",
        ),
        (
            vec!["--key", "desk.pem", "--", "wget", "https://agent.example/"],
            "",
            2,
            "only command lines of curl",
        ),
        (vec![], "", 2, "--key"),
    ];
    for (arguments, input, code, message) in cases {
        let signed = sign(folder.path(), &arguments, input.as_bytes());
        assert_eq!(
            signed.code,
            Some(code),
            "{arguments:?}: {}",
            signed.messages
        );
        assert!(
            signed.messages.contains(message),
            "{arguments:?}: {}",
            signed.messages
        );
        assert_eq!(signed.data, "", "{arguments:?}");
        assert!(!signed.messages.contains("geheim"), "{arguments:?}");
    }
}

#[test]
fn a_shared_key_signs_too() {
    let (folder, _) = folder();
    let secret = "geheim-geheim-geheim-geheim-geheim";
    std::fs::write(folder.path().join("shared"), format!("{secret}\n")).unwrap();
    let keys = VerifyingKeys::from_secret("desk", secret.as_bytes()).unwrap();
    assert_eq!(
        keys.find("desk").unwrap().algorithm(),
        Algorithm::HmacSha256
    );
    let arguments = ["--key", "shared", "--keyid", "desk"];
    let signed = sign(folder.path(), &arguments, REQUEST.as_bytes());
    assert!(!signed.data.contains("geheim"));
    let (head, body) = signed.data.split_once("\r\n\r\n").unwrap();
    let headers = fields(head.split("\r\n").skip(1));
    let request = request(&headers, "POST", Some("x=1"));
    assert_eq!(
        judge(&keys, Profile::Lictor, &request, body.as_bytes()),
        Ok(())
    );
}

#[test]
fn a_workload_signs_with_the_key_of_its_token() {
    let (folder, keys) = folder();
    std::fs::write(folder.path().join("bot.wit"), "h.p.s\n").unwrap();
    let profile = ["--key", "desk.pem", "--profile", "wimse"];
    let whole = ["--wit", "bot.wit", "--aud", "https://agent.example"];
    let made = sign(
        folder.path(),
        &[&profile[..], &whole[..]].concat(),
        REQUEST.as_bytes(),
    );
    assert_eq!(made.code, Some(0), "{}", made.messages);
    let (head, _) = made.data.split_once("\r\n\r\n").unwrap();
    let headers = fields(head.lines().skip(1));
    assert_eq!(headers["workload-identity-token"], "h.p.s");
    let requirements = Profile::Wimse.requirements();
    let audiences = ["https://agent.example".to_owned()];
    let acceptance = Acceptance {
        identity: "mesh",
        tag: Profile::Wimse.tag(),
        requirements: &requirements,
        bound_for: Some(&audiences),
        algorithm: None,
        keys: &keys,
    };
    let read = Fields::of(&headers).unwrap().unwrap();
    let signatures = Signatures::parse(&read).unwrap();
    let message = Message::Request(request(&headers, "POST", Some("x=1")));
    let now = clock::wall().as_second();
    let chosen = choose(&signatures, &[acceptance]).unwrap();
    chosen.verify(&message, true, now).unwrap();

    for (arguments, said) in [
        (&["--wit", "bot.wit"][..], "needs --aud"),
        (&["--aud", "https://agent.example"], "needs --wit"),
        (
            &["--aud", "a", "--wit", "bot.wit", "--keyid", "x"],
            "leave --keyid out",
        ),
    ] {
        let refused = sign(
            folder.path(),
            &[&profile[..], arguments].concat(),
            REQUEST.as_bytes(),
        );
        assert_eq!(refused.code, Some(2));
        assert!(refused.messages.contains(said), "{}", refused.messages);
    }
    let refused = sign(
        folder.path(),
        &[&["--key", "desk.pem"], &whole[..]].concat(),
        REQUEST.as_bytes(),
    );
    assert!(
        refused.messages.contains("go with --profile wimse"),
        "{}",
        refused.messages
    );
}
