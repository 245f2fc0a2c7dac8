"""A real WebSocket client and server with lictor between them.

usage: websocket.py LICTOR

Run by run.py, in an environment of its own. Prints one line per case; the exit code is 0 when none failed.
"""

import asyncio
import contextlib
import os
import pathlib
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

import pieces

POLICY = """\
lictor: v1
rules:
  pages:
    allow: "http:* /**"
    from: { anonymous: true }
  closed:
    deny: http:GET /closed
"""

FAILED = []


def policy(packs: str) -> str:
    return POLICY + (f"leaks:\n  packs: {{ {packs} }}\n" if packs else "")


def check(name: str, holds: bool, saw: object) -> None:
    print(f"ok    {name}" if holds else f"FAIL  {name}\n      saw: {saw!r}", flush=True)
    if not holds:
        FAILED.append(name)


def tunnel(url: str):
    return connect(url, subprotocols=["lab.v2", "lab.v1"], proxy=None)


async def agent(connection) -> None:
    """Says what is said, and tells a secret in pieces when asked to."""
    with contextlib.suppress(websockets.ConnectionClosed):
        await answer(connection)


async def answer(connection) -> None:
    async for message in connection:
        if message == "leak":
            for piece in pieces.leak():
                await connection.send(piece)
            await connection.send([piece for piece in pieces.leak()])
            await connection.send("done.")
        elif message == "bye":
            await connection.close(4321, "so long")
        else:
            await connection.send(message)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def guard(lictor: str, upstream: int, packs: str):
    """A running lictor; on leaving it must drain."""
    public, admin = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="interop-") as scratch:
        home = pathlib.Path(scratch)
        (home / "policies").mkdir()
        (home / "policies" / "policy.yaml").write_text(policy(packs))
        command = [lictor, "run", "--upstream", f"http://127.0.0.1:{upstream}"]
        command += ["--policies", home / "policies", "--state-dir", home]
        command += ["--listen", f"127.0.0.1:{public}", "--admin", f"127.0.0.1:{admin}"]
        with (home / "log").open("wb") as log:
            process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
            try:
                for _ in range(300):
                    with contextlib.suppress(OSError):
                        urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz").close()
                        break
                    time.sleep(0.1)
                yield f"ws://127.0.0.1:{public}"
                process.terminate()
                code = process.wait(40)
                check(f"lictor ({packs}) drains", code == 0, (home / "log").read_text())
            finally:
                process.kill()
                process.wait()
        written = (home / "audit.jsonl").read_text()
        secret = os.environ["INTEROP_SECRET"]
        check(f"lictor ({packs}) keeps the secret", secret[10:] not in written, written)


async def round_trips(url: str, name: str, compressed: bool) -> None:
    async with tunnel(f"{url}/chat") as client:
        check(f"{name}: subprotocol", client.subprotocol == "lab.v1", client.subprotocol)
        extensions = client.protocol.extensions
        check(f"{name}: compression {compressed}", bool(extensions) == compressed, extensions)
        large = "".join(random.choices("abc äöü 日本 ", k=300_000)) + "."
        for message in ("hello.", "", b"\x00\xff", "👩‍🚀 five.", large):
            await client.send(message)
            back = await asyncio.wait_for(client.recv(), 20)
            check(f"{name}: {message[:9]!r} comes back", back == message, back[:99])
        await client.send(["in ", "four ", "", "frames."])
        back = await asyncio.wait_for(client.recv(), 20)
        check(f"{name}: fragments", back == "in four frames.", back)
        await asyncio.wait_for(await client.ping(b"p"), 20)
        await client.send("bye")
        with contextlib.suppress(websockets.ConnectionClosed):
            await asyncio.wait_for(client.recv(), 20)
        seen = (client.close_code, client.close_reason)
        check(f"{name}: close", seen == (4321, "so long"), seen)


async def many(url: str, name: str) -> None:
    async def one(number: int) -> bool:
        async with tunnel(f"{url}/chat/{number}") as client:
            for turn in range(20):
                await client.send(f"{number} {turn}.")
                if await asyncio.wait_for(client.recv(), 20) != f"{number} {turn}.":
                    return False
        return client.close_code == 1000

    held = await asyncio.gather(*(one(number) for number in range(50)))
    check(f"{name}: 50 at a time", all(held), held.count(False))


async def refused(url: str) -> None:
    try:
        async with tunnel(f"{url}/closed"):
            check("a refusal", False, "open")
    except websockets.InvalidStatus as error:
        check("a refusal", error.response.status_code == 403, error)


async def leaks(url: str) -> None:
    async with tunnel(f"{url}/chat") as client:
        await client.send("leak")
        said = []
        while not said or said[-1] != "done.":
            said.append(await asyncio.wait_for(client.recv(), 20))
    text = "the token is ghp_[redacted:github-pat], keep it safe"
    check("a secret over messages is redacted", "".join(said[:-2]) == text, said)
    check("and one over frames", said[-2] == text, said)


async def blocks(url: str) -> None:
    async with tunnel(f"{url}/chat") as client:
        await client.send("leak")
        said = []
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                said.append(await asyncio.wait_for(client.recv(), 20))
    secret = os.environ["INTEROP_SECRET"]
    check("a block closes with 1008", client.close_code == 1008, client.close_reason)
    check("and nothing of it arrives", secret[5:9] not in "".join(said), said)


async def main(lictor: str) -> None:
    async with serve(agent, "127.0.0.1", 0, subprotocols=["lab.v1"]) as server:
        port = server.sockets[0].getsockname()[1]
        with guard(lictor, port, "") as url:
            await round_trips(url, "unscanned", True)
            await many(url, "unscanned")
            await refused(url)
        with guard(lictor, port, "credentials: redact, private-keys: block") as url:
            await round_trips(url, "scanned", False)
            await many(url, "scanned")
            await leaks(url)
        with guard(lictor, port, "credentials: block") as url:
            await blocks(url)


asyncio.run(main(sys.argv[1]))
sys.exit(1 if FAILED else 0)
