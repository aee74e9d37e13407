// The fakes do what the readers do, as far as a test of a service sees it; the README's example runs, too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { SecretReader, TokenReader, TokenRefreshError } from "../dist/index.js";
import { FakeSecretReader, FakeTokenReader } from "../dist/testing.js";

const DOWN = new TokenRefreshError("SecretStoreUnavailable", "down");

test("a fake is a reader, and shows no value", () => {
  const [tokens, secret] = [new FakeTokenReader("canary"), new FakeSecretReader("canary")];

  assert.ok(tokens instanceof TokenReader && secret instanceof SecretReader);
  assert.ok(!inspect([tokens, secret], { showHidden: true, getters: true, depth: 9 }).includes("canary"));
});

test("each token has its own version, a life and what the provider sent", async () => {
  const extra = { realmId: "9" };
  const tokens = new FakeTokenReader("one", { lifetimeSeconds: 600, extra });
  const one = await tokens.token();
  const two = tokens.refresh("two", { lifetimeSeconds: 60 });

  assert.deepEqual([one.value, one.versionId, two.versionId], ["one", "version-1", "version-2"]);
  assert.equal(one.expiresAt - one.createdAt, 600_000);
  assert.equal(two.expiresAt - two.createdAt, 60_000);
  assert.equal(await tokens.token(), two);
  assert.equal(await tokens.get(), "two");
  extra.realmId = "8"; // a caller's object stays its own
  assert.equal((await tokens.token()).extra.realmId, "9");
});

test("a failure lasts until the next refresh, and health says it without a read", async () => {
  const tokens = new FakeTokenReader("one", { lifetimeSeconds: 600 });
  tokens.fail(DOWN);

  await assert.rejects(tokens.token(), DOWN);
  await assert.rejects(tokens.fetch("https://api.example.com"), DOWN);
  assert.equal(await tokens.reject("other"), false);
  assert.equal(tokens.health().lastError, DOWN);
  tokens.refresh("two");
  assert.equal(await tokens.reject("one"), true);
  assert.equal(await tokens.reject(await tokens.token()), false);
  assert.deepEqual(tokens.rejected, ["other", "one", "two"]);
  const { secondsToExpiry, ageSeconds, lastError } = tokens.health();
  assert.ok(secondsToExpiry > 500 && secondsToExpiry <= 600 && ageSeconds >= 0);
  assert.equal(lastError, undefined);
});

test("a secret is rotated with an overlap or without, fails and is rejected", async () => {
  const secret = new FakeSecretReader("one");
  const one = await secret.secret();
  const two = secret.rotate("two");

  assert.deepEqual((await secret.accepted()).map((each) => [each.text(), each.stage]), [["two", "current"], ["one", "previous"]]);
  assert.deepEqual([await secret.reject(one), await secret.reject(two)], [true, false]);
  assert.deepEqual(secret.rejected, ["version-1", "version-2"]);
  secret.fail(DOWN);
  await assert.rejects(secret.text(), DOWN);
  assert.equal(await secret.reject(one), false);
  secret.rotate('{"a": 1}', { overlap: false });
  assert.equal((await secret.accepted()).length, 1);
  assert.deepEqual(await secret.json(), { a: 1 });
});
