//! Where callers may have news pushed to: every shape of a registration, good and bad addresses, and what agents see.

#![cfg(test)]

use std::fs;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Value, json};

use support::eventually;
use support::grpc;
use support::http1::Message;
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::upstream::{self, Step, Upstream};

mod support;

/// An agent that makes a task for every message, and repeats what is registered.
fn agent() -> impl FnMut(&Message) -> Vec<Step> {
    let mut tasks = 0;
    move |request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let rpc = body["jsonrpc"].is_string();
        tasks += 1;
        let id = match &body["params"]["id"] {
            Value::String(id) => id.clone(),
            _ => format!("t-{tasks}"),
        };
        let task = json!({"id": id, "contextId": format!("c-{id}"), "status": {"state": "TASK_STATE_WORKING"}});
        let method = body["method"].as_str().unwrap_or_default();
        let result = match method {
            "message/send" | "tasks/send" => task,
            "tasks/pushNotificationConfig/set" | "CreateTaskPushNotificationConfig" => {
                body["params"].clone()
            }
            _ => json!({"task": task}),
        };
        let answer = match rpc {
            true => json!({"jsonrpc": "2.0", "id": body["id"], "result": result}),
            false => result,
        };
        vec![Step::text(upstream::json(&answer))]
    }
}

async fn start(push: &str) -> (Upstream, Lictor) {
    let agent = Upstream::scripted(agent()).await;
    let policy = match push {
        "" => EVERYBODY.to_owned(),
        push => format!("{EVERYBODY}http: {{ push: {push} }}\n"),
    };
    let lictor = Setup::new(agent.address).policy(policy).start().await;
    (agent, lictor)
}

async fn post(lictor: &Lictor, target: &str, version: &str, body: &str) -> Message {
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: agent\r\na2a-version: {version}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len(),
    );
    lictor
        .client()
        .await
        .exchange("POST", request.as_bytes())
        .await
}

/// A registration in every shape: what is posted whither, in which version. `URL` stands for the address, and `TASK` for
/// the caller's task.
const SHAPES: &[(&str, &str, &str)] = &[
    (
        "/",
        "0.1",
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/send","params":{"id":"own","message":{},"pushNotification":{"url":URL}}}"#,
    ),
    (
        "/",
        "0.1",
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/pushNotification/set","params":{"id":"own","pushNotificationConfig":{"url":URL}}}"#,
    ),
    (
        "/",
        "0.3",
        r#"{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{"kind":"message"},"configuration":{"blocking":true,"pushNotificationConfig":{"url":URL,"token":"t","authentication":{"schemes":["Bearer"]}}}}}"#,
    ),
    (
        "/",
        "0.3",
        r#"{"jsonrpc":"2.0","id":1,"method":"message/stream","params":{"message":{},"configuration":{"pushNotificationConfig":{"url":URL}}}}"#,
    ),
    (
        "/",
        "0.3",
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/pushNotificationConfig/set","params":{"taskId":"TASK","pushNotificationConfig":{"url":URL}}}"#,
    ),
    (
        "/",
        "1.0",
        r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{},"configuration":{"taskPushNotificationConfig":{"url":URL,"authentication":{"scheme":"Bearer","credentials":"s"}}}}}"#,
    ),
    (
        "/",
        "1.0",
        r#"{"jsonrpc":"2.0","id":1,"method":"SendStreamingMessage","params":{"message":{},"configuration":{"taskPushNotificationConfig":{"url":URL}}}}"#,
    ),
    (
        "/",
        "1.0",
        r#"{"jsonrpc":"2.0","id":1,"method":"CreateTaskPushNotificationConfig","params":{"taskId":"TASK","url":URL}}"#,
    ),
    (
        "/v1/message:send",
        "0.3",
        r#"{"message":{},"configuration":{"pushNotification":{"url":URL}}}"#,
    ),
    (
        "/v1/message:stream",
        "0.3",
        r#"{"message":{},"configuration":{"push_notification":{"url":URL}}}"#,
    ),
    (
        "/v1/tasks/TASK/pushNotificationConfigs",
        "0.3",
        r#"{"name":"tasks/TASK/pushNotificationConfigs/p","pushNotificationConfig":{"id":"p","url":URL}}"#,
    ),
    (
        "/message:send",
        "1.0",
        r#"{"message":{},"configuration":{"taskPushNotificationConfig":{"url":URL}}}"#,
    ),
    (
        "/billing/message:stream",
        "1.0",
        r#"{"message":{},"configuration":{"task_push_notification_config":{"url":URL}}}"#,
    ),
    (
        "/tasks/TASK/pushNotificationConfigs",
        "1.0",
        r#"{"taskId":"TASK","url":URL}"#,
    ),
];

async fn register(lictor: &Lictor, shape: &(&str, &str, &str), url: &str) -> Message {
    let (target, version, body) = shape;
    if body.contains("tasks/pushNotification/set") {
        // Callers of 0.1 choose the id of a task, which is theirs from then on.
        let own =
            r#"{"jsonrpc":"2.0","id":1,"method":"tasks/send","params":{"id":"own","message":{}}}"#;
        assert_eq!(post(lictor, "/", "0.1", own).await.status(), 200);
    }
    let task = match body.contains("TASK") || target.contains("TASK") {
        true => task(lictor).await,
        false => String::new(),
    };
    let (target, body) = (target.replace("TASK", &task), body.replace("TASK", &task));
    let body = body.replace("URL", &json!(url).to_string());
    post(lictor, &target, version, &body).await
}

/// A task of the caller.
async fn task(lictor: &Lictor) -> String {
    let made = post(lictor, "/message:send", "1.0", r#"{"message":{}}"#).await;
    assert_eq!(made.status(), 200, "{}", made.text());
    made.json()["task"]["id"].as_str().unwrap().to_owned()
}

/// What an address is refused for under `{ hosts: … }`-less rules: not a URL, or not one for it.
const BAD: &[(&str, u16)] = &[
    // No URL that every reader reads alike: refused under any policy.
    ("ftp://c.example/", 400),
    ("file:///etc/passwd", 400),
    ("gopher://127.0.0.1:6379/_FLUSHALL", 400),
    ("//c.example/", 400),
    ("/hook", 400),
    ("c.example", 400),
    ("javascript:alert(1)", 400),
    ("https://user:pass@c.example/", 400),
    ("https://1.1.1.1@127.0.0.1/", 400),
    ("https://1.1.1.1\\@127.0.0.1/", 400),
    ("https://1.1.1.1#@127.0.0.1/", 400),
    ("https://1.1.1.1/\r\nhost: x", 400),
    ("https://1.1.1.1/a b", 400),
    ("https://1.1.1.1\t/", 400),
    ("https://1.1.1.1\u{0}/", 400),
    ("https://\u{ff11}27.0.0.1/", 400),
    ("https://127\u{3002}0\u{3002}0\u{3002}1/", 400),
    ("https://%31%32%37.0.0.1/", 400),
    ("https://2130706433/", 400),
    ("https://0x7f000001/", 400),
    ("https://0x7f.0.0.1/", 400),
    ("https://0177.0.0.1/", 400),
    ("https://017700000001/", 400),
    ("https://127.1/", 400),
    ("https://127.0.1/", 400),
    ("https://127.0.0.1./", 400),
    ("https://127.0.0.01/", 400),
    ("https://256.1.1.1/", 400),
    ("https://[fe80::1%25eth0]/", 400),
    ("https://[::1/", 400),
    ("https://1.1.1.1:0/", 400),
    ("https://1.1.1.1:99999/", 400),
    ("https://1.1.1.1:443:80/", 400),
    // URLs that lead where nobody may have news sent.
    ("http://1.1.1.1/", 403),
    ("https://127.0.0.1/", 403),
    ("https://127.8.9.10/", 403),
    ("https://10.0.0.1/", 403),
    ("https://172.16.0.1/", 403),
    ("https://192.168.0.1/", 403),
    ("https://100.64.0.1/", 403),
    ("https://100.100.100.200/latest/meta-data", 403),
    ("https://169.254.169.254/latest/meta-data", 403),
    ("https://168.63.129.16/", 403),
    ("https://0.0.0.0/", 403),
    ("https://192.0.2.1/", 403),
    ("https://198.18.0.1/", 403),
    ("https://224.0.0.1/", 403),
    ("https://255.255.255.255/", 403),
    ("https://[::1]/", 403),
    ("https://[::]/", 403),
    ("https://[::ffff:127.0.0.1]/", 403),
    ("https://[::ffff:a9fe:a9fe]/", 403),
    ("https://[::127.0.0.1]/", 403),
    ("https://[64:ff9b::7f00:1]/", 403),
    ("https://[2002:7f00:1::]/", 403),
    ("https://[fe80::1]/", 403),
    ("https://[fd00:ec2::254]/", 403),
    ("https://[fc00::1]/", 403),
    ("https://[ff02::1]/", 403),
    ("https://[2001:db8::1]/", 403),
    // Names of this machine, and names of nobody.
    ("https://localhost/", 403),
    ("https://LOCALHOST.:8443/", 403),
    ("https://no-such-host.invalid/", 403),
];

/// What the agent was sent that registers something.
fn registered(agent: &Upstream) -> Vec<String> {
    let requests = agent.requests().into_iter();
    let bodies = requests.map(|request| String::from_utf8(request.body).unwrap());
    bodies
        .filter(|body| body.contains("ush") || body.contains("\"url\""))
        .collect()
}

#[tokio::test]
async fn what_a_policy_does_not_speak_of_passes_byte_for_byte() {
    let (agent, lictor) = start("").await;
    for shape in SHAPES {
        for url in [
            "http://127.0.0.1:9000/hook",
            "https://hooks.acme.example/h?a=1#",
            "http://localhost",
        ] {
            let url = url.trim_end_matches('#');
            let answer = register(&lictor, shape, url).await;
            assert_eq!(answer.status(), 200, "{shape:?} {url}: {}", answer.text());
            let last = agent.requests().pop().unwrap();
            assert!(
                String::from_utf8(last.body)
                    .unwrap()
                    .contains(&format!("{url:?}"))
            );
        }
    }
    assert_eq!(registered(&agent).len(), 3 * SHAPES.len());
    // What is no URL does not pass all the same, nor what would end a header field.
    for shape in SHAPES {
        let before = registered(&agent).len();
        let answer = register(&lictor, shape, "https://c.example/\r\nx: y").await;
        assert_eq!(answer.status(), 400, "{shape:?}: {}", answer.text());
        assert_eq!(registered(&agent).len(), before, "{shape:?}");
    }
    let token = r#"{"message":{},"configuration":{"taskPushNotificationConfig":{"url":"https://c.example/","token":"a\r\nx: y"}}}"#;
    assert_eq!(
        post(&lictor, "/message:send", "1.0", token).await.status(),
        400
    );
    let twice = r#"{"message":{},"configuration":{"taskPushNotificationConfig":{"url":"https://c.example/","Url":"https://d.example/"}}}"#;
    assert_eq!(
        post(&lictor, "/message:send", "1.0", twice).await.status(),
        400
    );
}

#[tokio::test]
async fn a_bad_address_is_refused_in_every_shape() {
    let (agent, lictor) = start("{}").await;
    for shape in SHAPES {
        for (url, status) in BAD {
            let answer = register(&lictor, shape, url).await;
            assert_eq!(
                answer.status(),
                *status,
                "{shape:?} {url:?}: {}",
                answer.text()
            );
            if *status == 403 {
                let body = answer.json();
                let told = body.to_string();
                assert!(
                    told.contains("Notifications may not be pushed to this address."),
                    "{told}"
                );
                let code = &body["error"]["code"];
                assert!(*code == -31019 || *code == 403 || code.is_null(), "{told}");
            }
        }
        let answer = register(&lictor, shape, "https://1.1.1.1/hook").await;
        assert_eq!(answer.status(), 200, "{shape:?}: {}", answer.text());
    }
    assert_eq!(registered(&agent).len(), SHAPES.len());
    let bad = BAD.iter().filter(|(_, status)| *status == 403).count();
    let denied = eventually("a record of each refusal", async || {
        let mut denied = lictor.audit();
        denied.retain(|record| record["reason"] == "push-denied");
        (denied.len() == bad * SHAPES.len()).then_some(denied)
    })
    .await;
    let of_name = denied.iter().find(|record| {
        record["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("localhost"))
    });
    assert!(of_name.is_some(), "{}", denied[0]);
    assert_eq!(denied[0]["rule"]["name"], "push", "{}", denied[0]);
}

#[tokio::test]
async fn what_is_listed_passes_and_nothing_else() {
    let (agent, lictor) =
        start("{ schemes: [http, https], hosts: [localhost, \"*.acme.example\", 10.1.2.3], ports: [80, 8443], privateAddresses: allow }").await;
    let create = &SHAPES[7];
    for url in [
        "http://localhost/hook",
        "https://localhost.:8443/",
        "http://10.1.2.3/",
    ] {
        let answer = register(&lictor, create, url).await;
        assert_eq!(answer.status(), 200, "{url}: {}", answer.text());
    }
    for url in [
        "http://127.0.0.1/",
        "http://10.1.2.4/",
        "https://localhost/",
        "https://1.1.1.1/",
        "http://localhost.evil.example/",
    ] {
        let answer = register(&lictor, create, url).await;
        assert_eq!(answer.status(), 403, "{url}: {}", answer.text());
    }
    assert_eq!(registered(&agent).len(), 3);
    // A registration in which no address is found is none that was judged.
    let params = format!(r#"{{"taskId":"{}"}}"#, task(&lictor).await);
    let none = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"CreateTaskPushNotificationConfig","params":{params}}}"#
    );
    assert_eq!(post(&lictor, "/", "1.0", &none).await.status(), 403);
    // Reading, listing and deleting register nothing.
    let get = none.replace("Create", "Get");
    assert_eq!(post(&lictor, "/", "1.0", &get).await.status(), 200);
}

#[tokio::test]
async fn where_push_is_refused_the_dialect_says_that_there_is_none() {
    let (agent, lictor) = start("refuse").await;
    for shape in SHAPES {
        let answer = register(&lictor, shape, "https://1.1.1.1/hook").await;
        assert_eq!(answer.status(), 400, "{shape:?}: {}", answer.text());
        let body = answer.json();
        let code = &body["error"]["code"];
        assert!(*code == -32003 || *code == 400 || code.is_null(), "{body}");
        assert!(
            body.to_string()
                .contains("Push notifications are not supported."),
            "{body}"
        );
    }
    assert_eq!(registered(&agent).len(), 0);
}

#[tokio::test]
async fn grpc_is_judged_by_the_numbers_of_its_fields() {
    let (address, mut asked) = grpc::agent(|_| {
        let task = grpc::message(&[(1, b"t-1"), (2, b"c-1")]);
        grpc::answer(
            vec![grpc::frame(&grpc::message(&[(1, &task)]))],
            &[("grpc-status", "0")],
        )
    })
    .await;
    let policy = format!("{EVERYBODY}http: {{ push: {{}} }}\n");
    let (lictor, sender) = grpc::before(format!("h2c://{address}"), policy).await;
    let head = http::HeaderMap::new();
    let ask = async |path: &str, body: &[u8]| {
        let seen = grpc::ask(&sender, path, &head, grpc::frame(body), None).await;
        seen.status()["grpc-status"].to_str().unwrap().to_owned()
    };
    type Shape = fn(&[u8]) -> Vec<u8>;
    let shapes: [(&str, Shape); 5] = [
        ("/lf.a2a.v1.A2AService/SendMessage", |url| {
            let config = grpc::message(&[
                (4, url),
                (5, b"t"),
                (6, &grpc::message(&[(1, b"Bearer"), (2, b"s")])),
            ]);
            grpc::message(&[(2, b""), (3, &grpc::message(&[(2, &config)]))])
        }),
        ("/lf.a2a.v1.A2AService/SendStreamingMessage", |url| {
            grpc::message(&[(3, &grpc::message(&[(2, &grpc::message(&[(4, url)]))]))])
        }),
        (
            "/lf.a2a.v1.A2AService/CreateTaskPushNotificationConfig",
            |url| grpc::message(&[(3, b"t-1"), (4, url)]),
        ),
        ("/a2a.v1.A2AService/SendMessage", |url| {
            let hook = grpc::message(&[
                (2, url),
                (
                    4,
                    &grpc::message(&[(1, b"Bearer"), (1, b"Basic"), (2, b"s")]),
                ),
            ]);
            grpc::message(&[(2, &grpc::message(&[(2, &hook)]))])
        }),
        (
            "/a2a.v1.A2AService/CreateTaskPushNotificationConfig",
            |url| {
                let config = grpc::message(&[(2, &grpc::message(&[(2, url)]))]);
                grpc::message(&[(1, b"tasks/t-1"), (3, &config)])
            },
        ),
    ];
    for (path, shape) in shapes {
        assert_eq!(ask(path, &shape(b"https://1.1.1.1/h")).await, "0", "{path}");
        for (url, status) in BAD {
            let expected = if *status == 403 { "7" } else { "3" };
            assert_eq!(
                ask(path, &shape(url.as_bytes())).await,
                expected,
                "{path} {url:?}"
            );
        }
    }
    // A field that is there twice is refused: readers take the last.
    let twice = grpc::message(&[
        (3, b"t-1"),
        (4, b"https://1.1.1.1/"),
        (4, b"https://127.0.0.1/"),
    ]);
    assert_eq!(ask(shapes[2].0, &twice).await, "3");
    drop(lictor);
    let mut sent = 0;
    while let Ok(asked) = asked.try_recv() {
        let body: Bytes = asked.body.into();
        assert!(body.windows(17).any(|bytes| bytes == b"https://1.1.1.1/h"));
        sent += 1;
    }
    assert_eq!(sent, shapes.len());
}

#[tokio::test]
async fn explain_says_where_news_would_go_and_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "policy.yaml",
        &format!("{EVERYBODY}http:\n  push: {{ hosts: [\"*.acme.example\"] }}\n"),
    );
    let explain = |url: &str| {
        let body =
            json!({"message": {}, "configuration": {"taskPushNotificationConfig": {"url": url}}})
                .to_string();
        write(
            "saved.http",
            &format!(
                "POST /message:send HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            ),
        );
        explained(folder.path())
    };
    let (code, text) = explain("https://hooks.acme.example/secret-path");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("https://hooks.acme.example:443"), "{text}");
    assert!(!text.contains("secret-path"), "{text}");
    let (code, text) = explain("https://evil.example/");
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.contains("the host `evil.example` is not listed"),
        "{text}"
    );
    assert!(text.contains("policy.yaml:10"), "{text}");
}

fn explained(folder: &Path) -> (Option<i32>, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lictor"))
        .current_dir(folder)
        .args([
            "explain",
            "--policies",
            "policy.yaml",
            "--as",
            "anonymous",
            "--request",
            "saved.http",
        ])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_policy_that_cannot_mean_what_it_says_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let check = |push: &str| {
        let text = format!("{EVERYBODY}http:\n  push: {push}\n");
        fs::write(folder.path().join("policy.yaml"), text).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_lictor"))
            .current_dir(folder.path())
            .args(["check", "policy.yaml"])
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    for (push, why) in [
        (
            "{ privateAddresses: allow }",
            "every caller could have news sent to every service inside",
        ),
        ("{ hosts: [] }", "is empty"),
        ("{ hosts: [\"*\"] }", "hooks.acme.example"),
        ("{ hosts: [\"*.example\"] }", "at least two labels"),
        ("{ hosts: [a.example, A.example] }", "defined twice"),
        ("{ ports: [0] }", "from 1 to 65535"),
        ("{ schemes: [ftp] }", "one of"),
        ("allow", "`refuse`"),
        ("{ hostz: [a.example] }", "hosts"),
    ] {
        let (code, text) = check(push);
        assert_eq!(code, Some(1), "{push}: {text}");
        assert!(text.contains(why), "{push}: {text}");
    }
    assert_eq!(check("refuse").0, Some(0));
    assert_eq!(check("{}").0, Some(0));
}
