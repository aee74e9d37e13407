// Any secret: the vectors of the Python reader (tests/reader/secret_vectors.py), and what they can't say.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inspect } from "node:util";
import { Secret, SecretReader, TokenRefreshError } from "../dist/index.js";

const VECTORS = JSON.parse(readFileSync(new URL("secret-vectors.json", import.meta.url), "utf-8"));
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A client of Secrets Manager whose background reads end when a test lets them. */
class Store {
  now = 1_800_000_000;
  failing = { code: "ResourceNotFoundException", message: "" };
  reads = 0;
  held = undefined;

  async send(command) {
    assert.deepEqual(command.input, { SecretId: "slack", VersionStage: "AWSCURRENT" });
    if (this.held) await new Promise((resolve) => this.held.push(resolve));
    this.reads += 1;
    if (this.failing) throw Object.assign(new Error(this.failing.message), { name: this.failing.code });
    return this.stored;
  }

  store({ text, binary, version }) {
    this.failing = undefined;
    const value = binary === undefined ? { SecretString: text } : { SecretBinary: new Uint8Array(Buffer.from(binary, "base64")) };
    this.stored = { ...value, VersionId: version, CreatedDate: new Date(this.now * 1000) };
  }

  release() {
    for (const resolve of this.held?.splice(0) ?? []) resolve();
  }
}

async function take(step, store, reader, state) {
  const reads = store.reads;
  switch (step.do) {
    case "store":
      return store.store(step);
    case "fail":
      store.failing = step.code === undefined ? undefined : step;
      return;
    case "pass":
      store.now += step.seconds;
      return;
    case "get": {
      const asked = reader.accepted().then(
        (found) => ({ accepted: found.map((each) => [Buffer.from(each.binary()).toString("base64"), each.stage]), found }),
        (error) => ({ error: error instanceof TokenRefreshError ? error.name : error }),
      );
      // Whoever has nothing to serve waits for its read, also where others run in the background.
      const soon = await Promise.race([asked, settled().then(() => undefined)]);
      if (soon === undefined) store.held.pop()(); // its own read; one that was given up before goes on waiting
      const { found, ...result } = soon ?? (await asked);
      if (found) [state.given] = found;
      const { do: _, reads: __, ...expected } = step;
      assert.deepEqual(result, expected);
      break;
    }
    case "reject": {
      const asked = reader.reject(state.given);
      await settled();
      store.release();
      assert.equal(await asked, step.gives);
      break;
    }
    case "finish":
      store.release();
      await settled();
  }
  assert.equal(store.reads - reads, step.reads, "reads");
}

for (const { name, reference, options, steps } of VECTORS) {
  test(name, async () => {
    const { background, ttl_seconds: ttlSeconds, max_stale_seconds: maxStaleSeconds } = options;
    const store = new Store();
    if (background) store.held = [];
    const surroundings = { client: store, background, clock: () => store.now, chance: () => 0.5, onWarning: () => {} };
    const durations = { ...(ttlSeconds && { ttlSeconds }), ...(maxStaleSeconds && { maxStaleSeconds }) };
    const reader = new SecretReader(reference, { ...surroundings, ...durations });
    const state = {};
    for (const [index, step] of steps.entries()) {
      await take(step, store, reader, state).catch((error) => {
        error.message = `step ${index}, ${JSON.stringify(step)}: ${error.message}`;
        throw error;
      });
    }
  });
}

/** A client that gives this value, and counts. */
function holding(SecretString) {
  const client = { reads: 0, send: async () => (client.reads++, { SecretString, VersionId: "v", CreatedDate: new Date() }) };
  return client;
}

test("fifty callers at once make one read, and for five minutes no other", async () => {
  let now = 1_800_000_000;
  const client = holding("very-secret");
  const reader = new SecretReader("key", { client, clock: () => now, background: false });

  const values = await Promise.all(Array.from({ length: 50 }, () => reader.text()));
  now += 299;
  assert.equal(await reader.text(), "very-secret");
  assert.deepEqual([[...new Set(values)], client.reads], [["very-secret"], 1]);
  now += 1;
  await reader.text();
  assert.equal(client.reads, 2);
});

test("an error is never cached as a value, and a value outlives an error", async () => {
  let fails = true;
  let now = 1_800_000_000;
  const { send } = holding("very-secret");
  const warnings = [];
  const client = { send: () => (fails ? Promise.reject(new Error("very-secret")) : send()) };
  const reader = new SecretReader("key", { client, clock: () => now, background: false, onWarning: (error) => warnings.push(error) });

  await assert.rejects(reader.text(), { name: "SecretStoreUnavailable" });
  fails = false;
  now += 2; // the pause after the first failure
  assert.equal(await reader.text(), "very-secret");
  fails = true;
  now += 301;
  assert.equal(await reader.text(), "very-secret");
  assert.deepEqual(warnings.map(({ name }) => name), ["SecretStoreUnavailable"]);
});

test("a value is text, JSON and bytes; JSON is a new object at each call", async () => {
  const reader = new SecretReader("google", { client: holding('{"clientId": "a"}') });
  const parsed = await reader.json();
  parsed.clientId = "changed";

  assert.deepEqual(await reader.json(), { clientId: "a" });
  assert.equal(new TextDecoder().decode((await reader.secret()).binary()), '{"clientId": "a"}');
  await assert.rejects(new SecretReader("key", { client: holding("very-secret") }).json(), {
    name: "InvalidSecretDocument",
    message: "key is not JSON: read it with text()",
  });
  const SecretBinary = new Uint8Array([1]);
  const binary = { send: async () => ({ SecretBinary, VersionId: "v", CreatedDate: new Date() }) };
  await assert.rejects(new SecretReader("key", { client: binary }).text(), { name: "InvalidSecretDocument" });
});

test("a field may be given in the reference or beside it, and not in both", async () => {
  const client = holding('{"signingSecret": "s"}');

  assert.equal(await new SecretReader("slack#signingSecret", { client }).text(), "s");
  assert.equal(await new SecretReader("slack", { client, field: "signingSecret" }).text(), "s");
  assert.throws(() => new SecretReader("slack#signingSecret", { client, field: "signingSecret" }), { name: "ConfigurationError" });
});

test("a duration that is none is refused by name", () => {
  for (const wrong of [0, -1, NaN, Infinity, "300", null]) {
    assert.throws(() => new SecretReader("key", { ttlSeconds: wrong }), { name: "ConfigurationError", message: /^ttlSeconds / });
  }
  assert.throws(() => new SecretReader("key", { maxStaleSeconds: 299 }), { message: /^maxStaleSeconds .* 300 at least/ });
});

test("neither a secret, nor a reader, nor an error shows a value", async () => {
  const stored = '{"key": "very-secret", "list": ["very-secret", ""], "more": {"inner": "very-secret"}}';
  const reader = new SecretReader("slack#key", { client: holding(stored) });
  const secret = await reader.secret();
  const shown = [secret, reader, await reader.accepted()];
  for (const field of ["list", "more", "none"]) {
    shown.push(await new SecretReader("slack", { client: holding(stored), field }).text().catch((error) => error));
  }

  assert.ok(secret instanceof Secret);
  assert.deepEqual(shown.slice(3).map(({ name }) => name), Array(3).fill("InvalidSecretDocument"));
  for (const each of shown) {
    for (const text of [inspect(each, { showHidden: true, depth: 9 }), JSON.stringify(each), `${each}`]) {
      assert.ok(!text.includes("very-secret"), text);
    }
  }
  assert.deepEqual(JSON.parse(JSON.stringify(secret)).secretId, "slack#key");
});

test("an error of another secret says how to find it, and how to store one", async () => {
  const config = { region: "eu-south-2" };
  const failing = (name, message) => ({ config, send: () => Promise.reject(Object.assign(new Error(message), { name })) });
  const deleted = new SecretReader("slack", { client: failing("InvalidRequestException", "marked for deletion") });
  const missing = new SecretReader("myapp/prod/stripe", { client: failing("ResourceNotFoundException", "") });
  const empty = new SecretReader("slack#key", { client: failing("ResourceNotFoundException", "the specified secret value") });

  await assert.rejects(missing.text(), { name: "SecretNotFound", message: /aws secretsmanager list-secrets --region eu-south-2 lists the secrets$/ });
  await assert.rejects(deleted.text(), { message: /restore-secret --secret-id slack --region eu-south-2$/ });
  await assert.rejects(empty.text(), { name: "SecretEmpty", message: /put-secret-value --secret-id slack --secret-string file:\/\/value.json --region eu-south-2$/ });
});
