/** The errors: the Python reader's names for the same things. */

import type { Client } from "./index.js";

export type ErrorName =
  /** An argument, the region or the AWS configuration is wrong. */
  | "ConfigurationError"
  /** There is no token yet. */
  | "SecretEmpty"
  /** The stored token is expired, and there is no newer one. */
  | "TokenExpired"
  /** The caller may not read the secret, or has no credentials. */
  | "SecretAccessDenied"
  /** There is no such secret in this account and region. */
  | "SecretNotFound"
  /** The stored value is no token document. */
  | "InvalidSecretDocument"
  /** The store can't be reached, and nothing valid is cached. */
  | "SecretStoreUnavailable";

/** What failed and why, and in `fix` what corrects it. */
export class TokenRefreshError extends Error {
  override readonly name: ErrorName;
  readonly fix: string | undefined;

  constructor(name: ErrorName, what: string, fix?: string) {
    super(fix === undefined ? what : `${what}: ${fix}`);
    this.name = name;
    this.fix = fix;
  }
}

const NOT_PUBLISHED =
  "the worker has not published a token yet. Ask the people who run it; token-refresh status of the token secret says why";
const CREDENTIALS = /Expired|InvalidClientTokenId|UnrecognizedClient|Signature|Token(Provider|Refresh)Error/;

/** Name what a client threw. Nothing of it is quoted but a well-formed error code. */
export async function failedCall(error: unknown, secretId: string, client: Client | undefined): Promise<TokenRefreshError> {
  const { name, message } = error instanceof Error ? error : { name: "", message: "" };
  const code = /^[A-Za-z][A-Za-z0-9_.]{0,63}$/.test(name) ? name : "an unknown error";
  const where = await place(secretId, client);
  const call = `secretsmanager:GetSecretValue on ${where}`;
  if (code === "ResourceNotFoundException") {
    if (message.includes("specified secret value")) {
      return new TokenRefreshError("SecretEmpty", `${where} has no current value`, NOT_PUBLISHED);
    }
    return new TokenRefreshError("SecretNotFound", `${where} was not found`, `check its name, the account and the region. If they are right, ${NOT_PUBLISHED}`);
  }
  if (code === "InvalidRequestException" && message.includes("deletion")) {
    const fix = `restore it with aws secretsmanager restore-secret --secret-id ${secretId}`;
    return new TokenRefreshError("SecretNotFound", `${where} is marked for deletion`, fix);
  }
  if (code === "AccessDeniedException" || code === "DecryptionFailure") {
    const action = code === "DecryptionFailure" || /kms/i.test(message) ? "kms:Decrypt on its key" : "secretsmanager:GetSecretValue";
    return new TokenRefreshError("SecretAccessDenied", `${call} was denied (${code})`, `allow ${action} for the caller's role`);
  }
  if (code === "CredentialsProviderError" || CREDENTIALS.test(code)) {
    const fix = "give the service an IAM role, or renew the credentials with aws sso login";
    return new TokenRefreshError("SecretAccessDenied", `${call} has no valid AWS credentials (${code})`, fix);
  }
  if (/Region is missing/.test(message)) {
    return new TokenRefreshError("ConfigurationError", "no AWS region is set", "set AWS_REGION, or give { region }");
  }
  const fix = "the next call tries again; if it lasts, check the network path to AWS";
  return new TokenRefreshError("SecretStoreUnavailable", `${call} failed (${code})`, fix);
}

/** Name the secret with its region, in messages. */
export async function place(secretId: string, client: Client | undefined): Promise<string> {
  const region: unknown = client?.config?.region;
  try {
    const known: unknown = typeof region === "function" ? await (region as () => Promise<unknown>)() : region;
    return typeof known === "string" ? `secret ${secretId} in ${known}` : `secret ${secretId}`;
  } catch {
    return `secret ${secretId}`;
  }
}
