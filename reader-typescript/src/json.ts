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
  return `a JSON ${Array.isArray(value) ? "array" : typeof value}`;
}

/** The parser's error quotes the text, so it goes no further. */
function parsed(text: unknown): unknown {
  try {
    return typeof text === "string" ? (JSON.parse(text) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): JsonObject | undefined {
  return value instanceof Object && !Array.isArray(value) ? (value as JsonObject) : undefined;
}
