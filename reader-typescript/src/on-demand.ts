/** Asks the worker to refresh now, if the stored token can't be used and waiting for the schedule takes too long. */

import { secondsOf } from "./times.js";
import type { Token } from "./token.js";

/** What a reader needs of a client of AWS Lambda. */
export interface InvokeClient {
  send(command: object): Promise<unknown>;
  config?: { region?: unknown };
}

/** Callers wait for a run so much longer. One attempt: a repeat would start a second run beside the first. */
export const RUN_SECONDS = 90;
/** A worker that can't help at once (re-authorization required, say) is not asked again sooner. */
const PAUSE_SECONDS = 60;
/** A token younger than this is not refreshed for a rejection: the next one would be rejected, too. */
const YOUNG_SECONDS = 300;
/** The pauses after forced refreshes, or after a new token was rejected at once. The last one is repeated. */
const FORCED_PAUSES_SECONDS = [3600, 4 * 3600, 12 * 3600] as const;
/** After this long the pauses begin again. */
const FORGET_SECONDS = 24 * 3600;

/**
 * Decides whether a rejected token is worth a forced refresh. An API that rejects everything would otherwise cause one
 * refresh after another. Each uses up a part of the worker's daily limit, and may end the grant.
 */
class ForcedRefreshes {
  #count = 0;
  #lastAt = -Infinity;
  #nextAt = -Infinity;
  #noted: string | undefined;

  /** Say whether to force a refresh for this rejected token; counts it if so. */
  allow(token: Token, now: number): boolean {
    if (now - this.#lastAt >= FORGET_SECONDS) [this.#count, this.#nextAt] = [0, -Infinity];
    if (now - secondsOf(token.createdAt) < YOUNG_SECONDS) {
      // Once for each version: the rejections that follow say nothing new, and would use up the pauses.
      if (this.#noted !== token.versionId) this.#pause(now);
      this.#noted = token.versionId;
      return false;
    }
    if (now < this.#nextAt) return false;
    this.#pause(now);
    return true;
  }

  #pause(now: number): void {
    this.#nextAt = now + FORCED_PAUSES_SECONDS[Math.min(this.#count, 2) as 0 | 1 | 2];
    this.#lastAt = now;
    this.#count += 1;
  }
}

/** The worker's Lambda function. A reader has one read at a time, so this is never called twice at once. */
export class RefreshFunction {
  readonly #forced = new ForcedRefreshes();
  #againAt = -Infinity;

  constructor(
    private readonly name: string,
    private readonly client: InvokeClient | undefined,
    private readonly clock: () => number,
  ) {}

  /** Have the worker refresh a token that the API rejected before its time; false if it is not worth it. */
  async refreshRejected(token: Token): Promise<boolean> {
    if (!this.#forced.allow(token, this.clock())) return false;
    await this.#invoke(true);
    return true;
  }

  /** Have the worker refresh a token that is due anyway, at most once a minute, and say what came of it. */
  async refreshExpired(): Promise<string> {
    const now = this.clock();
    if (now < this.#againAt && this.#againAt <= now + PAUSE_SECONDS) {
      return `${this.name} was asked to refresh less than ${PAUSE_SECONDS} s ago`;
    }
    // Before the call: a run that takes long, or fails, counts too.
    this.#againAt = now + PAUSE_SECONDS;
    return this.#invoke(false);
  }

  async #invoke(force: boolean): Promise<string> {
    try {
      const { InvokeCommand, LambdaClient } = await import("@aws-sdk/client-lambda");
      const region = /^arn:[^:]+:lambda:([^:]+):/.exec(this.name)?.[1];
      const client: InvokeClient =
        this.client ??
        new LambdaClient({
          maxAttempts: 1,
          requestHandler: { connectionTimeout: 2000, requestTimeout: RUN_SECONDS * 1000, throwOnRequestTimeout: true },
          ...(region === undefined ? {} : { region }),
        });
      const request = { FunctionName: this.name, InvocationType: "RequestResponse", Payload: JSON.stringify(force ? { force } : {}) } as const;
      const response = (await client.send(new InvokeCommand(request))) as { Payload?: Uint8Array };
      return `${this.name} was asked to refresh and returned ${outcomeOf(response.Payload)}`;
    } catch (thrown) {
      return `${this.name} could not be asked to refresh: ${why(thrown)}`;
    }
  }
}

/** Name the outcome or the type of error, and nothing else of what was returned. */
function outcomeOf(payload: Uint8Array | undefined): string {
  const found = JSON.parse(new TextDecoder().decode(payload)) as { outcome?: unknown; errorType?: unknown } | null;
  const named = found?.outcome ?? found?.errorType;
  return typeof named === "string" && /^[A-Za-z][A-Za-z0-9_.]{0,63}$/.test(named) ? named : "something other than an outcome";
}

/** Name an error by its code; its text is left out. */
function why(thrown: unknown): string {
  const { name, code } = thrown as { name?: unknown; code?: unknown };
  if (code === "ERR_MODULE_NOT_FOUND") return "npm install @aws-sdk/client-lambda";
  const named = typeof name === "string" && /^[A-Za-z][A-Za-z0-9_.]{0,63}$/.test(name) ? name : "an unknown error";
  return `lambda:InvokeFunction failed (${named})`;
}
