/** A bench for the delivery of webhooks: a log in memory, a clock that moves when told, and a receiver that answers as asked. */
import type { TestContext } from 'node:test';
import type { Clock } from '../../../daemon/base/clock.ts';
import { HookLine } from '../../../daemon/jobs/hooks/delivery.ts';
import { openLetterFile } from '../../../daemon/jobs/hooks/letter-file.ts';
import { LETTER_LIMITS, type LetterLimits, type Letters } from '../../../daemon/jobs/hooks/letters.ts';
import type { SendResult } from '../../../daemon/jobs/hooks/quick-attempts.ts';
import type { Hook } from '../../../protocol/hooks/hooks.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { temporaryDirectory } from '../store/temp.ts';

/** 2026-03-04T05:06:07Z */
export const START_MS = 1_772_600_767_000;

interface Sleeper {
  readonly atMs: number;
  readonly wake: () => void;
}

/** Time stands still until `advance`. */
export class FakeClock implements Clock {
  #nowMs = START_MS;
  /** How far the wall clock was set from where it would be. */
  #setMs = 0;
  readonly #sleepers = new Set<Sleeper>();

  now(): number {
    return this.#nowMs + this.#setMs;
  }

  /** Sets the wall clock forward or back; sleepers do not notice. */
  set(byMs: number): void {
    this.#setMs += byMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = {
        atMs: this.#nowMs + ms,
        wake: () => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', sleeper.wake, { once: true });
    });
  }

  /** Everybody who is due wakes, in order; `settle` is awaited after each. */
  async advance(ms: number, settle: () => Promise<void>): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = [...this.#sleepers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
      await settle();
    }
    this.#nowMs = endMs;
  }
}

export const HOOK: Hook = {
  ...{ id: 'h', kind: 'webhook', isEnabled: true, url: 'https://hooks.example/', eventTypes: [], custom: undefined },
  ...{ dialect: 'v2', timeoutMs: undefined, isCompressed: false },
};

export interface Request {
  readonly id: string;
  readonly user: string;
  readonly seq: number;
  readonly attempt: number;
  readonly timeoutMs: number;
  /** Since the start of the clock. */
  readonly atMs: number;
}

/** What the receiver does with a request. */
export type Script = (request: Request) => SendResult | Promise<SendResult>;

export const OK: SendResult = { kind: 'status', status: 200 };

export function status(code: number, retryAfterMs?: number): SendResult {
  return { kind: 'status', status: code, retryAfterMs };
}

export function userRecord(id: string, seq = 1): StoredUser {
  return { id, rev: seq, role: 'user', teams: [], custom: {}, created_at: START_MS * 1_000, updated_at: START_MS * 1_000 };
}

export interface BenchOptions {
  readonly script?: Script;
  readonly limits?: Partial<LetterLimits>;
  readonly concurrency?: number;
  readonly retryMs?: number;
  readonly random?: () => number;
  readonly hook?: Partial<Hook>;
}

export class HookBench {
  readonly clock = new FakeClock();
  readonly log = new MemoryLog({ epoch: 'e' });
  readonly requests: Request[] = [];
  readonly logged: string[] = [];
  /** How far the log is ahead of the clock. */
  aheadMs = 0;
  readonly directory: string;
  letters: Letters;
  line: HookLine;
  script: Script;
  readonly hook: Hook;
  readonly #options: BenchOptions;

  private constructor(options: BenchOptions, directory: string, letters: Letters) {
    this.#options = options;
    this.directory = directory;
    this.letters = letters;
    this.script = options.script ?? (() => OK);
    this.hook = { ...HOOK, ...options.hook };
    this.line = this.#newLine(0);
  }

  static async open(t: TestContext, options: BenchOptions = {}): Promise<HookBench> {
    const directory = await temporaryDirectory();
    const bench = new HookBench(options, directory, await openLetters(directory, options));
    bench.line.start();
    t.after(async () => {
      await bench.line.stop(0);
      await bench.letters.close();
      await bench.log.close();
    });
    return bench;
  }

  #newLine(position: number): HookLine {
    const { log, clock, logged } = this;
    const { concurrency = 8, retryMs = 24 * 3_600_000, random = () => 0.5 } = this.#options;
    return new HookLine(
      {
        hook: this.hook,
        letters: this.letters,
        epoch: 'e',
        source: {
          follow: (after, signal) => log.read(after, signal),
          get keptAfter() {
            return log.tail;
          },
        },
        send:
          (_, { id }, { seq, lane }) =>
          async (attempt, timeoutMs, cut) => {
            const request = { id, user: lane, seq, attempt, timeoutMs, atMs: clock.now() - START_MS };
            this.requests.push(request);
            const isCut = new Promise<SendResult>((resolve) =>
              cut.addEventListener('abort', () => resolve({ kind: 'stopped' }), { once: true }),
            );
            return await Promise.race([this.script(request), isCut]);
          },
        ...{ clock, random, concurrency, retryMs },
        logger: { info: (_, text) => logged.push(text), error: (_, text) => logged.push(text) },
        onMoved: () => {},
      },
      position,
    );
  }

  /** A daemon that ended and started again where it had written it was. */
  async restart(position = this.line.position, isNow = false): Promise<void> {
    await this.line.stop(0);
    await this.letters.close();
    this.letters = await openLetters(this.directory, this.#options);
    this.line = this.#newLine(position);
    this.line.start(isNow);
  }

  /** One event for each id, as one entry, and everything that follows from it at this moment. */
  async tell(...ids: readonly string[]): Promise<void> {
    const facts = ids.map((id, index): Fact => ({ t: 'user', event: 'updated', user: userRecord(id, this.log.head.seq + index + 1) }));
    const time = Math.round((this.clock.now() + this.aheadMs) * 1_000);
    await this.log.append(this.log.head.seq, { id: `entry-${this.log.head.seq}`, time, facts });
    await this.settle();
  }

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms, () => this.settle());
  }

  /** Everything that was begun and waits for no time is done. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) {
      for (let step = 0; step < 3; step++) await new Promise((resolve) => setImmediate(resolve));
      // Files are written one thing after the other: this comes last.
      await this.letters.read('nothing').catch(() => {});
    }
  }

  /** What was sent, as `user:seq#attempt`. */
  get sent(): string[] {
    return this.requests.map(({ user, seq, attempt }) => `${user}:${seq}#${attempt}`);
  }
}

function openLetters(directory: string, { limits }: BenchOptions): Promise<Letters> {
  const onDamage = (lines: number): never => {
    throw new Error(`${lines} lines are damaged`);
  };
  return openLetterFile(directory, { onDamage, limits: { ...LETTER_LIMITS, ...limits } });
}

/** Answers of each user, one after the other; the last one stays. Everybody else gets 200. */
export function answers(byUser: Readonly<Record<string, readonly SendResult[]>>): (request: Request) => SendResult {
  const counts = new Map<string, number>();
  return ({ user }) => {
    const list = byUser[user];
    if (list === undefined) return OK;
    const at = counts.get(user) ?? 0;
    counts.set(user, at + 1);
    return list[Math.min(at, list.length - 1)] ?? OK;
  };
}
