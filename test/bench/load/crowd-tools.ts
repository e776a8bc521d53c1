/** What crowd.ts drives its load with: the processes that hold the crowd, a steady pace, and posts that do not wait for each other. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import type { HttpLine, HttpTarget } from '../kit/http-line.ts';
import { sleep } from '../kit/stats.ts';
import type { OpenOrder, Seen, TakeOrder } from './crowd-load.ts';

/** One process of the load. */
export class Load {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(): Promise<Load> {
    const path = resolve(import.meta.dirname, 'crowd-load.ts');
    const child = fork(path, ['--crowd-load'], { execArgv: ['--import', import.meta.resolve('tsx')], serialization: 'advanced' });
    await once(child, 'message');
    return new Load(child);
  }

  async tell(order: OpenOrder | TakeOrder): Promise<unknown> {
    this.#child.send(order);
    const [answer] = await Promise.race([once(this.#child, 'message'), once(this.#child, 'exit')]);
    if (typeof answer === 'number' || answer === null) throw new Error('a process of the crowd failed');
    return answer;
  }

  async take(): Promise<Seen> {
    return (await this.tell({ do: 'take' })) as Seen;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Calls `work` at a steady pace until it is stopped; a late call is made up for, so that the pace is kept on average. */
export class Pace {
  readonly #running: Promise<void>;
  #isStopped = false;
  calls = 0;

  constructor(everyMs: number, work: (call: number) => void) {
    this.#running = this.#run(everyMs, work);
  }

  async #run(everyMs: number, work: (call: number) => void): Promise<void> {
    const startMs = performance.now();
    while (!this.#isStopped) {
      work(this.calls++);
      await sleep(Math.max(0, startMs + this.calls * everyMs - performance.now()));
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }
}

/** Posts without waiting for the answer before; a batch that finds every connection busy waits for one. */
export class Poster {
  readonly #target: HttpTarget;
  readonly #free: HttpLine[];
  readonly #waiting: ((line: HttpLine) => void)[] = [];
  acksMs: number[] = [];
  failure: unknown;

  constructor(target: HttpTarget, lines: readonly HttpLine[]) {
    this.#target = target;
    this.#free = [...lines];
  }

  post(body: Buffer): void {
    this.#post(body).catch((error: unknown) => {
      this.failure ??= error;
    });
  }

  async #post(body: Buffer): Promise<void> {
    const startMs = performance.now();
    const line = this.#free.shift() ?? (await new Promise<HttpLine>((free) => this.#waiting.push(free)));
    await line.post(this.#target, body);
    this.acksMs.push(performance.now() - startMs);
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(line);
    else next(line);
  }
}
