"""The test agent on the 1.x SDK, with its compatibility for 0.3 on.

usage: agent_v1.py PORT PUBLIC_URL [GRPC_PORT]
"""

import asyncio
import sys

import grpc
import uvicorn
from a2a.compat.v0_3 import a2a_v0_3_pb2_grpc
from a2a.compat.v0_3.grpc_handler import CompatGrpcHandler
from a2a.helpers import new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, a2a_pb2_grpc
from starlette.applications import Starlette

import pieces


class Executor(AgentExecutor):
    """Does what the message's text says: stream, leak or wait; anything else is echoed."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        task = context.current_task or new_task_from_user_message(context.message)
        await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        await updater.start_work()
        match context.get_user_input():
            case "stream":
                await stream(updater, pieces.STREAM)
            case "leak":
                await stream(updater, pieces.leak())
            case "tell":
                await stream(updater, ["working ", pieces.whole()])
            case "wait":
                await asyncio.sleep(30)
            case text:
                await updater.add_artifact([new_text_part(f"echo: {text}")], artifact_id="a1")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


async def stream(updater: TaskUpdater, texts: list[str]) -> None:
    for index, text in enumerate(texts):
        await updater.add_artifact(
            [new_text_part(text)],
            artifact_id="a1",
            append=index > 0,
            last_chunk=index == len(texts) - 1,
        )
        await asyncio.sleep(0.05)


def card(url: str) -> AgentCard:
    return AgentCard(
        name="interop-agent",
        description="Echoes, streams, leaks and waits on request.",
        version="1.0.0",
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version=version)
            for binding in ("JSONRPC", "HTTP+JSON")
            for version in ("1.0", "0.3")
        ],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="echo", name="Echo", description="Says it again", tags=["test"])],
    )


async def main(port: int, url: str, grpc_port: int | None = None) -> None:
    handler = DefaultRequestHandler(
        agent_executor=Executor(), task_store=InMemoryTaskStore(), agent_card=card(url)
    )
    app = Starlette(
        routes=[
            *create_agent_card_routes(card(url)),
            *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True),
            *create_rest_routes(handler, enable_v0_3_compat=True),
        ]
    )
    if grpc_port:
        await over_grpc(handler, grpc_port)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")
    await uvicorn.Server(config).serve()


async def over_grpc(handler: DefaultRequestHandler, port: int) -> None:
    server = grpc.aio.server()
    a2a_pb2_grpc.add_A2AServiceServicer_to_server(GrpcHandler(handler), server)
    a2a_v0_3_pb2_grpc.add_A2AServiceServicer_to_server(CompatGrpcHandler(handler), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    SERVERS.append(server)


# A server stops when nobody holds it.
SERVERS = []


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])))
