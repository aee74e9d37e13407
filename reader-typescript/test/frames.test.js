// An error reporter sends the variables of each frame: none of the reader's holds what is stored when something is thrown.

import assert from "node:assert/strict";
import { Session } from "node:inspector/promises";
import { test } from "node:test";
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { Secret, SecretReader, TokenReader } from "../dist/index.js";

const CANARY = "canary-4711";
const HOUR = 3_600_000;
/** What of a frame is its own: not what the whole module, or every script, can see. */
const SCOPES = ["local", "block", "catch", "closure", "with", "eval"];
const DEPTH = 5;

/** Watches the main thread from a worker: at each exception, caught or not, it reads all frames of the reader. */
async function watch() {
  const session = new Session();
  session.connectToMainThread();
  const files = new Map();
  let seen = [];
  session.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => url.includes("/dist/") && files.set(scriptId, url));
  /** Say where a value, or what it holds, has the canary. Private fields are left out, as error reporters do. */
  async function search(path, value, depth) {
    if (`${value.value} ${value.description}`.includes(CANARY)) return [path];
    if (value.objectId === undefined || depth === 0) return [];
    const { result } = await session.post("Runtime.getProperties", { objectId: value.objectId, ownProperties: true });
    const found = await Promise.all(result.map((each) => each.value && search(`${path}.${each.name}`, each.value, depth - 1)));
    return found.flat().filter((each) => each !== undefined);
  }
  session.on("Debugger.paused", async ({ params }) => {
    for (const frame of params.callFrames.filter(({ location }) => files.has(location.scriptId))) {
      const scopes = frame.scopeChain.filter(({ type }) => SCOPES.includes(type));
      const found = await Promise.all([...scopes.map(({ object }) => object), frame.this].map((each) => search("", each, DEPTH)));
      seen.push({ frame: frame.functionName, found: found.flat() });
    }
    await session.post("Debugger.resume");
  });
  parentPort.on("message", () => {
    parentPort.postMessage(seen);
    seen = [];
  });
  await session.post("Debugger.enable");
  await session.post("Debugger.setPauseOnExceptions", { state: "all" });
  parentPort.postMessage([]);
}

const stored = (fields) => JSON.stringify({ refreshToken: CANARY, clientSecret: CANARY, ...fields });
const soon = Date.now() + HOUR;
const token = (content) => (client) => new TokenReader("tokens", { client: client(content) }).get();
const secret = (name, read) => (content) => (client) => read(new SecretReader(name, { client: client(content) }));
const text = secret("key", (reader) => reader.text());
const json = secret("key", (reader) => reader.json());
const field = secret("key#field", (reader) => reader.text());
const CASES = {
  "an expired token": token(stored({ accessToken: CANARY, expiresAt: 1_700_000_000_000 })),
  "no JSON": token(CANARY),
  "no object": token(JSON.stringify([CANARY])),
  "a number too large": token(`{"accessToken": "${CANARY}", "expiresAt": 1e999}`),
  "too many digits": token(`{"accessToken": "${CANARY}", "expiresAt": ${"9".repeat(4301)}}`),
  "nested too deep": token(`{"a": ${"[".repeat(99)}"${CANARY}"${"]".repeat(99)}}`),
  "a malformed token": token(stored({ accessToken: `${CANARY} \n`, expiresAt: soon })),
  "no token": token(stored({ expiresAt: soon })),
  "no expiry": token(stored({ accessToken: CANARY, expiresAt: CANARY })),
  "two spellings": token(stored({ accessToken: CANARY, expires_at: CANARY })),
  "no field with tokens": (client) => new TokenReader("tokens#upwork", { client: client(stored({})) }).get(),
  "binary tokens": token(new TextEncoder().encode(CANARY)),
  "no value": text(undefined),
  "text that is no JSON": json(CANARY),
  "a field of what is no JSON": field(CANARY),
  "no such field": field(stored({})),
  "a field that is no text": field(stored({ field: [CANARY, 7] })),
  "bytes as text": async () => new Secret(new TextEncoder().encode(CANARY), "key", "v", new Date(), "current").json(),
  "a response without a version": (client) => new TokenReader("tokens", { client: client(stored({}), undefined) }).get(),
  "a request that can't be sent": (client) =>
    new TokenReader("tokens", { client: client(stored({ accessToken: CANARY, expiresAt: soon })) }).fetch("no URL"),
  "a rejected token": (client) => rejected(client, async () => ({ SecretString: CANARY, VersionId: "next", CreatedDate: new Date() })),
  "a client that throws at once": (client) =>
    rejected(client, () => {
      throw new Error();
    }),
};

/** Reject the token where the next read fails, and throw why. */
async function rejected(client, send) {
  const given = client(stored({ accessToken: CANARY, expiresAt: soon }));
  const reader = new TokenReader("tokens", { client: given });
  await reader.get();
  given.send = send;
  assert.equal(await reader.reject(CANARY), false);
  throw reader.health().lastError;
}

function client(content, VersionId = arguments.length > 1 ? undefined : "version") {
  const what = typeof content === "string" ? { SecretString: content } : { SecretBinary: content };
  return { config: { region: "eu-central-1" }, send: async () => ({ ...what, VersionId, CreatedDate: new Date() }) };
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  const ask = () => new Promise((resolve) => worker.once("message", resolve));
  await ask();
  for (const [name, run] of Object.entries(CASES)) {
    test(`no frame holds anything: ${name}`, async () => {
      const error = await run(client).then(
        () => undefined,
        (thrown) => thrown,
      );
      worker.postMessage("done");
      const seen = await ask();

      assert.ok(error instanceof Error);
      assert.ok(!`${error.stack} ${error.cause} ${JSON.stringify(error)}`.includes(CANARY));
      assert.ok(seen.length > 0, "nothing was thrown in the reader");
      assert.deepEqual(seen.filter(({ found }) => found.length > 0), []);
    });
  }
  test("the watcher is gone", () => worker.terminate());
} else {
  await watch();
}
