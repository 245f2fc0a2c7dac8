// Sends an HTTP request that is signed as RFC 9421 has it, with a digest of its content (RFC 9530).
//
// usage: node sign.ts --key FILE --keyid NAME [-X METHOD] [-H "Name: value"] [-d CONTENT] URL
//
// The key is a private key in PEM (Ed25519, P-256, P-384, RSA) or, with --shared, the bytes of a shared key. Needs nothing but
// Node: 23.6 and later run it as it is, older ones once its types are taken off (`tsc`). `signedHeaders` is all that another
// program has to take over.

import {
  type KeyObject,
  constants,
  createHash,
  createHmac,
  createPrivateKey,
  createSecretKey,
  randomBytes,
  sign as signWith,
} from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

// Fields that are covered where the request has them.
const COVERED = ["content-type", "content-digest", "authorization", "x-customer-id"];

type Request = {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: Buffer;
};

/** The headers, with lower-case names, and with those that make it a signed request. */
export function signedHeaders(
  { method, url, headers, body }: Request,
  key: KeyObject,
  keyid: string,
  tag = "lictor",
  lifetime = 60,
): Record<string, string> {
  const all: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value.trim();
  if (body.length > 0) {
    const digest = createHash("sha256").update(body).digest("base64");
    all["content-digest"] = `sha-256=:${digest}:`;
  }
  const target = new URL(url);
  const values: [string, string][] = [
    ["@method", method],
    // Lower case, and without the port that the scheme has anyway (section 2.2.3).
    ["@authority", target.host],
    ["@path", target.pathname],
    ["@query", target.search || "?"],
  ];
  for (const name of COVERED) {
    const value = all[name];
    if (value !== undefined) values.push([name, value]);
  }
  const created = Math.floor(Date.now() / 1000);
  const names = values.map(([name]) => `"${name}"`).join(" ");
  const nonce = randomBytes(16).toString("base64url");
  const parameters =
    `(${names});created=${created};expires=${created + lifetime}` +
    `;nonce=${quoted(nonce)};keyid=${quoted(keyid)};tag=${quoted(tag)}`;
  const lines = values.map(([name, value]) => `"${name}": ${value}`);
  lines.push(`"@signature-params": ${parameters}`);
  const signature = sign(Buffer.from(lines.join("\n"), "ascii"), key).toString("base64");
  all["signature-input"] = `sig1=${parameters}`;
  all["signature"] = `sig1=:${signature}:`;
  return all;
}

/** The signature of a base. The key decides the algorithm (section 3.3). */
function sign(base: Buffer, key: KeyObject): Buffer {
  if (key.type === "secret") return createHmac("sha256", key).update(base).digest();
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return signWith(null, base, key);
    case "rsa":
      return signWith("sha512", base, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 });
    case "ec": {
      const hash = key.asymmetricKeyDetails?.namedCurve === "secp384r1" ? "sha384" : "sha256";
      // r and s side by side, not DER.
      return signWith(hash, base, { key, dsaEncoding: "ieee-p1363" });
    }
    default:
      throw new Error(`no algorithm for ${key.asymmetricKeyType}`);
  }
}

/** A string of RFC 9651, section 3.3.3. */
function quoted(text: string): string {
  if (!/^[ -~]*$/.test(text)) throw new Error(`${JSON.stringify(text)} cannot stand in a signature`);
  return `"${text.replace(/[\\"]/g, "\\$&")}"`;
}

/** The bytes of a shared key, without the last line end of their file. */
function withoutLineEnd(bytes: Buffer): Buffer {
  let end = bytes.length;
  if (end > 0 && bytes[end - 1] === 10) end -= 1;
  if (end > 0 && bytes[end - 1] === 13) end -= 1;
  return bytes.subarray(0, end);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      key: { type: "string" },
      keyid: { type: "string" },
      shared: { type: "boolean", default: false },
      tag: { type: "string", default: "lictor" },
      method: { type: "string", short: "X" },
      header: { type: "string", short: "H", multiple: true, default: [] },
      data: { type: "string", short: "d", default: "" },
    },
  });
  const url = positionals[0];
  if (url === undefined || values.key === undefined || values.keyid === undefined) {
    console.error('usage: sign.ts --key FILE --keyid NAME [-X METHOD] [-H "Name: value"] [-d CONTENT] URL');
    return 2;
  }
  const file = readFileSync(values.key);
  const key = values.shared ? createSecretKey(withoutLineEnd(file)) : createPrivateKey(file);
  const body = Buffer.from(values.data ?? "");
  const method = values.method ?? (body.length > 0 ? "POST" : "GET");
  const headers: Record<string, string> = {};
  for (const line of values.header ?? []) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon)] = line.slice(colon + 1);
  }
  const signed = signedHeaders({ method, url, headers, body }, key, values.keyid, values.tag);
  const answer = await fetch(url, {
    method,
    headers: signed,
    redirect: "manual",
    ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
  });
  console.log(answer.status);
  console.log(await answer.text());
  return answer.status < 400 ? 0 : 1;
}

process.exitCode = await main();
