"""An agent whose answers end too early.

usage: agent.py PORT

`/FORM/DEATH` gives half an answer in that form and then dies in that way; `/FORM/whole` gives all of it.
"""

import socket
import socketserver
import struct
import sys

BODY = b'{"text": "an answer of which the end is missing, and nobody may think that it is all"}'
HALF = len(BODY) // 2


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(data: bytes) -> bytes:
    return chunk(b"data: " + data + b"\n\n")


def head(*fields: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *fields, b"", b""])


JSON, CHUNKED = b"content-type: application/json", b"transfer-encoding: chunked"
EVENTS = b"content-type: text/event-stream"
END = b"0\r\n\r\n"

# What is sent before the death, and what the rest would be.
FORMS = {
    "length": (head(JSON, b"content-length: %d" % len(BODY)) + BODY[:HALF], BODY[HALF:]),
    "length-nothing": (head(JSON, b"content-length: %d" % len(BODY)), BODY),
    "chunks": (head(JSON, CHUNKED) + chunk(BODY[:HALF]), chunk(BODY[HALF:]) + END),
    "chunk": (head(JSON, CHUNKED) + chunk(BODY)[:HALF], chunk(BODY)[HALF:] + END),
    "last-chunk": (head(JSON, CHUNKED) + chunk(BODY), END),
    "last-line": (head(JSON, CHUNKED) + chunk(BODY) + b"0\r\n", b"\r\n"),
    "events": (head(EVENTS, CHUNKED) + event(b"first"), event(b"last") + END),
    "event": (head(EVENTS, CHUNKED) + event(b"first") + event(b"last")[:12], event(b"last")[12:] + END),
    "until-close": (head(JSON, b"connection: close") + BODY[:HALF], BODY[HALF:]),
}


class Agent(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        # After a whole answer the connection stays, as HTTP/1.1 has it (RFC 9112, section 9.3): one that closes
        # without a word may meet the next request on its way, and that is another story than a cut answer.
        while self.answer():
            pass

    def answer(self) -> bool:
        """Whether there may be another request."""
        line = self.rfile.readline()
        if not line:
            return False
        path = line.split(b" ")[1].decode()
        while self.rfile.readline().strip():
            pass
        form, death = path.strip("/").split("/")
        first, rest = FORMS[form]
        self.wfile.write(first)
        if death == "whole":
            self.wfile.write(rest)
            return form != "until-close"
        if death == "reset":
            # Closed with nothing to linger for, a socket resets (socket(7), SO_LINGER).
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        return False


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 128


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Agent).serve_forever()
