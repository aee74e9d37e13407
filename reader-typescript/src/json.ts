/** Stored JSON objects. An error names a field and never a value. */

import { TokenRefreshError } from "./errors.js";
import type { Version } from "./source.js";

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Read the object that a version holds, or the object in a field of it.
 * @throws TokenRefreshError `InvalidSecretDocument`: it is none.
 */
export function readObject({ origin, content }: Version, field?: string): JsonObject {
  const found = asObject(parsed(content));
  if (!found) throw invalid(origin, "the secret's value must be a JSON object, as text");
  if (field === undefined) return found;
  const inner = Object.hasOwn(found, field) ? found[field] : undefined;
  const object = asObject(inner);
  if (!object) throw invalid(origin, `field ${field} must be a JSON object; it is ${kindOf(inner)}`);
  return object;
}

export function invalid(origin: string, why: string): TokenRefreshError {
  return new TokenRefreshError("InvalidSecretDocument", `${origin}: ${why}`);
}

/** Name a value's type as JSON names it. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return "missing";
  if (value instanceof Fraction) return "a JSON number";
  return `a JSON ${Array.isArray(value) ? "array" : typeof value}`;
}

/** The parser's error quotes the text, so it goes no further. */
function parsed(text: unknown): unknown {
  try {
    if (typeof text !== "string") return undefined;
    const found = JSON.parse(text, strict as Reviver) as unknown;
    return isTooDeep(found) ? undefined : found;
  } catch {
    return undefined;
  }
}

type Reviver = (key: string, value: unknown) => unknown;

/** How many digits Python reads. */
const MOST_DIGITS = 4300;
/** How deep a stored document may be nested. */
const NESTING_LIMIT = 64;

/** A number with a point or an exponent: JavaScript alone takes it for an integer. */
export class Fraction {
  constructor(readonly value: number) {}
}

/** Read a number as the worker does: one with a point or an exponent is no integer, and must fit into a double. */
function strict(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== "number" || source === undefined) return value;
  if (/^-?[0-9]+$/.test(source)) {
    if (source.replace("-", "").length > MOST_DIGITS) throw new RangeError();
    return value;
  }
  if (!Number.isFinite(value)) throw new RangeError();
  return new Fraction(value);
}

/** Look without recursion, as the worker does. */
function isTooDeep(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; depth < NESTING_LIMIT; depth++) {
    level = level.flatMap((node) => (node instanceof Object && !(node instanceof Fraction) ? Object.values(node) : []));
  }
  return level.length > 0;
}

function asObject(value: unknown): JsonObject | undefined {
  return value instanceof Object && !(value instanceof Fraction) && !Array.isArray(value) ? (value as JsonObject) : undefined;
}
