/** The token document, as the worker stores and publishes it. */

import { TokenRefreshError, tokenStatus } from "./errors.js";

/** An access token. Neither `console.log` nor `JSON.stringify` shows it. */
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
}

/** Both spellings that a document may have; times are milliseconds in the first, and seconds in the second. */
const CAMEL = ["accessToken", "expiresAt", "refreshToken", "issuedAt"] as const;
const SNAKE = ["access_token", "expires_at", "refresh_token", "issued_at"] as const;
/** 1*VSCHAR (RFC 6749 appendix A.12), and no space at either end. */
const TOKEN = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/;
const ISO = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;
/** 1973 and 5138: a time outside is in another unit. */
const EARLIEST_SECONDS = 1e8;
const LATEST_SECONDS = 1e11;

/**
 * Read the response of `GetSecretValue`.
 * @throws TokenRefreshError `SecretEmpty` or `InvalidSecretDocument`, which names a field and never a value.
 */
export function readToken(response: unknown, where: string, secretId: string): Token {
  const { SecretString, VersionId, CreatedDate } = (response ?? {}) as Record<string, unknown>;
  if (typeof VersionId !== "string" || !(CreatedDate instanceof Date) || Number.isNaN(CreatedDate.getTime())) {
    const what = `secretsmanager:GetSecretValue on ${where} got a response without a usable VersionId or CreatedDate`;
    const fix = "check AWS_ENDPOINT_URL and the proxy; something other than AWS seems to respond";
    throw new TokenRefreshError("SecretStoreUnavailable", what, fix);
  }
  const origin = `${where}, version ${VersionId} (secretsmanager:GetSecretValue)`;
  const invalid = (why: string): TokenRefreshError => new TokenRefreshError("InvalidSecretDocument", `${origin}: ${why}`);
  const fields = parse(SecretString);
  if (!fields) throw invalid("the secret's value must be a JSON object, as text");
  const [camel, snake] = [CAMEL, SNAKE].map((names) => names.find((name) => name in fields));
  if (camel && snake) throw invalid(`${camel} and ${snake} are both in the secret; keep one spelling`);
  const [[access, expires], perSecond] = snake ? ([SNAKE, 1] as const) : ([CAMEL, 1000] as const);
  const value = fields[access];
  if (value === undefined || value === null || value === "") {
    const fix = `ask the people who run the worker; ${tokenStatus(secretId)} shows why there is none`;
    const what = `${origin} has no access token: none is published yet, or the grant was revoked`;
    throw new TokenRefreshError("SecretEmpty", what, fix);
  }
  if (typeof value !== "string" || !TOKEN.test(value)) {
    throw invalid(`${access} must hold printable ASCII characters without a space at either end`);
  }
  const expiresAt = readTime(fields[expires], perSecond);
  if (!expiresAt) throw invalid(`${expires} must be Unix time (${perSecond} a second) or ISO 8601`);
  return new Token(value, expiresAt, VersionId, CreatedDate);
}

/** The parser's error quotes the text, so it goes no further. */
function parse(text: unknown): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = typeof text === "string" && JSON.parse(text);
    return parsed instanceof Object && !Array.isArray(parsed) ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function readTime(value: unknown, perSecond: number): Date | undefined {
  let seconds = NaN;
  if (Number.isInteger(value)) seconds = (value as number) / perSecond;
  if (typeof value === "string" && ISO.test(value)) {
    const zoned = /(Z|[+-]\d\d:\d\d)$/.test(value) || value.length === 10 ? value : `${value}Z`; // without a zone: UTC
    seconds = Date.parse(zoned.replace(" ", "T")) / 1000;
  }
  return EARLIEST_SECONDS <= seconds && seconds < LATEST_SECONDS ? new Date(seconds * 1000) : undefined;
}
