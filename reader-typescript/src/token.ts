/** The token document, as the worker stores and publishes it. */

import { TokenRefreshError, tokenStatus } from "./errors.js";
import { invalid, readObject } from "./json.js";
import type { Reference } from "./reference.js";
import type { Version } from "./source.js";
import { readTime } from "./times.js";

const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** An access token. No `console.log`, `JSON.stringify`, `structuredClone` or `inspect` shows its value. */
export class Token {
  readonly #value: string;

  constructor(
    value: string,
    /** From then on the provider rejects it. */
    readonly expiresAt: Date,
    /** The version of the secret that holds it: log this to tell tokens apart. */
    readonly versionId: string,
    /** When that version was stored, by the clock of the store. */
    readonly createdAt: Date,
  ) {
    this.#value = value;
  }

  /** What follows `Bearer`. */
  get value(): string {
    return this.#value;
  }

  /** `inspect` would call the getter where it is told to show getters. */
  [INSPECT](_depth: number, options: object, inspect: (shown: object, options: object) => string): string {
    return `Token ${inspect({ ...this }, options)}`;
  }
}

/** Both spellings that a document may have; times are milliseconds in the first, and seconds in the second. */
const CAMEL = ["accessToken", "expiresAt", "refreshToken", "issuedAt"] as const;
const SNAKE = ["access_token", "expires_at", "refresh_token", "issued_at"] as const;
/** 1*VSCHAR (RFC 6749 appendix A.12), and no space at either end. */
const TOKEN = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;

/**
 * Read the token document that a version holds.
 * @throws TokenRefreshError `SecretEmpty` or `InvalidSecretDocument`, which names a field and never a value.
 */
export function readToken(version: Version, { name, field }: Reference): Token {
  const { origin, versionId, createdAt } = version;
  const fields = readObject(version, field);
  const [camel, snake] = [CAMEL, SNAKE].map((names) => names.find((name) => name in fields));
  if (camel && snake) throw invalid(origin, `${camel} and ${snake} are both in the secret; keep one spelling`);
  const [[access, expires], perSecond] = snake ? ([SNAKE, 1] as const) : ([CAMEL, 1000] as const);
  const value = fields[access];
  if (value === undefined || value === null || value === "") {
    const fix = `ask the people who run the worker; ${tokenStatus(name)} shows why there is none`;
    const what = `${origin} has no access token: none is published yet, or the grant was revoked`;
    throw new TokenRefreshError("SecretEmpty", what, fix);
  }
  if (typeof value !== "string" || !TOKEN.test(value)) {
    throw invalid(origin, `${access} must hold printable ASCII characters without a space at either end`);
  }
  const expiresAt = readTime(fields[expires], perSecond);
  if (!expiresAt) throw invalid(origin, `${expires} must be Unix time (${perSecond} a second) or ISO 8601`);
  return new Token(value, expiresAt, versionId, createdAt);
}
