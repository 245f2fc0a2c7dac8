"""An agent for load: answers by path, over HTTP/1.1 with keep-alive.

usage: agent.py PORT
"""

import asyncio
import gzip
import sys

PIECE = b"x" * 16384
# 8 MiB in some 8 KiB.
BOMB = gzip.compress(b"\0" * (8 << 20))
EVENT = b"data: {\"text\": \"a piece of an answer that says nothing\"}\n\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


async def read_request(reader) -> tuple[bytes, bytes, int] | None:
    """Method, path and length of the body of the next request; `None` at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = head.split(b"\r\n")
    method, path, _ = lines[0].split(b" ")
    fields = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
    length = 0
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
            length += size
        await reader.readline()
    else:
        length = int(fields.get(b"content-length", 0))
        left = length
        while left:
            left -= len(await reader.readexactly(min(left, 65536)))
    return method, path, length


async def serve(reader, writer) -> None:
    try:
        while request := await read_request(reader):
            if not await answer(writer, *request):
                break
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def answer(writer, method: bytes, path: bytes, length: int) -> bool:
    """Whether the connection may be used again."""
    _, kind, *rest = path.split(b"/")
    count = int(rest[0]) if rest else 0
    head = b"HTTP/1.1 200 OK\r\ncontent-type: "
    if kind == b"stream":
        writer.write(head + b"text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in range(count):
            writer.write(chunk(EVENT))
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")
    elif kind == b"large":
        writer.write(head + b"application/octet-stream\r\ncontent-length: %d\r\n\r\n" % (count * len(PIECE)))
        for _ in range(count):
            writer.write(PIECE)
            await writer.drain()
    elif kind == b"endless":
        writer.write(head + b"application/octet-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(chunk(PIECE))
            await writer.drain()
    elif kind == b"hang":
        await asyncio.sleep(60)
        return False
    elif kind == b"bomb":
        writer.write(head + b"text/plain\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(BOMB) + BOMB)
    elif kind == b"die":
        writer.write(head + b"text/plain\r\ncontent-length: 100\r\n\r\nhalf of it")
        await writer.drain()
        return False
    else:
        body = b'{"read": %d}' % length
        writer.write(head + b"application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()
    return True


async def main(port: int) -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
