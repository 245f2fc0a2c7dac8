// The test agent on the SDK for Node, with its compatibility for 0.3 on. usage: agent.mjs PORT PUBLIC_URL

import { setTimeout as sleep } from "node:timers/promises";

import { AGENT_CARD_PATH, Role, TaskState } from "@a2a-js/sdk";
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from "@a2a-js/sdk/server";
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from "@a2a-js/sdk/server/express";
import express from "express";

import * as pieces from "./pieces.mjs";

const [port, url] = [Number(process.argv[2]), process.argv[3]];

const part = (text) => ({ content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "" });

// Does what the message's text says: stream, leak or wait; anything else is echoed.
class Executor {
  constructor() {
    this.waiting = new Map();
  }

  async execute(context, bus) {
    const { taskId, contextId, userMessage } = context;
    const status = (state) => ({ state, message: undefined, timestamp: new Date().toISOString() });
    const update = (state) =>
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(state), metadata: undefined }));
    bus.publish(
      AgentEvent.task({
        id: taskId,
        contextId,
        status: status(TaskState.TASK_STATE_SUBMITTED),
        history: [userMessage],
        artifacts: [],
        metadata: undefined,
      }),
    );
    update(TaskState.TASK_STATE_WORKING);
    const tell = async (texts) => {
      for (const [at, text] of texts.entries()) {
        const artifact = {
          artifactId: "a1",
          name: "",
          description: "",
          parts: [part(text)],
          metadata: undefined,
          extensions: [],
        };
        const lastChunk = at === texts.length - 1;
        bus.publish(
          AgentEvent.artifactUpdate({ taskId, contextId, artifact, append: at > 0, lastChunk, metadata: undefined }),
        );
        await sleep(50);
      }
    };
    const text = userMessage.parts.map((it) => it.content?.value ?? "").join("");
    let cancelled = false;
    switch (text) {
      case "stream":
        await tell(pieces.STREAM);
        break;
      case "leak":
        await tell(pieces.leak());
        break;
      case "wait": {
        const abort = new AbortController();
        this.waiting.set(taskId, abort);
        cancelled = await sleep(30_000, false, { signal: abort.signal }).catch(() => true);
        break;
      }
      default:
        await tell([`echo: ${text}`]);
    }
    update(cancelled ? TaskState.TASK_STATE_CANCELED : TaskState.TASK_STATE_COMPLETED);
    bus.finished();
  }

  cancelTask = async (taskId) => this.waiting.get(taskId)?.abort();
}

const interfaces = ["JSONRPC", "HTTP+JSON"].flatMap((protocolBinding) =>
  ["1.0", "0.3"].map((protocolVersion) => ({ url, protocolBinding, protocolVersion, tenant: "" })),
);
const card = {
  name: "interop-agent",
  description: "Echoes, streams, leaks and waits on request.",
  version: "1.0.0",
  supportedInterfaces: interfaces,
  provider: undefined,
  documentationUrl: "",
  capabilities: { streaming: true, pushNotifications: false, extensions: [] },
  securitySchemes: {},
  securityRequirements: [],
  defaultInputModes: ["text/plain"],
  defaultOutputModes: ["text/plain"],
  skills: [
    {
      id: "echo",
      name: "Echo",
      description: "Says it again",
      tags: ["test"],
      examples: [],
      inputModes: [],
      outputModes: [],
      securityRequirements: [],
    },
  ],
  signatures: [],
  iconUrl: "",
};

const requestHandler = new DefaultRequestHandler(card, new InMemoryTaskStore(), new Executor());
const options = { requestHandler, userBuilder: UserBuilder.noAuthentication, legacyCompat: { enabled: true } };
const app = express();
const cards = agentCardHandler({ agentCardProvider: requestHandler, legacyCompat: { enabled: true } });
app.use(`/${AGENT_CARD_PATH}`.replace("//", "/"), cards);
// JSON-RPC is what is posted to the root; everything else is REST.
const rpc = jsonRpcHandler(options);
app.use((request, answer, next) =>
  request.method === "POST" && request.path === "/" ? rpc(request, answer, next) : next(),
);
app.use(restHandler(options));
app.listen(port, "127.0.0.1");
