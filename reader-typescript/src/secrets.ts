/** The other secrets of a service: API keys, webhook secrets, passwords. */

import { Cache } from "./cache.js";
import { TokenRefreshError, raised } from "./errors.js";
import { parseReference } from "./reference.js";
import { Secret, secretsOf } from "./secret.js";
import { Source, inLambda, type Client } from "./source.js";
import { Pauses } from "./times.js";

export interface SecretReaderOptions {
  /** A key of the secret's JSON object, whose value is a string or a list of strings; `name#field` says the same. */
  field?: string;
  /** The age of a cached value at which a caller waits for a newer read; 300 by default. */
  ttlSeconds?: number;
  /** The greatest age of a cached value while AWS can't be reached; by default there is no limit. */
  maxStaleSeconds?: number;
  /** By default one with short timeouts: 2 s to connect, 5 s to respond, 2 attempts. */
  client?: Client;
  /** Of the secret; by default that of the ARN, or what the SDK finds (AWS_REGION, the profile). */
  region?: string;
  /** Whether a read ahead runs beside its caller; by default it does except in Lambda, which freezes what runs on. */
  background?: boolean;
  /** Told of each failed read while a cached value is served; by default `process.emitWarning`. */
  onWarning?: (error: TokenRefreshError) => void;
  /** Unix seconds, for tests. */
  clock?: () => number;
  /** A number from 0 to 1, for tests. */
  chance?: () => number;
}

type Secrets = readonly [Secret, ...Secret[]];

/** A read ahead begins at this share of the time to live, so that a busy service never waits for one. */
const SOFT_SHARE = 0.8;
/** Once a permission or a network works again, the value is read within this time. */
const LONGEST_PAUSE_SECONDS = 300;
/** The first read, and two rotations in a row. */
const MOST_RESTORES = 5;

/** Reads one secret and keeps it for `ttlSeconds`; while AWS can't be reached, for longer. Make one, and share it. */
export class SecretReader {
  readonly #cache: Cache<Secrets>;

  /**
   * Nothing is sent to AWS before the first call.
   * @param secretId Name or ARN of the secret; `#field` at its end is a key of the secret's JSON object.
   * @throws TokenRefreshError `ConfigurationError`: an argument is wrong; the message names it.
   */
  constructor(secretId: string, options: SecretReaderOptions = {}) {
    const reference = parseReference(secretId);
    if (options.field !== undefined && reference.field !== undefined) {
      throw wrong(`${reference.text} names a field, and { field } gives one, too: leave one of them out`);
    }
    const asked = { ...reference, field: options.field ?? reference.field };
    const ttl = secondsOf("ttlSeconds", options.ttlSeconds === undefined ? 300 : options.ttlSeconds);
    const stale = options.maxStaleSeconds === undefined ? Infinity : secondsOf("maxStaleSeconds", options.maxStaleSeconds, ttl);
    const { clock = () => Date.now() / 1000, chance = Math.random, background = !inLambda() } = options;
    const source = new Source(reference, "SecretReader", options);
    const longestSeconds = Math.min(ttl, LONGEST_PAUSE_SECONDS);
    this.#cache = new Cache<Secrets>({
      name: reference.text,
      read: async () => {
        const value = raised(secretsOf(await source.read(), asked));
        const now = clock();
        // Readers that began together part ways. Without a background a read ahead would only cost calls.
        const soft = background ? ttl * (SOFT_SHARE - 0.1 * chance()) : ttl;
        return { value, readAt: now, refreshAt: now + soft, waitAt: now + ttl, expiresAt: now + stale };
      },
      same: ([one], [other]) => sameVersion(one, other),
      background,
      clock,
      pauses: new Pauses(chance, { longestSeconds, longestEmptySeconds: longestSeconds, mostRestores: MOST_RESTORES }),
      onWarning: options.onWarning ?? ((error) => process.emitWarning(`serving the cached secret: ${error}`)),
    });
  }

  /**
   * The current value, with its version.
   * @throws TokenRefreshError It can't be read, and none is cached; the message says why and what to do.
   */
  async secret(): Promise<Secret> {
    return (await this.accepted())[0];
  }

  /**
   * The values that are accepted, the current one first: the others of a list in the field follow.
   * @throws TokenRefreshError They can't be read, and none are cached; the message says why and what to do.
   */
  async accepted(): Promise<readonly [Secret, ...Secret[]]> {
    return this.#cache.get();
  }

  /**
   * The current value as text.
   * @throws TokenRefreshError `InvalidSecretDocument`: it is binary; or as for `secret`.
   */
  async text(): Promise<string> {
    return (await this.secret()).text();
  }

  /**
   * The current value, parsed; a new object at each call.
   * @throws TokenRefreshError `InvalidSecretDocument`: it is not JSON; or as for `secret`.
   */
  async json(): Promise<unknown> {
    return (await this.secret()).json();
  }

  /**
   * Check whether `secret`, which did not work, is still current; true if there is another version.
   *
   * All callers share one read. The same version is read again only after pauses that grow from 1 s to 5 minutes.
   */
  async reject(secret: Secret): Promise<boolean> {
    return this.#cache.reject(([current]) => sameVersion(current, secret));
  }
}

function sameVersion(one: Secret, other: Secret): boolean {
  return one.versionId === other.versionId && one.createdAt.getTime() === other.createdAt.getTime();
}

function secondsOf(name: string, seconds: number, least = 0): number {
  if (typeof seconds === "number" && seconds > 0 && seconds >= least && seconds < Infinity) return seconds;
  throw wrong(`${name} must be a number of seconds, ${least > 0 ? `${least} at least` : "more than 0"}`);
}

function wrong(what: string): TokenRefreshError {
  return new TokenRefreshError("ConfigurationError", what);
}
