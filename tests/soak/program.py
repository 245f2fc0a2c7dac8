"""lictor as a process, and what it holds."""

import pathlib
import socket
import subprocess
import time
import urllib.request

POLICY = """\
lictor: v1
rules:
  everybody:
    allow: "http:* /**"
    from: {{ anonymous: true }}
  nobody:
    deny: "http:* /forbidden"
  generation-{number}:
    deny: "http:DELETE /{number}"
{leaks}"""

SCAN = """\
leaks:
  packs: { credentials: redact, private-keys: block }
"""

CONFIG = """\
lictor: v1
upstream: {{ url: "http://127.0.0.1:{agent}" }}
listeners: {{ public: {{ limits: {{ connections: 6000, perSource: 6000 }} }} }}
policies: {{ path: policies, poll: 1s }}
telemetry: {{ logs: {{ level: warn }} }}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int) -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def certificate(folder: pathlib.Path) -> None:
    """A certificate for `localhost` that vouches for itself."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", folder / "tls.key", "-out", folder / "tls.crt"]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)


class Lictor:
    """A running lictor. Its folder holds the policy, the log and the audit file."""

    def __init__(self, binary: pathlib.Path, folder: pathlib.Path, agent: int, tls: bool, scan: bool) -> None:
        self.folder, self.tls = folder, tls
        self.port, self.admin = free_port(), free_port()
        self.leaks = SCAN if scan else ""
        self.number = 0
        (folder / "policies").mkdir(parents=True)
        self.rewrite()
        (folder / "lictor.yaml").write_text(CONFIG.format(agent=agent))
        command = [binary, "run", "--config", folder / "lictor.yaml", "--state-dir", folder]
        command += ["--listen", f"127.0.0.1:{self.port}", "--admin", f"127.0.0.1:{self.admin}"]
        if tls:
            certificate(folder)
            command += ["--tls-cert", folder / "tls.crt", "--tls-key", folder / "tls.key"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"lictor did not start:\n{(folder / 'log').read_text()}")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        try:
            return self.fetch("/readyz") is not None
        except OSError:
            return False

    def fetch(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10) as answer:
            return answer.read().decode()

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = [line for line in self.fetch("/metrics").splitlines() if line.startswith(name)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def rewrite(self) -> int:
        """Another policy, written beside and renamed. Gives the number of the generation it will be."""
        self.number += 1
        policies = self.folder / "policies"
        (policies / ".new").write_text(POLICY.format(number=self.number, leaks=self.leaks))
        (policies / ".new").rename(policies / "policy.yaml")
        return self.number

    def memory(self, field: str = "VmRSS") -> int:
        """Bytes of memory held now, or at most so far (`VmHWM`)."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) * 1024

    def descriptors(self) -> int:
        return sum(1 for _ in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
