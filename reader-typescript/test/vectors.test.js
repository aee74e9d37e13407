// The vectors of the Python reader: what is said of each step in tests/reader/vectors.py, and in secret_vectors.py, is
// true of this reader, too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import "@aws-sdk/client-lambda"; // which a reader loads when it first asks for a run: here no step waits for that
import { SecretReader, TokenReader, TokenRefreshError } from "../dist/index.js";

const read = (file) => JSON.parse(readFileSync(file, "utf-8"));
const here = (name) => read(new URL(name, import.meta.url));
// The tests of the Python reader set VECTORS to a file of random ones, which come after these.
const random = process.env.VECTORS ? read(process.env.VECTORS) : [];
const VECTORS = [...here("vectors.json"), ...here("secret-vectors.json"), ...random];

/** A client of Secrets Manager whose background reads end when a test lets them. */
class Store {
  config = { region: "eu-central-1" };
  now = 1_800_000_000;
  stored;
  failing = { code: "ResourceNotFoundException", message: "" };
  reads = 0;
  runs = 0;
  refreshed = undefined;

  constructor(secretId, held) {
    Object.assign(this, { secretId, held });
  }

  async send(command) {
    assert.deepEqual(command.input, { SecretId: this.secretId, VersionStage: "AWSCURRENT" });
    if (this.held) await new Promise((resolve) => this.held.push(resolve));
    this.reads += 1;
    if (this.failing) throw Object.assign(new Error(this.failing.message), { name: this.failing.code });
    return this.stored;
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

async function take(step, store, reader) {
  const { reads, runs } = store;
  switch (step.do) {
    case "store": {
      const { text, binary, version } = step;
      const value = binary === undefined ? { SecretString: text } : { SecretBinary: new Uint8Array(Buffer.from(binary, "base64")) };
      store.failing = undefined;
      store.stored = { ...value, VersionId: version, CreatedDate: new Date(store.now * 1000) };
      return;
    }
    case "refresh":
      store.refreshed = { SecretString: step.text, VersionId: step.version };
      return;
    case "fail":
      store.failing = step.code === undefined ? undefined : step;
      return;
    case "pass":
      store.now += step.seconds;
      return;
    case "get": {
      // Whoever has nothing to serve waits for its read, also where others run in the background.
      const { do: _, reads: __, runs: ___, health, ...expected } = step;
      assert.deepEqual(await ended(reader.get(), store), expected);
      if (health) reader.isAsHealthy(health);
      break;
    }
    case "extra":
      assert.deepEqual(await reader.extra(), step.is);
      return;
    case "reject":
      assert.equal(await ended(reader.reject(step), store), step.gives);
      break;
    case "finish":
      while (store.held?.length > 0) {
        store.held.shift()();
        await settled();
      }
  }
  assert.equal(store.reads - reads, step.reads, "reads");
  assert.equal(store.runs - runs, step.runs ?? 0, "runs");
}

/** Wait as its caller does: the newest read ends, since an older one was given up. */
async function ended(asked, store) {
  let result;
  void asked.then((found) => (result = { found }));
  for (;;) {
    await settled();
    if (result) return result.found;
    assert.ok(store.held.length > 0, "it waits for no read");
    store.held.pop()();
  }
}

/** The worker's function: its run stores what a test has for it. */
const workerOf = (store) => ({
  async send(command) {
    assert.equal(command.input.FunctionName, "worker");
    store.runs += 1;
    if (store.refreshed) store.stored = { ...store.refreshed, CreatedDate: new Date(store.now * 1000) };
    store.refreshed = undefined;
    return { Payload: new TextEncoder().encode('{"outcome": "refreshed"}') };
  },
});

const failed = (error) => ({ error: error instanceof TokenRefreshError ? error.name : error });

function ofToken({ max_age, asks }, store, options) {
  if (max_age) options.maxAgeSeconds = max_age;
  if (asks) Object.assign(options, { refreshFunction: "worker", lambdaClient: workerOf(store) });
  const reader = new TokenReader("tokens", options);
  return {
    get: () => reader.get().then((token) => ({ token }), failed),
    reject: ({ token }) => reader.reject(token),
    extra: async () => ({ ...(await reader.token()).extra }),
    isAsHealthy([seconds, ...others]) {
      const { secondsToExpiry, ageSeconds, lastError } = reader.health();
      // A Date has milliseconds, and the Python reader's times have microseconds.
      assert.ok(Math.abs((secondsToExpiry ?? 0) - (seconds ?? 0)) < 0.001, `${secondsToExpiry} seconds to expiry`);
      assert.deepEqual([secondsToExpiry === undefined, ageSeconds ?? null, lastError?.name ?? null], [seconds === null, ...others]);
    },
  };
}

function ofSecret({ reference, options: { ttl_seconds: ttlSeconds, max_stale_seconds: maxStaleSeconds } }, options) {
  const durations = { ...(ttlSeconds && { ttlSeconds }), ...(maxStaleSeconds && { maxStaleSeconds }) };
  const reader = new SecretReader(reference, { ...options, ...durations });
  let given;
  const accepted = (found) => {
    [given] = found;
    return { accepted: found.map((each) => [Buffer.from(each.binary()).toString("base64"), each.stage]) };
  };
  return { get: () => reader.accepted().then(accepted, failed), reject: () => reader.reject(given) };
}

for (const vector of VECTORS) {
  test(vector.name, async () => {
    const { reference, background = vector.options.background } = vector;
    const store = new Store(reference ? "slack" : "tokens", background ? [] : undefined);
    const options = { client: store, background, clock: () => store.now, chance: () => 0.5, onWarning: () => {} };
    const reader = reference ? ofSecret(vector, options) : ofToken(vector, store, options);
    for (const [index, step] of vector.steps.entries()) {
      await take(step, store, reader).catch((error) => {
        error.message = `step ${index}, ${JSON.stringify(step)}: ${error.message}`;
        throw error;
      });
    }
  });
}
