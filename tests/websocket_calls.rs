//! JSON-RPC in the messages of a WebSocket: every call is judged for itself, on a record of its own, and every answer by what
//! it answers.

#![cfg(test)]

use std::fs;
use std::time::Duration;

use lictor::identity::MadeKey;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use support::client::Stream;
use support::http1::Wire;
use support::lictor::{Lictor, Setup};
use support::websocket::{
    Agent, BINARY, CLOSE, Frames, PING, PONG, Script, Server, TEXT, agreed, close, head, rest,
    said, told,
};
use support::{eventually, secrets, within};

mod support;

const POLICY: &str = r#"lictor: v1
identities:
  partners: { apiKey: { header: x-api-key, keys: { file: ../keys.json } } }
roles:
  staff:
    allow: ["http:GET /ws", mcp:tools/list, "mcp:tools/call search_*", "a2a:*"]
    to: { groups: [staff] }
  readers: { allow: ["http:GET /ws", "mcp:tools/list", "a2a:GetTask", "a2a:SendMessage"], to: { groups: [readers] } }
rules:
  no-drafts:
    deny: "mcp:tools/call search_*"
    when: has(args.draft) && args.draft == true
"#;

/// Two of the same tenant.
struct Keys {
    ana: MadeKey,
    ben: MadeKey,
}

fn keys(setup: &Setup) -> Keys {
    let key = || MadeKey::random().unwrap();
    let (ana, ben) = (key(), key());
    let keys = json!({"keys": [
        {"id": "ana", "sha256": ana.sha256(), "tenant": "acme", "groups": ["staff"]},
        {"id": "ben", "sha256": ben.sha256(), "tenant": "acme", "groups": ["readers"]},
    ]});
    fs::write(setup.home().join("keys.json"), keys.to_string()).unwrap();
    Keys { ana, ben }
}

/// A lictor before an agent that answers messages.
struct Stage {
    lictor: Lictor,
    agent: Server,
    keys: Keys,
}

impl Stage {
    async fn new(more: &str) -> Self {
        Self::before(script, more).await
    }

    async fn before(script: Script, more: &str) -> Self {
        let agent = Server::start(script).await;
        let setup = Setup::new(agent.address);
        let keys = keys(&setup);
        let lictor = setup.policy(format!("{POLICY}{more}")).start().await;
        Self {
            lictor,
            agent,
            keys,
        }
    }

    async fn open(&self, who: &MadeKey) -> Talk {
        open(&self.lictor, who).await
    }

    /// The record of a call in a message, when it is closed.
    async fn record(&self, action: &str) -> Value {
        eventually("the record", async || {
            let mut records = self.lictor.audit().into_iter();
            records.find(|record| record["action"] == action)
        })
        .await
    }
}

/// The caller's end of a tunnel.
struct Talk(Frames<Box<dyn Stream>>);

async fn open(lictor: &Lictor, who: &MadeKey) -> Talk {
    let mut client = lictor.client().await;
    client.wire.send(wish(who).as_bytes()).await.unwrap();
    let answer = head(&mut client).await;
    assert_eq!(answer.status(), 101);
    assert_eq!(answer.field("sec-websocket-extensions"), None);
    Talk(Frames::new(client.wire))
}

fn wish(who: &MadeKey) -> String {
    let key = who.reveal();
    format!(
        "GET /ws HTTP/1.1\r\nhost: agent.example\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\
         sec-websocket-extensions: permessage-deflate\r\nx-api-key: {key}\r\n\r\n"
    )
}

impl Talk {
    async fn send(&mut self, wire: &[u8]) {
        self.0.wire.send(wire).await.unwrap();
    }

    async fn say(&mut self, text: &str) {
        self.send(&said(TEXT, text.as_bytes())).await;
    }

    async fn hear(&mut self) -> Value {
        let frame = self.0.next().await;
        assert_eq!(frame.first, TEXT, "{frame:?}");
        frame.json()
    }

    async fn call(&mut self, id: Value, method: &str, params: Value) -> Value {
        self.say(&request(id, method, params)).await;
        self.hear().await
    }

    /// Nothing has come that was not asked for: what is asked now is answered next.
    async fn is_quiet(&mut self) {
        self.send(&said(PING, b"quiet?")).await;
        let frame = self.0.next().await;
        assert_eq!((frame.first, &*frame.payload), (PONG, &b"quiet?"[..]));
    }
}

fn request(id: Value, method: &str, params: Value) -> String {
    let mut request = json!({"jsonrpc": "2.0", "method": method});
    request["id"] = id;
    request["params"] = params;
    request.to_string()
}

fn tool(name: &str) -> Value {
    json!({"name": name, "arguments": {}})
}

fn message(more: Value) -> Value {
    let mut message = json!({"messageId": "m", "role": "user", "parts": []});
    if let (Value::Object(message), Value::Object(more)) = (&mut message, more) {
        message.extend(more);
    }
    json!({ "message": message })
}

/// Speaks MCP and A2A of 0.3.
fn script(said: &Value) -> Vec<String> {
    let id = &said["id"];
    let answer = |result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    let Some(method) = said["method"].as_str() else {
        return Vec::new();
    };
    if id.is_null() {
        return Vec::new();
    }
    match method {
        "tools/list" => {
            let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
            let tools = ["search_docs", "wire", "search_web"].map(tool);
            vec![answer(json!({"tools": tools, "nextCursor": "2"}))]
        }
        "tools/call" if said["params"]["name"] == "search_broken" => {
            let error = json!({"code": -32603, "message": "Traceback: /srv/agent.py", "data": "secret path"});
            vec![json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()]
        }
        "tools/call" if said["params"]["name"] == "search_silent" => Vec::new(),
        "tools/call" => vec![answer(json!({"content": [{"type": "text", "text": "ok"}]}))],
        "message/send" => vec![answer(
            json!({"kind": "task", "id": "task-7", "contextId": "c-7", "status": {"state": "working"}}),
        )],
        "message/stream" => {
            let task = json!({"kind": "task", "id": "task-8", "contextId": "c-8", "status": {"state": "submitted"}});
            let state = |state: &str, is_final: bool| {
                json!({"kind": "status-update", "taskId": "task-8", "contextId": "c-8", "final": is_final,
                    "status": {"state": state}})
            };
            vec![
                answer(task),
                answer(state("working", false)),
                answer(state("completed", true)),
            ]
        }
        _ => vec![answer(json!({}))],
    }
}

#[tokio::test]
async fn calls_are_judged_one_by_one_and_the_socket_stays_open() {
    let stage = Stage::new("").await;
    let mut talk = stage.open(&stage.keys.ana).await;
    let allowed = talk.call(json!(1), "tools/call", tool("search_docs")).await;
    assert_eq!(allowed["result"]["content"][0]["text"], "ok");
    let denied = talk.call(json!("two"), "tools/call", tool("wire")).await;
    assert_eq!(denied["id"], "two");
    assert_eq!(denied["error"]["code"], -31002, "{denied}");
    let draft = json!({"name": "search_docs", "arguments": {"draft": true}});
    let denied = talk.call(json!(3), "tools/call", draft).await;
    assert_eq!(
        (&denied["id"], &denied["error"]["code"]),
        (&json!(3), &json!(-31002))
    );
    // A notification that is refused has no answer, and does not arrive.
    talk.say(r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"wire"}}"#)
        .await;
    talk.is_quiet().await;
    talk.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        .await;
    // What is no JSON-RPC passes as ever.
    talk.say("hello").await;
    let allowed = talk.call(json!(4), "ping", json!({})).await;
    assert_eq!(allowed["result"], json!({}));
    let heard = stage.agent.heard();
    let methods: Vec<Value> = heard
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).unwrap_or_default()["method"].clone())
        .collect();
    let expected = json!(["tools/call", "notifications/initialized", null, "ping"]);
    assert_eq!(Value::from(methods), expected, "{heard:?}");

    let record = stage.record("mcp:tools/call wire").await;
    assert_eq!(
        (&record["decision"], &record["reason"]),
        (&json!("deny"), &json!("default-deny"))
    );
    let allowed = stage.record("mcp:tools/call search_docs").await;
    assert_eq!(
        (&allowed["decision"], &allowed["outcome"]),
        (&json!("allow"), &json!("complete"))
    );
    assert_eq!(
        (&allowed["principal"], &allowed["path"]),
        (&json!("ana"), &json!("/ws"))
    );
    assert_eq!(record["tunnel"], allowed["tunnel"]);
    talk.send(&said(CLOSE, &close(1000))).await;
    assert_eq!(talk.0.next().await.first, CLOSE);
    let tunnel = stage.record("http:GET /ws").await;
    assert_eq!(
        (&tunnel["decisionId"], &tunnel["outcome"]),
        (&record["tunnel"], &json!("complete"))
    );
}

#[tokio::test]
async fn what_goes_on_goes_on_byte_by_byte_also_in_fragments() {
    let agent = Agent::new().await;
    let setup = Setup::new(agent.address());
    let keys = keys(&setup);
    let lictor = setup.policy(POLICY).start().await;
    let mut client = lictor.client().await;
    client.wire.send(wish(&keys.ana).as_bytes()).await.unwrap();
    let (request, mut wire) = agent.asked().await;
    assert_eq!(request.field("sec-websocket-extensions"), None);
    assert_eq!(request.field("x-api-key"), None);
    wire.send(&agreed("")).await.unwrap();
    assert_eq!(head(&mut client).await.status(), 101);
    let (mut caller, mut agent) = (Talk(Frames::new(client.wire)), Frames::new(wire));

    let text = r#"{ "jsonrpc":"2.0" , "id":1.0e0,"method":"x"}"#;
    caller.say(text).await;
    assert_eq!(caller.hear().await["error"]["code"], -32600);
    let text = "{ \"jsonrpc\" : \"2.0\",\n \"id\":\"\\u0061\", \"method\":\"tools/call\",\"params\":{\"name\":\"search_\\u0064\"}}";
    let (one, two) = text.as_bytes().split_at(20);
    let (two, three) = two.split_at(30);
    let pieces = [
        said(0x02, one),
        said(PING, b"between"),
        said(0x00, two),
        said(0x80, three),
    ];
    for piece in &pieces {
        caller.send(piece).await;
    }
    // It does not wait for the message around it.
    assert_eq!(agent.next().await.raw, pieces[1]);
    for piece in [&pieces[0], &pieces[2], &pieces[3]] {
        assert_eq!(agent.next().await.raw, *piece);
    }
    let answer = "{\"id\" : \"a\",\"jsonrpc\":\"2.0\",\"result\":{ } }";
    let (head, tail) = answer.as_bytes().split_at(9);
    let answers = [told(0x01, head), told(PING, b"?"), told(0x80, tail)];
    agent.wire.send(&answers.concat()).await.unwrap();
    for piece in [&answers[1], &answers[0], &answers[2]] {
        assert_eq!(caller.0.next().await.raw, *piece);
    }
    // The same call in fragments, refused: nothing of it arrives.
    let denied = self::request(json!(5), "tools/call", tool("wire"));
    let (one, two) = denied.as_bytes().split_at(40);
    caller.send(&said(0x01, one)).await;
    caller.send(&said(0x80, two)).await;
    assert_eq!(caller.hear().await["id"], 5);
    caller.send(&said(PING, b"next")).await;
    assert_eq!(agent.next().await.raw, said(PING, b"next"));
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_as_over_http() {
    let stage = Stage::new("").await;
    let mut talk = stage.open(&stage.keys.ana).await;
    for (text, id, code) in [
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"x"}"#,
            json!(null),
            -32600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search_a","Name":"wire"}}"#,
            json!(7),
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"} "#,
            json!(1),
            0,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}{"#,
            json!(null),
            -32700,
        ),
        (
            r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#,
            json!(null),
            -32600,
        ),
        (r#"{"id":1,"method":"tools/list"}"#, json!(1), -32600),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#,
            json!(null),
            -32600,
        ),
    ] {
        talk.say(text).await;
        let answer = talk.hear().await;
        assert_eq!(answer["id"], id, "{text}: {answer}");
        let found = answer["error"]["code"].as_i64().unwrap_or(0);
        assert_eq!(found, code, "{text}: {answer}");
    }
    // Bytes are read as well.
    talk.send(&said(
        BINARY,
        br#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"wire"}}"#,
    ))
    .await;
    assert_eq!(talk.hear().await["id"], 9);
    assert_eq!(stage.agent.heard().len(), 1, "{:?}", stage.agent.heard());
    // An id that is not answered yet means one request, not two.
    let silent = request(json!(1), "tools/call", tool("search_silent"));
    talk.say(&silent).await;
    talk.say(&silent).await;
    let refused = talk.hear().await;
    assert_eq!(
        (refused["id"].as_i64(), refused["error"]["code"].as_i64()),
        (Some(1), Some(-32600))
    );
}

#[tokio::test]
async fn tasks_are_their_callers_and_foreign_ones_do_not_exist() {
    let stage = Stage::new("").await;
    let mut ana = stage.open(&stage.keys.ana).await;
    let mut ben = stage.open(&stage.keys.ben).await;
    let made = ana.call(json!(1), "message/send", message(json!({}))).await;
    assert_eq!(made["result"]["id"], "task-7");
    let get = |id: &str| json!({"id": id});
    assert_eq!(
        ana.call(json!(2), "tasks/get", get("task-7")).await["result"],
        json!({})
    );
    let foreign = ben.call(json!(2), "tasks/get", get("task-7")).await;
    let missing = ben.call(json!(2), "tasks/get", get("task-9")).await;
    assert_eq!(foreign["error"]["code"], -32001);
    assert_eq!(foreign, missing);
    let send = message(json!({"taskId": "task-7"}));
    assert_eq!(
        ben.call(json!(3), "message/send", send).await["error"]["code"],
        -32001
    );
    // What a stream has made is its caller's from its first message on.
    ana.say(&request(json!("s"), "message/stream", message(json!({}))))
        .await;
    assert_eq!(ana.hear().await["result"]["id"], "task-8");
    assert_eq!(ana.hear().await["result"]["status"]["state"], "working");
    assert_eq!(ana.hear().await["result"]["final"], true);
    assert_eq!(
        ana.call(json!("s"), "tasks/get", get("task-8")).await["result"],
        json!({})
    );
    assert_eq!(
        ben.call(json!(4), "tasks/get", get("task-8")).await["error"]["code"],
        -32001
    );
    let record = stage.record("a2a:SendStreamingMessage").await;
    assert_eq!(
        (&record["task"], &record["outcome"]),
        (&json!("task-8"), &json!("complete"))
    );
    // The ledger is the same as over HTTP.
    assert_eq!(stage.agent.heard().len(), 4, "{:?}", stage.agent.heard());
}

#[tokio::test]
async fn lists_show_what_their_reader_may_use() {
    let stage = Stage::new("").await;
    for (who, tools) in [
        (&stage.keys.ana, json!(["search_docs", "search_web"])),
        (&stage.keys.ben, json!([])),
    ] {
        let mut talk = stage.open(who).await;
        let list = talk.call(json!(1), "tools/list", json!({})).await;
        let names: Vec<&Value> = list["result"]["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|tool| &tool["name"])
            .collect();
        assert_eq!(json!(names), tools, "{list}");
        assert_eq!(list["result"]["nextCursor"], "2");
    }
}

#[tokio::test]
async fn answers_that_could_be_something_else_do_not_leave() {
    // Answers with another id, several at once, or one that two readers see differently.
    fn script(said: &Value) -> Vec<String> {
        let id = &said["id"];
        let wire = json!({"tools": [{"name": "wire"}]});
        let error = json!({"code": -32603, "message": "Traceback: File \"/srv/agent.py\""});
        match said["params"]["cursor"].as_str() {
            Some("other") => vec![
                json!({"jsonrpc": "2.0", "id": "other", "result": wire}).to_string(),
                json!({"jsonrpc": "2.0", "id": id, "result": {"tools": []}}).to_string(),
            ],
            Some("error") => vec![json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string()],
            Some("twice") => vec![format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"tools":[],"tools":[{{"name":"wire"}}]}}}}"#
            )],
            Some("many") => {
                vec![json!([{"jsonrpc": "2.0", "id": id, "result": wire}]).to_string()]
            }
            _ => Vec::new(),
        }
    }
    let stage = Stage::before(script, "").await;
    let mut talk = stage.open(&stage.keys.ana).await;
    let mut list = async |id: u8, cursor: &str| {
        let params = json!({ "cursor": cursor });
        talk.call(json!(id), "tools/list", params).await
    };
    assert_eq!(list(1, "other").await["result"]["tools"], json!([]));
    let error = list(2, "error").await;
    assert_eq!(error["error"]["code"], -32603);
    assert!(!error.to_string().contains("Traceback"), "{error}");
    let twice = list(3, "twice").await;
    assert_eq!(twice["id"], 3);
    assert!(twice["error"]["code"].is_number(), "{twice}");
    talk.say(&request(json!(4), "tools/list", json!({"cursor": "many"})))
        .await;
    let cut = talk.0.next().await;
    assert_eq!((cut.first, &cut.payload[..2]), (CLOSE, &close(1008)[..]));
}

#[tokio::test]
async fn quotas_count_messages_and_a_line_holds_up_those_behind() {
    let quotas = "quotas:\n  one: { concurrent: 1, per: principal, on: \"mcp:tools/call search_s*\", queue: { time: 20s, calls: 4 } }\n  \
        few: { window: 2/min, per: principal, on: \"mcp:tools/call search_few\" }\n";
    let stage = Stage::new(quotas).await;
    let mut talk = stage.open(&stage.keys.ana).await;
    for id in 1..=2 {
        let answer = talk.call(json!(id), "tools/call", tool("search_few")).await;
        assert!(answer["result"].is_object(), "{answer}");
    }
    let spent = talk.call(json!(3), "tools/call", tool("search_few")).await;
    assert_eq!(
        (spent["id"].as_i64(), spent["error"]["code"].as_i64()),
        (Some(3), Some(-31003))
    );

    // The first keeps the only place, the second waits for it, and so does whatever follows but a ping.
    talk.say(&request(json!(4), "tools/call", tool("search_silent")))
        .await;
    talk.say(&request(json!(5), "tools/call", tool("search_slow")))
        .await;
    talk.is_quiet().await;
    talk.say(&request(json!(6), "ping", json!({}))).await;
    talk.is_quiet_no_more().await;
    assert_eq!(stage.agent.heard().len(), 3, "{:?}", stage.agent.heard());
    // The caller hangs up while it is judged.
    drop(talk);
    let waiting = stage.record("mcp:tools/call search_slow").await;
    assert_eq!(waiting["outcome"], "aborted");
    let silent = stage.record("mcp:tools/call search_silent").await;
    assert_eq!(
        (&silent["decision"], &silent["outcome"]),
        (&json!("allow"), &json!("downstream-gone"))
    );
    // And its place is free again.
    let mut talk = stage.open(&stage.keys.ana).await;
    let answer = talk.call(json!(1), "tools/call", tool("search_slow")).await;
    assert!(answer["result"].is_object(), "{answer}");
}

impl Talk {
    /// Nothing comes any more, not even the answer to a ping.
    async fn is_quiet_no_more(&mut self) {
        self.send(&said(PING, b"quiet?")).await;
        let frame = tokio::time::timeout(Duration::from_millis(200), self.0.try_next());
        assert!(frame.await.is_err(), "something has come");
    }
}

#[tokio::test]
async fn a_close_waits_for_the_message_before_it() {
    let quotas = "quotas:\n  one: { concurrent: 1, per: principal, on: \"mcp:tools/call search_s*\", queue: { time: 1s, calls: 4 } }\n";
    let stage = Stage::new(quotas).await;
    let mut talk = stage.open(&stage.keys.ana).await;
    talk.say(&request(json!(1), "tools/call", tool("search_silent")))
        .await;
    talk.say(&request(json!(2), "tools/call", tool("search_slow")))
        .await;
    talk.send(&said(CLOSE, &close(1000))).await;
    let refused = talk.hear().await;
    assert_eq!(
        (refused["id"].as_i64(), refused["error"]["code"].is_number()),
        (Some(2), true)
    );
    let closed = talk.0.next().await;
    assert_eq!((closed.first, closed.payload), (CLOSE, close(1000)));
    let tunnel = stage.record("http:GET /ws").await;
    assert_eq!(tunnel["outcome"], "complete");
    assert_eq!(stage.agent.heard().len(), 1);
}

#[tokio::test]
async fn secrets_in_calls_are_found_where_requests_are_searched() {
    let leaks = "leaks:\n  direction: [request, response]\n  packs: { credentials: block, private-keys: redact }\n";
    let stage = Stage::new(leaks).await;
    let mut talk = stage.open(&stage.keys.ana).await;
    let token = secrets::github_token(3);
    let said = json!({"name": "search_docs", "arguments": {"q": token}});
    let refused = talk.call(json!(1), "tools/call", said).await;
    assert_eq!(
        (refused["id"].as_i64(), refused["error"]["code"].as_i64()),
        (Some(1), Some(-31020))
    );
    assert!(talk.call(json!(2), "tools/call", tool("search_docs")).await["result"].is_object());
    // What is no call would pass unsearched.
    talk.say("hello").await;
    let cut = talk.0.next().await;
    assert_eq!((cut.first, &cut.payload[..2]), (CLOSE, &close(1008)[..]));
    assert_eq!(stage.agent.heard().len(), 1, "{:?}", stage.agent.heard());
    let record = stage.record("mcp:tools/call search_docs").await;
    assert_eq!(record["reason"], "request-leak");
}

#[tokio::test]
async fn a_policy_that_takes_a_call_back_ends_the_call_and_not_the_tunnel() {
    let stage = Stage::new("").await;
    let mut talk = stage.open(&stage.keys.ana).await;
    talk.say(&request(json!("slow"), "tools/call", tool("search_silent")))
        .await;
    eventually("the call", async || {
        (stage.agent.heard().len() == 1).then_some(())
    })
    .await;
    let deny = format!("{POLICY}  no: {{ deny: \"mcp:tools/call search_silent\" }}\n");
    stage.lictor.rewrite_policy(&deny);
    let ended = talk.hear().await;
    assert_eq!(
        (&ended["id"], ended["error"]["code"].as_i64()),
        (&json!("slow"), Some(-31002))
    );
    let record = stage.record("mcp:tools/call search_silent").await;
    assert_eq!(
        (&record["decision"], &record["outcome"]),
        (&json!("allow"), &json!("withdrawn"))
    );
    assert!(talk.call(json!(2), "tools/call", tool("search_docs")).await["result"].is_object());
}

#[tokio::test]
async fn time_is_up_for_a_call_before_it_is_for_the_tunnel() {
    let limits = "limits:\n  \"mcp:tools/call search_silent\": { time: 1s }\n";
    let stage = Stage::new(limits).await;
    let mut talk = stage.open(&stage.keys.ana).await;
    let late = talk
        .call(json!(1), "tools/call", tool("search_silent"))
        .await;
    assert_eq!(
        (late["id"].as_i64(), late["error"]["code"].is_number()),
        (Some(1), true)
    );
    assert_eq!(
        stage.record("mcp:tools/call search_silent").await["reason"],
        "upstream-timeout"
    );
    assert!(talk.call(json!(1), "tools/call", tool("search_docs")).await["result"].is_object());
}

#[tokio::test]
async fn a_call_that_its_caller_cancels_is_not_waited_for() {
    let quotas =
        "quotas:\n  one: { concurrent: 1, per: principal, on: \"mcp:tools/call search_s*\" }\n";
    let stage = Stage::new(quotas).await;
    let mut talk = stage.open(&stage.keys.ana).await;
    talk.say(&request(json!(1), "tools/call", tool("search_silent")))
        .await;
    let full = talk.call(json!(2), "tools/call", tool("search_slow")).await;
    assert!(full["error"]["code"].is_number(), "{full}");
    talk.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#)
        .await;
    let answer = talk.call(json!(1), "tools/call", tool("search_slow")).await;
    assert!(answer["result"].is_object(), "{answer}");
    let record = stage.record("mcp:tools/call search_silent").await;
    assert_eq!(record["outcome"], "downstream-gone");
}

#[tokio::test]
async fn a_tunnel_that_nobody_read_ends_when_somebody_should() {
    let agent = Agent::new().await;
    let pages =
        "lictor: v1\nrules:\n  pages: { allow: \"http:* /**\", from: { anonymous: true } }\n";
    let lictor = Lictor::spawn(pages, agent.address()).await;
    let mut ends = support::websocket::open(&lictor, &agent, "", "").await;
    let text = said(
        TEXT,
        request(json!(1), "tools/call", tool("wire")).as_bytes(),
    );
    ends.caller.wire.send(&text).await.unwrap();
    assert_eq!(within("the text", frame_of(&mut ends.agent)).await, text);
    lictor.rewrite_policy(&format!(
        "{pages}  calls: {{ allow: \"mcp:*\", from: {{ anonymous: true }} }}\n"
    ));
    let closed = rest(&mut ends.caller.wire).await;
    assert_eq!(support::websocket::closed_with(&closed), Some(1001));
}

async fn frame_of(wire: &mut Wire<TcpStream>) -> Vec<u8> {
    wire.raw().await.unwrap().unwrap()
}
