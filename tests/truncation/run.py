#!/usr/bin/env python3
"""An answer of the agent that ends too early is never seen as complete: by curl, h2load, and Python.

usage: run.py --lictor PATH

Asks through lictor, over TLS, with the scan off and on. An HTTP/1 body that ends with the connection is the one
form in which a death looks like an end, and is left out; a reset is none there either. Needs curl, h2load
(nghttp2-client) and Python 3.10 with `venv`; the libraries go into target/truncation, once. The last line is
`N passed, N failed`.
"""

import argparse
import contextlib
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / "target" / "truncation"
# Behind our own folder: both have an `agent`.
sys.path.append(str(HERE.parent / "soak"))

from agent import FORMS  # noqa: E402
from program import Lictor, free_port, wait_for  # noqa: E402

WHOLE = [f"/{form}/whole" for form in FORMS]
CUT = [f"/{form}/{death}" for form in FORMS for death in ("close", "reset")]
CUT.remove("/until-close/close")


def python() -> pathlib.Path:
    """The interpreter that has the libraries; made on first use, and when the pins change."""
    pins, interpreter, stamp = HERE / "requirements.txt", CACHE / "bin" / "python", CACHE / "pins"
    wanted = hashlib.sha256(pins.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(CACHE, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", CACHE], check=True)
        install = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "--no-deps", "-r", pins], check=True)
        stamp.write_text(wanted)
    return interpreter


@contextlib.contextmanager
def agent():
    port = free_port()
    process = subprocess.Popen([sys.executable, HERE / "agent.py", str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


def curl(options: str, url: str, ca: pathlib.Path) -> str:
    command = ["curl", "-sS", *options.split(), "--max-time", "20", "--cacert", ca, "-o", "/dev/null", "-w", "%{http_code}", url]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout == "200":
        return "whole"
    return f"exit {done.returncode}, status {done.stdout}: {done.stderr.strip()}"


def h2load(options: str, url: str, _ca: pathlib.Path) -> str:
    command = ["h2load", "-n", "2", "-c", "1", "-m", "1", *options.split(), url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    counts = re.search(r"requests: .*", done.stdout)
    succeeded = re.search(r"(\d+) succeeded", done.stdout)
    if not succeeded:
        raise RuntimeError(f"{done.stdout}\n{done.stderr}")
    if succeeded[1] == "2":
        return "whole"
    return counts[0] if succeeded[1] == "0" else f"whole at times: {counts[0]}"


TOOLS = {
    "curl over HTTP/1.0": lambda url, ca: curl("--http1.0", url, ca),
    "curl over HTTP/1.1": lambda url, ca: curl("--http1.1", url, ca),
    "curl over HTTP/2": lambda url, ca: curl("--http2", url, ca),
    "h2load over HTTP/1.1": lambda url, ca: h2load("--h1", url, ca),
    "h2load over HTTP/2": lambda url, ca: h2load("", url, ca),
}


def outcomes(lictor: Lictor):
    """Who asked for what, and what came of it."""
    base, ca = f"https://localhost:{lictor.port}", lictor.folder / "tls.crt"
    for name, tool in TOOLS.items():
        for path in WHOLE + CUT:
            yield name, path, tool(base + path, ca)
    command = [python(), HERE / "clients.py", base, ca, *WHOLE, *CUT]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        yield tuple(line.split("\t"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--lictor", type=pathlib.Path, required=True)
    options = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as home, agent() as port:
        for scan in (False, True):
            lictor = Lictor(options.lictor, pathlib.Path(home) / str(scan), port, tls=True, scan=scan)
            try:
                for name, path, outcome in outcomes(lictor):
                    holds = (outcome == "whole") == path.endswith("/whole") and "at times" not in outcome
                    passed, failed = passed + holds, failed + (not holds)
                    if not holds:
                        print(f"FAIL  {name}, {path}, scan {'on' if scan else 'off'}: {outcome}", flush=True)
            finally:
                lictor.kill()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
