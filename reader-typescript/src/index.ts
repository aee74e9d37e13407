/**
 * Reads the access token that token-refresh-worker keeps fresh in AWS Secrets Manager.
 *
 *     const tokens = new TokenReader("upwork-oauth-tokens-published");
 *     const response = await tokens.fetch("https://api.upwork.com/graphql", { method: "POST", headers, body });
 *
 * and every other secret there: `await new SecretReader("myapp/prod/stripe-api-key").text()`.
 *
 * The behaviour is that of the Python reader: both pass the same vectors (test/vectors.json).
 */

import { Cache, READ_SECONDS, type Entry } from "./cache.js";
import { TokenRefreshError, raised, tokenStatus } from "./errors.js";
import { RUN_SECONDS, RefreshFunction, type InvokeClient } from "./on-demand.js";
import { parseReference } from "./reference.js";
import { Source, inLambda, type Client } from "./source.js";
import { Pauses, RefreshPattern, secondsOf } from "./times.js";
import { Token, readToken } from "./token.js";

export { TokenRefreshError, type ErrorName } from "./errors.js";
export { type Client } from "./source.js";
export { Secret, type Stage } from "./secret.js";
export { SecretReader, type SecretReaderOptions } from "./secrets.js";
export { type Extra, Token } from "./token.js";

export interface TokenReaderOptions {
  /** By default one with short timeouts: 2 s to connect, 5 s to respond, 2 attempts. */
  client?: Client;
  /** Of the secret; by default that of the ARN, or what the SDK finds (AWS_REGION, the profile). */
  region?: string;
  /** Whether a read ahead runs beside its caller; by default it does except in Lambda, which freezes what runs on. */
  background?: boolean;
  /**
   * The greatest age of a cached token, in seconds, before a caller waits for a newer read. Expiry is observed without
   * it. A failed read never withholds a token that is still valid.
   */
  maxAgeSeconds?: number;
  /**
   * Name or ARN of the worker's function: the reader invokes it if the stored token is expired or was rejected. Needs
   * `lambda:InvokeFunction`, and the package @aws-sdk/client-lambda.
   */
  refreshFunction?: string;
  /** For `refreshFunction`; by default one that waits 90 s for a run and asks once. */
  lambdaClient?: InvokeClient;
  /** Told of each failed read while a valid token is served; by default `process.emitWarning`. */
  onWarning?: (error: TokenRefreshError) => void;
  /** Unix seconds, for tests. */
  clock?: () => number;
  /** A number from 0 to 1, for tests. */
  chance?: () => number;
}

/** What a reader knows about its token, for health checks and metrics; there is no secret in it. */
export interface TokenHealth {
  /** How long the cached token still lives, negative once it is expired; `undefined` before the first read that worked. */
  secondsToExpiry: number | undefined;
  /** How long ago the secret was read; `undefined` before the first read that worked. */
  ageSeconds: number | undefined;
  /** Why the last read failed; `undefined` if it worked. */
  lastError: TokenRefreshError | undefined;
}

/** A read ahead begins at this share of the greatest age, so that a busy service never waits for one. */
const SOFT_SHARE = 0.8;

/** Reads one secret. Make one for each secret, once, and share it; it sends AWS nothing before the first call. */
export class TokenReader {
  readonly #clock: () => number;
  readonly #chance: () => number;
  readonly #pattern = new RefreshPattern();
  readonly #source: Source;
  readonly #cache: Cache<Token>;
  readonly #maxAgeSeconds: number;
  readonly #worker: RefreshFunction | undefined;

  /**
   * @param secretId Name or ARN of the published secret, or of the worker's own. The token document may be in a field of
   *     the secret: `name#field`.
   * @throws TokenRefreshError `ConfigurationError`: it can't be either.
   */
  constructor(secretId: string, options: TokenReaderOptions = {}) {
    this.#clock = options.clock ?? (() => Date.now() / 1000);
    this.#chance = options.chance ?? Math.random;
    const { maxAgeSeconds = Infinity, refreshFunction, lambdaClient } = options;
    // A string would be compared as a number, and NaN never.
    if (typeof maxAgeSeconds !== "number" || !(maxAgeSeconds > 0)) {
      throw new TokenRefreshError("ConfigurationError", "maxAgeSeconds must be a positive number of seconds");
    }
    this.#maxAgeSeconds = maxAgeSeconds;
    if (refreshFunction !== undefined) this.#worker = new RefreshFunction(refreshFunction, lambdaClient, this.#clock);
    const reference = parseReference(secretId);
    this.#source = new Source(reference, "TokenReader", options);
    this.#cache = new Cache<Token>({
      name: reference.text,
      read: (cached, rejecting) => this.#readEntry(cached, rejecting),
      // Whatever the store says of its version: each change lets rejections read without a pause.
      same: (one, other) => one.value === other.value,
      background: options.background ?? !inLambda(),
      clock: this.#clock,
      pauses: new Pauses(this.#chance),
      // Callers wait for the worker's run as well.
      readSeconds: READ_SECONDS + (options.refreshFunction === undefined ? 0 : RUN_SECONDS),
      onWarning: options.onWarning ?? ((error) => process.emitWarning(`serving the cached token: ${error}`)),
    });
  }

  /**
   * The access token's value; never an expired one.
   * @throws TokenRefreshError There is no valid token; its name and message say why and what to do.
   */
  async get(): Promise<string> {
    return (await this.token()).value;
  }

  /**
   * The access token with its expiry and version.
   * @throws TokenRefreshError There is no valid token; its name and message say why and what to do.
   */
  async token(): Promise<Token> {
    return this.#cache.fresh(this.#clock()) ?? this.#cache.get();
  }

  /** How the cached token is: reads nothing, and never fails. */
  health(): TokenHealth {
    const now = this.#clock();
    const { entry, error } = this.#cache.state();
    return {
      secondsToExpiry: entry && entry.expiresAt - now,
      ageSeconds: entry && now - entry.readAt,
      lastError: error,
    };
  }

  /**
   * Report that the API responded with 401 to this token; true if another one is worth one more try.
   *
   * Reads the newest version, once for all callers. False means a real 401: the stored token is the same, or could not
   * be read. The same token is read again only after pauses of 1 to 30 s.
   */
  async reject(token: string | Token): Promise<boolean> {
    // Not below this frame, which holds the value: a client may throw at once.
    const given = Promise.resolve(withValue(typeof token === "string" ? token : token.value));
    return given.then((isRejected) => this.#cache.reject(isRejected));
  }

  /**
   * `fetch` with the token in `Authorization`. After a 401 it is repeated once with another token, if there is one and
   * the body can be sent again (a stream can't). After a redirect the caller gets the 401: the API accepted the first
   * request, and must not get it again.
   * @throws TokenRefreshError There is no valid token.
   */
  async fetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
    const send = (token: Token): Promise<Response> => {
      const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
      headers.set("Authorization", `Bearer ${token.value}`);
      return fetch(input, { ...init, headers });
    };
    const streamed = Symbol.asyncIterator in Object(init.body ?? 0) || (input instanceof Request && input.body !== null);
    const token = await this.token();
    const response = await send(token);
    // `fetch` gives the response after redirects: that 401 may be of a host that never got the token.
    if (response.status !== 401 || response.redirected || !(await this.reject(token)) || streamed) return response;
    await response.body?.cancel();
    return send(await this.token());
  }

  async #readEntry(cached: Entry<Token> | undefined, rejecting: () => boolean): Promise<Entry<Token>> {
    const token = await this.#readToken(cached, rejecting);
    const now = this.#clock();
    if (cached) this.#pattern.learn(cached.value, token);
    const refreshAt = Math.min(this.#pattern.nextReadAt(token, now, this.#chance()), now + SOFT_SHARE * this.#maxAgeSeconds);
    return { value: token, readAt: now, refreshAt, waitAt: now + this.#maxAgeSeconds, expiresAt: secondsOf(token.expiresAt) };
  }

  async #readToken(cached: Entry<Token> | undefined, rejecting: () => boolean): Promise<Token> {
    const { reference } = this.#source;
    const version = await this.#source.read();
    let token = raised(readToken(version, reference));
    let asked = "";
    if (this.#worker && this.#isExpired(token)) {
      asked = `; ${await this.#worker.refreshExpired()}`;
      token = raised(readToken(await this.#source.read(), reference));
    } else if (this.#worker && cached && token.value === cached.value.value && rejecting() && (await this.#worker.refreshRejected(token))) {
      token = raised(readToken(await this.#source.read(), reference));
    }
    // After the worker was asked: its result is in the store, not in its response.
    if (!this.#isExpired(token)) return token;
    // Somebody made an old version current; the cached token is better.
    if (cached && !this.#isExpired(cached.value)) return cached.value;
    const since = `expired at ${token.expiresAt.toISOString()} (version ${token.versionId})`;
    throw new TokenRefreshError(
      "TokenExpired",
      `${version.place.text}: the access token ${since} and there is no newer one`,
      `ask the people who run the worker; ${tokenStatus(version.place)} shows why there is none${asked}`,
    );
  }

  #isExpired(token: Token): boolean {
    return this.#clock() >= secondsOf(token.expiresAt);
  }
}

function withValue(value: string): (token: Token) => boolean {
  return (token) => token.value === value;
}
