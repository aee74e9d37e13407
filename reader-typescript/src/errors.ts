/** The errors: the Python reader's names for the same things. */

export type ErrorName =
  /** An argument, the region or the AWS configuration is wrong. */
  | "ConfigurationError"
  /** There is no token: none is published yet, or the grant was revoked. */
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
  constructor(
    override readonly name: ErrorName,
    what: string,
    readonly fix: string | undefined = undefined,
  ) {
    super(fix === undefined ? what : `${what}: ${fix}`);
  }
}

/** Throw a problem from here: where it was found a variable may hold what is stored, and error reporters send variables. */
export function raised<T>(found: T | TokenRefreshError): T {
  if (found instanceof TokenRefreshError) throw found;
  return found;
}

const ARN = /^arn:[^:]+:secretsmanager:([^:]+):\d+:secret:(.+?)(-[A-Za-z0-9]{6})?$/;

/** A secret as messages name it. */
export interface Place {
  /** Its name or ARN. */
  readonly secretId: string;
  /** Of the client, if that says it. */
  readonly region: string | undefined;
  /** Both in words. */
  readonly text: string;
}

/** What to do about a token that is not there. */
function whoPublishes(place: Place): { store: string; find: string } {
  const why = `${statusOf(place)} of the token secret says why`;
  const store = `the worker has not published a token yet. Ask the people who run it; ${why}`;
  return { store, find: `check its name, the account and the region. If they are right, ${store}` };
}

/** What to do about any other secret that is not there. */
function whoStores(place: Place): { store: string; find: string } {
  const put = inRegion(`aws secretsmanager put-secret-value --secret-id ${place.secretId} --secret-string file://value.json`, place);
  const list = inRegion("aws secretsmanager list-secrets", place);
  const find = `check its name, the account and the region (AWS_REGION); ${list} lists the secrets`;
  return { store: `store one with ${put}`, find };
}

const CREDENTIALS = /Expired|InvalidClientTokenId|UnrecognizedClient|Signature|CredentialsProviderError|Token(Provider|Refresh)Error/;

/**
 * The command that says why a service finds no valid token here: `status` of the token secret. By default the published
 * secret has its name, with `-published` at its end.
 */
export function tokenStatus(place: Place): string {
  return inRegion(`token-refresh status ${nameOf(place).replace(/-published$/, "")}`, place);
}

/** The same for a copy that is not there: only `-published` says what the token secret's name is. */
function statusOf(place: Place): string {
  return nameOf(place).endsWith("-published") ? tokenStatus(place) : "token-refresh status";
}

function nameOf({ secretId }: Place): string {
  const [, , name = secretId] = ARN.exec(secretId) ?? [];
  return name;
}

function inRegion(command: string, { region, secretId }: Place): string {
  const known = region ?? ARN.exec(secretId)?.[1];
  return known === undefined ? command : `${command} --region ${known}`;
}

/** Which reader asks: what a service can't read is the worker's to publish, or its owner's to store. */
export type AskedBy = "TokenReader" | "SecretReader";

/** Name what a client threw. Nothing of it is quoted but a well-formed error code. */
export function failedCall(thrown: unknown, place: Place, askedBy: AskedBy): TokenRefreshError {
  const where = place.text;
  const { name, message } = thrown instanceof Error ? thrown : { name: "", message: "" };
  const code = /^[A-Za-z][A-Za-z0-9_.]{0,63}$/.test(name) ? name : "an unknown error";
  const call = `secretsmanager:GetSecretValue on ${where}`;
  const named = (error: ErrorName, what: string, fix: string): TokenRefreshError => new TokenRefreshError(error, what, fix);
  const { store, find } = askedBy === "TokenReader" ? whoPublishes(place) : whoStores(place);
  if (code === "ResourceNotFoundException" && message.includes("specified secret value")) {
    return named("SecretEmpty", `${where} has no current value`, store);
  }
  if (code === "ResourceNotFoundException") {
    return named("SecretNotFound", `${where} was not found`, find);
  }
  if (code === "InvalidRequestException" && message.includes("deletion")) {
    const restore = inRegion(`aws secretsmanager restore-secret --secret-id ${place.secretId}`, place);
    return named("SecretNotFound", `${where} is marked for deletion`, `restore it with ${restore}`);
  }
  if (code === "AccessDeniedException" || code === "DecryptionFailure") {
    const byKey = code === "DecryptionFailure" || /kms/i.test(message);
    const key = "the caller's role needs kms:Decrypt on its key; if it may that, the key is disabled or waits for its deletion";
    const fix = byKey ? key : "allow secretsmanager:GetSecretValue for the caller's role";
    return named("SecretAccessDenied", `${call} was denied (${code})`, fix);
  }
  if (CREDENTIALS.test(code)) {
    const fix = "give the service an IAM role, or renew the credentials with aws sso login";
    return named("SecretAccessDenied", `${call} has no valid AWS credentials (${code})`, fix);
  }
  if (message.includes("Region is missing")) {
    return named("ConfigurationError", "no AWS region is set", "set AWS_REGION, or give { region }");
  }
  return named("SecretStoreUnavailable", `${call} failed (${code})`, "the next call tries again; if it lasts, check the network path to AWS");
}
