/** Stored JSON objects. An error names a field and never a value; it is returned, and thrown elsewhere (`raised`). */

import { TokenRefreshError } from "./errors.js";
import type { Version } from "./source.js";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Read the object that a version holds, or the object in a field of it. */
export function readObject(version: Version, field?: string): JsonObject | TokenRefreshError {
  const found = asObject(parsed(version));
  if (!found) return invalid(version.origin, "the secret's value must be a JSON object, as text");
  if (field === undefined) return found;
  const inner = Object.hasOwn(found, field) ? found[field] : undefined;
  return asObject(inner) ?? invalid(version.origin, `field ${field} must be a JSON object; it is ${kindOf(inner)}`);
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

/** The parser's error quotes the text, so it goes no further; and no variable holds the text when it is thrown. */
function parsed(version: Version): unknown {
  try {
    if (typeof version.content !== "string") return undefined;
    const found = JSON.parse(version.content, strict as Reviver) as unknown;
    return isRefused(found) ? undefined : found;
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

/** A number that the worker can't read: nor can it read the document. */
const UNREADABLE = new Fraction(NaN);

/** Read a number as the worker does: one with a point or an exponent is no integer, and must fit into a double. */
function strict(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== "number" || source === undefined) return value;
  if (/^-?[0-9]+$/.test(source)) return source.replace("-", "").length > MOST_DIGITS ? UNREADABLE : value;
  return Number.isFinite(value) ? new Fraction(value) : UNREADABLE;
}

/** Whether a document is nested too deep, or has a number that can't be read: without recursion, as in the worker. */
function isRefused(value: unknown): boolean {
  let level = [value];
  for (let depth = 0; depth < NESTING_LIMIT; depth++) {
    if (level.includes(UNREADABLE)) return true;
    level = level.flatMap((node) => (node instanceof Object && !(node instanceof Fraction) ? Object.values(node) : []));
  }
  return level.length > 0;
}

function asObject(value: unknown): JsonObject | undefined {
  return value instanceof Object && !(value instanceof Fraction) && !Array.isArray(value) ? (value as JsonObject) : undefined;
}
