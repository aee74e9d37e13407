/** The token document, as the worker stores and publishes it. */

import { TokenRefreshError, tokenStatus } from "./errors.js";
import { invalid, type JsonObject, readObject } from "./json.js";
import type { Reference } from "./reference.js";
import type { Version } from "./source.js";
import { readTime } from "./times.js";

const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom");

/** What a provider sent with a grant, by its own names. */
export type Extra = Readonly<Record<string, string | number | boolean>>;

/** An access token. No `console.log`, `JSON.stringify`, `structuredClone` or `inspect` shows its value. */
export class Token {
  readonly #value: string;
  /** What the provider sent with the grant, by its own names, such as `realmId`; there is no secret in it. */
  readonly extra: Extra;

  constructor(
    value: string,
    /** From then on the provider rejects it. */
    readonly expiresAt: Date,
    /** The version of the secret that holds it: log this to tell tokens apart. */
    readonly versionId: string,
    /** When that version was stored, by the clock of the store. */
    readonly createdAt: Date,
    extra: Extra = {},
  ) {
    this.#value = value;
    this.extra = Object.freeze({ ...extra });
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

/** Both spellings that a document may have. */
const CAMEL = ["accessToken", "expiresAt", "refreshToken", "issuedAt"] as const;
const SNAKE = ["access_token", "expires_at", "refresh_token", "issued_at"] as const;
/** 1*VSCHAR (RFC 6749 appendix A.12), and no space at either end. */
const TOKEN = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
/** The name of a value beside the tokens: none that the token document has itself, in any spelling. */
const EXTRA_NAME = /^(?!.*(?:token|secret|expires|issued|provider|client))[a-z0-9_]{1,100}$/i;

/** Read the token document that a version holds; or say why there is none, with a field's name and never a value. */
export function readToken(version: Version, { field }: Reference): Token | TokenRefreshError {
  const { origin, place, versionId, createdAt } = version;
  const fields = readObject(version, field);
  if (fields instanceof TokenRefreshError) return fields;
  const [camel, snake] = [CAMEL, SNAKE].map((names) => names.find((name) => name in fields));
  if (camel && snake) return invalid(origin, `${camel} and ${snake} are both in the secret; keep one spelling`);
  const [access, expires] = snake ? SNAKE : CAMEL;
  const value = fields[access];
  if (value === undefined || value === null || value === "") {
    const fix = `ask the people who run the worker; ${tokenStatus(place)} shows why there is none`;
    const what = `${origin} has no access token: none is published yet, or the grant was revoked`;
    return new TokenRefreshError("SecretEmpty", what, fix);
  }
  if (typeof value !== "string" || !TOKEN.test(value)) {
    return invalid(origin, `${access} must hold printable ASCII characters without a space at either end`);
  }
  const expiresAt = readTime(fields[expires]);
  if (!expiresAt) return invalid(origin, `${expires} must be Unix seconds or milliseconds, or ISO 8601`);
  return new Token(value, believed(expiresAt, createdAt, fields), versionId, createdAt, readExtra(fields));
}

const LONGEST_SECONDS = 3650 * 86_400;

/** No token is believed to live longer after its storing than that of the worker's last refresh did. */
function believed(expiresAt: Date, createdAt: Date, fields: JsonObject): Date {
  const lives = (fields["tokenRefresh"] as { lifetime_seconds?: unknown } | null | undefined)?.lifetime_seconds;
  if (!Number.isInteger(lives) || (lives as number) < 1 || (lives as number) > LONGEST_SECONDS) return expiresAt;
  return new Date(Math.min(expiresAt.getTime(), createdAt.getTime() + (lives as number) * 1000));
}

/** Read what `tokenRefresh.kept` names; nothing else beside the tokens may be shown to a consumer. */
function readExtra(fields: JsonObject): Extra {
  const names = (fields["tokenRefresh"] as { kept?: unknown } | null | undefined)?.kept;
  const extra = (Array.isArray(names) ? names : []).flatMap((name: unknown) => {
    const value = typeof name === "string" && EXTRA_NAME.test(name) ? fields[name] : undefined;
    return ["string", "number", "boolean"].includes(typeof value) ? [[name as string, value as Extra[string]]] : [];
  });
  return Object.fromEntries(extra);
}
