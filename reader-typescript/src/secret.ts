/** One version of a secret, as a reader gives it. */

import { TokenRefreshError } from "./errors.js";
import { invalid, kindOf, readObject } from "./json.js";
import type { Reference } from "./reference.js";
import type { Version } from "./source.js";

/** Whether a value is the current one, or one that is accepted beside it. */
export type Stage = "current" | "previous";

/** A value of a secret. Neither `console.log` nor `JSON.stringify` shows it. */
export class Secret {
  readonly #value: string | Uint8Array;

  constructor(
    value: string | Uint8Array,
    /** The reference that the reader was given. */
    readonly secretId: string,
    /** The version that holds the value; it may be logged. */
    readonly versionId: string,
    /** When that version was stored, by the clock of the store. */
    readonly createdAt: Date,
    readonly stage: Stage,
  ) {
    this.#value = value;
  }

  /**
   * The value as text.
   * @throws TokenRefreshError `InvalidSecretDocument`: it is binary.
   */
  text(): string {
    if (typeof this.#value === "string") return this.#value;
    throw new TokenRefreshError("InvalidSecretDocument", `${this.secretId} is binary: read it with binary()`);
  }

  /**
   * The value, parsed; a new object at each call.
   * @throws TokenRefreshError `InvalidSecretDocument`: it is not JSON.
   */
  json(): unknown {
    if (typeof this.#value !== "string") return this.text();
    try {
      return JSON.parse(this.#value) as unknown;
    } catch {
      // Without the parser's error, which quotes the value.
      throw new TokenRefreshError("InvalidSecretDocument", `${this.secretId} is not JSON: read it with text()`);
    }
  }

  /** The value as bytes; text in UTF-8. */
  binary(): Uint8Array {
    return typeof this.#value === "string" ? new TextEncoder().encode(this.#value) : this.#value.slice();
  }
}

/** The values of a version: one, or those of a list in the field. The first is current. Or why there is none. */
export function secretsOf(version: Version, { text, field }: Reference): readonly [Secret, ...Secret[]] | TokenRefreshError {
  const { origin, versionId, createdAt } = version;
  if (typeof version.content !== "string" && !(version.content instanceof Uint8Array)) {
    return new TokenRefreshError("SecretEmpty", `${origin} has no value`, "store one");
  }
  const make = (value: string | Uint8Array, stage: Stage): Secret => new Secret(value, text, versionId, createdAt, stage);
  if (field === undefined) return [make(version.content, "current")];
  const found = strings(version, field);
  if (found instanceof TokenRefreshError) return found;
  const [first, ...others] = found;
  return [make(first, "current"), ...others.map((value) => make(value, "previous"))];
}

function strings(version: Version, field: string): readonly [string, ...string[]] | TokenRefreshError {
  const fields = readObject(version);
  if (fields instanceof TokenRefreshError) return fields;
  const found = Object.hasOwn(fields, field) ? fields[field] : undefined;
  const [first, ...others] = (Array.isArray(found) ? found : [found]) as unknown[];
  const rest = others.filter(isText);
  if (isText(first) && rest.length === others.length) return [first, ...rest];
  const must = `field ${field} must be a string or a list of strings, none of them empty`;
  return invalid(version.origin, `${must}; it is ${kindOf(found)}`);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
