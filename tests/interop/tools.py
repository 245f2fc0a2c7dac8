"""Real clients of MCP, OpenAI and Anthropic, and a real server of MCP, with lictor between them.

usage: tools.py LICTOR NODE

NODE is the folder that has the packages for Node and the scripts beside them.

Run by run.py, in an environment of its own. Every round is run directly first: lictor must not change what a
client gets, and a refusal must be an error of the client's own kind. Prints one line per case; the exit code is 0
when none failed.
"""

import asyncio
import contextlib
import http.server
import json
import logging
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import anthropic
import httpx2
import mcp
import openai
import uvicorn
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings

import pieces

POLICY = """\
lictor: v1
identities:
  desk: { apiKey: { header: x-desk-key, keys: { file: ../keys.json } } }
roles:
  staff:
    allow: ["mcp:tools/list", "mcp:tools/call add", "mcp:tools/call count", "mcp:tools/call leak", "mcp:prompts/**",
            "mcp:resources/**", "mcp:completion/complete", "mcp:logging/setLevel", "llm:* lab-model", "http:GET /sse"]
    to: { groups: [staff] }
  readers: { allow: ["mcp:tools/list", "mcp:resources/read note://public"], to: { groups: [readers] } }
leaks:
  packs: { credentials: redact }
"""

# For the server that has everything: one tool is kept from everybody, and readers read.
EVERYTHING = """\
lictor: v1
identities:
  desk: { apiKey: { header: x-desk-key, keys: { file: ../keys.json } } }
roles:
  staff: { allow: ["mcp:**"], to: { groups: [staff] } }
  readers:
    allow: ["mcp:tools/list", "mcp:tools/call echo", "mcp:resources/list", "mcp:resources/read demo://resource/static/**"]
    to: { groups: [readers] }
rules:
  no-images: { deny: "mcp:tools/call get-tiny-image" }
leaks:
  packs: { credentials: redact }
"""
EVERYTHING_WITH_200 = EVERYTHING + "http: { jsonRpcStatus: ok }\n"

FAILED = []


def check(name: str, holds: bool, saw: object) -> None:
    print(f"ok    {name}" if holds else f"FAIL  {name}\n      saw: {saw!r}", flush=True)
    if not holds:
        FAILED.append(name)


# --- those behind lictor ------------------------------------------------------------------------


def tool_server(port: int, stateless: bool, path: str) -> uvicorn.Server:
    server = MCPServer("interop-tools", version="1.0.0")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    @server.tool()
    def wire(amount: int) -> str:
        """Moves money."""
        return f"moved {amount}"

    @server.tool()
    async def count(n: int, ctx: Context) -> str:
        """Counts, and tells how far it is."""
        for step in range(n):
            await ctx.report_progress(step + 1, n, f"step {step + 1}")
        return f"counted to {n}"

    @server.tool()
    def leak() -> str:
        """Tells a credential."""
        return pieces.whole()

    @server.resource("note://public")
    def public() -> str:
        return "for all"

    @server.resource("note://{name}/text")
    def note(name: str) -> str:
        return f"note of {name}"

    @server.prompt()
    def greet(name: str) -> str:
        return f"Greet {name}."

    # Callers come by the name of lictor; the server's own guard against rebinding is not what is tested.
    security = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    if path == "/sse":
        app = server.sse_app(transport_security=security)
    else:
        app = server.streamable_http_app(stateless_http=stateless, transport_security=security)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error")
    return uvicorn.Server(config)


class Models(http.server.BaseHTTPRequestHandler):
    """Answers as the model APIs do: the last message, whole or word by word."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.endswith("/responses"):
            text = asked["input"]
        else:
            text = asked["messages"][-1]["content"]
        text = pieces.whole() if text == "leak" else f"you said {text}"
        words = [word + " " for word in text.split(" ")]
        events = {"chat": self.chat, "responses": self.respond, "messages": self.messages}
        kind = next(kind for kind in events if kind in self.path)
        whole, stream = events[kind](text, words)
        if asked.get("stream"):
            self.tell("text/event-stream", "".join(stream).encode())
        else:
            self.tell("application/json", json.dumps(whole).encode())

    def tell(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @staticmethod
    def chat(text: str, words: list[str]):
        base = {"id": "c-1", "created": 1, "model": "lab-model"}
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {**base, "object": "chat.completion", "choices": [choice]}
        chunks = [{"index": 0, "delta": {"content": word}, "finish_reason": None} for word in words]
        events = [{**base, "object": "chat.completion.chunk", "choices": [it]} for it in chunks]
        return whole, [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]

    @staticmethod
    def respond(text: str, words: list[str]):
        content = [{"type": "output_text", "text": text, "annotations": []}]
        item = {"type": "message", "id": "m", "status": "completed", "role": "assistant", "content": content}
        whole = {
            "id": "r-1", "object": "response", "created_at": 1, "status": "completed", "model": "lab-model",
            "output": [item], "parallel_tool_calls": False, "tool_choice": "auto", "tools": [],
        }
        place = {"item_id": "m", "output_index": 0, "content_index": 0}
        deltas = [
            {"type": "response.output_text.delta", **place, "delta": word, "sequence_number": at, "logprobs": []}
            for at, word in enumerate(words)
        ]
        events = [*deltas, {"type": "response.completed", "response": whole, "sequence_number": len(words)}]
        return whole, [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]

    @staticmethod
    def messages(text: str, words: list[str]):
        usage = {"input_tokens": 1, "output_tokens": 1}
        base = {"id": "msg-1", "type": "message", "role": "assistant", "model": "lab-model", "usage": usage}
        whole = {**base, "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None}
        start = {**base, "content": [], "stop_reason": None, "stop_sequence": None}
        events = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *(
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}}
                for word in words
            ),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
            {"type": "message_stop"},
        ]
        return whole, [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]

    def log_message(self, *_) -> None:
        pass


# --- rounds -------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def client(url: str, key: str, mode: str):
    """A client of MCP: `auto` speaks 2026-07-28 where the server does, `legacy` begins with `initialize`."""
    headers = {"x-desk-key": key} if key else {}
    if mode == "sse":
        async with sse_client(url, headers=headers) as (read, write):
            async with mcp.ClientSession(read, write) as session:
                await session.initialize()
                yield session
        return
    async with httpx2.AsyncClient(headers=headers, timeout=20, follow_redirects=True) as fetcher:
        transport = streamable_http_client(url, http_client=fetcher)
        async with mcp.Client(transport, mode=mode) as session:
            yield session


async def round_of_tools(url: str, key: str, mode: str) -> dict:
    """All that a client gets in one round."""
    got = {}
    async with client(url, key, mode) as session:
        got["tools"] = sorted(tool.name for tool in (await session.list_tools()).tools)
        got["prompts"] = [it.name for it in (await session.list_prompts()).prompts]
        got["resources"] = [str(it.uri) for it in (await session.list_resources()).resources]
        templates = (await session.list_resource_templates()).resource_templates
        got["templates"] = [it.uri_template for it in templates]
        got["add"] = told(await session.call_tool("add", {"a": 2, "b": 3}))
        steps = []

        async def progress(done, total, message) -> None:
            steps.append(message)

        got["count"] = told(await session.call_tool("count", {"n": 3}, progress_callback=progress))
        got["steps"] = steps
        read = await session.read_resource("note://ana/text")
        got["resource"] = read.contents[0].text
        prompt = await session.get_prompt("greet", {"name": "Ana"})
        got["prompt"] = prompt.messages[0].content.text
    return got


def told(result) -> str:
    return " ".join(part.text for part in result.content)


async def kind_of_error(what) -> str:
    """The kind of the error, and what it says; of a group the innermost."""
    try:
        return f"no error: {await what!r}"
    except BaseException as error:  # noqa: BLE001 - groups of the task library are no `Exception`
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return f"{type(error).__module__}.{type(error).__name__}: {error}"


async def refused_tools(url: str, name: str, keys: dict, mode: str) -> None:
    async def call(key: str, tool: str, arguments: dict):
        async with client(url, key, mode) as session:
            return told(await session.call_tool(tool, arguments))

    seen = await kind_of_error(call(keys["ana"], "wire", {"amount": 1}))
    check(f"{name} a tool that is not granted is an error of the client's", seen.startswith("mcp"), seen)
    seen = await kind_of_error(call(keys["ben"], "add", {"a": 1, "b": 1}))
    check(f"{name} the same for another caller", seen.startswith("mcp"), seen)
    seen = await kind_of_error(call("", "add", {"a": 1, "b": 1}))
    check(f"{name} nobody without a key gets in", "no error" not in seen, seen)
    async with client(url, keys["ben"], mode) as session:
        names = [tool.name for tool in (await session.list_tools()).tools]
        check(f"{name} what he may not call he is not shown", names == [], names)
        resources = [str(it.uri) for it in (await session.read_resource("note://public")).contents]
        check(f"{name} what he may read he reads", resources == ["note://public"], resources)
    async with client(url, keys["ana"], mode) as session:
        text = told(await session.call_tool("leak", {}))
        holds = "ghp_[redacted:" in text and os.environ["INTEROP_SECRET"] not in text
        check(f"{name} a credential is redacted", holds, text)


def round_of_models(url: str, key: str) -> dict:
    headers = {"x-desk-key": key}
    open_ai = openai.OpenAI(base_url=f"{url}/v1", api_key="unused", default_headers=headers, max_retries=0)
    claude = anthropic.Anthropic(base_url=url, api_key="unused", default_headers=headers, max_retries=0)
    got = {}
    for text in ("hello", "leak"):
        asked = {"model": "lab-model", "messages": [{"role": "user", "content": text}]}
        completion = open_ai.chat.completions.create(**asked)
        got[f"chat {text}"] = completion.choices[0].message.content
        chunks = open_ai.chat.completions.create(**asked, stream=True)
        got[f"chat stream {text}"] = "".join(chunk.choices[0].delta.content for chunk in chunks).strip()
        got[f"responses {text}"] = open_ai.responses.create(model="lab-model", input=text).output_text
        events = open_ai.responses.create(model="lab-model", input=text, stream=True)
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        got[f"responses stream {text}"] = "".join(deltas).strip()
        asked["max_tokens"] = 9
        got[f"messages {text}"] = claude.messages.create(**asked).content[0].text
        with claude.messages.stream(**asked) as stream:
            got[f"messages stream {text}"] = "".join(stream.text_stream).strip()
    return got


def refused_models(url: str, keys: dict) -> None:
    asked = {"model": "lab-model", "messages": [{"role": "user", "content": "hello"}]}
    for who, model, expected in (
        ("ana", "other-model", "PermissionDeniedError"),
        ("ben", "lab-model", "PermissionDeniedError"),
        ("", "lab-model", "AuthenticationError"),
    ):
        headers = {"x-desk-key": keys[who]} if who else {}
        options = {"api_key": "unused", "default_headers": headers, "max_retries": 0}
        open_ai = openai.OpenAI(base_url=f"{url}/v1", **options)
        claude = anthropic.Anthropic(base_url=url, **options)
        for name, ask in (
            ("openai chat", lambda it: open_ai.chat.completions.create(**it)),
            ("openai responses", lambda it: open_ai.responses.create(model=it["model"], input="hello")),
            ("anthropic messages", lambda it: claude.messages.create(**it, max_tokens=9)),
        ):
            try:
                seen = f"no error: {ask({**asked, 'model': model})}"
            except Exception as error:  # noqa: BLE001 - its kind is what is judged
                seen = f"{type(error).__name__}: {error}"
            holds = seen.startswith(expected) and ("not allowed" in seen or "credential" in seen)
            check(f"{name} refuses {who or 'nobody'} {model} as {expected}", holds, seen)


def round_of_everything(node: pathlib.Path, sdk: str, url: str, key: str) -> dict:
    command = ["node", str(node / "everything.mjs"), sdk, f"{url}/mcp", key]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90)
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    return json.loads(ended.stdout)


@contextlib.contextmanager
def server_of_everything(node: pathlib.Path):
    """Gives its port; the environment of the server is what one of its tools tells."""
    port = free_port()
    script = node / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    environment = {"PATH": os.environ["PATH"], "PORT": str(port), "GITHUB_TOKEN": os.environ["INTEROP_SECRET"]}
    with tempfile.TemporaryFile() as log:
        command = ["node", str(script), "streamableHttp"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            wait_for(f"http://127.0.0.1:{port}/mcp")
            yield port
        finally:
            process.terminate()
            process.wait(20)


def everything(lictor: str, node: pathlib.Path) -> None:
    secret = os.environ["INTEROP_SECRET"]
    with server_of_everything(node) as port, guard(lictor, port, EVERYTHING) as (url, keys):
        for sdk in ("sdk", "client"):
            name = f"server-everything, {sdk} for Node:"
            direct = round_of_everything(node, sdk, f"http://127.0.0.1:{port}", "")
            holds = direct["sum"]["content"][0]["text"].endswith("is 5.") and secret in str(direct["environment"])
            check(f"{name} works without lictor, and tells its credential", holds, direct)
            through = round_of_everything(node, sdk, url, keys["ana"])
            differ = {step for step in direct if direct[step] != through.get(step)}
            check(f"{name} the same for whoever may", differ == {"tools", "image", "environment"}, [differ, through])
            hidden = set(direct["tools"]) - set(through["tools"])
            check(f"{name} the tool that nobody may call is not shown", hidden == {"get-tiny-image"}, hidden)
            check(f"{name} calling it is an error of the client's", refused(through["image"]), through["image"])
            shown = str(through["environment"])
            check(f"{name} the credential is redacted", "ghp_[redacted:" in shown and secret not in shown, shown)
            reader = round_of_everything(node, sdk, url, keys["ben"])
            same = [step for step in ("connect", "ping", "echo", "text", "resources") if reader[step] != direct[step]]
            check(f"{name} a reader reads", same == [] and reader["tools"] == ["echo"], [same, reader])
            closed = [step for step in ("sum", "prompt", "blob", "environment") if not refused(reader[step])]
            check(f"{name} and does nothing else", closed == [], [closed, reader])
            nobody = round_of_everything(node, sdk, url, "")
            check(f"{name} nobody without a key gets in", list(nobody) == ["connect"], nobody)
    with server_of_everything(node) as port, guard(lictor, port, EVERYTHING_WITH_200) as (url, keys):
        for sdk in ("sdk", "client"):
            reader = round_of_everything(node, sdk, url, keys["ben"])
            shown = [reader["sum"], reader["prompt"]]
            holds = all(it["error"] in ("McpError", "ProtocolError") and it["code"] == -31002 for it in shown)
            check(f"server-everything, {sdk} for Node: with status 200 a refusal is an error of the protocol", holds, shown)


def refused(step) -> bool:
    """Whether a client says that its call was not allowed; those for Node read the body of a 403 as a text."""
    kinds = ("StreamableHTTPError", "SdkHttpError")
    return isinstance(step, dict) and step.get("error") in kinds and "not allowed" in step["text"]


# --- running ------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextlib.contextmanager
def guard(lictor: str, upstream: int, policy: str = POLICY):
    """A running lictor; gives its address and the keys of two callers."""
    with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
        home = pathlib.Path(scratch)
        keys = {}
        for who, group in (("ana", "staff"), ("ben", "readers")):
            made = [lictor, "keys", "new", "--id", who, "--tenant", "acme", "--group", group]
            made += ["--into", str(home / "keys.json")]
            keys[who] = subprocess.run(made, check=True, capture_output=True, text=True).stdout.strip()
        (home / "policies").mkdir()
        (home / "policies" / "interop.yaml").write_text(policy)
        public, admin = free_port(), free_port()
        command = [lictor, "run", "--upstream", f"http://127.0.0.1:{upstream}", "--policies", str(home / "policies")]
        command += ["--state-dir", str(home), "--listen", f"127.0.0.1:{public}", "--admin", f"127.0.0.1:{admin}"]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                try:
                    wait_for(f"http://127.0.0.1:{admin}/readyz")
                except OSError as error:
                    raise RuntimeError((home / "log").read_text()) from error
                yield f"http://127.0.0.1:{public}", keys
            finally:
                process.terminate()
                process.wait(40)


@contextlib.contextmanager
def serving(server: uvicorn.Server):
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while not server.started:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)
        yield
    finally:
        server.should_exit = True
        thread.join(10)


ALL_TOOLS = ["add", "count", "leak", "wire"]


def tools(lictor: str) -> None:
    for name, mode, path in (
        ("mcp 2026-07-28", "2026-07-28", "/mcp"),
        ("mcp that probes", "auto", "/mcp"),
        ("mcp with a session", "legacy", "/mcp"),
        ("mcp over HTTP and SSE", "sse", "/sse"),
    ):
        port = free_port()
        with serving(tool_server(port, False, path)):
            direct = asyncio.run(round_of_tools(f"http://127.0.0.1:{port}{path}", "", mode))
            check(f"{name} works without lictor", direct["add"] == "5" and direct["tools"] == ALL_TOOLS, direct)
            with guard(lictor, port) as (url, keys):
                through = asyncio.run(round_of_tools(f"{url}{path}", keys["ana"], mode))
                shown = ["add", "count", "leak"]
                check(f"{name} shows what may be called", through["tools"] == shown, through["tools"])
                same = {**through, "tools": None} == {**direct, "tools": None}
                check(f"{name} changes nothing else", same, [direct, through])
                if mode != "sse":
                    asyncio.run(refused_tools(f"{url}{path}", name, keys, mode))


def models(lictor: str) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    direct = round_of_models(f"http://127.0.0.1:{port}", "")
    with guard(lictor, port) as (url, keys):
        through = round_of_models(url, keys["ana"])
        for what, text in through.items():
            if what.endswith("leak"):
                holds = "ghp_[redacted:" in text and os.environ["INTEROP_SECRET"] not in text
                check(f"{what}: a credential is redacted", holds, text)
            else:
                check(f"{what}: the same as without lictor", text == direct[what], [direct[what], text])
        refused_models(url, keys)
    server.shutdown()


if __name__ == "__main__":
    # The library sets up a log of its own; what is seen here is what is judged.
    logging.disable(logging.WARNING)
    lictor, node = sys.argv[1], pathlib.Path(sys.argv[2])
    tools(lictor)
    everything(lictor, node)
    models(lictor)
    sys.exit(1 if FAILED else 0)
