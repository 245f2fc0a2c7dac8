// Asks the real yaml-language-server what an author would see while writing.
//
// usage: node run.mjs --lictor PATH --server PATH
//
// PATH of the server is the folder of its npm package. Exits with 0 only if every step came out as it should.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

import { Server } from "./server.mjs";

const { values } = parseArgs({ options: { lictor: { type: "string" }, server: { type: "string" } } });
const folder = mkdtempSync(path.join(tmpdir(), "lictor-editor-"));
const schemas = Object.fromEntries(["policy", "operator"].map((file) => {
  const schema = path.join(folder, `${file}.schema.json`);
  writeFileSync(schema, execFileSync(values.lictor, ["schema", file]));
  return [file, schema];
}));

const server = new Server(path.join(values.server, "bin/yaml-language-server"));
const policy = (text) => server.open(schemas.policy, `lictor: v1\n${text}`);
const operator = (text) => server.open(schemas.operator, `lictor: v1\n${text}`);
const labels = async (place) => (await server.completions(place)).map((item) => item.label);
const messages = async (place) => (await server.diagnostics(place)).map((each) => each.message);

// What is described and not enforced in this version, as the schema says: it is marked, and not offered.
const described = JSON.parse(readFileSync(schemas.policy));
const planned = (record) => Object.entries(record.properties)
  .filter(([, field]) => field.deprecated)
  .map(([name]) => name);

// What is offered: `all` of these and `none` of those.
async function offers(place, all, none = []) {
  const found = await labels(place);
  for (const label of all) assert.ok(found.includes(label), `${label} is not among ${found}`);
  for (const label of none) assert.ok(!found.includes(label), `${label} is among ${found}`);
}

const steps = {
  "sections are offered, and those that are not enforced are not": () =>
    offers(policy("‸\n"), ["identities", "roles", "rules", "quotas", "leaks", "http"], planned(described)),
  "a role is offered its fields": () =>
    offers(policy("roles:\n  x:\n    ‸\n"), ["allow", "inherits", "to"], ["deny"]),
  "so it is on one line": () => offers(policy("roles: { x: { a‸ } }\n"), ["allow", "inherits", "to"]),
  "what is written already is not offered again": () =>
    offers(policy("roles:\n  x:\n    allow: a2a:GetTask\n    ‸\n"), ["inherits", "to"], ["allow"]),
  "who holds a role": () => offers(policy("roles:\n  x:\n    to:\n      ‸\n"), ["groups", "ids", "identity", "tenants"]),
  "actions are offered by name": () =>
    offers(policy("roles:\n  x:\n    allow:\n      - ‸\n"), ["a2a:SendMessage", "a2a:GetTask", "mcp:tools/call"]),
  "words are offered with what they mean": async () => {
    const found = await server.completions(policy("http:\n  paths: ‸\n"));
    const refuse = found.find((item) => item.label === "refuse");
    assert.match(refuse.documentation.value, /refused with 400/);
  },
  "packs are offered": () => offers(policy("leaks:\n  packs:\n    ‸\n"), ["cards", "credentials", "pii", "private-keys"]),
  "kinds of credentials are offered": () =>
    offers(policy("identities:\n  corp:\n    ‸\n"), ["jwt", "tenant", "groups"], planned(described.definitions.identity)),
  "fields of lictor.yaml are offered": () =>
    offers(operator("listeners:\n  public:\n    ‸\n"), ["address", "tls", "limits", "deadlines"]),

  "a section is explained under the cursor": async () => {
    const text = await server.hover(policy("quo‸tas: { a: { rate: 1/s, per: tenant } }\n"));
    assert.match(text, /How much callers may use/);
  },
  "a field is explained with its default": async () => {
    const text = await server.hover(policy("http: { pa‸ths: refuse }\n"));
    assert.match(text, /servers read in different ways.*Default: `refuse`/s);
  },

  "a typo is underlined where it stands": async () => {
    const [found, ...others] = await server.diagnostics(policy("roles:\n  x: { alow: a2a:GetTask }\n"));
    assert.deepEqual([found.range.start, others.length], [{ line: 3, character: 7 }, 0]);
    assert.match(found.message, /alow/);
  },
  "a typo in an action is underlined": async () =>
    assert.match(String(await messages(policy("rules: { x: { deny: [a2a:SendMesage] } }\n"))), /must be an action/),
  "a key that is no action is underlined": async () =>
    assert.match(String(await messages(policy("limits: { sending: { time: 5s } }\n"))), /not a name for this: action/),
  "a wrong unit is underlined with what is right": async () =>
    assert.match(String(await messages(policy("limits: { default: { request: 1MB } }\n"))), /`64KiB` or `1MiB`/),
  "a rule that both allows and denies is underlined": async () =>
    assert.equal((await messages(policy("rules: { x: { allow: a2a:GetTask, deny: a2a:GetTask } }\n"))).length, 1),
  "what is missing is named": async () =>
    assert.match(String(await messages(policy("quotas: { x: { rate: 1/s } }\n"))), /per/),
  "what is not enforced yet is said to be so": async () => {
    for (const name of planned(described)) {
      assert.match(String(await messages(policy(`${name}: { x: 1 }\n`))), new RegExp(`${name}.* is not yet enforced`));
    }
  },
  "a mistake in lictor.yaml is underlined": async () =>
    assert.match(String(await messages(operator("upstream: { url: \"http://127.0.0.1:9\", retri: safe }\n"))), /retri/),
  "anchors, merges and a tenant's name alone are no mistakes": async () =>
    assert.deepEqual(await messages(policy(
      "x-a: &a { rate: 1/s, per: tenant }\nquotas: { x: *a, y: { <<: *a, burst: 2 } }\ntenants: { acme: , \"*\": {} }\n",
    )), []),
};

let failed = 0;
try {
  await server.start();
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
      console.log(`ok   ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}\n     ${error.message}`);
    }
  }
} finally {
  server.stop();
  rmSync(folder, { recursive: true });
}
const count = Object.keys(steps).length;
console.log(`${count - failed} of ${count} steps came out as they should`);
process.exitCode = failed ? 1 : 0;
