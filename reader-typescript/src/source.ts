/** Reads versions of one secret from AWS Secrets Manager. */

import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { TokenRefreshError, failedCall, raised, type AskedBy, type Place } from "./errors.js";
import type { Reference } from "./reference.js";

/** What a reader needs of a client of Secrets Manager. */
export interface Client {
  send(command: GetSecretValueCommand, options?: { abortSignal?: AbortSignal }): Promise<unknown>;
  config?: { region?: unknown };
}

/** One version of a secret, as it is stored. */
export class Version {
  /** Private: an error reporter sends the variables of frames, with the properties of what they hold. */
  readonly #content: unknown;

  constructor(
    readonly place: Place,
    /** Names the secret, the version and the action in messages. */
    readonly origin: string,
    readonly versionId: string,
    readonly createdAt: Date,
    content: unknown,
  ) {
    this.#content = content;
  }

  get content(): unknown {
    return this.#content;
  }
}

/** Lambda freezes what runs beside a caller. */
export function inLambda(): boolean {
  return "AWS_LAMBDA_FUNCTION_NAME" in process.env;
}

export class Source {
  readonly #client: Client;

  constructor(
    readonly reference: Reference,
    readonly askedBy: AskedBy,
    options: { client?: Client; region?: string },
  ) {
    // Where this is missing, JSON.parse doesn't say how a number is spelt.
    if (!("rawJSON" in JSON)) {
      const what = `token-refresh-reader needs Node 22 or later, and this is ${process.version}`;
      throw new TokenRefreshError("ConfigurationError", what, "choose a newer runtime");
    }
    const region = options.region ?? reference.region;
    // Like every client of the SDK, it finds region and credentials at its first call.
    this.#client =
      options.client ??
      new SecretsManagerClient({
        maxAttempts: 2,
        // Without the last one, a request that takes too long is only warned of.
        requestHandler: { connectionTimeout: 2000, requestTimeout: 5000, throwOnRequestTimeout: true },
        ...(region === undefined ? {} : { region }),
      });
  }

  /**
   * Read the current version.
   * @throws TokenRefreshError It can't be read; the message names the secret, the region and the action.
   */
  async read(): Promise<Version> {
    // The stage is always given: a policy with a condition on secretsmanager:VersionStage asks for it.
    const command = new GetSecretValueCommand({ SecretId: this.reference.name, VersionStage: "AWSCURRENT" });
    let found: Version | TokenRefreshError;
    try {
      found = readVersion(await this.#client.send(command), await this.#place());
    } catch (thrown) {
      found = failedCall(thrown, await this.#place(), this.askedBy);
    }
    return raised(found);
  }

  async #place(): Promise<Place> {
    const region: unknown = this.#client.config?.region;
    const known: unknown = await Promise.resolve(typeof region === "function" ? region() : region).catch(() => undefined);
    const { name } = this.reference;
    const found = typeof known === "string" && known !== "" ? known : undefined;
    return { secretId: name, region: found, text: found === undefined ? `secret ${name}` : `secret ${name} in ${found}` };
  }
}

function readVersion(response: unknown, place: Place): Version | TokenRefreshError {
  const { SecretString, SecretBinary, VersionId, CreatedDate } = (response ?? {}) as Record<string, unknown>;
  if (typeof VersionId !== "string" || !(CreatedDate instanceof Date) || Number.isNaN(CreatedDate.getTime())) {
    const what = `secretsmanager:GetSecretValue on ${place.text} got a response without a usable VersionId or CreatedDate`;
    const fix = "check AWS_ENDPOINT_URL and the proxy; something other than AWS seems to respond";
    return new TokenRefreshError("SecretStoreUnavailable", what, fix);
  }
  const origin = `${place.text}, version ${VersionId} (secretsmanager:GetSecretValue)`;
  return new Version(place, origin, VersionId, CreatedDate, SecretString ?? SecretBinary);
}
