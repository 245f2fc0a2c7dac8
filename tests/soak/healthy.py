"""A caller that asks a hundred times a second over one TLS connection, and prints what it waited, in ms.

usage: healthy.py PORT CERTIFICATE SECONDS
"""

import socket
import ssl
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


def main(port: int, certificate: str, seconds: float) -> None:
    context = ssl.create_default_context(cafile=certificate)
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = context.wrap_socket(plain, server_hostname="localhost")
    until = time.monotonic() + seconds
    while (begun := time.monotonic()) < until:
        stream.sendall(REQUEST)
        answer = stream.recv(65536)
        while not answer.endswith(b"}"):
            answer += stream.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200 "):
            sys.exit(answer.decode())
        print((time.monotonic() - begun) * 1000)
        time.sleep(0.01)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
