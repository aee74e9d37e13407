// amplify/functions/webhooks/verify.ts: verifies what Stripe, Slack and GitHub sign. docs/amplify.md has the handlers.
import { createHmac, timingSafeEqual } from "node:crypto";
import type { SecretReader } from "token-refresh-reader";

/** What a function URL, an HTTP API and a REST API send. */
export interface Request {
  version?: string; // not a REST API's
  rawPath?: string;
  path?: string;
  requestContext?: { stage?: string };
  headers: Record<string, string | undefined> | null;
  body?: string | null;
  isBase64Encoded: boolean;
}

/** The path without the name of a stage. An HTTP API puts it before the path, a REST API doesn't. */
export function pathOf({ version, rawPath, path = "", requestContext }: Request): string {
  const found = rawPath ?? path;
  const stage = `/${requestContext?.stage}`;
  return version !== undefined && found.startsWith(`${stage}/`) ? found.slice(stage.length) : found;
}

type Signed = (headers: Record<string, string | undefined>, body: Buffer, secret: string) => boolean;

/** Verify with the secret in the cache, and if that does not fit, with a newer one. */
export async function isVerified(request: Request, signed: Signed, reader: SecretReader): Promise<boolean> {
  const body = Buffer.from(request.body ?? "", request.isBase64Encoded ? "base64" : "utf-8");
  // A REST API leaves the names as the sender wrote them.
  const headers = Object.fromEntries(Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  const secret = await reader.secret();
  if (signed(headers, body, secret.text())) return true;
  return (await reader.reject(secret)) && signed(headers, body, await reader.text());
}

export const stripe: Signed = (headers, body, secret) => {
  const parts = (headers["stripe-signature"] ?? "").split(",").map((part) => part.trim().split("=", 2));
  const time = parts.find(([name]) => name === "t")?.[1];
  return parts.some(([name, value]) => name === "v1" && isRecent(time) && fits(value, secret, `${time}.`, body));
};

export const slack: Signed = (headers, body, secret) => {
  const time = headers["x-slack-request-timestamp"];
  const value = headers["x-slack-signature"]?.replace(/^v0=/, "");
  return isRecent(time) && fits(value, secret, `v0:${time}:`, body);
};

export const github: Signed = (headers, body, secret) =>
  fits(headers["x-hub-signature-256"]?.replace(/^sha256=/, ""), secret, "", body);

function fits(value: string | undefined, secret: string, prefix: string, body: Buffer): boolean {
  const expected = createHmac("sha256", secret).update(prefix).update(body).digest();
  const given = Buffer.from(value ?? "", "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** Signed less than five minutes ago: an old delivery may be a replay. */
function isRecent(time: string | undefined): boolean {
  return Math.abs(Date.now() / 1000 - Number(time)) < 300;
}
