/**
 * One value, read from a store and kept: the core of both readers.
 *
 * One read runs at a time, and its callers share it. All times are Unix seconds.
 */

import { TokenRefreshError } from "./errors.js";
import type { Pauses } from "./times.js";

/** A value with the times at which it was read, is read ahead, is waited for, and is no longer served. */
export interface Entry<T> {
  readonly value: T;
  readonly readAt: number;
  readonly refreshAt: number;
  readonly waitAt: number;
  readonly expiresAt: number;
}

export interface CacheOptions<T> {
  /** What is read, for messages. */
  readonly name: string;
  /** Reads the newest value. Throws a `TokenRefreshError`, and never gives an entry that is over. */
  readonly read: (cached: Entry<T> | undefined, rejecting: () => boolean) => Promise<Entry<T>>;
  /** Callers give up a read that takes longer; by default 30 s. */
  readonly readSeconds?: number;
  /** Whether two values are the same to an API that rejects one of them. */
  readonly same: (one: T, other: T) => boolean;
  readonly background: boolean;
  readonly clock: () => number;
  readonly pauses: Pauses;
  /** Told of each failed read while a value is served. */
  readonly onWarning: (error: TokenRefreshError) => void;
}

/** One read, for which any number of callers wait. */
interface Read {
  readonly number: number;
  readonly givesUpAt: number;
  rejecting: boolean;
  done: Promise<void>;
  error?: TokenRefreshError;
}

export const READ_SECONDS = 30;
/** A clock this far behind its last reading was set back. */
const SET_BACK_SECONDS = 60;

/** Keeps one value, and reads a new one when it is time. */
export class Cache<T extends object> {
  readonly #options: CacheOptions<T>;
  readonly #readSeconds: number;
  #entry: Entry<T> | undefined;
  #freshUntil = -Infinity;
  #askedAt = -Infinity;
  #read: Read | undefined;
  #begun = 0;
  #finished = 0;

  constructor(options: CacheOptions<T>) {
    this.#options = options;
    this.#readSeconds = options.readSeconds ?? READ_SECONDS;
  }

  /** The value, where there is nothing to do: services ask before every request. */
  fresh(now: number): T | undefined {
    return this.#entry && now < this.#freshUntil ? this.#entry.value : undefined;
  }

  /** The value; waits for a read only if there is none to serve. */
  async get(): Promise<T> {
    // A loop: the read that was waited for may have been given up, or its value may have ended meanwhile.
    for (;;) {
      const found = this.#serveOrRead();
      if ("value" in found) return found.value;
      await this.#wait(found);
      if (found.error && !this.#usable(this.#options.clock())) throw found.error;
    }
  }

  /** The cached entry, over or not, and why the last read failed, if it did. */
  state(): { entry: Entry<T> | undefined; error: TokenRefreshError | undefined } {
    return { entry: this.#entry, error: this.#options.pauses.error };
  }

  /** Read the newest value because the cached one was rejected; true if there is another one now. */
  async reject(rejected: (value: T) => boolean): Promise<boolean> {
    const now = this.#options.clock();
    this.#giveUpOverdue(now);
    const replaced = (): boolean => !this.#entry || !rejected(this.#entry.value);
    if (replaced()) return true;
    if (!this.#options.pauses.mayRead(now)) return false;
    // A read that began before the rejection counts: it may end with the newer value, and one read is enough.
    const read = this.#read ?? this.#begin(now, true);
    read.rejecting = true;
    await this.#wait(read);
    return replaced();
  }

  /** Decide by the time: the entry to serve, or the read to wait for. */
  #serveOrRead(): Entry<T> | Read {
    const now = this.#options.clock();
    this.#giveUpOverdue(now);
    // Otherwise a withdrawn secret would be served until the old time comes again.
    if (now < this.#askedAt - SET_BACK_SECONDS) this.#freshUntil = -Infinity;
    this.#askedAt = now;
    const entry = this.#usable(now);
    if (!entry) return this.#readFirst(now);
    if (now < this.#freshUntil) return entry;
    // After a failed read nobody waits for the next one: the store may be slow to fail.
    const waitAt = this.#options.pauses.error ? entry.expiresAt : Math.min(entry.waitAt, entry.expiresAt);
    if (this.#read) return now >= waitAt ? this.#read : entry;
    const read = this.#begin(now, false);
    // Until this read is given up, callers who need not wait get the cached value.
    this.#freshUntil = Math.min(read.givesUpAt, waitAt);
    return now >= waitAt || !this.#options.background ? read : entry;
  }

  /** Join or begin a read while there is nothing to serve, unless the last one failed a moment ago. */
  #readFirst(now: number): Read {
    const { pauses } = this.#options;
    if (this.#read) return this.#read;
    if (pauses.error && !pauses.mayRead(now)) throw pauses.error;
    return this.#begin(now, false);
  }

  #usable(now: number): Entry<T> | undefined {
    return this.#entry && now < this.#entry.expiresAt ? this.#entry : undefined;
  }

  #begin(now: number, rejecting: boolean): Read {
    const read: Read = { number: ++this.#begun, givesUpAt: now + this.#readSeconds, rejecting, done: Promise.resolve() };
    this.#read = read;
    read.done = this.#run(read);
    return read;
  }

  async #run(read: Read): Promise<void> {
    try {
      this.#keep(read, await this.#options.read(this.#entry, () => read.rejecting));
    } catch (thrown) {
      read.error = thrown instanceof TokenRefreshError ? thrown : defect(this.#options.name, thrown);
      this.#keepError(read, read.error);
    } finally {
      if (this.#read === read) this.#read = undefined;
    }
  }

  #keep(read: Read, entry: Entry<T>): void {
    if (read.number < this.#finished) return; // given up, and overtaken
    this.#finished = read.number;
    const now = this.#options.clock();
    const cached = this.#entry;
    this.#entry = entry;
    if (cached && this.#options.same(cached.value, entry.value)) this.#options.pauses.unchanged(now, read.rejecting);
    else this.#options.pauses.changed(now, read.rejecting);
    this.#freshUntil = Math.min(entry.refreshAt, entry.expiresAt);
  }

  #keepError(read: Read, error: TokenRefreshError): void {
    if (read.number < this.#finished) return; // a late failure must not hide the value of a later read
    this.#finished = read.number;
    const now = this.#options.clock();
    const entry = this.#usable(now);
    const retryAt = this.#options.pauses.failed(error, now, entry?.expiresAt);
    if (!entry) return;
    this.#freshUntil = retryAt;
    tell(this.#options.onWarning, error);
  }

  async #wait(read: Read): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#readSeconds * 1000).unref();
    });
    await Promise.race([read.done, late.then(() => this.#giveUp(read))]);
    clearTimeout(timer);
  }

  #giveUpOverdue(now: number): void {
    if (this.#read && now >= this.#read.givesUpAt) this.#giveUp(this.#read);
  }

  /** Forget a read that takes too long; while there is a value to serve, it has failed. */
  #giveUp(read: Read): void {
    if (this.#read !== read) return;
    this.#read = undefined;
    if (!this.#usable(this.#options.clock())) return;
    const why = `a read takes over ${this.#readSeconds} s: check the network and the client's timeouts`;
    this.#keepError(read, new TokenRefreshError("SecretStoreUnavailable", `secret ${this.#options.name}: ${why}`));
  }
}

/** A listener that throws or rejects must not end the process, or cost its caller a valid token. */
function tell(listener: (error: TokenRefreshError) => unknown, error: TokenRefreshError): void {
  const failed = (): void => process.emitWarning("onWarning failed; it heard that a cached value is served");
  try {
    Promise.resolve(listener(error)).catch(failed);
  } catch {
    failed();
  }
}

/** What was thrown is not quoted: it may hold what is stored. */
function defect(name: string, thrown: unknown): TokenRefreshError {
  const kind = thrown instanceof TypeError || thrown instanceof RangeError ? thrown.name : "an error";
  return new TokenRefreshError("SecretStoreUnavailable", `secret ${name}: ${kind} in the reader, a defect of this package`);
}
