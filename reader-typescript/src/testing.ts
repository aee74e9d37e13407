/**
 * Fakes for the tests of services that use the readers. They need no AWS and no network.
 *
 *     const tokens = new FakeTokenReader("first");
 *     const service = new Service(tokens);
 *     tokens.refresh("second"); // as the worker would
 *     tokens.refresh("third", { lifetimeSeconds: 0 }); // expired: a fake never serves it
 *     tokens.fail(new TokenRefreshError("SecretStoreUnavailable", "down")); // as an outage would
 *
 * They do what Python's `token_refresh.testing` does.
 */

import { TokenReader, type TokenHealth } from "./index.js";
import { TokenRefreshError } from "./errors.js";
import { Secret } from "./secret.js";
import { SecretReader } from "./secrets.js";
import type { Client } from "./source.js";
import { secondsOf } from "./times.js";
import { Token, type Extra } from "./token.js";

const LIFETIME_SECONDS = 24 * 3600;
/** Of the readers that the fakes extend; they never ask it. */
const NO_CLIENT: Client = { send: () => Promise.reject(new Error("a fake reads nothing")) };

/** A `TokenReader` that reads nothing: it gives the token that the test set, as long as that is valid. */
export class FakeTokenReader extends TokenReader {
  /** The tokens that were rejected, in order. */
  readonly rejected: string[] = [];
  readonly #lifetimeSeconds: number;
  readonly #extra: Extra;
  #versions = 0;
  #failure: TokenRefreshError | undefined;
  #token: Token;

  /**
   * @param value The access token.
   * @param options `lifetimeSeconds`: how long each token lives from when it is set, by default a day. `extra`: what the
   *     provider sent with the grant, such as `realmId`.
   */
  constructor(value = "fake-access-token", options: { lifetimeSeconds?: number; extra?: Extra } = {}) {
    super("fake", { client: NO_CLIENT });
    this.#lifetimeSeconds = options.lifetimeSeconds ?? LIFETIME_SECONDS;
    this.#extra = options.extra ?? {};
    this.#token = this.refresh(value);
  }

  /** Make another token current and end a failure, as a run of the worker would; give that token. */
  refresh(value: string, options: { lifetimeSeconds?: number } = {}): Token {
    const now = Date.now();
    const expiresAt = new Date(now + (options.lifetimeSeconds ?? this.#lifetimeSeconds) * 1000);
    this.#failure = undefined;
    this.#token = new Token(value, expiresAt, `version-${++this.#versions}`, new Date(now), this.#extra);
    return this.#token;
  }

  /** Throw an error from each method that reads, until the next `refresh`. */
  fail(error: TokenRefreshError): void {
    this.#failure = error;
  }

  /**
   * The token that was set.
   * @throws TokenRefreshError `TokenExpired`: its life is over; or what `fail` has set.
   */
  override async token(): Promise<Token> {
    if (this.#failure) throw this.#failure;
    const { expiresAt } = this.#token;
    if (Date.now() < expiresAt.getTime()) return this.#token;
    throw new TokenRefreshError("TokenExpired", `the fake's access token expired at ${expiresAt.toISOString()}`);
  }

  /** How the token that was set is, and which error was. */
  override health(): TokenHealth {
    const now = Date.now() / 1000;
    const { expiresAt, createdAt } = this.#token;
    return { secondsToExpiry: secondsOf(expiresAt) - now, ageSeconds: now - secondsOf(createdAt), lastError: this.#failure };
  }

  /** Note the rejection; true if another token is current. */
  override async reject(token: string | Token): Promise<boolean> {
    const value = typeof token === "string" ? token : token.value;
    this.rejected.push(value);
    return this.#failure === undefined && value !== this.#token.value;
  }
}

/** A `SecretReader` that reads nothing: it gives the values that the test set. */
export class FakeSecretReader extends SecretReader {
  /** The version IDs that were rejected, in order. */
  readonly rejected: string[] = [];
  #versions = 0;
  #failure: TokenRefreshError | undefined;
  #value: string | Uint8Array;
  #secrets: readonly [Secret, ...Secret[]];

  /** @param value The secret. */
  constructor(value: string | Uint8Array = "fake-secret") {
    super("fake", { client: NO_CLIENT });
    this.#value = value;
    this.#secrets = [this.#version(value)];
  }

  /**
   * Make another value current and end a failure; give its version.
   * @param options `overlap`: whether the one before stays accepted; by default it does.
   */
  rotate(value: string | Uint8Array, { overlap = true }: { overlap?: boolean } = {}): Secret {
    const [before] = this.#secrets;
    const current = this.#version(value);
    const previous = new Secret(this.#value, before.secretId, before.versionId, before.createdAt, "previous");
    this.#value = value;
    this.#failure = undefined;
    this.#secrets = overlap ? [current, previous] : [current];
    return current;
  }

  /** Throw an error from each method that reads, until the next `rotate`. */
  fail(error: TokenRefreshError): void {
    this.#failure = error;
  }

  /**
   * The values that were set, the current one first.
   * @throws TokenRefreshError What `fail` has set.
   */
  override async accepted(): Promise<readonly [Secret, ...Secret[]]> {
    if (this.#failure) throw this.#failure;
    return this.#secrets;
  }

  /** Note the rejection; true if another version is current. */
  override async reject(secret: Secret): Promise<boolean> {
    this.rejected.push(secret.versionId);
    return this.#failure === undefined && secret.versionId !== this.#secrets[0].versionId;
  }

  #version(value: string | Uint8Array): Secret {
    return new Secret(value, "fake", `version-${++this.#versions}`, new Date(), "current");
  }
}
