// Any secret: what the vectors can't say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Secret, SecretReader } from "../dist/index.js";

/** A client that gives this value. */
const holding = (SecretString) => ({ send: async () => ({ SecretString, VersionId: "v", CreatedDate: new Date() }) });

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
