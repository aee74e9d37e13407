/** When to read again: ahead of an expiry, and after a failure or a rejection. All times are Unix seconds. */

import type { TokenRefreshError } from "./errors.js";
import { Fraction } from "./json.js";
import type { Token } from "./token.js";

const LONGEST_PAUSE_SECONDS = 30;
/** While there is no token to serve: one that comes after an expiry is found within this time. */
const LONGEST_EMPTY_SECONDS = 5;
/** How long it takes until one more short pause is possible. */
const RECOVERY_SECONDS = 4 * 3600;
const MOST_DOUBLINGS = 10;

export interface PauseLimits {
  readonly longestSeconds: number;
  /** After a failure while there is no value to serve. */
  readonly longestEmptySeconds: number;
  /** How often in a row another value makes the pauses short; once more after four hours. */
  readonly mostRestores: number;
}

const OF_A_TOKEN: PauseLimits = {
  longestSeconds: LONGEST_PAUSE_SECONDS,
  longestEmptySeconds: LONGEST_EMPTY_SECONDS,
  mostRestores: Infinity,
};

/** Pauses of 1, 2, 4 ... seconds, less up to half by chance. Failures and rejections share one count. */
export class Pauses {
  error: TokenRefreshError | undefined;
  #count = 0;
  #countedAt = -Infinity;
  #nextAt = -Infinity;
  #restores = 0;
  #restoredAt = -Infinity;

  constructor(
    private readonly chance: () => number,
    private readonly limits: PauseLimits = OF_A_TOKEN,
  ) {}

  mayRead(now: number): boolean {
    // A time further ahead than any pause was set before the clock was set back.
    return !(now < this.#nextAt && this.#nextAt <= now + this.limits.longestSeconds);
  }

  /** Note a failed read, and return when to read again; `goodUntil` is when the token to serve expires. */
  failed(error: TokenRefreshError, now: number, goodUntil: number | undefined): number {
    this.error = error;
    const longest = goodUntil === undefined ? this.limits.longestEmptySeconds : this.limits.longestSeconds;
    this.#nextAt = Math.min(now + this.#seconds(longest, now, true), goodUntil ?? Infinity);
    return this.#nextAt;
  }

  /** Note that the cached value was read again; `rejected` if that was the reason. */
  unchanged(now: number, rejected: boolean): void {
    this.error = undefined;
    // A read that was due anyway delays the next look-up too: the time to live and an attacker share the reads.
    if (rejected || this.#count > 0) this.#nextAt = now + this.#seconds(this.limits.longestSeconds, now, rejected);
  }

  /** Note that another value is current: begin again with short pauses, unless that has happened too often. */
  changed(now: number, rejected: boolean): void {
    const recovered = Math.max(now - this.#restoredAt, 0) / RECOVERY_SECONDS;
    this.#restores = Math.max(this.#restores - recovered, 0) + 1;
    this.#restoredAt = now;
    if (this.#restores <= this.limits.mostRestores) {
      this.error = undefined;
      this.#count = 0;
      this.#countedAt = this.#nextAt = -Infinity;
    } else {
      // A store that gives old and new versions in turn must not be read for each forged request.
      this.#restores = this.limits.mostRestores;
      this.unchanged(now, rejected);
    }
  }

  #seconds(longest: number, now: number, count: boolean): number {
    const recovered = Math.max(now - this.#countedAt, 0) / RECOVERY_SECONDS;
    this.#count = Math.max(this.#count - recovered, 0);
    this.#countedAt = now;
    const seconds = 2 ** this.#count * (1 - this.chance() / 2);
    if (count) this.#count = Math.min(this.#count + 1, MOST_DOUBLINGS);
    return Math.min(longest, seconds);
  }
}

/** The worker refreshes a token this long before its expiry, and never before two thirds of its life. */
const WINDOW_SECONDS = 8 * 3600;
const LARGEST_PART = 1 / 3;
const LONGEST_MARGIN_SECONDS = 30;
const REMEMBERED_LEADS = 8;
/** Also a token whose expiry is years away is read again: the expiry may be a mistake, and a run replaces it at once. */
const LONGEST_KEPT_SECONDS = 86_400;

/** How long before a token's expiry its successor was stored: the lead, for the last few tokens. */
export class RefreshPattern {
  readonly #leads: number[] = [];

  /** Remember when `current` was stored, unless it can't be the direct successor of `previous`. */
  learn(previous: Token, current: Token): void {
    const lead = secondsOf(previous.expiresAt) - secondsOf(current.createdAt);
    if (current.versionId === previous.versionId || lead <= 0 || lead >= lifetime(previous)) return;
    this.#leads.push(lead);
    if (this.#leads.length > REMEMBERED_LEADS) this.#leads.shift();
  }

  /** When to read the secret again, having read `token` at `now`. */
  nextReadAt(token: Token, now: number, chance: number): number {
    const expiresAt = secondsOf(token.expiresAt);
    const window = Math.min(WINDOW_SECONDS, lifetime(token) * LARGEST_PART);
    const lead = this.#leads.length > 0 ? Math.min(...this.#leads) : window;
    const margin = Math.min(LONGEST_MARGIN_SECONDS, lead / 4) * (0.5 + chance);
    const expectedAt = expiresAt - lead + margin;
    if (expectedAt > now) return Math.min(expectedAt, now + LONGEST_KEPT_SECONDS);
    const pause = Math.min(Math.max((expiresAt - now) / 8, 5), 300);
    return now + pause * (0.75 + chance / 2);
  }
}

function lifetime(token: Token): number {
  return secondsOf(token.expiresAt) - secondsOf(token.createdAt);
}

export function secondsOf(time: Date): number {
  return time.getTime() / 1000;
}

/** 1973 and 5138: no token has a time outside, and from the second on a number is milliseconds. */
const EARLIEST_SECONDS = 1e8;
const LATEST_SECONDS = 1e11;
const NUMBER = /^[0-9]{9,14}(?:\.[0-9]{1,9})?$/;
/** The grammar of `token_refresh/stored/times.py`; without a zone a time is UTC. */
const TIME = new RegExp(
  "^([0-9]{4})-([0-9]{2})-([0-9]{2})" +
    "(?:[T ]([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:\\.([0-9]{1,9}))?)?" +
    "(?:Z|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)?)?$",
);

/** Read a time, a number or a text; `undefined` if it is none, or none that a token has. */
export function readTime(value: unknown): Date | undefined {
  let milliseconds = NaN;
  if (typeof value === "number") milliseconds = readNumber(value);
  if (value instanceof Fraction) milliseconds = readNumber(value.value);
  if (typeof value === "string") milliseconds = NUMBER.test(value) ? readNumber(Number(value)) : readText(value);
  const seconds = milliseconds / 1000;
  return EARLIEST_SECONDS <= seconds && seconds < LATEST_SECONDS ? new Date(milliseconds) : undefined;
}

/** Unix milliseconds, of seconds or milliseconds: the size says which. */
function readNumber(number: number): number {
  return Math.trunc(number) * (number < LATEST_SECONDS ? 1000 : 1);
}

/** Unix milliseconds; NaN if the text does not follow the grammar, or there is no such day. */
function readText(text: string): number {
  const found = TIME.exec(text);
  if (!found) return NaN;
  const [year, month, day, hours, minutes, seconds] = found.slice(1, 7).map((part) => Number(part ?? 0)) as Six;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  // JavaScript takes 30 February for 2 March.
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return NaN;
  const offset = (Number(found[9] ?? 0) * 60 + Number(found[10] ?? 0)) * (found[8] === "-" ? -60 : 60);
  const fraction = Number((found[7] ?? "").padEnd(3, "0").slice(0, 3));
  return date.getTime() + (hours * 3600 + minutes * 60 + seconds - offset) * 1000 + fraction;
}

type Six = [number, number, number, number, number, number];
