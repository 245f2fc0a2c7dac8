"""The test agent on the 0.3 SDK. usage: agent_v03.py PORT PUBLIC_URL [GRPC_PORT]"""

import asyncio
import sys

import grpc
import uvicorn
from a2a.grpc import a2a_pb2_grpc
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.apps import A2ARESTFastAPIApplication, A2AStarletteApplication
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler, GrpcHandler
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Part, TextPart
from a2a.utils import new_task

import pieces


class Executor(AgentExecutor):
    """Does what the message's text says: stream, leak or wait; anything else is echoed."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        task = context.current_task or new_task(context.message)
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
                await updater.add_artifact([part(f"echo: {text}")], artifact_id="a1")
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


async def stream(updater: TaskUpdater, texts: list[str]) -> None:
    for index, text in enumerate(texts):
        await updater.add_artifact(
            [part(text)],
            artifact_id="a1",
            append=index > 0,
            last_chunk=index == len(texts) - 1,
        )
        await asyncio.sleep(0.05)


def part(text: str) -> Part:
    return Part(root=TextPart(text=text))


def card(url: str) -> AgentCard:
    return AgentCard(
        name="interop-agent",
        description="Echoes, streams, leaks and waits on request.",
        url=url,
        version="1.0.0",
        protocol_version="0.3.0",
        additional_interfaces=[AgentInterface(transport="HTTP+JSON", url=url)],
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="echo", name="Echo", description="Says it again", tags=["test"])],
    )


async def main(port: int, url: str, grpc_port: int | None = None) -> None:
    handler = DefaultRequestHandler(agent_executor=Executor(), task_store=InMemoryTaskStore())
    app = A2AStarletteApplication(agent_card=card(url), http_handler=handler).build()
    rest = A2ARESTFastAPIApplication(agent_card=card(url), http_handler=handler).build()
    app.mount("/", rest)
    if grpc_port:
        await over_grpc(handler, card(url), grpc_port)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning")
    await uvicorn.Server(config).serve()


async def over_grpc(handler: DefaultRequestHandler, agent_card: AgentCard, port: int) -> None:
    server = grpc.aio.server()
    a2a_pb2_grpc.add_A2AServiceServicer_to_server(GrpcHandler(agent_card, handler), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    SERVERS.append(server)


# A server stops when nobody holds it.
SERVERS = []


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])))
