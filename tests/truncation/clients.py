"""What the HTTP libraries of Python make of answers.

usage: clients.py URL CA PATH...

Prints a line for each library and path: the library, the path, and `whole` or why it is not.
"""

import asyncio
import http.client
import ssl
import sys
import urllib.request

import aiohttp
import httpx


def with_urllib(base: str, context: ssl.SSLContext, path: str) -> int:
    with urllib.request.urlopen(base + path, timeout=20, context=context) as answer:
        answer.read()
        return answer.status


def with_http_client(base: str, context: ssl.SSLContext, path: str) -> int:
    host = base.removeprefix("https://")
    connection = http.client.HTTPSConnection(host, timeout=20, context=context)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def with_httpx(base: str, context: ssl.SSLContext, path: str, http2: bool = False) -> int:
    with httpx.Client(verify=context, http2=http2, http1=not http2, timeout=20) as client:
        answer = client.get(base + path)
        if answer.http_version != ("HTTP/2" if http2 else "HTTP/1.1"):
            sys.exit(f"httpx spoke {answer.http_version}")
        return answer.status_code


def with_httpx2(base: str, context: ssl.SSLContext, path: str) -> int:
    return with_httpx(base, context, path, http2=True)


def with_aiohttp(base: str, context: ssl.SSLContext, path: str) -> int:
    async def ask() -> int:
        async with aiohttp.ClientSession() as session, session.get(base + path, ssl=context) as answer:
            await answer.read()
            return answer.status

    return asyncio.run(ask())


LIBRARIES = {
    "urllib": with_urllib,
    "http.client": with_http_client,
    "httpx": with_httpx,
    "httpx over HTTP/2": with_httpx2,
    "aiohttp": with_aiohttp,
}


def main(base: str, ca: str, paths: list[str]) -> None:
    for name, ask in LIBRARIES.items():
        for path in paths:
            context = ssl.create_default_context(cafile=ca)
            try:
                status = ask(base, context, path)
                outcome = "whole" if status == 200 else f"status {status}"
            except Exception as error:  # noqa: BLE001, whatever a library says is its way to say no
                outcome = f"{type(error).__name__}: {error}".replace("\n", " ")
            print(f"{name}\t{path}\t{outcome}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
