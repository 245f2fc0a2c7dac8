#!/usr/bin/env python3
"""The example clients that sign, and `lictor sign` with a real curl, against a real lictor.

usage: run.py [--lictor PATH]

Needs Python 3.10 with `venv`, Node and npm, curl and openssl; everything else goes into target/signing/, once. Prints one
line per case and at last `N passed, N failed`; the exit code is 0 when none failed.
"""

import argparse
import http.server
import json
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

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / "target" / "signing"
EXAMPLES = ROOT / "examples" / "sign"
TYPESCRIPT, NODE_TYPES = "5.9.3", "20.19.0"

POLICY = """\
lictor: v1
identities:
  desk:
    signature: { keys: { file: ../keys.json } }
  ops:
    hmac: { keys: { file: ../shared } }
roles:
  desk: { allow: ["http:* /**"], to: { identity: desk } }
  ops: { allow: ["http:* /**"], to: { identity: ops } }
"""

# openssl's words for the kinds of keys.
KINDS = {
    "ed25519": ["-algorithm", "ed25519"],
    "p256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
}


class Agent(http.server.BaseHTTPRequestHandler):
    """Says who it was told calls, and what came."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        said = {"caller": self.headers.get("x-user-id"), "body": body.decode(), "target": self.path}
        said["signature"] = self.headers.get("signature")
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def python() -> pathlib.Path:
    home = CACHE / "venv"
    wanted = (EXAMPLES / "python" / "requirements.txt").read_text()
    installed = home / "installed"
    if not installed.exists() or installed.read_text() != wanted:
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", EXAMPLES / "python" / "requirements.txt"], check=True)
        installed.write_text(wanted)
    return home / "bin" / "python"


def typescript() -> pathlib.Path:
    """The example with its types checked and taken off."""
    home = CACHE / "typescript"
    compiler = home / "node_modules" / "typescript" / "bin" / "tsc"
    if not compiler.exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{ "private": true, "type": "module" }')
        packages = [f"typescript@{TYPESCRIPT}", f"@types/node@{NODE_TYPES}"]
        npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--save-exact"]
        subprocess.run([*npm, *packages], cwd=home, check=True)
    project = ["-p", EXAMPLES / "typescript" / "tsconfig.json"]
    types = ["--typeRoots", home / "node_modules" / "@types"]
    subprocess.run(["node", compiler, *project, *types, "--outDir", home], check=True)
    return home / "sign.js"


def make_keys(lictor: pathlib.Path, folder: pathlib.Path) -> None:
    keys = []
    for kind, options in KINDS.items():
        private = folder / f"{kind}.pem"
        subprocess.run(["openssl", "genpkey", *options, "-out", private], check=True, stderr=subprocess.DEVNULL)
        shown = [lictor, "sign", "--key", private, "--keyid", kind, "--jwks"]
        printed = subprocess.run(shown, check=True, capture_output=True).stdout
        keys += json.loads(printed)["keys"]
    (folder / "keys.json").write_text(json.dumps({"keys": keys}))
    stranger = ["openssl", "genpkey", *KINDS["ed25519"], "-out", folder / "stranger.pem"]
    subprocess.run(stranger, check=True)
    (folder / "shared").write_text("a shared key of this run: " + os.urandom(24).hex() + "\n")


class Run:
    def __init__(self, lictor: pathlib.Path, folder: pathlib.Path, url: str) -> None:
        self.lictor, self.folder, self.url = lictor, folder, url
        self.passed = self.failed = 0

    def check(self, name: str, holds: bool, saw: object) -> None:
        if holds:
            self.passed += 1
            print(f"ok    {name}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}\n      saw: {saw}", flush=True)

    def example(self, language: str, command: list) -> None:
        content = '{"amount": 10}'
        json_type = ["-H", "Content-Type: application/json"]
        for kind in [*KINDS, "ops"]:
            shared = kind == "ops"
            key = ["--key", self.folder / ("shared" if shared else f"{kind}.pem"), "--keyid", kind]
            key += ["--shared"] if shared else []
            calls = [
                ("GET", [], "/reports?a=b%20c&d=", ""),
                ("POST", [*json_type, "-d", content], "/reports", content),
                ("PUT", ["-X", "PUT", "-d", content], "/", content),
            ]
            for method, options, target, body in calls:
                status, said = run([*command, *key, *options, self.url + target])
                wanted = {"caller": kind, "body": body, "target": target, "signature": None}
                self.check(f"{language} {kind} {method}", (status, said) == (200, wanted), (status, said))
        stranger = ["--key", self.folder / "stranger.pem", "--keyid", "ed25519"]
        status, said = run([*command, *stranger, self.url + "/reports"])
        self.check(f"{language} with a stranger's key", status == 401, (status, said))

    def curl(self) -> None:
        for kind in [*KINDS, "ops"]:
            key = self.folder / ("shared" if kind == "ops" else f"{kind}.pem")
            words = ["curl", "-sS", "--json", '{"it\'s": 1}', f"{self.url}/reports?x=1"]
            command = [self.lictor, "sign", "--key", key, "--keyid", kind, "--", *words]
            signed = subprocess.run(command, capture_output=True, text=True)
            ended = subprocess.run(["sh", "-c", signed.stdout], capture_output=True, text=True)
            said = json.loads(ended.stdout) if ended.stdout.startswith("{") else ended
            holds = isinstance(said, dict) and said.get("caller") == kind and said["body"] == '{"it\'s": 1}'
            self.check(f"lictor sign, curl, {kind}", holds, (signed, said))
            again = subprocess.run(["sh", "-c", signed.stdout], capture_output=True, text=True)
            refused = '"caller"' not in again.stdout
            self.check(f"lictor sign, curl, {kind}: the same again", refused, again)


def run(command: list) -> tuple:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    status, _, text = ended.stdout.partition("\n")
    try:
        return int(status), json.loads(text)
    except ValueError:
        return ended.returncode, ended.stdout + ended.stderr


def wait_until_ready(admin: int, child: subprocess.Popen) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1):
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    raise SystemExit("lictor did not become ready")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lictor", type=pathlib.Path, default=ROOT / "target" / "debug" / "lictor")
    lictor = parser.parse_args().lictor.resolve()
    commands = {
        "python": [python(), EXAMPLES / "python" / "sign.py"],
        "typescript": ["node", typescript()],
    }
    agent = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    threading.Thread(target=agent.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        make_keys(lictor, folder)
        (folder / "policies").mkdir()
        (folder / "policies" / "policy.yaml").write_text(POLICY)
        public, admin = free_port(), free_port()
        flags = ["--upstream", f"http://127.0.0.1:{agent.server_port}", "--policies", folder / "policies"]
        flags += ["--listen", f"127.0.0.1:{public}", "--admin", f"127.0.0.1:{admin}", "--state-dir", folder]
        with (folder / "log").open("w") as log:
            child = subprocess.Popen([lictor, "run", *flags], cwd=folder, stdout=log, stderr=log)
        try:
            wait_until_ready(admin, child)
            run_ = Run(lictor, folder, f"http://127.0.0.1:{public}")
            for language, command in commands.items():
                run_.example(language, command)
            run_.curl()
        finally:
            child.terminate()
            child.wait(timeout=20)
    print(f"{run_.passed} passed, {run_.failed} failed")
    return 1 if run_.failed else 0


if __name__ == "__main__":
    sys.exit(main())
