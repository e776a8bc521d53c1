/** Whether requests get through to a receiver, and when to probe again if not (WH13). Pure. */

/** After this number of failures in a row, of any events, the hook is down. */
const DOWN_FAILURES = 5;
/** A success within this time shows that the receiver is alive. */
const ALIVE_MS = 60_000;
const PROBE_BASE_MS = 1_000;
const PROBE_CAP_MS = 300_000;

export interface LastError {
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** The delivery to one hook so far, in numbers. */
export interface LineMeasure {
  /** Attempts at events, by their result. */
  readonly results: { readonly delivered: number; readonly failed: number };
  /** Time of the oldest event that waits, parked ones included, microseconds; undefined while none does. */
  readonly oldestAt: number | undefined;
}

export class Health {
  readonly #random: () => number;
  #failures = 0;
  #probes = 0;
  #probeAtMs = Number.POSITIVE_INFINITY;
  #lastSuccessMs: number | undefined;
  #lastError: LastError | undefined;
  /** A probe is in flight: only one at a time. */
  isProbing = false;
  readonly results = { delivered: 0, failed: 0 };

  constructor(random: () => number) {
    this.#random = random;
  }

  get isDown(): boolean {
    return this.#failures >= DOWN_FAILURES;
  }

  /** Time of the next probe, if there is an event to probe with; infinite while all is well. */
  get probeAtMs(): number {
    return this.isProbing ? Number.POSITIVE_INFINITY : this.#probeAtMs;
  }

  get lastSuccessMs(): number | undefined {
    return this.#lastSuccessMs;
  }

  get lastError(): LastError | undefined {
    return this.#lastError;
  }

  /** Why the last request failed; empty when none did. */
  get reason(): string {
    return this.#lastError?.reason ?? '';
  }

  /** Whether a request got through a short time ago. */
  wasAlive(nowMs: number): boolean {
    return this.#lastSuccessMs !== undefined && nowMs - this.#lastSuccessMs <= ALIVE_MS;
  }

  succeeded(nowMs: number): void {
    this.results.delivered++;
    this.#lastSuccessMs = nowMs;
    this.#failures = 0;
    this.#probes = 0;
    this.#probeAtMs = Number.POSITIVE_INFINITY;
  }

  failed(nowMs: number, reason: string, isProbe: boolean): void {
    this.#failures++;
    this.results.failed++;
    this.note(nowMs, reason);
    if (isProbe) this.#probes++;
    if (isProbe || this.#probeAtMs === Number.POSITIVE_INFINITY) this.#probeAtMs = nowMs + this.#pauseMs();
  }

  /** Notes an error on this side. */
  note(nowMs: number, reason: string): void {
    this.#lastError = { reason, atMs: nowMs };
  }

  /** After the clock was set back, the next probe is no further away than the longest pause. */
  bound(nowMs: number): void {
    if (this.#probeAtMs !== Number.POSITIVE_INFINITY) this.#probeAtMs = Math.min(this.#probeAtMs, nowMs + PROBE_CAP_MS);
  }

  /** Past failures no longer mean anything: the next probe is due now. */
  lookAgain(nowMs: number): void {
    if (this.#failures === 0) return;
    this.#probes = 0;
    this.#probeAtMs = nowMs;
  }

  /** A random pause between half and the whole of 1 s, doubling up to 5 min. */
  #pauseMs(): number {
    return Math.min(PROBE_CAP_MS, PROBE_BASE_MS * 2 ** Math.min(this.#probes, 20)) * (0.5 + this.#random() / 2);
  }
}
