"""The test client on the 0.3 SDK; see session.py for how it is driven."""

import asyncio
import uuid

import session
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskIdParams,
    TaskQueryParams,
    TextPart,
    TransportProtocol,
)


async def verbs(http, url, binding, order):
    card = await A2ACardResolver(http, url).get_agent_card()
    if order["do"] == "card":
        return {"name": card.name, "url": card.url}
    verb = order["do"]
    config = ClientConfig(
        httpx_client=http,
        streaming=verb == "stream",
        polling=bool(order.get("polling")),
        supported_transports=[TransportProtocol(binding)],
    )
    return await act(ClientFactory(config).create(card), order)


async def over_grpc(channel, address, _, order):
    card = AgentCard(
        name="interop-agent",
        description="",
        version="1.0.0",
        url=address,
        preferred_transport=TransportProtocol.grpc,
        capabilities=AgentCapabilities(streaming=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[],
    )
    config = ClientConfig(
        grpc_channel_factory=lambda _: channel,
        supported_transports=[TransportProtocol.grpc],
        streaming=order["do"] == "stream",
        polling=bool(order.get("polling")),
    )
    return await act(ClientFactory(config).create(card), order)


async def act(client, order):
    match order["do"]:
        case "get":
            return task(await client.get_task(TaskQueryParams(id=order["task"])))
        case "cancel":
            return task(await client.cancel_task(TaskIdParams(id=order["task"])))
        case "send" | "stream":
            message = Message(
                role=Role.user,
                message_id=uuid.uuid4().hex,
                parts=[Part(root=TextPart(text=order["text"]))],
            )
            return await told(client.send_message(message))


async def told(answers):
    """What a stream told: its pieces of text, and the task as it stood last."""
    pieces, last, count = [], {}, 0
    async for answer in answers:
        count += 1
        if isinstance(answer, Message):
            last = {"text": text(answer.parts)}
            continue
        current, event = answer
        if isinstance(event, TaskArtifactUpdateEvent):
            pieces.append(text(event.artifact.parts))
        last = task(current)
    return last | {"pieces": pieces, "events": count}


def task(value: Task):
    said = value.status.message
    return {
        "task": value.id,
        "state": value.status.state.value,
        "text": "".join(text(artifact.parts) for artifact in value.artifacts or []),
        "status": text(said.parts) if said else "",
    }


def text(parts) -> str:
    return "".join(part.root.text for part in parts if isinstance(part.root, TextPart))


asyncio.run(session.serve(verbs, over_grpc))
