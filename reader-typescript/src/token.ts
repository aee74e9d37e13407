/** The token document, as the worker stores and publishes it. */

import { TokenRefreshError } from "./errors.js";

/** An access token. Neither `console.log` nor `JSON.stringify` shows it. */
export class Token {
  readonly #value: string;
  /** From then on the provider rejects it. */
  readonly expiresAt: Date;
  /** The version of the secret that holds it: log this to tell tokens apart. */
  readonly versionId: string;
  /** When that version was stored, by the clock of the store. */
  readonly createdAt: Date;

  constructor(value: string, expiresAt: Date, versionId: string, createdAt: Date) {
    this.#value = value;
    this.expiresAt = expiresAt;
    this.versionId = versionId;
    this.createdAt = createdAt;
  }

  /** What follows `Bearer`. */
  get value(): string {
    return this.#value;
  }

  get expiresAtSeconds(): number {
    return this.expiresAt.getTime() / 1000;
  }

  equals(other: Token): boolean {
    return (
      this.#value === other.#value &&
      this.versionId === other.versionId &&
      this.expiresAtSeconds === other.expiresAtSeconds &&
      this.createdAt.getTime() === other.createdAt.getTime()
    );
  }
}

/** Both spellings that a document may have, and how many of its unit are a second. */
const SPELLINGS = [
  { access: "accessToken", refresh: "refreshToken", expires: "expiresAt", issued: "issuedAt", perSecond: 1000 },
  { access: "access_token", refresh: "refresh_token", expires: "expires_at", issued: "issued_at", perSecond: 1 },
] as const;
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
  const { SecretString, SecretBinary, VersionId, CreatedDate } = (response ?? {}) as Record<string, unknown>;
  if (typeof VersionId !== "string" || !(CreatedDate instanceof Date) || Number.isNaN(CreatedDate.getTime())) {
    throw new TokenRefreshError(
      "SecretStoreUnavailable",
      `secretsmanager:GetSecretValue on ${where} got a response without a usable VersionId or CreatedDate`,
      "check AWS_ENDPOINT_URL and the proxy; something other than AWS seems to respond",
    );
  }
  const origin = `${where}, version ${VersionId} (secretsmanager:GetSecretValue)`;
  const invalid = (why: string): TokenRefreshError =>
    new TokenRefreshError("InvalidSecretDocument", `${origin}: ${why}`);
  if (typeof SecretString !== "string") throw invalid(`its value is ${SecretBinary ? "binary" : "missing"}; it must be JSON`);
  const fields = parse(SecretString);
  if (!fields) throw invalid("the secret's value is not JSON; it must be a JSON object");
  const present = SPELLINGS.map((names) =>
    [names.access, names.refresh, names.expires, names.issued].find((key) => key in fields),
  );
  if (present[0] && present[1]) throw invalid(`${present[0]} and ${present[1]} are both in the secret; keep one spelling`);
  const names = SPELLINGS[present[1] ? 1 : 0];
  const value = fields[names.access];
  if (value === undefined || value === null || value === "") {
    throw new TokenRefreshError(
      "SecretEmpty",
      `${origin} has no access token yet`,
      `the worker's next run stores one; token-refresh status ${secretId} shows why there is none`,
    );
  }
  if (typeof value !== "string" || !TOKEN.test(value)) {
    throw invalid(`${names.access} must hold printable ASCII characters without a space at either end`);
  }
  const expiresAt = readTime(fields[names.expires], names.perSecond);
  if (!expiresAt) throw invalid(`${names.expires} must be Unix time (${names.perSecond} a second) or ISO 8601`);
  return new Token(value, expiresAt, VersionId, CreatedDate);
}

/** The parser's error quotes the text, so it goes no further. */
function parse(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function readTime(value: unknown, perSecond: number): Date | undefined {
  let seconds = NaN;
  if (typeof value === "number" && Number.isInteger(value)) seconds = value / perSecond;
  if (typeof value === "string" && ISO.test(value)) {
    const zoned = /(Z|[+-]\d\d:\d\d)$/.test(value) || value.length === 10 ? value : `${value}Z`; // without a zone: UTC
    seconds = Date.parse(zoned.replace(" ", "T")) / 1000;
  }
  return EARLIEST_SECONDS <= seconds && seconds < LATEST_SECONDS ? new Date(seconds * 1000) : undefined;
}
