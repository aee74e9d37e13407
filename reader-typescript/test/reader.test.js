// What the vectors can't say: callers at once, a read that never ends, `fetch`, and that no token shows.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { mock, test } from "node:test";
import { inspect } from "node:util";
import { serialize } from "node:v8";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { Token, TokenReader, TokenRefreshError } from "../dist/index.js";

const LIFE_SECONDS = 3600;

/** A client of Secrets Manager that counts its reads. */
function storeOf(...tokens) {
  const store = {
    reads: 0,
    async send() {
      const number = Math.min(store.reads++, tokens.length - 1);
      await new Promise((resolve) => setImmediate(resolve));
      const expiresAt = Date.now() + LIFE_SECONDS * 1000;
      const SecretString = JSON.stringify({ accessToken: tokens[number], expiresAt });
      return { SecretString, VersionId: `version-${number}`, CreatedDate: new Date() };
    },
  };
  return store;
}

/** An API on loopback that accepts one token; its requests' tokens and bodies. */
async function apiOf(accepted, use, respond) {
  const seen = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const token = request.headers.authorization?.replace("Bearer ", "");
    seen.push({ token, body: Buffer.concat(chunks).toString(), method: request.method });
    if (respond?.(request, response)) return;
    response.statusCode = token === accepted ? 200 : 401;
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await use(`http://127.0.0.1:${server.address().port}/`, seen);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("fifty callers at once make one read", async () => {
  const store = storeOf("a");
  const reader = new TokenReader("tokens", { client: store });

  const tokens = await Promise.all(Array.from({ length: 50 }, () => reader.get()));

  assert.deepEqual([...new Set(tokens)], ["a"]);
  assert.equal(store.reads, 1);
});

test("fifty callers whose token was rejected make one read", async () => {
  const store = storeOf("a", "b");
  const reader = new TokenReader("tokens", { client: store });
  await reader.get();

  const replaced = await Promise.all(Array.from({ length: 50 }, () => reader.reject("a")));

  assert.deepEqual([...new Set(replaced)], [true]);
  assert.equal(store.reads, 2);
});

test("an older Node is named, and the one that it takes", () => {
  const { rawJSON } = JSON;
  delete JSON.rawJSON;
  try {
    const message = `token-refresh-reader needs Node 22 or later, and this is ${process.version}: choose a newer runtime`;
    assert.throws(() => new TokenReader("tokens"), { name: "ConfigurationError", message });
  } finally {
    JSON.rawJSON = rawJSON;
  }
});

test("a client of the SDK that logs all it can prints no token", async () => {
  const lines = [];
  const log = (...line) => lines.push(inspect(line, { depth: Infinity }));
  const logger = { trace: log, debug: log, info: log, warn: log, error: log };
  const SecretString = JSON.stringify({ accessToken: "canary", expiresAt: Date.now() + LIFE_SECONDS * 1000 });
  const respond = (_request, response) => response.end(JSON.stringify({ SecretString, VersionId: "v", CreatedDate: 1.8e9 }));
  const credentials = { accessKeyId: "made-up", secretAccessKey: "canary-key", sessionToken: "canary-session" };

  await apiOf(undefined, async (endpoint) => {
    const client = new SecretsManagerClient({ endpoint, region: "eu-north-1", credentials, logger });
    assert.equal(await new TokenReader("tokens", { client }).get(), "canary");
  }, respond);

  assert.match(lines.join(), /GetSecretValue/);
  assert.doesNotMatch(lines.join(), /canary/);
});

test("a read that never ends holds up its callers for thirty seconds, and the next one works", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const store = storeOf("a");
    const { send } = store;
    store.send = () => new Promise(() => {});
    const reader = new TokenReader("tokens", { client: store });
    const asked = reader.get();
    await Promise.resolve();
    store.send = send;
    mock.timers.tick(30_000);

    assert.equal(await asked, "a");
  } finally {
    mock.timers.reset();
  }
});

test("a token rejected again and again is read after pauses, whatever version the store names", async () => {
  const store = storeOf("a");
  const send = async () => ({ ...(await store.send()), VersionId: `version-${store.reads}` });
  const reader = new TokenReader("tokens", { client: { send }, clock: () => 1_000 });
  await reader.get();

  for (let count = 0; count < 5; count++) assert.equal(await reader.reject("a"), false);

  assert.equal(store.reads, 2);
});

test("fetch never sends a stream again, and the next request has the new token", async () => {
  const parts = async function* () {
    yield Buffer.from("hello");
  };
  for (const body of [new Blob(["hello"]).stream(), parts(), Readable.from([Buffer.from("hello")]), undefined]) {
    await apiOf("b", async (url, seen) => {
      const reader = new TokenReader("tokens", { client: storeOf("a", "b") });
      const request = body ? url : new Request(url, { method: "POST", body: "hello" });

      assert.equal((await reader.fetch(request, body && { method: "POST", body, duplex: "half" })).status, 401);
      assert.equal((await reader.fetch(url)).status, 200);
      assert.deepEqual(seen.map(({ token, body }) => [token, body]), [["a", "hello"], ["b", ""]]);
    });
  }
});

test("fetch sends every other body again, complete", async () => {
  const form = new FormData();
  form.set("hello", "hello");
  for (const body of ["hello", new Blob(["hello"]), form, new URLSearchParams("hello"), new TextEncoder().encode("hello")]) {
    await apiOf("b", async (url, seen) => {
      const reader = new TokenReader("tokens", { client: storeOf("a", "b") });

      assert.equal((await reader.fetch(url, { method: "POST", body })).status, 200);
      assert.ok(seen.length === 2 && seen.every((request) => request.body.includes("hello")));
    });
  }
});

test("fetch repeats a Request without a body", async () => {
  await apiOf("b", async (url, seen) => {
    const reader = new TokenReader("tokens", { client: storeOf("a", "b") });

    assert.equal((await reader.fetch(new Request(url))).status, 200);
    assert.equal(seen.length, 2);
  });
});

test("neither a token nor a reader shows the token's value", async () => {
  const reader = new TokenReader("tokens", { client: storeOf("very-secret") });
  const token = await reader.token();

  assert.ok(token instanceof Token);
  const all = { showHidden: true, getters: true, depth: 9 };
  const shown = [token, { held: [token] }, { ...token }, structuredClone(token), reader, Object.entries(token)].flatMap((value) => [
    inspect(value, all),
    inspect(value),
    JSON.stringify(value),
    `${value}`,
    serialize(value === reader ? {} : value).toString("latin1"),
  ]);
  for (const text of shown) assert.ok(!text.includes("very-secret"), text);
  assert.match(inspect(token), /^Token \{.*versionId: 'version-0'/s);
});

test("an error shows nothing of what is stored or of what was thrown", async () => {
  const texts = ['{"accessToken": "very-secret', '{"accessToken": "very-secret ", "expiresAt": 1}', '["very-secret"]'];
  const responses = texts.map((text) => async () => ({ SecretString: text, VersionId: "v", CreatedDate: new Date() }));
  const thrown = async () => {
    throw Object.assign(new Error("very-secret"), { name: "very-secret", cause: "very-secret" });
  };
  for (const send of [...responses, thrown, async () => undefined]) {
    const error = await new TokenReader("tokens", { client: { send } }).get().catch((failure) => failure);

    assert.ok(error instanceof TokenRefreshError, String(error));
    assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes("very-secret"));
  }
});

test("an error names the secret, the region and the action", async () => {
  const send = async () => {
    throw Object.assign(new Error("not authorized"), { name: "AccessDeniedException" });
  };
  const config = { region: async () => "eu-central-1" };
  const error = await new TokenReader("tokens", { client: { send, config } }).get().catch((failure) => failure);

  assert.equal(error.name, "SecretAccessDenied");
  assert.equal(
    error.message,
    "secretsmanager:GetSecretValue on secret tokens in eu-central-1 was denied (AccessDeniedException): " +
      "allow secretsmanager:GetSecretValue for the caller's role",
  );
});

test("an error names the key's permission where the key can't be used", async () => {
  const thrown = Object.assign(new Error("Access to KMS is not allowed"), { name: "AccessDeniedException" });
  const reader = new TokenReader("tokens", { client: { send: () => Promise.reject(thrown) } });

  await assert.rejects(reader.get(), { name: "SecretAccessDenied", fix: /^the caller's role needs kms:Decrypt on its key; if it may that, the key is/ });
});

test("an error without a token names the token secret's status, by its name and region", async () => {
  const send = async () => ({ SecretString: '{"revokedAt": "2026-11-27T16:00:00Z"}', VersionId: "v", CreatedDate: new Date() });
  const missing = async () => {
    throw Object.assign(new Error(""), { name: "ResourceNotFoundException" });
  };
  const arn = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:tokens-published";
  const commands = {
    "tokens-published": "token-refresh status tokens ",
    tokens: "token-refresh status tokens ",
    [arn]: "token-refresh status tokens --region eu-north-1 ",
    [`${arn}-AbCdEf`]: "token-refresh status tokens --region eu-north-1 ",
  };
  for (const [name, command] of Object.entries(commands)) {
    const error = await new TokenReader(name, { client: { send } }).get().catch((failure) => failure);

    assert.equal(error.name, "SecretEmpty");
    assert.ok(error.message.includes("none is published yet, or the grant was revoked: "), error.message);
    assert.ok(error.fix.includes(command), error.fix);
    const client = { send: missing };
    // Whose copy a missing secret is, only the ending says: no command may have its own name in it.
    const found = name === "tokens" ? "; token-refresh status of the token secret says why" : command;
    await assert.rejects(new TokenReader(name, { client }).get(), (failure) => failure.fix.includes(found));
  }
  const inRegion = { send, config: { region: async () => "eu-south-2" } };
  for (const client of [inRegion, { ...inRegion, send: missing }]) {
    const fix = /token-refresh status tokens --region eu-south-2 /;
    await assert.rejects(new TokenReader("tokens-published", { client }).get(), { fix });
  }
});

test("a malformed reference is refused by its length and the place of its first wrong character, and not quoted", () => {
  const arn = "arn:aws:secretsmanager:eu-north-1:123456789012:secret:canary";
  const cases = [
    ["", "got an empty string"],
    [undefined, "got undefined"],
    ["canary secret", "character 7 of 13 can't be there"],
    ["other:/canary", "character 6 of 13 can't be there"],
    ["ssm:/canary", "reads Secrets Manager alone, and no ssm: reference: read it with @aws-sdk/client-ssm"],
    ["amplify:canary", 'no amplify: reference: give defineFunction { environment: { NAME: secret("NAME") } }, and read process.env'],
    ['{"canary": 1}', "character 1 of 13 can't be there"],
    ["can\u00e4ry", "character 4 of 6 can't be there"],
    ["canary\u0007", "character 7 of 7 can't be there"],
    ["canary#", "it ends after 7 characters"],
    ["canary#a\nb", "character 9 of 10 can't be there"],
    ["#canary", "character 1 of 7 can't be there"],
    [`${"c".repeat(512)}anary`, "character 513 of 517 can't be there"],
    [arn.replace("secretsmanager", "ssm"), "character 9 of 49 can't be there"],
    [arn.slice(0, -6), "it ends after 54 characters"],
  ];
  for (const [wrong, says] of cases) {
    assert.throws(
      () => new TokenReader(wrong),
      (error) => error.name === "ConfigurationError" && error.message.includes(says) && !error.message.includes("canary"),
      `${wrong}: ${says}`,
    );
  }
});

test("a token document may be a field of a secret", async () => {
  const document = { accessToken: "a", expiresAt: Date.now() + LIFE_SECONDS * 1000 };
  const stored = { upwork: document, other: "very-secret" };
  const send = async (command) => {
    assert.equal(command.input.SecretId, "my-app/prod/tokens");
    return { SecretString: JSON.stringify(stored), VersionId: "v", CreatedDate: new Date() };
  };

  assert.equal(await new TokenReader("my-app/prod/tokens#upwork", { client: { send } }).get(), "a");
  for (const [field, kind] of [["other", "a JSON string"], ["missing", "missing"], ["constructor", "missing"]]) {
    const error = await new TokenReader(`my-app/prod/tokens#${field}`, { client: { send } }).get().catch((failure) => failure);

    assert.equal(error.name, "InvalidSecretDocument");
    assert.ok(error.message.endsWith(`${field} must be a JSON object; it is ${kind}`), error.message);
  }
});

test("without a client the reader makes one of the ARN's region, with short timeouts", async () => {
  const made = [];
  mock.method(SecretsManagerClient.prototype, "send", async function send() {
    made.push(await this.config.region(), await this.config.maxAttempts());
    return storeOf("a").send();
  });
  try {
    await new TokenReader("arn:aws:secretsmanager:eu-north-1:123456789012:secret:tokens-AbCdEf").get();
    await new TokenReader("tokens", { region: "us-east-2" }).get();

    assert.deepEqual(made, ["eu-north-1", 2, "us-east-2", 2]);
  } finally {
    mock.restoreAll();
  }
});

test("a request that gets no response ends at the time limit, and is an error", { timeout: 60_000 }, async () => {
  const { send } = SecretsManagerClient.prototype;
  mock.method(SecretsManagerClient.prototype, "send", function sendSooner(...call) {
    this.config.requestHandler.updateHttpClientConfig("requestTimeout", 50);
    return send.apply(this, call);
  });
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: "made-up", AWS_SECRET_ACCESS_KEY: "made-up" });
  try {
    await apiOf(undefined, async (url, seen) => {
      process.env.AWS_ENDPOINT_URL = url;
      const reader = new TokenReader("tokens", { region: "eu-north-1" });

      await assert.rejects(reader.get(), { name: "SecretStoreUnavailable", message: /TimeoutError/ });
      assert.equal(seen.length, 2);
    }, () => true);
  } finally {
    mock.restoreAll();
    for (const name of ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) delete process.env[name];
  }
});

test("a warning says that a cached token is served, and why", async () => {
  const warnings = [];
  let now = 1_800_000_000;
  let fails = false;
  const send = async () => {
    if (fails) throw Object.assign(new Error(""), { name: "ThrottlingException" });
    const SecretString = JSON.stringify({ access_token: "a", expires_at: now + LIFE_SECONDS });
    return { SecretString, VersionId: "v", CreatedDate: new Date(now * 1000) };
  };
  const options = { client: { send }, background: false, clock: () => now, onWarning: (error) => warnings.push(error.name) };
  const reader = new TokenReader("tokens", options);
  await reader.get();
  fails = true;
  now += LIFE_SECONDS - 60;

  assert.equal(await reader.get(), "a");
  assert.deepEqual(warnings, ["SecretStoreUnavailable"]);
});

test("an error without a token says what became of the run that the reader asked for", async () => {
  const send = async () => ({
    SecretString: JSON.stringify({ accessToken: "very-secret", expiresAt: Date.now() - 1000 }),
    VersionId: "v",
    CreatedDate: new Date(),
  });
  const payload = (value) => ({ Payload: new TextEncoder().encode(JSON.stringify(value)) });
  const denied = Object.assign(new Error("very-secret"), { name: "AccessDeniedException" });
  for (const [run, said] of [
    [async () => payload({ outcome: "held" }), "worker was asked to refresh and returned held"],
    [async () => payload({ errorType: "ReauthorizationRequired" }), "worker was asked to refresh and returned ReauthorizationRequired"],
    [async () => payload({ outcome: "very secret" }), "worker was asked to refresh and returned something other than an outcome"],
    [async () => payload(null), "worker was asked to refresh and returned something other than an outcome"],
    [async () => Promise.reject(denied), "worker could not be asked to refresh: lambda:InvokeFunction failed (AccessDeniedException)"],
    [async () => ({ Payload: undefined }), "worker could not be asked to refresh: lambda:InvokeFunction failed (SyntaxError)"],
  ]) {
    const options = { client: { send }, refreshFunction: "worker", lambdaClient: { send: run } };
    const error = await new TokenReader("tokens", options).get().catch((failure) => failure);

    assert.equal(error.name, "TokenExpired");
    assert.ok(error.message.endsWith(`; ${said}`), error.message);
    assert.ok(!inspect(error, { showHidden: true, depth: 9 }).includes("very"));
  }
});

test("a greatest age that is no positive number is refused", () => {
  for (const maxAgeSeconds of [0, -1, NaN, "300", null]) {
    assert.throws(() => new TokenReader("tokens", { maxAgeSeconds }), { name: "ConfigurationError" });
  }
});

test("a listener of warnings that fails costs nobody the token, and not the process", async () => {
  const told = [];
  process.on("warning", ({ message }) => told.push(message));
  for (const onWarning of [() => { throw new Error("thrown"); }, async () => { throw new Error("rejected"); }]) {
    for (const background of [true, false]) {
      let now = 1_800_000_000;
      let fails = false;
      const send = async () => {
        if (fails) throw new Error("");
        const SecretString = JSON.stringify({ access_token: "a", expires_at: now + LIFE_SECONDS });
        return { SecretString, VersionId: "v", CreatedDate: new Date(now * 1000) };
      };
      const reader = new TokenReader("tokens", { client: { send }, background, clock: () => now, onWarning });
      await reader.get();
      fails = true;
      now += LIFE_SECONDS - 60;

      assert.equal(await reader.get(), "a");
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(reader.health().lastError.name, "SecretStoreUnavailable");
    }
  }
  assert.deepEqual(told, Array(4).fill("onWarning failed; it heard that a cached value is served"));
});

/** A reader that has read the token `first`; its reads end when they are told to. */
async function holding() {
  let now = 1_800_000_000;
  const held = [];
  const warnings = [];
  const send = () => new Promise((resolve, reject) => held.push({ resolve, reject }));
  const options = { client: { send }, background: true, clock: () => now, onWarning: (error) => warnings.push(error) };
  const reader = new TokenReader("tokens", options);
  const stored = (token) => ({
    SecretString: JSON.stringify({ access_token: token, expires_at: 1_800_000_000 + LIFE_SECONDS }),
    VersionId: token,
    CreatedDate: new Date(1_800_000_000_000),
  });
  const end = async (index, token) => {
    if (token) held[index].resolve(stored(token));
    else held[index].reject(new Error("unreachable"));
    await new Promise((resolve) => setImmediate(resolve));
  };
  const first = reader.get();
  await end(0, "first");
  await first;
  return { reader, held, warnings, end, pass: (seconds) => (now += seconds) };
}

/** The same with a read that was given up after 31 s, and after the pause of a failure another one under way. */
async function overtaken() {
  const held = await holding();
  for (const seconds of [2500, 31, 2]) {
    held.pass(seconds);
    assert.equal(await held.reader.get(), "first");
  }
  return held;
}

test("a caller waits for no read while there is a valid token, also for one that a rejection began", async () => {
  const { reader, end, pass } = await holding();
  pass(2500);
  const replaced = reader.reject("first");

  assert.equal(await reader.get(), "first");
  await end(1, "second");
  assert.equal(await replaced, true);
});

test("a read that was overtaken brings no older token back, and hides nothing of the later one if it fails", async () => {
  for (const older of ["first", undefined]) {
    const { reader, warnings, end } = await overtaken();
    await end(2, "second");
    const before = warnings.length;
    await end(1, older);

    assert.equal(await reader.get(), "second");
    assert.deepEqual([reader.health().lastError, warnings.length], [undefined, before]);
  }
});

test("a read that was given up leaves the one after it to its callers", async () => {
  const { reader, held, end, pass } = await overtaken();
  await end(1, "first");
  pass(2); // the pause after a failure
  const replaced = reader.reject("first");
  await end(2, "second");

  assert.equal(await replaced, true);
  assert.equal(held.length, 3);
});
