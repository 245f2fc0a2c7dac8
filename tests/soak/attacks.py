"""What a healthy caller waits while others attack."""

import asyncio
import contextlib
import os
import pathlib
import statistics
import struct
import subprocess
import sys

from callers import (
    END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, SETTINGS, Http2, Refused, block, connection, frame,
)

# What the healthy caller may wait, in milliseconds, at the 99th percentile.
MOST = 50
# What docs/operating.md adds up to for the attacks below: 2000 TLS connections that are idle; 500 calls, each
# with what its caller does not take and its connection to the agent. In MiB.
SUM = 64 + 2000 * 48 // 1024 + 500 * (64 + 64 + 128) // 1024
CONTINUATION = 9
HERE = pathlib.Path(__file__).resolve().parent


async def held(lictor, count: int, first: bytes) -> None:
    """Connections that send this and then nothing."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(Refused):
                reader, writer = await stack.enter_async_context(connection(lictor))
                # What is not read stays in the socket.
                writer.transport.pause_reading()
                writer.write(first)
        await asyncio.sleep(3600)


async def flood(lictor, pieces) -> None:
    """HTTP/2 connections on which the same is sent until lictor hangs up, one after the other."""
    while True:
        with contextlib.suppress(Refused, OSError):
            async with connection(lictor, "h2") as (reader, writer):
                caller = Http2(reader, writer)
                for index in range(100_000):
                    if reader.at_eof() or writer.transport.is_closing():
                        break
                    writer.write(pieces(index * 2 + 1))
                    if index % 20 == 0:
                        await writer.drain()
                        await asyncio.sleep(0)
                    # Else its answers would fill our memory.
                    while len(reader._buffer) > 9:
                        await caller.next()
        await asyncio.sleep(0)


def ask(stream: int, path: str) -> bytes:
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, block(path))


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()


SLOW_BODY = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nhalf"
BOMB = block("/") + b"\x40\x01x" + b"\x7f\xa1\x1e" + b"a" * 4000 + b"\xbe" * 8000
ATTACKS = {
    "nothing": lambda lictor: asyncio.sleep(3600),
    "2000 idle connections": lambda lictor: held(lictor, 2000, b""),
    "slow heads": lambda lictor: held(lictor, 500, b"GET / HTTP/1.1\r\nhost: loc"),
    "slow bodies": lambda lictor: held(lictor, 500, SLOW_BODY),
    "readers of 10 MiB that do not read": lambda lictor: held(lictor, 15, get("/large/640")),
    "agents that hang": lambda lictor: held(lictor, 200, get("/hang")),
    "agents that never end": lambda lictor: held(lictor, 15, get("/endless")),
    "decompression bombs": lambda lictor: held(lictor, 200, get("/bomb")),
    "rapid reset": lambda lictor: flood(
        lictor, lambda stream: ask(stream, "/hang") + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
    ),
    "made you reset": lambda lictor: flood(
        lictor, lambda stream: ask(stream, "/hang") + frame(8, 0, stream, struct.pack(">I", 0x7FFFFFFF))
    ),
    "ping": lambda lictor: flood(lictor, lambda stream: frame(PING, 0, 0, b"\0" * 8)),
    "settings": lambda lictor: flood(lictor, lambda stream: frame(SETTINGS, 0, 0)),
    "continuation": lambda lictor: flood(
        lictor,
        lambda stream: frame(HEADERS, END_STREAM, 1, block("/")) if stream == 1 else frame(CONTINUATION, 0, 1),
    ),
    "hpack bomb": lambda lictor: flood(
        lictor, lambda stream: frame(HEADERS, END_STREAM | END_HEADERS, stream, BOMB)
    ),
}


async def run(cases, lictor, seconds: int) -> None:
    for name, attack in ATTACKS.items():
        task = asyncio.create_task(attack(lictor))
        # Sockets fill first, which is work and no attack.
        await asyncio.sleep(3)
        waits = await healthy(lictor, seconds)
        if task.done():
            cases.check(f"beside {name}", False, f"the attack ended: {task.exception()}")
            continue
        # More than once: a wait that ends at the same moment swallows it.
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=1)
        if len(waits) < 2:
            cases.check(f"beside {name}", False, "nobody is served")
            continue
        percentiles = statistics.quantiles(waits, n=100)
        saw = f"{len(waits)} calls, p50 {percentiles[49]:.2f} ms, p99 {percentiles[98]:.2f} ms"
        saw += f", {lictor.memory() >> 20} MiB"
        cases.check(f"beside {name}, p99 below {MOST} ms", percentiles[98] < MOST, saw)
    peak = lictor.memory("VmHWM") >> 20
    cases.check(f"memory stays below the documented {SUM} MiB", peak <= SUM, f"{peak} MiB")


async def healthy(lictor, seconds: int) -> list[float]:
    """What a caller in a process of its own waits for each call, in milliseconds. A failure ends it."""
    command = [sys.executable, HERE / "healthy.py", str(lictor.port), lictor.folder / "tls.crt", str(seconds)]
    process = await asyncio.create_subprocess_exec(
        *map(os.fspath, command), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    return [float(line) for line in said.split()] if process.returncode == 0 else []
