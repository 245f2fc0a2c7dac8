#!/usr/bin/env python3
"""A transparent listener in network namespaces: REDIRECT and TPROXY, IPv4 and IPv6, plain and TLS.

usage: run.py --lictor PATH

Starts a real lictor before agents at two ports, and a third one that nobody may reach, and connects from another
namespace through rules of iptables and of nft. Needs root, iproute2, iptables, nftables and util-linux; where
namespaces cannot be made it says SKIPPED and why. The last line is `N passed, N failed`.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
# Behind our own folder.
sys.path.append(str(HERE.parent / "soak"))

from network import BALANCER, BEYOND, CALLERS, HERE as ADDRESSES, Network, inside  # noqa: E402
from program import certificate, wait_for  # noqa: E402
from rules import SCENARIOS  # noqa: E402

POLICY = 'lictor: v1\nrules:\n  everybody: { allow: "http:GET /**", from: { anonymous: true } }\n'
CONFIG = """\
lictor: v1
listeners:
  public: {{ address: "127.0.0.1:8443" }}
  mesh:
    address: "[::]:15006"
    transparent: {mode}
    trustedPeers: {balancer}
    proxyProtocol: optional
    {guard}
upstream:
  url: "http://127.0.0.1:9000"
  ports: [9000, 8081]
  health: {{ path: /health, every: 200ms, unhealthy: 1 }}
policies: {{ path: policies }}
stateDir: .
"""
TLS = "tls: { certificates: [{ cert: tls.crt, key: tls.key }] }"
PLAIN = "dangerousPlainHttp: true"
OWN_PORT, ADMIN = 15006, "http://127.0.0.1:9901"
AGENTS = (9000, 8081, 7777)
FIELDS = "Connection: close\r\n"
WEBSOCKET = (
    "Connection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
# Neither is needed but by TPROXY.
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-net_admin,-net_raw", "--inh-caps=-net_admin,-net_raw"]


class Results:
    def __init__(self) -> None:
        self.passed = self.failed = 0

    def expect(self, what: str, seen: object, wanted: object) -> None:
        if seen == wanted:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL  {what}: saw {seen!r}, not {wanted!r}", flush=True)


class Lictor:
    """A lictor in the inner namespace."""

    def __init__(self, network: Network, binary: pathlib.Path, folder: pathlib.Path, mode: str, tls: bool) -> None:
        self.network, self.folder, self.tls = network, folder, tls
        (folder / "policies").mkdir(parents=True)
        (folder / "policies" / "policy.yaml").write_text(POLICY)
        config = CONFIG.format(mode=mode, balancer=BALANCER, guard=TLS if tls else PLAIN)
        (folder / "lictor.yaml").write_text(config)
        certificate(folder)
        rights = WITHOUT_RIGHTS if mode == "redirect" else []
        command = [*rights, binary, "run", "--config", folder / "lictor.yaml"]
        self.process = network.start(command, folder / "log")
        try:
            eventually("lictor is ready", lambda: self.is_ready())
        except BaseException:
            self.kill()
            raise

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"lictor did not start:\n{(self.folder / 'log').read_text()}")
        try:
            return self.fetch("/readyz").startswith('{"status":"ready"')
        except OSError:
            return False

    def fetch(self, path: str) -> str:
        def get() -> str:
            with urllib.request.urlopen(ADMIN + path, timeout=10) as answer:
                return answer.read().decode()

        return inside(self.network.here, get)

    def metric(self, name: str) -> float | None:
        lines = [line for line in self.fetch("/metrics").splitlines() if line.startswith(f"{name} ")]
        return float(lines[0].rsplit(" ", 1)[1]) if lines else None

    def record(self, path: str) -> dict:
        """The audit record of the call with this path."""

        def find() -> dict | None:
            records = [json.loads(line) for line in (self.folder / "audit.jsonl").read_text().splitlines()]
            return next((record for record in records if record.get("path") == path), None)

        return eventually(f"a record of {path}", find)

    def ask(
        self, address: str, port: int, path: str = "/", source: str | None = None, ahead: bytes = b"", fields: str = FIELDS
    ) -> str:
        """What a caller is told there: the body of an answer, or how the connection ended."""
        return inside(self.network.caller, self._ask, address, port, path, source, ahead, fields)

    def _ask(self, address: str, port: int, path: str, source: str | None, ahead: bytes, fields: str) -> str:
        try:
            stream = socket.create_connection((address, port), timeout=10, source_address=source and (source, 0))
            with stream:
                stream.sendall(ahead)
                if self.tls:
                    context = ssl.create_default_context(cafile=self.folder / "tls.crt")
                    stream = context.wrap_socket(stream, server_hostname="localhost")
                stream.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
                answer = b"".join(iter(lambda: stream.recv(4096), b""))
        except (ConnectionError, ssl.SSLEOFError):
            return "closed"
        head, _, body = answer.partition(b"\r\n\r\n")
        return body.decode().strip() if head.startswith(b"HTTP/1.1 200 ") else head.decode() or "closed"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def eventually(what: str, ask):
    deadline = time.monotonic() + 20
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain until {what}")
        time.sleep(0.05)
    return answer


@contextlib.contextmanager
def running(network: Network, folder: pathlib.Path):
    """The agents, by port."""
    agents = {}
    try:
        for port in AGENTS:
            agents[port] = network.start([sys.executable, HERE / "agent.py", port], folder / f"agent-{port}.log")
        for port in AGENTS:
            inside(network.here, wait_for, port)
        yield agents
    finally:
        for process in agents.values():
            process.kill()
            process.wait()


def ports(results: Results, lictor: Lictor, mode: str) -> None:
    """Which ports reach which agent, and what the records say of it."""
    for family, address in ADDRESSES.items():
        for port in (9000, 8081):
            path = f"/{family}/{port}"
            results.expect(f"{family}, port {port}", lictor.ask(address, port, path), f"agent {port}")
            record = lictor.record(path)
            source = record["source"].rpartition(":")[0].strip("[]")
            results.expect(f"the source in the record of {path}", source, CALLERS[family])
            results.expect(f"the listener in the record of {path}", record.get("listener"), "mesh")
            wanted = None if port == 9000 else port
            results.expect(f"the port in the record of {path}", record.get("agentPort"), wanted)
        told = lictor.ask(address, 8081, fields=WEBSOCKET)
        results.expect(f"{family}, a handshake of WebSocket", told, "agent 8081")
        if mode == "tproxy":
            told = lictor.ask(BEYOND[family], 8081)
            results.expect(f"{family}, an address of no machine", told, "agent 8081")


def refused(results: Results, lictor: Lictor) -> None:
    """Who gets nowhere, and is counted."""
    for family, address in ADDRESSES.items():
        results.expect(f"{family}, a port that is not listed", lictor.ask(address, 7777), "closed")
        results.expect(f"{family}, lictor's own port", lictor.ask(address, OWN_PORT), "closed")
    for cause in ("port", "direct"):
        name = f'lictor_connections_refused_total{{cause="{cause}",listener="mesh"}}'
        eventually(f"{name} is there", lambda name=name: lictor.metric(name) == 2)
        results.expect(name, lictor.metric(name), 2)


def beside(results: Results, lictor: Lictor) -> None:
    """The data port beside it is an ordinary one, and leads to the agent of `url`."""

    def get() -> str:
        with urllib.request.urlopen("http://127.0.0.1:8443/beside", timeout=10) as answer:
            return answer.read().decode().strip()

    results.expect("the listener beside", inside(lictor.network.here, get), "agent 9000")
    record = lictor.record("/beside")
    results.expect("the record of the listener beside", (record.get("listener"), record.get("agentPort")), (None, None))


def announced(results: Results, lictor: Lictor) -> None:
    """A balancer tells for whom it connects; the port is still the one that the kernel knows of."""
    header = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
    told = lictor.ask(ADDRESSES["v4"], 8081, "/announced", BALANCER, header)
    results.expect("a balancer's connection", told, "agent 8081")
    record = lictor.record("/announced")
    results.expect("the announced source", record["source"], "192.0.2.7:4711")
    results.expect("the port behind a balancer", record.get("agentPort"), 8081)


def one_is_down(results: Results, lictor: Lictor, agents: dict) -> None:
    """An agent that dies is its own trouble only. Comes last."""
    agents[8081].kill()
    agents[8081].wait()
    eventually("the dead agent is noticed", lambda: "the agent at port 8081 is not asked" in lictor.fetch("/readyz"))
    available = "lictor_upstream_available{{port=\"{}\"}}"
    eventually("the metric says so", lambda: lictor.metric(available.format(8081)) == 0)
    results.expect("the other is available", lictor.metric(available.format(9000)), 1)
    results.expect("the other answers", lictor.ask(ADDRESSES["v4"], 9000), "agent 9000")
    told = lictor.ask(ADDRESSES["v4"], 8081)
    results.expect("the dead one is answered for", told.split("\r\n")[0], "HTTP/1.1 503 Service Unavailable")


def scenario(results: Results, binary: pathlib.Path, name: str, home: pathlib.Path, tls: bool) -> None:
    mode, rules = SCENARIOS[name]
    before = results.failed
    network = Network()
    try:
        network.make()
        network.lines(rules)
        with running(network, home) as agents:
            lictor = Lictor(network, binary, home / "lictor", mode, tls)
            try:
                ports(results, lictor, mode)
                refused(results, lictor)
                beside(results, lictor)
                announced(results, lictor)
                one_is_down(results, lictor, agents)
            finally:
                lictor.kill()
    finally:
        network.close()
    print(f"{name}, {'TLS' if tls else 'plain'}: {'ok' if results.failed == before else 'FAILED'}", flush=True)


def without_the_right(results: Results, binary: pathlib.Path, home: pathlib.Path) -> None:
    """TPROXY asks for a right, and lictor says which."""
    (home / "policies").mkdir(parents=True)
    (home / "policies" / "policy.yaml").write_text(POLICY)
    config = CONFIG.format(mode="tproxy", balancer=BALANCER, guard=PLAIN)
    (home / "lictor.yaml").write_text(config)
    command = [*WITHOUT_RIGHTS, binary, "run", "--config", home / "lictor.yaml"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=60, check=False)
    results.expect("the exit code without the right", done.returncode, 3)
    results.expect("the remedy is named", "grant CAP_NET_ADMIN" in done.stdout + done.stderr, True)


def obstacle() -> str | None:
    """Why namespaces cannot be made here, if they cannot."""
    if os.geteuid() != 0:
        return "that takes root"
    missing = [tool for tool in ("ip", "iptables", "ip6tables", "nft", "setpriv") if not shutil.which(tool)]
    if missing:
        raise RuntimeError(f"not installed: {', '.join(missing)}")
    network = Network()
    try:
        network.make()
    except RuntimeError as error:
        return str(error)
    finally:
        network.close()
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lictor", type=pathlib.Path, required=True)
    binary = parser.parse_args().lictor.resolve()
    if why := obstacle():
        print(f"\n!!! SKIPPED: transparent listeners are NOT tested, because namespaces cannot be made: {why}\n")
        print("0 passed, 0 failed")
        return 0
    results = Results()
    with tempfile.TemporaryDirectory() as folder:
        for name in SCENARIOS:
            for tls in (False, True):
                home = pathlib.Path(folder) / f"{name} {tls}".replace(" ", "-")
                home.mkdir()
                scenario(results, binary, name, home, tls)
        without_the_right(results, binary, pathlib.Path(folder) / "without")
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


if __name__ == "__main__":
    sys.exit(main())
