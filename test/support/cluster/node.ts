/** One `rosterd serve` of a cluster, as a process of its own, with a wire of its own to each server. */
import { eventually } from '../eventually.ts';
import { type Finished, RosterdProcess } from '../process.ts';
import { serverToken } from '../world.ts';
import type { Reaper } from './reaper.ts';
import type { Wire } from './wire.ts';

/** A request to a node that stands still ends after this time. */
const PATIENCE_MS = 8_000;
const READY_MS = 30_000;

export interface NodeAnswer {
  /** 0: no answer came. */
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape; asserting on a wrong one fails the test all the same
  readonly body: any;
}

export interface NodeOptions {
  readonly name: string;
  readonly port: number;
  readonly data: string;
  readonly wires: readonly Wire[];
  readonly env: Readonly<Record<string, string>>;
  readonly flags: readonly string[];
  readonly reaper: Reaper;
}

export class ClusterNode {
  readonly name: string;
  readonly url: string;
  readonly wires: readonly Wire[];
  readonly #options: NodeOptions;
  #process: RosterdProcess | undefined;
  #isWanted = false;
  /** Ends that nobody asked for, with what the process said last. */
  readonly ends: string[] = [];

  constructor(options: NodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.url = `http://127.0.0.1:${options.port}`;
    this.wires = options.wires;
  }

  /** Resolves when it listens. */
  async start(): Promise<void> {
    const { name, port, data, env, flags, reaper } = this.#options;
    const own = ['--listen', `127.0.0.1:${port}`, '--data', data, '--node-name', name];
    const started = RosterdProcess.run(['serve', ...own, ...flags], { env: { ...env } });
    reaper.watch(started.child);
    this.#process = started;
    this.#isWanted = true;
    void started.finished.then((finished) => this.#ended(started, finished));
    await started.listening();
  }

  #ended(process: RosterdProcess, { code, stdout, stderr }: Finished): void {
    if (this.#process !== process) return;
    this.#process = undefined;
    if (this.#isWanted) this.ends.push(`${this.name} ended with ${code}: ${`${stdout}\n${stderr}`.slice(-2_000)}`);
  }

  get isRunning(): boolean {
    return this.#process !== undefined;
  }

  /** What it has said so far. */
  get said(): string {
    return `${this.#process?.stdout ?? ''}\n${this.#process?.stderr ?? ''}`;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.child.kill(signal);
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<Finished | undefined> {
    this.#isWanted = false;
    return await this.#process?.kill(signal);
  }

  /** A request with a server token. Never rejects. */
  async call(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}): Promise<NodeAnswer> {
    const url = new URL(path, this.url);
    url.searchParams.set('api_key', this.#options.env.ROSTERD_API_KEY ?? '');
    try {
      const answer = await fetch(url, {
        method,
        signal: AbortSignal.timeout(PATIENCE_MS),
        headers: { authorization: serverToken(), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: await answer.json() };
    } catch {
      return { status: 0, body: undefined };
    }
  }

  /** Resolves when it is ready. */
  async ready(withinMs = READY_MS): Promise<void> {
    const says = (): string => `${this.name} is not ready ${withinMs} ms later: ${this.said.slice(-3_000)}`;
    await eventually(async () => (await this.call('GET', '/readyz')).status === 200, says, withinMs);
  }

  /** Resolves when it is ready and takes a write; rejects with what it says after `withinMs`. */
  async well(withinMs: number): Promise<void> {
    let last = '';
    const isWell = async (): Promise<boolean> => {
      const ready = await this.call('GET', '/readyz');
      last = `readyz: ${ready.status} ${JSON.stringify(ready.body)}`;
      if (ready.status !== 200) return false;
      const written = await this.call('POST', '/api/v2/users', { users: { probe: { id: 'probe', custom: { at: Date.now() } } } });
      last = `a write: ${written.status} ${JSON.stringify(written.body)}`;
      return written.status === 200 || written.status === 201;
    };
    await eventually(isWell, () => `${this.name} is not well ${withinMs} ms later: ${last}\n${this.said.slice(-3_000)}`, withinMs);
  }
}
