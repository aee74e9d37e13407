/**
 * Reads the access token that token-refresh-worker keeps fresh in AWS Secrets Manager.
 *
 *     const tokens = new TokenReader("upwork-oauth-tokens-published");
 *     const response = await tokens.fetch("https://api.upwork.com/graphql", { method: "POST", headers, body });
 *
 * The behaviour is that of the Python reader: both pass the same vectors (test/vectors.json).
 */

import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { Pauses, RefreshPattern, secondsOf } from "./times.js";
import { TokenRefreshError, failedCall, tokenStatus } from "./errors.js";
import { Token, readToken } from "./token.js";

export { TokenRefreshError, type ErrorName } from "./errors.js";
export { Token } from "./token.js";

/** What a reader needs of a client of Secrets Manager. */
export interface Client {
  send(command: GetSecretValueCommand, options?: { abortSignal?: AbortSignal }): Promise<unknown>;
  config?: { region?: unknown };
}

export interface TokenReaderOptions {
  /** By default one with short timeouts: 2 s to connect, 5 s to respond, 2 attempts. */
  client?: Client;
  /** Of the secret; by default that of the ARN, or what the SDK finds (AWS_REGION, the profile). */
  region?: string;
  /** Whether a read ahead runs beside its caller; by default it does except in Lambda, which freezes what runs on. */
  background?: boolean;
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

/** A token with the Unix times, in seconds, at which it was read, is read again, and expires. */
interface Entry {
  readonly token: Token;
  readonly readAt: number;
  readonly refreshAt: number;
  readonly expiresAt: number;
}

/** One read, for which any number of callers wait. */
interface Read {
  readonly number: number;
  readonly givesUpAt: number;
  rejecting: boolean;
  done: Promise<void>;
  error?: TokenRefreshError;
}

/** Callers give up a read that takes longer. */
const READ_SECONDS = 30;
const NAME_OR_ARN = /^([A-Za-z0-9/_+=.@-]{1,512}|arn:[a-z-]+:secretsmanager:([a-z0-9-]+):\d{12}:secret:[A-Za-z0-9/_+=.@-]+)$/;

/** Reads one secret. Make one for each secret, once, and share it; it sends AWS nothing before the first call. */
export class TokenReader {
  readonly #secretId: string;
  readonly #options: TokenReaderOptions;
  readonly #clock: () => number;
  readonly #chance: () => number;
  readonly #background: boolean;
  readonly #client: Client;
  readonly #pauses: Pauses;
  readonly #pattern = new RefreshPattern();
  #entry: Entry | undefined;
  #idleUntil = -Infinity;
  #read: Read | undefined;
  #begun = 0;
  #finished = 0;

  /**
   * @param secretId Name or ARN of the published secret, or of the worker's own.
   * @throws TokenRefreshError `ConfigurationError`: it can't be either.
   */
  constructor(secretId: string, options: TokenReaderOptions = {}) {
    const found = typeof secretId === "string" && NAME_OR_ARN.exec(secretId);
    // Not quoted: it may be a token that was passed in place of a name.
    if (!found) throw new TokenRefreshError("ConfigurationError", "a reader needs the name or ARN of a secret");
    const region = options.region ?? found[2];
    this.#secretId = secretId;
    this.#options = options;
    this.#clock = options.clock ?? (() => Date.now() / 1000);
    this.#chance = options.chance ?? Math.random;
    this.#background = options.background ?? !("AWS_LAMBDA_FUNCTION_NAME" in process.env);
    this.#pauses = new Pauses(this.#chance);
    // Like every client of the SDK, it finds region and credentials at its first call.
    this.#client =
      options.client ??
      new SecretsManagerClient({
        maxAttempts: 2,
        // Without the last one, a request that takes too long is only warned of.
        requestHandler: { connectionTimeout: 2000, requestTimeout: 5000, throwOnRequestTimeout: true },
        ...(region === undefined ? {} : { region }),
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
    // A loop: the read that was waited for may have been given up, or its token may have expired meanwhile.
    for (;;) {
      const found = this.#serveOrRead();
      if (found instanceof Token) return found;
      await this.#wait(found);
      if (found.error && !this.#usable(this.#clock())) throw found.error;
    }
  }

  /** How the cached token is: reads nothing, and never fails. */
  health(): TokenHealth {
    const now = this.#clock();
    return {
      secondsToExpiry: this.#entry && this.#entry.expiresAt - now,
      ageSeconds: this.#entry && now - this.#entry.readAt,
      lastError: this.#pauses.error,
    };
  }

  /**
   * Report that the API responded with 401 to this token; true if another one is worth one more try.
   *
   * Reads the newest version, once for all callers. False means a real 401: the stored token is the same, or could not
   * be read. The same token is read again only after pauses of 1 to 30 s.
   */
  async reject(token: string | Token): Promise<boolean> {
    const value = typeof token === "string" ? token : token.value;
    for (;;) {
      const now = this.#clock();
      this.#giveUpOverdue(now);
      if (this.#entry?.token.value !== value) return true;
      if (!this.#pauses.mayRead(now)) return false;
      // A read that began before the rejection counts: it may end with the newer token, and one read is enough.
      const read = this.#read ?? this.#begin(now);
      read.rejecting = true;
      await this.#wait(read);
    }
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

  #serveOrRead(): Token | Read {
    const now = this.#clock();
    if (this.#entry && now < this.#idleUntil) return this.#entry.token; // before every request of a service
    this.#giveUpOverdue(now);
    const entry = this.#usable(now);
    if (this.#read) return entry?.token ?? this.#read;
    if (!entry && this.#pauses.error && !this.#pauses.mayRead(now)) throw this.#pauses.error;
    const read = this.#begin(now);
    if (!entry) return read;
    this.#idleUntil = Math.min(read.givesUpAt, entry.expiresAt);
    return this.#background ? entry.token : read;
  }

  #usable(now: number): Entry | undefined {
    return this.#entry && now < this.#entry.expiresAt ? this.#entry : undefined;
  }

  #begin(now: number): Read {
    const read: Read = { number: ++this.#begun, givesUpAt: now + READ_SECONDS, rejecting: false, done: Promise.resolve() };
    this.#read = read;
    read.done = this.#run(read);
    return read;
  }

  async #run(read: Read): Promise<void> {
    try {
      this.#keep(read, await this.#readToken());
    } catch (thrown) {
      read.error = thrown instanceof TokenRefreshError ? thrown : failedCall(thrown, await this.#where(), this.#secretId);
      this.#keepError(read, read.error);
    } finally {
      if (this.#read === read) this.#read = undefined;
    }
  }

  async #readToken(): Promise<Token> {
    // The stage is always given: the token secret's policy asks for it.
    const command = new GetSecretValueCommand({ SecretId: this.#secretId, VersionStage: "AWSCURRENT" });
    const token = readToken(await this.#client.send(command), await this.#where(), this.#secretId);
    const now = this.#clock();
    if (secondsOf(token.expiresAt) > now) return token;
    // Somebody made an old version current; the cached token is better.
    const cached = this.#usable(now);
    if (cached) return cached.token;
    const since = `expired at ${token.expiresAt.toISOString()} (version ${token.versionId})`;
    throw new TokenRefreshError(
      "TokenExpired",
      `${await this.#where()}: the access token ${since} and there is no newer one`,
      `ask the people who run the worker; ${tokenStatus(this.#secretId)} shows why there is none`,
    );
  }

  /** Name the secret with its region, in messages. */
  async #where(): Promise<string> {
    const region: unknown = this.#client.config?.region;
    const known: unknown = await Promise.resolve(typeof region === "function" ? region() : region).catch(() => undefined);
    return typeof known === "string" ? `secret ${this.#secretId} in ${known}` : `secret ${this.#secretId}`;
  }

  #keep(read: Read, token: Token): void {
    if (read.number < this.#finished) return; // given up, and overtaken
    this.#finished = read.number;
    const now = this.#clock();
    const cached = this.#entry?.token;
    if (cached) this.#pattern.learn(cached, token);
    const refreshAt = this.#pattern.nextReadAt(token, now, this.#chance());
    this.#entry = { token, readAt: now, refreshAt, expiresAt: secondsOf(token.expiresAt) };
    if (cached?.versionId === token.versionId) this.#pauses.unchanged(now, read.rejecting);
    else this.#pauses.changed();
    this.#idleUntil = Math.min(refreshAt, this.#entry.expiresAt);
  }

  #keepError(read: Read, error: TokenRefreshError): void {
    if (read.number < this.#finished) return; // a late failure must not hide the token of a later read
    this.#finished = read.number;
    const now = this.#clock();
    const entry = this.#usable(now);
    const retryAt = this.#pauses.failed(error, now, entry?.expiresAt);
    if (!entry) return;
    this.#idleUntil = retryAt;
    const warn = this.#options.onWarning ?? ((failure) => process.emitWarning(`serving the cached token: ${failure}`));
    warn(error);
  }

  async #wait(read: Read): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, READ_SECONDS * 1000).unref();
    });
    await Promise.race([read.done, late.then(() => this.#giveUp(read))]);
    clearTimeout(timer);
  }

  #giveUpOverdue(now: number): void {
    if (this.#read && now >= this.#read.givesUpAt) this.#giveUp(this.#read);
  }

  /** Forget a read that takes too long; while there is a token to serve, it has failed. */
  #giveUp(read: Read): void {
    if (this.#read !== read) return;
    this.#read = undefined;
    if (!this.#usable(this.#clock())) return;
    const why = `a read takes over ${READ_SECONDS} s: check the network and the client's timeouts`;
    this.#keepError(read, new TokenRefreshError("SecretStoreUnavailable", `secret ${this.#secretId}: ${why}`));
  }
}
