"""Mixed traffic: what callers of all kinds do, again and again, until they are told to stop."""

import asyncio
import random

from callers import Broken, Http1, Http2, Refused, connection

UPLOAD = b"u" * 100_000


class Load:
    """Callers on one lictor. What goes wrong is kept, and said at the end."""

    def __init__(self, lictor, pace: float = 1) -> None:
        self.lictor = lictor
        self.pace = pace
        self.served = 0
        self.wrong: list[str] = []
        self.is_over = False
        # From here on a closed port is no failure: the process was told to stop.
        self.is_stopping = False
        self.tasks: list[asyncio.Task] = []

    def start(self, kinds: dict) -> None:
        for kind, count in kinds.items():
            self.tasks += [asyncio.create_task(self.repeat(kind)) for _ in range(count)]

    async def stop(self) -> None:
        self.is_over = True
        await asyncio.gather(*self.tasks)

    async def repeat(self, kind) -> None:
        while not self.is_over:
            try:
                await kind(self)
            except Refused as refused:
                if self.is_stopping:
                    return
                self.wrong.append(f"{kind.__name__}: refused: {refused}")
                await asyncio.sleep(0.1)
            except Broken as broken:
                self.wrong.append(f"{kind.__name__}: {broken}")
            await asyncio.sleep(0)

    async def rest(self, seconds: float) -> None:
        """What a caller waits before it goes on."""
        await asyncio.sleep(seconds * self.pace)

    def expect(self, holds: bool, what: str) -> None:
        self.served += holds
        if not holds:
            self.wrong.append(what)


async def keep_alive(load: Load) -> None:
    """Requests of several kinds on one connection."""
    async with connection(load.lictor) as (reader, writer):
        caller = Http1(reader, writer)
        for _ in range(50):
            if load.is_over or not caller.is_open:
                return
            path, wanted = random.choice([("/", 200), ("/large/16", 200), ("/forbidden", 403)])
            status, body = await caller.ask(path)
            whole = len(body) == 16 * 16384 if path == "/large/16" else bool(body)
            load.expect(status == wanted and whole, f"{path}: {status}, {len(body)} bytes")
            await load.rest(0.005)


async def short(load: Load) -> None:
    """One request on each connection."""
    async with connection(load.lictor) as (reader, writer):
        status, _ = await Http1(reader, writer).ask("/")
        load.expect(status == 200, f"short: {status}")
    await load.rest(0.02)


async def upload(load: Load) -> None:
    async with connection(load.lictor) as (reader, writer):
        status, body = await Http1(reader, writer).ask("/up", "POST", UPLOAD)
        load.expect((status, body) == (200, b'{"read": 100000}'), f"upload: {status} {body[:80]}")
    await load.rest(0.02)


async def events(load: Load) -> None:
    """A stream of a second."""
    async with connection(load.lictor) as (reader, writer):
        status, body = await Http1(reader, writer).ask("/stream/20")
        load.expect(status == 200 and body.count(b"data: ") == 20, f"events: {status} {body[-80:]}")


async def http2(load: Load) -> None:
    async with connection(load.lictor, "h2") as (reader, writer):
        caller = Http2(reader, writer)
        for _ in range(50):
            if load.is_over or not caller.is_open:
                return
            path, least = random.choice([("/", 1), ("/large/16", 16 * 16384), ("/stream/3", 100)])
            length = await caller.ask(path)
            # What was not looked at may be asked elsewhere.
            load.expect(length is None or length >= least, f"HTTP/2 {path}: {length} bytes")
            await load.rest(0.005)


async def aborts(load: Load) -> None:
    """Goes away in the middle of a head, of a body, of an answer."""
    async with connection(load.lictor) as (reader, writer):
        which = random.randrange(3)
        writer.write(
            [
                b"GET / HTTP/1.1\r\nhost: loc",
                b"POST /up HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nhalf",
                b"GET /stream/100 HTTP/1.1\r\nhost: localhost\r\n\r\n",
            ][which]
        )
        if which == 2:
            await reader.read(100)
    await load.rest(0.05)


async def dying(load: Load) -> None:
    """An answer of which the agent sends a half is not complete for the caller either."""
    async with connection(load.lictor) as (reader, writer):
        try:
            status, body = await Http1(reader, writer).ask("/die")
        except Broken:
            load.expect(True, "")
        else:
            load.expect(status == 502, f"half an answer looks complete: {status} {body}")
    await load.rest(0.1)


ALL = {keep_alive: 6, short: 2, upload: 2, events: 6, http2: 4, aborts: 2, dying: 1}
# Those that notice a stop in the middle of what they do.
AT_A_STOP = {keep_alive: 8, events: 4, upload: 1, http2: 4}
