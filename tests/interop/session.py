"""The half of a test client that does not depend on the SDK's version.

One order per line on stdin: `{"as": CALLER, "do": VERB, ...}`; one report per line on stdout:
`{"ok": {...}}` or `{"error": {"type": ..., "text": ...}}`, and in both the raw bytes of every body that
arrived. The driver judges; a client only tells what its SDK made of it.
"""

import asyncio
import base64
import json
import pathlib
import ssl
import sys
import traceback

import httpx


class Tap(httpx.AsyncHTTPTransport):
    """A transport that keeps a copy of everything that arrives, as it arrived."""

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.bodies: list[bytearray] = []
        self.statuses: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        self.statuses.append(response.status_code)
        self.bodies.append(bytearray())
        response.stream = Copied(response.stream, self.bodies[-1])
        return response


class Copied(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, copy: bytearray) -> None:
        self.stream = stream
        self.copy = copy

    async def __aiter__(self):
        async for piece in self.stream:
            self.copy += piece
            yield piece

    async def aclose(self) -> None:
        await self.stream.aclose()


async def serve(verbs, over_grpc) -> None:
    """`verbs` is an async function (httpx client, base URL, binding, order) -> a report as a dictionary, and
    `over_grpc` one (channel, address, version to speak, order)."""
    setup = json.loads(sys.stdin.readline())
    if "grpc" in setup:
        return await serve_grpc(over_grpc, setup)
    context = ssl.create_default_context(cafile=setup["ca"]) if setup["ca"] else True
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        token = setup["tokens"].get(order["as"])
        tap = Tap(verify=context)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=tap, headers=headers, timeout=20) as http:
            try:
                report = {"ok": await verbs(http, setup["url"], setup["binding"], order)}
            except Exception as error:
                report = failure(error)
        report["bodies"] = [base64.b64encode(body).decode() for body in tap.bodies]
        report["statuses"] = tap.statuses
        print(json.dumps(report), flush=True)


async def serve_grpc(verbs, setup) -> None:
    """The same over gRPC. The bodies are those of the report: what the SDK made of the messages is all there is."""
    import grpc

    loop = asyncio.get_running_loop()
    authority = pathlib.Path(setup["ca"]).read_bytes() if setup["ca"] else None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        token = setup["tokens"].get(order["as"])
        if authority:
            credentials = grpc.ssl_channel_credentials(authority)
            if token:
                bearer = grpc.access_token_call_credentials(token)
                credentials = grpc.composite_channel_credentials(credentials, bearer)
            channel = grpc.aio.secure_channel(setup["grpc"], credentials)
        else:
            channel = grpc.aio.insecure_channel(setup["grpc"])
        async with channel:
            try:
                report = {"ok": await verbs(channel, setup["grpc"], setup["speaks"], order)}
                report["statuses"] = ["OK"]
            except Exception as error:
                report = failure(error)
                # What the SDK made it of, where it made something of it.
                status = error if isinstance(error, grpc.aio.AioRpcError) else error.__cause__
                codes = [status.code().name] if isinstance(status, grpc.aio.AioRpcError) else []
                report["statuses"] = codes
        shown = json.dumps(report).encode()
        report["bodies"] = [base64.b64encode(shown).decode()]
        print(json.dumps(report), flush=True)


def failure(error: Exception) -> dict:
    kind = type(error)
    return {
        "error": {
            "type": f"{kind.__module__}.{kind.__qualname__}",
            "text": str(error),
            "trace": traceback.format_exc(),
        }
    }
