"""The test client on the 1.x SDK; see session.py for how it is driven."""

import asyncio
import uuid

import session
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import (
    AgentCapabilities,
    AgentCard,
    AgentInterface,
    CancelTaskRequest,
    GetTaskRequest,
    Message,
    Part,
    Role,
    SendMessageRequest,
    Task,
    TaskState,
)


async def verbs(http, url, binding, order):
    card = await A2ACardResolver(http, url).get_agent_card()
    if order["do"] == "card":
        return {"name": card.name, "url": card.supported_interfaces[0].url}
    verb = order["do"]
    config = ClientConfig(
        httpx_client=http,
        streaming=verb == "stream",
        polling=bool(order.get("polling")),
        supported_protocol_bindings=[binding],
    )
    return await act(ClientFactory(config).create(card), order)


async def over_grpc(channel, address, speaks, order):
    interface = AgentInterface(url=address, protocol_binding="GRPC", protocol_version=speaks)
    card = AgentCard(
        supported_interfaces=[interface], capabilities=AgentCapabilities(streaming=True)
    )
    config = ClientConfig(
        grpc_channel_factory=lambda _: channel,
        supported_protocol_bindings=["GRPC"],
        streaming=order["do"] == "stream",
        polling=bool(order.get("polling")),
    )
    return await act(ClientFactory(config).create(card), order)


async def act(client, order):
    match order["do"]:
        case "get":
            return task(await client.get_task(GetTaskRequest(id=order["task"])))
        case "cancel":
            return task(await client.cancel_task(CancelTaskRequest(id=order["task"])))
        case "send" | "stream":
            message = Message(
                role=Role.ROLE_USER,
                message_id=uuid.uuid4().hex,
                parts=[Part(text=order["text"])],
            )
            return await told(client.send_message(SendMessageRequest(message=message)))


async def told(answers):
    """What a stream told: its pieces of text, and the task as it stood last."""
    pieces, last, count = [], {}, 0
    async for answer in answers:
        count += 1
        match answer.WhichOneof("payload"):
            case "artifact_update":
                pieces.append(text(answer.artifact_update.artifact.parts))
            case "message":
                last |= {"text": text(answer.message.parts)}
            case "status_update":
                status = answer.status_update.status
                last |= {"state": state(status), "status": text(status.message.parts)}
            case "task":
                last |= task(answer.task)
    if pieces:
        last["text"] = "".join(pieces)
    return last | {"pieces": pieces, "events": count}


def task(value: Task):
    return {
        "task": value.id,
        "state": state(value.status),
        "text": "".join(text(artifact.parts) for artifact in value.artifacts),
        "status": text(value.status.message.parts),
    }


def state(status) -> str:
    """`TASK_STATE_INPUT_REQUIRED` as the older versions spell it."""
    return TaskState.Name(status.state).removeprefix("TASK_STATE_").lower().replace("_", "-")


def text(parts) -> str:
    return "".join(part.text for part in parts)


asyncio.run(session.serve(verbs, over_grpc))
