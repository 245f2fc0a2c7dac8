// A language server on standard input and output (LSP 3.17), as an editor would run it.

import { spawn } from "node:child_process";
import { pathToFileURL } from "node:url";

// What nothing here takes; a test that waits longer has found a hang.
const PATIENCE_MS = 30_000;

export class Server {
  #child;
  #received = Buffer.alloc(0);
  #answers = new Map();
  #diagnostics = new Map();
  #lastId = 0;
  #documents = 0;

  constructor(program) {
    this.#child = spawn(process.execPath, [program, "--stdio"], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout.on("data", (bytes) => this.#read(bytes));
  }

  async start() {
    await this.#request("initialize", {
      processId: process.pid,
      rootUri: null,
      capabilities: {
        textDocument: {
          completion: { completionItem: { documentationFormat: ["markdown"], snippetSupport: true } },
          hover: { contentFormat: ["markdown"] },
        },
      },
    });
    this.#notify("initialized", {});
    // Nothing is fetched: the schema is the one that the file names.
    const yaml = { validate: true, completion: true, hover: true, schemaStore: { enable: false } };
    this.#notify("workspace/didChangeConfiguration", { settings: { yaml } });
  }

  stop() {
    this.#child.kill();
  }

  // Opens a file with a cursor in it, written as `‸`; it is known by the first line which schema holds.
  open(schema, text) {
    const uri = pathToFileURL(`/document-${++this.#documents}.yaml`).href;
    const whole = `# yaml-language-server: $schema=${pathToFileURL(schema).href}\n${text}`;
    const lines = whole.split("‸")[0].split("\n");
    const position = { line: lines.length - 1, character: lines.at(-1).length };
    const document = { uri, languageId: "yaml", version: 1, text: whole.replace("‸", "") };
    this.#notify("textDocument/didOpen", { textDocument: document });
    return { textDocument: { uri }, position };
  }

  async completions(place) {
    const found = await this.#request("textDocument/completion", place);
    return found.items ?? found;
  }

  async hover(place) {
    const found = await this.#request("textDocument/hover", place);
    return found?.contents?.value ?? "";
  }

  async diagnostics(place) {
    const { uri } = place.textDocument;
    return within(`diagnostics of ${uri}`, new Promise((resolve) => {
      const known = this.#diagnostics.get(uri);
      known ? resolve(known) : this.#diagnostics.set(uri, resolve);
    }));
  }

  #request(method, params) {
    const id = ++this.#lastId;
    const answer = new Promise((resolve) => this.#answers.set(id, resolve));
    this.#send({ id, method, params });
    return within(method, answer);
  }

  #notify(method, params) {
    this.#send({ method, params });
  }

  #send(message) {
    const body = Buffer.from(JSON.stringify({ jsonrpc: "2.0", ...message }));
    this.#child.stdin.write(`Content-Length: ${body.length}\r\n\r\n`);
    this.#child.stdin.write(body);
  }

  #read(bytes) {
    this.#received = Buffer.concat([this.#received, bytes]);
    for (;;) {
      const end = this.#received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = this.#received.subarray(0, end).toString();
      const from = end + 4;
      const to = from + Number(/Content-Length: (\d+)/i.exec(head)[1]);
      if (this.#received.length < to) return;
      this.#receive(JSON.parse(this.#received.subarray(from, to)));
      this.#received = this.#received.subarray(to);
    }
  }

  #receive(message) {
    if (message.method === "textDocument/publishDiagnostics") {
      const { uri, diagnostics } = message.params;
      const waiting = this.#diagnostics.get(uri);
      if (typeof waiting === "function") waiting(diagnostics);
      this.#diagnostics.set(uri, diagnostics);
    } else if (message.method && message.id !== undefined) {
      // The server asks for settings: it has them already.
      const result = message.method === "workspace/configuration" ? message.params.items.map(() => null) : null;
      this.#send({ id: message.id, result });
    } else if (message.id !== undefined) {
      const { result, error } = message;
      this.#answers.get(message.id)?.(error ? Promise.reject(new Error(error.message)) : result);
    }
  }
}

async function within(what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS} ms for ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
