"""Callers that notice when they are not served: HTTP/1.1 and HTTP/2, in plain text and over TLS."""

import asyncio
import contextlib
import ssl
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1


class Refused(Exception):
    """No connection: the port is closed."""


class Broken(Exception):
    """A request that was sent has no whole answer."""


def context(lictor, protocol: str) -> ssl.SSLContext | None:
    if not lictor.tls:
        return None
    made = ssl.create_default_context(cafile=lictor.folder / "tls.crt")
    made.set_alpn_protocols([protocol])
    return made


@contextlib.asynccontextmanager
async def connection(lictor, protocol: str = "http/1.1"):
    tls = context(lictor, protocol)
    name = "localhost" if tls else None
    try:
        opened = asyncio.open_connection("127.0.0.1", lictor.port, ssl=tls, server_hostname=name)
        reader, writer = await asyncio.wait_for(opened, 20)
    except (OSError, ssl.SSLError) as error:
        raise Refused(str(error)) from error
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


class Http1:
    """One connection, used again as long as lictor lets it."""

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer
        self.is_open = True

    async def ask(self, path: str, method: str = "GET", body: bytes = b"") -> tuple[int, bytes]:
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        try:
            self.writer.write(head.encode() + body)
            await self.writer.drain()
            return await asyncio.wait_for(self.answer(), 60)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ssl.SSLError) as error:
            raise Broken(f"{method} {path}: {type(error).__name__} {error}") from error

    async def answer(self) -> tuple[int, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode().lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        self.is_open = fields.get("connection") != "close"
        if fields.get("transfer-encoding") != "chunked":
            return int(status.split()[1]), await self.reader.readexactly(int(fields["content-length"]))
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return int(status.split()[1]), body


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(path: str) -> bytes:
    """A head without Huffman coding and without a table (RFC 7541, section 6.2.2)."""
    fields = {":method": "GET", ":scheme": "https", ":authority": "localhost", ":path": path}
    coded = b""
    for name, value in fields.items():
        coded += b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
    return coded


class Http2:
    """One connection, one request at a time."""

    PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    def __init__(self, reader, writer) -> None:
        self.reader, self.writer = reader, writer
        self.stream, self.is_open = -1, True
        # Windows without end, but for what the agent sends for ever.
        settings = struct.pack(">HI", 4, 0x7FFFFFFF)
        self.writer.write(self.PREFACE + frame(SETTINGS, 0, 0, settings))
        self.writer.write(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFF0000)))

    async def ask(self, path: str) -> int | None:
        """The length of the body; `None` where lictor has said that it did not look at the request."""
        self.stream += 2
        self.writer.write(frame(HEADERS, END_STREAM | END_HEADERS, self.stream, block(path)))
        try:
            return await asyncio.wait_for(self.answer(), 60)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError, ssl.SSLError) as error:
            raise Broken(f"HTTP/2 {path}: {type(error).__name__} {error}") from error

    async def answer(self) -> int | None:
        length = 0
        while True:
            kind, flags, stream, payload = await self.next()
            if kind == PING and not flags & ACK:
                self.writer.write(frame(PING, ACK, 0, payload))
            elif kind == SETTINGS and not flags & ACK:
                self.writer.write(frame(SETTINGS, ACK, 0))
            elif kind == GOAWAY:
                self.is_open = False
                last, code = struct.unpack(">II", payload[:8])
                if code:
                    raise Broken(f"GOAWAY with code {code}")
                if last < self.stream:
                    return None
            elif stream == self.stream:
                if kind == RST_STREAM:
                    raise Broken(f"RST_STREAM with code {struct.unpack('>I', payload)[0]}")
                length += len(payload) if kind == DATA else 0
                if flags & END_STREAM:
                    return length

    async def next(self) -> tuple[int, int, int, bytes]:
        head = await self.reader.readexactly(9)
        length, kind, flags = int.from_bytes(head[:3]), head[3], head[4]
        return kind, flags, int.from_bytes(head[5:]), await self.reader.readexactly(length)
