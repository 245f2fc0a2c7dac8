#!/usr/bin/env python3
"""Real SDKs of A2A, MCP and the model APIs, and a real WebSocket library, with lictor between client and agent.

usage: run.py [--lictor PATH] [--direct]

Needs Python 3.10 or newer with `venv`, Node 20 or newer and npm; everything else goes into target/interop/, once. `--direct`
leaves lictor out and runs what must work without it, to tell a fault of the SDKs from one of ours.
Prints one line per case and at last `N passed, N failed`; the exit code is 0 when none failed.
"""

import argparse
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

import pieces

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / "target" / "interop"
ISSUER, AUDIENCE = "https://idp.example", "interop-agent"
# The SDKs of A2A by what the cases call them, each with the suffix of its scripts. That for Node speaks no gRPC here.
VERSIONS = {"0.3": "v03", "1.3": "v1", "node": "node"}
GRPC = ("0.3", "1.3")
BINDINGS = {"JSON-RPC": "JSONRPC", "REST": "HTTP+JSON"}

POLICY = """\
lictor: v1
identities:
  corp:
    jwt:
      issuer: {issuer}
      audience: {audience}
      jwks: {{ file: keys/jwks.json }}
    tenant: claims.org_id
    groups: claims.groups
tenants:
  acme:
  globex:
roles:
  analyst:
    allow: ["a2a:*"]
    to: {{ groups: [analysts] }}
quotas:
  fair-share: {{ rate: 600/min, per: tenant }}
leaks:
  packs: {{ credentials: {credentials}, private-keys: block, pii: redact, cards: redact }}
"""


class Cases:
    """Counts and prints."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def check(self, name: str, holds: bool, saw: object) -> None:
        if holds:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}\n      saw: {saw}", flush=True)


class Run:
    """One agent, one lictor, one client, and what they share."""

    def __init__(self, lictor: pathlib.Path | None, scratch: pathlib.Path) -> None:
        self.lictor = lictor
        self.scratch = scratch
        self.secret = github_token()
        self.cases = Cases()

    def matrix(self) -> None:
        keys = self.scratch / "keys"
        subprocess.run([venv("0.3"), HERE / "credentials.py", keys, ISSUER, AUDIENCE], check=True)
        self.keys = keys
        self.tokens = json.loads((keys / "tokens.json").read_text())
        for agent in VERSIONS:
            self.beside(agent)

    def beside(self, agent: str) -> None:
        """All clients on one agent, under a policy that redacts and under one that blocks."""
        port, public, grpc_port = free_port(), free_port(), free_port()
        url = f"https://localhost:{public}/" if self.lictor else f"http://127.0.0.1:{port}/"
        environment = {**os.environ, "INTEROP_SECRET": self.secret}
        command = [*program(agent, "agent"), str(port), url, *([str(grpc_port)] if agent in GRPC else [])]
        with child(command, self.scratch / f"agent-{agent}.log", env=environment):
            wait_for(lambda: fetch(f"http://127.0.0.1:{port}/.well-known/agent-card.json"))
            self.control(agent, port)
            if not self.lictor:
                for client, binding in ways():
                    with self.client(client, {"url": url, "binding": BINDINGS[binding]}) as ask:
                        self.allowed(f"{client} -> {agent} over {binding}", ask, url, "alice")
                for client in GRPC if agent in GRPC else ():
                    with self.client(client, over_grpc(f"127.0.0.1:{grpc_port}", agent)) as ask:
                        self.plain(f"{client} -> {agent} over gRPC", ask, "alice")
                return
            for action, judge in (("redact", self.redacted), ("block", self.blocked)):
                with self.guard(agent, action, port, public):
                    for client, binding in ways():
                        with self.client(client, {"url": url, "binding": BINDINGS[binding]}) as ask:
                            judge(f"{client} -> {agent} over {binding}", ask, url)
            if agent not in GRPC:
                return
            with self.guard(agent, "block", grpc_port, public, "h2c"):
                for client in GRPC:
                    with self.client(client, over_grpc(f"localhost:{public}", agent)) as ask:
                        self.grpc(f"{client} -> {agent} over gRPC", ask)

    def alone(self, name: str, *arguments: pathlib.Path) -> None:
        """What a script in an environment of its own does counts as one case; it prints its own."""
        environment = {**os.environ, "INTEROP_SECRET": self.secret}
        command = [venv(name), HERE / f"{name}.py", self.lictor, *arguments]
        ended = subprocess.run(command, env=environment, timeout=300)
        self.cases.check(name, ended.returncode == 0, ended)

    # --- what must hold -----------------------------------------------------------------

    def control(self, agent: str, port: int) -> None:
        """Without lictor the credential is there for all to read, or the rest would prove nothing."""
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "message/stream",
            "params": {
                "message": {
                    "kind": "message",
                    "messageId": "control",
                    "role": "user",
                    "parts": [{"kind": "text", "text": "leak"}],
                }
            },
        }
        raw = fetch(f"http://127.0.0.1:{port}/", body)
        parts = [text.encode() for text in (self.secret[:9], self.secret[9:27], self.secret[27:])]
        holds = all(part in raw for part in parts) and self.secret.encode() not in raw
        self.cases.check(f"agent {agent} alone leaks, in three pieces", holds, raw)

    def allowed(self, pair: str, ask, url: str, caller: str) -> str:
        """The card, and the plain round."""
        seen = ask(None if self.lictor else caller, "card")
        holds = seen.get("ok") == {"name": "interop-agent", "url": url}
        self.cases.check(f"{pair} card", holds, seen)
        return self.plain(pair, ask, caller)

    def plain(self, pair: str, ask, caller: str) -> str:
        """The plain round; gives the id of a finished task."""
        check = self.cases.check
        seen = ask(caller, "send", text="hello")
        told = seen.get("ok", {})
        task = told.get("task", "")
        holds = told.get("state") == "completed" and told.get("text") == "echo: hello"
        check(f"{pair} send", holds, seen)

        seen = ask(caller, "stream", text="stream")
        told = seen.get("ok", {})
        holds = told.get("state") == "completed" and told.get("pieces") == pieces.STREAM
        check(f"{pair} stream", holds, seen)

        seen = ask(caller, "get", task=task)
        told = seen.get("ok", {})
        holds = told.get("task") == task and told.get("text") == "echo: hello"
        check(f"{pair} get", holds, seen)

        seen = ask(caller, "send", text="wait", polling=True)
        told = seen.get("ok", {})
        check(f"{pair} send and poll", told.get("state") in ("submitted", "working"), seen)

        seen = ask(caller, "cancel", task=told.get("task", ""))
        check(f"{pair} cancel", seen.get("ok", {}).get("state") == "canceled", seen)
        return task

    def redacted(self, pair: str, ask, url: str) -> None:
        check = self.cases.check
        task = self.allowed(pair, ask, url, "alice")

        for caller, why, status in (
            ("anton", "wrong role", 403),
            (None, "no token", 401),
            ("mallory", "foreign signature", 401),
            ("late", "expired token", 401),
        ):
            for verb in ("send", "stream"):
                seen = ask(caller, verb, text="hello")
                holds = named(seen) and status in seen["statuses"]
                check(f"{pair} {verb} refused: {why}", holds, seen)

        foreign, missing = ask("bob", "get", task=task), ask("bob", "get", task="no-such-task")
        holds = (
            named(foreign)
            and "not found" in foreign["error"]["text"].lower()
            and likeness(foreign, task) == likeness(missing, "no-such-task")
        )
        check(f"{pair} foreign task looks like a missing one", holds, [foreign, missing])
        seen = ask("bob", "cancel", task=task)
        check(f"{pair} foreign task cannot be cancelled", named(seen), seen)

        seen = ask("alice", "stream", text="leak")
        told = seen.get("ok", {})
        text = "".join(told.get("pieces", []))
        holds = (
            told.get("state") == "completed"
            and text.startswith("the token is ghp_[redacted:")
            and text.endswith("], keep it safe")
        )
        check(f"{pair} leak in a stream is redacted", holds, seen)
        check(f"{pair} no part of it arrives", not self.leaked(seen), seen)

        again = ask("alice", "get", task=told.get("task", ""))
        holds = again.get("ok", {}).get("text") == text and not self.leaked(again)
        check(f"{pair} the finished task is redacted alike", holds, again)

    def blocked(self, pair: str, ask, url: str) -> None:
        check = self.cases.check
        seen = ask("alice", "send", text="hello")
        check(f"{pair} send beside a block", seen.get("ok", {}).get("state") == "completed", seen)

        seen = ask("alice", "stream", text="leak")
        ended = named(seen) or seen.get("ok", {}).get("state") in ("failed", "rejected")
        check(f"{pair} blocked stream ends in words of the SDK", ended, seen)
        body = bodies(seen)[-1]
        holds = one_terminal_event(body) and b"keep it safe" not in body
        check(f"{pair} blocked stream has one terminal event", holds, body)
        check(f"{pair} no part of it arrives before the block", not self.leaked(seen), seen)

        seen = ask("alice", "send", text="leak")
        check(f"{pair} blocked answer is a refusal", named(seen), seen)
        check(f"{pair} no part of it arrives with the refusal", not self.leaked(seen), seen)

    def grpc(self, pair: str, ask) -> None:
        check = self.cases.check
        task = self.plain(pair, ask, "alice")

        for caller, why, status in (
            ("anton", "wrong role", "PERMISSION_DENIED"),
            (None, "no token", "UNAUTHENTICATED"),
            ("mallory", "foreign signature", "UNAUTHENTICATED"),
            ("late", "expired token", "UNAUTHENTICATED"),
        ):
            for verb in ("send", "stream"):
                seen = ask(caller, verb, text="hello")
                check(f"{pair} {verb} refused: {why}", seen["statuses"] == [status], seen)

        foreign, missing = ask("bob", "get", task=task), ask("bob", "get", task="no-such-task")
        holds = foreign["statuses"] == missing["statuses"] == ["NOT_FOUND"] and (
            shown(foreign) == shown(missing)
        )
        check(f"{pair} foreign task looks like a missing one", holds, [foreign, missing])
        seen = ask("bob", "cancel", task=task)
        check(f"{pair} foreign task cannot be cancelled", seen["statuses"] == ["NOT_FOUND"], seen)

        for verb in ("send", "stream"):
            seen = ask("alice", verb, text="tell")
            holds = seen["statuses"] == ["INTERNAL"] and "Security check" in seen["error"]["text"]
            check(f"{pair} {verb} with a leak ends with a status", holds, seen)
            check(f"{pair} no part of it arrives with it", not self.leaked(seen), seen)

    def leaked(self, seen: dict) -> bool:
        """Whether any six characters of the secret arrived, in whatever body."""
        body = self.secret.removeprefix("ghp_").encode()
        parts = [body[at : at + 6] for at in range(len(body) - 5)]
        return any(part in raw for raw in bodies(seen) for part in parts)

    # --- who takes part -----------------------------------------------------------------

    @contextlib.contextmanager
    def client(self, version: str, setup: dict):
        """A running test client; gives the function that orders and reports."""
        log = self.scratch / f"client-{version}.log"
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        setup = {"ca": None, "tokens": self.tokens, **setup}
        environment = os.environ
        if self.lictor:
            setup["ca"] = str(self.keys / "ca.pem")
            environment = {**os.environ, "NODE_EXTRA_CA_CERTS": setup["ca"]}
        with child(program(version, "client"), log, env=environment, **pipes) as process:

            def tell(message: dict) -> None:
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()

            def ask(caller: str | None, verb: str, **rest) -> dict:
                tell({"as": caller or "nobody", "do": verb, **rest})
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"client {version} died:\n{log.read_text()}")
                return json.loads(line)

            tell(setup)
            yield ask
            process.stdin.close()

    @contextlib.contextmanager
    def guard(self, agent: str, action: str, upstream: int, public: int, scheme: str = "http"):
        """A running lictor; on leaving it must drain, and its audit file must hold no secret."""
        home = self.scratch / f"lictor-{agent}-{action}-{scheme}"
        policies = home / "policies"
        policies.mkdir(parents=True)
        shutil.copytree(self.keys, policies / "keys", ignore=keep("jwks.json"))
        text = POLICY.format(issuer=ISSUER, audience=AUDIENCE, credentials=action)
        (policies / "interop.yaml").write_text(text)
        admin = free_port()
        command = [self.lictor, "run"]
        command += ["--upstream", f"{scheme}://127.0.0.1:{upstream}"]
        command += ["--policies", policies, "--state-dir", home]
        command += ["--listen", f"127.0.0.1:{public}", "--admin", f"127.0.0.1:{admin}"]
        command += ["--tls-cert", self.keys / "server.pem", "--tls-key", self.keys / "server.key"]
        log = home / "log"
        with child(command, log) as process:
            try:
                wait_for(lambda: fetch(f"http://127.0.0.1:{admin}/readyz"), process)
            except RuntimeError as error:
                raise RuntimeError(f"lictor is not ready: {error}\n{log.read_text()}") from error
            yield
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(40)
            except subprocess.TimeoutExpired:
                code = "none within 40 s"
            name = f"lictor before agent {agent} ({action}, {scheme})"
            self.cases.check(f"{name} drains and exits 0", code == 0, [code, log.read_text()])
        written = (home / "audit.jsonl").read_bytes() + log.read_bytes()
        holds = b'"a2a:' in written and not self.leaked({"bodies": [base64.b64encode(written)]})
        self.cases.check(f"{name} keeps the secret out of audit and log", holds, written[-2000:])


# --- judging --------------------------------------------------------------------------------


def bodies(seen: dict) -> list[bytes]:
    return [base64.b64decode(body) for body in seen["bodies"]]


def named(seen: dict) -> bool:
    """Whether the SDK turned the answer into one of its own exceptions, not into a parse crash."""
    error = seen.get("error", {})
    kind = error.get("type", "")
    if kind == "Error":
        # The SDK for Node has no kind for a card that it may not read, nor for codes over REST of 0.3 that it does
        # not know, but says what it was told.
        return bool(re.match(r"Failed to fetch Agent Card .*: 401$|REST error: .* \(Code: -31\d+\)$|HTTP error for .*! Status: 404 ", error["text"]))
    return kind.startswith("a2a.") and not re.search("JSONError|JSONDecode|ParseError", kind)


def likeness(seen: dict, task: str) -> tuple:
    """What a caller can tell one refusal from another by: ids that are new for each call left out."""
    body = bodies(seen)[-1].decode().replace(task, "TASK")
    fresh = r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}"
    return seen["error"]["type"], seen["statuses"], re.sub(fresh, "ID", body)


def ways() -> list[tuple[str, str]]:
    """Every client over every binding that is HTTP with JSON."""
    return [(client, binding) for client in VERSIONS for binding in BINDINGS]


def over_grpc(address: str, agent: str) -> dict:
    """For a client that speaks gRPC; the agent on the older SDK knows the older protocol only."""
    return {"grpc": address, "speaks": "0.3" if agent == "0.3" else "1.0"}


def shown(seen: dict) -> tuple:
    """What an SDK tells of an error, without the time at which it happened."""
    text = re.sub(r"created_time:\"[^\"]*\"|\d{10,}", "", seen["error"]["text"])
    return seen["error"]["type"], text


def one_terminal_event(body: bytes) -> bool:
    """Whether a stream is whole, parseable to its end, and says exactly once that it is over."""
    if not body.endswith((b"\n\n", b"\r\n\r\n")):
        return False
    events = []
    for block in re.split(r"\r?\n\r?\n", body.decode()):
        data = [line[5:].removeprefix(" ") for line in block.splitlines() if line[:5] == "data:"]
        if data:
            events.append(json.loads("\n".join(data)))
    ends = [is_terminal(event) for event in events]
    return bool(ends) and ends[-1] and ends.count(True) == 1


def is_terminal(event: dict) -> bool:
    result = event.get("result", event)
    status = result.get("statusUpdate", result).get("status", {})
    ended = ("completed", "failed", "rejected", "canceled")
    state = status.get("state", "").removeprefix("TASK_STATE_").lower()
    return "error" in event or state in ended


# --- running --------------------------------------------------------------------------------


def github_token() -> str:
    """A token with a true checksum: the CRC-32 of 30 characters, in six digits of base 62."""
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    body = "".join(random.SystemRandom().choices(alphabet, k=30))
    check, digits = zlib.crc32(body.encode()), ""
    for _ in range(6):
        check, digit = divmod(check, 62)
        digits = alphabet[digit] + digits
    return f"ghp_{body}{digits}"


def program(version: str, role: str) -> list:
    """The command that runs the agent or the client of an SDK."""
    if version == "node":
        return ["node", node_home() / f"{role}.mjs"]
    return [venv(version), HERE / f"{role}_{VERSIONS[version]}.py"]


def node_home() -> pathlib.Path:
    """The scripts for Node beside the packages that they need; made on first use, and when those change."""
    home, stamp, pins = CACHE / "node", CACHE / "node" / "pins", HERE / "node" / "package-lock.json"
    if not stamp.exists() or stamp.read_text() != pins.read_text():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / "node" / name, home)
        npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(npm, cwd=home, check=True)
        stamp.write_text(pins.read_text())
    for script in (HERE / "node").glob("*.mjs"):
        shutil.copy(script, home)
    return home


def venv(version: str) -> pathlib.Path:
    """The interpreter of the environment with these pins; made on first use, and when they change."""
    home, pins = CACHE / f"a2a-{version}", HERE / f"requirements-{version}.txt"
    python, stamp = home / "bin" / "python", home / "pins"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--no-deps", "-r", pins], check=True)
        stamp.write_text(wanted)
    return python


@contextlib.contextmanager
def child(command, log: pathlib.Path, **options):
    """A process that does not outlive its block."""
    with log.open("ab") as out:
        options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, **options}
        process = subprocess.Popen([str(part) for part in command], **options)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url: str, body: dict | None = None) -> bytes:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read()


def wait_for(attempt, process: subprocess.Popen | None = None, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            attempt()
            return
        except OSError as error:
            if process and process.poll() is not None:
                raise RuntimeError(f"exit code {process.returncode}") from error
            if time.monotonic() > deadline:
                raise RuntimeError(f"{error} for {seconds} s") from error
            time.sleep(0.1)


def keep(name: str):
    """For `copytree`: everything but one file is ignored."""
    return lambda _, names: [other for other in names if other != name]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lictor", type=pathlib.Path, default=ROOT / "target/debug/lictor")
    parser.add_argument("--direct", action="store_true", help="leave lictor out")
    options = parser.parse_args()
    if not options.direct and not options.lictor.exists():
        sys.exit(f"no lictor at {options.lictor}: build it, or name one with --lictor")
    with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
        lictor = None if options.direct else options.lictor.resolve()
        run = Run(lictor, pathlib.Path(scratch))
        run.matrix()
        if lictor:
            run.alone("websocket")
            run.alone("tools", node_home())
    print(f"{run.cases.passed} passed, {run.cases.failed} failed")
    return 1 if run.cases.failed else 0


if __name__ == "__main__":
    sys.exit(main())
