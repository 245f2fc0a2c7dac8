// The test client on the SDK for Node. It takes orders and reports as session.py says.

import { createInterface } from "node:readline";
import { randomUUID } from "node:crypto";

import { Role, TaskState } from "@a2a-js/sdk";
import { A2AError } from "@a2a-js/sdk/errors";
import {
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from "@a2a-js/sdk/client";

// A `fetch` that shows the caller's token and keeps a copy of everything that arrives.
function tap(token) {
  const seen = { bodies: [], statuses: [] };
  const fetchImpl = async (input, init = {}) => {
    const headers = new Headers(init.headers ?? input.headers);
    if (token) headers.set("authorization", `Bearer ${token}`);
    const answer = await fetch(input, { ...init, headers, redirect: "manual" });
    const body = [];
    seen.statuses.push(answer.status);
    seen.bodies.push(body);
    if (!answer.body) return answer;
    const copied = new TransformStream({
      transform(piece, to) {
        body.push(Buffer.from(piece));
        to.enqueue(piece);
      },
    });
    const { status, statusText, headers: fields } = answer;
    return new Response(answer.body.pipeThrough(copied), { status, statusText, headers: fields });
  };
  return { seen, fetchImpl };
}

async function obey(order, setup, fetchImpl) {
  const options = { fetchImpl, legacyCompat: { enabled: true } };
  const resolver = new DefaultAgentCardResolver(options);
  const card = await resolver.resolve(setup.url);
  if (order.do === "card") return { name: card.name, url: card.supportedInterfaces[0].url };
  const transport =
    setup.binding === "HTTP+JSON" ? new RestTransportFactory(options) : new JsonRpcTransportFactory(options);
  const factory = new ClientFactory({
    transports: [transport],
    cardResolver: resolver,
    clientConfig: { polling: Boolean(order.polling) },
  });
  const client = await factory.createFromAgentCard(card);
  switch (order.do) {
    case "get":
      return task(await client.getTask({ tenant: "", id: order.task }));
    case "cancel":
      return task(await client.cancelTask({ tenant: "", id: order.task, metadata: undefined }));
    case "send":
      return last(await client.sendMessage(message(order.text)));
    case "stream":
      return told(client.sendMessageStream(message(order.text)));
  }
}

function message(text) {
  const part = { content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "" };
  return {
    tenant: "",
    message: {
      messageId: randomUUID(),
      contextId: "",
      taskId: "",
      role: Role.ROLE_USER,
      parts: [part],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: [],
    },
    configuration: undefined,
    metadata: undefined,
  };
}

// What a stream told: its pieces of text, and the task as it stood last.
async function told(answers) {
  const pieces = [];
  let state = {};
  let events = 0;
  for await (const { payload } of answers) {
    events += 1;
    const value = payload.value;
    switch (payload.$case) {
      case "artifactUpdate":
        pieces.push(text(value.artifact.parts));
        break;
      case "statusUpdate":
        state = { ...state, state: named(value.status), status: text(value.status.message?.parts) };
        break;
      case "message":
        state = { ...state, text: text(value.parts) };
        break;
      case "task":
        state = { ...state, ...task(value) };
    }
  }
  if (pieces.length) state.text = pieces.join("");
  return { ...state, pieces, events };
}

const last = (result) => ("parts" in result ? { text: text(result.parts) } : task(result));

const task = (value) => ({
  task: value.id,
  state: named(value.status),
  text: (value.artifacts ?? []).map((it) => text(it.parts)).join(""),
  status: text(value.status?.message?.parts),
});

// `TASK_STATE_INPUT_REQUIRED` as the older versions spell it.
const named = (status) =>
  TaskState[status.state].replace("TASK_STATE_", "").toLowerCase().replaceAll("_", "-");

const text = (parts) => (parts ?? []).map((it) => (it.content?.$case === "text" ? it.content.value : "")).join("");

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const setup = JSON.parse((await lines.next()).value);
for await (const line of lines) {
  const order = JSON.parse(line);
  const { seen, fetchImpl } = tap(setup.tokens[order.as]);
  let report;
  try {
    report = { ok: await obey(order, setup, fetchImpl) };
  } catch (error) {
    const type = error instanceof A2AError ? `a2a.${error.name}` : error.name;
    report = { error: { type, text: String(error.message), trace: error.stack } };
  }
  report.bodies = seen.bodies.map((it) => Buffer.concat(it).toString("base64"));
  report.statuses = seen.statuses;
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
