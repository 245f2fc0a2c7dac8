// A full round of MCP with the server that has everything. usage: everything.mjs SDK URL [KEY]
//
// SDK is `sdk` or `client`, the two packages that clients are built with. Prints one JSON object: what each step gave,
// or the kind and the text of its error.

const [kind, url, key] = process.argv.slice(2);

const { Client, Transport } = await (kind === "sdk"
  ? Promise.all([
      import("@modelcontextprotocol/sdk/client/index.js"),
      import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
    ]).then(([{ Client }, { StreamableHTTPClientTransport: Transport }]) => ({ Client, Transport }))
  : import("@modelcontextprotocol/client").then(({ Client, StreamableHTTPClientTransport: Transport }) => ({
      Client,
      Transport,
    })));

const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } };
const client = new Client({ name: "interop", version: "1.0.0" }, { capabilities });
const transport = new Transport(new URL(url), { requestInit: { headers: key ? { "x-desk-key": key } : {} } });

// What the server asks of its client, on the stream of a call that waits for it.
const answers = {
  "sampling/createMessage": () => ({ model: "m", role: "assistant", content: { type: "text", text: "sampled" } }),
  "elicitation/create": () => ({ action: "decline" }),
  "roots/list": () => ({ roots: [{ uri: "file:///here", name: "here" }] }),
};
if (kind === "sdk") {
  const types = await import("@modelcontextprotocol/sdk/types.js");
  client.setRequestHandler(types.CreateMessageRequestSchema, answers["sampling/createMessage"]);
  client.setRequestHandler(types.ElicitRequestSchema, answers["elicitation/create"]);
  client.setRequestHandler(types.ListRootsRequestSchema, answers["roots/list"]);
} else {
  for (const [method, answer] of Object.entries(answers)) client.setRequestHandler(method, answer);
}

const told = {};

async function step(name, what) {
  try {
    told[name] = await what();
  } catch (error) {
    told[name] = { error: error.constructor.name, code: error.code, text: String(error.message) };
  }
}

async function call(name, args = {}, options = undefined) {
  const answer = await (kind === "sdk"
    ? client.callTool({ name, arguments: args }, undefined, options)
    : client.callTool({ name, arguments: args }, options));
  return { content: answer.content, structured: answer.structuredContent, isError: answer.isError };
}

await step("connect", async () => {
  await client.connect(transport);
  return client.getServerVersion().name;
});
if (typeof told.connect === "string") {
  await step("ping", () => client.ping());
  await step("tools", async () => (await client.listTools()).tools.map((it) => it.name).sort());
  await step("echo", () => call("echo", { message: 'hä? "quoted" \u{1f469}\u200d\u{1f680}' }));
  await step("sum", () => call("get-sum", { a: 2, b: 3 }));
  await step("image", () => call("get-tiny-image"));
  await step("annotated", () => call("get-annotated-message", { messageType: "error", includeImage: true }));
  await step("structured", () => call("get-structured-content", { location: "Chicago" }));
  await step("links", () => call("get-resource-links", { count: 2 }));
  await step("sampling", () => call("trigger-sampling-request", { prompt: "say", maxTokens: 5 }));
  await step("elicitation", () => call("trigger-elicitation-request"));
  await step("roots", () => call("get-roots-list"));
  await step("progress", async () => {
    const steps = [];
    const onprogress = (progress) => steps.push(progress.progress);
    const last = await call("trigger-long-running-operation", { duration: 1, steps: 4 }, { onprogress });
    return { steps, last };
  });
  await step("no such tool", () => call("no-such-tool"));
  await step("wrong arguments", () => call("get-sum", { a: "two" }));
  await step("prompts", async () => (await client.listPrompts()).prompts.map((it) => it.name).sort());
  await step("prompt", () => client.getPrompt({ name: "args-prompt", arguments: { city: "Roma" } }));
  await step("completion", () =>
    client.complete({
      ref: { type: "ref/prompt", name: "completable-prompt" },
      argument: { name: "department", value: "S" },
    }),
  );
  await step("resources", async () => (await client.listResources()).resources.map((it) => it.uri).sort());
  await step("templates", async () =>
    (await client.listResourceTemplates()).resourceTemplates.map((it) => it.uriTemplate),
  );
  await step("text", async () => {
    const { contents } = await client.readResource({ uri: "demo://resource/static/document/features.md" });
    return contents;
  });
  await step("blob", async () => {
    const { contents } = await client.readResource({ uri: "demo://resource/dynamic/blob/1" });
    return contents[0].mimeType;
  });
  await step("no such resource", () => client.readResource({ uri: "demo://resource/none" }));
  await step("subscribe", () => client.subscribeResource({ uri: "demo://resource/dynamic/text/1" }));
  await step("level", () => client.setLoggingLevel("warning"));
  // The environment of the server, with a credential in it.
  await step("environment", () => call("get-env"));
  await step("end", () => transport.terminateSession());
  await step("close", () => client.close());
}
process.stdout.write(`${JSON.stringify(told)}\n`, () => process.exit(0));
