/**
 * A server under measurement: a child process on core 0, where `taskset` exists, watched from outside through /proc and
 * asked from inside through probe.mjs. The rig itself, which is the load, moves to core 1.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { resolve } from 'node:path';

const PROBE = resolve(import.meta.dirname, 'probe.mjs');
const SERVER_CORE = '0';
const LOAD_CORE = '1';
/** `getconf CLK_TCK`: the unit of times in /proc/PID/stat. */
const TICKS_PER_SECOND = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout?.trim() || 100);
const TASKSET = 'taskset';
/** What servers say once they listen, rosterd, the peers and Centrifugo. */
const LISTENING = /(?:listens|serving .*) on (?:http:\/\/)?([\w.:]+)/;
const canPin = cpus().length > 1 && spawnSync(TASKSET, ['-V']).error === undefined;

/** Moves this process, the load, away from the servers' core. */
export function pinLoad(): void {
  if (canPin) execFileSync(TASKSET, ['-acp', LOAD_CORE, String(process.pid)], { stdio: 'ignore' });
}

/** Settings of whoever runs the benchmark are not those of the daemon that is measured; unknown ones it refuses. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ROSTERD_')));
}

/** The program and arguments that run a program, Node by default, on the servers' core. */
export function onServerCore(
  args: readonly string[],
  program = process.execPath,
): { readonly program: string; readonly args: readonly string[] } {
  if (!canPin) return { program, args };
  return { program: TASKSET, args: ['-c', SERVER_CORE, program, ...args] };
}

export interface Delay {
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Memory {
  readonly rssBytes: number;
  readonly usedBytes: number;
}

export interface SpawnOptions {
  /** Default: Node, with the probe in it. Another one is watched from outside only, and may say on either output that it listens. */
  readonly program?: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its error output goes; thrown away by default. */
  readonly errorLog?: string;
}

export class ServerProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #pid: number;
  readonly #exited: Promise<unknown>;
  #asked = 0;

  private constructor(child: ChildProcess, url: string, exited: Promise<unknown>) {
    this.#child = child;
    this.#pid = child.pid ?? 0;
    this.url = url;
    this.#exited = exited;
  }

  static async spawn({ program, args, env, errorLog }: SpawnOptions): Promise<ServerProcess> {
    const isNode = program === undefined;
    const command = isNode ? onServerCore(['--expose-gc', '--import', PROBE, ...args]) : onServerCore(args, program);
    const errors = !isNode ? 'pipe' : errorLog === undefined ? 'ignore' : openSync(errorLog, 'a');
    const child = spawn(command.program, command.args, {
      stdio: isNode ? ['ignore', 'pipe', errors, 'ipc'] : ['ignore', 'pipe', errors],
      env: { ...ownEnvironment(), ...env },
    });
    const exited = once(child, 'exit');
    const url = await new Promise<string>((found, failed) => {
      let text = '';
      for (const output of [child.stdout, child.stderr]) {
        output?.setEncoding('utf8').on('data', (part: string) => {
          text += part;
          const address = LISTENING.exec(text)?.[1];
          if (address !== undefined) found(`http://${address}`);
        });
      }
      const reason = () => (errorLog === undefined ? '' : readFileSync(errorLog, 'utf8').slice(-2_000));
      exited.then(([code]) => failed(new Error(`${args.join(' ')} ended with ${code}: ${text}${reason()}`)), failed);
    });
    return new ServerProcess(child, url, exited);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** CPU time of all threads so far, user and system, seconds. */
  cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.#pid}/stat`, 'utf8');
    // The name of the program comes second and may hold anything; what follows its bracket is numbers.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  rssBytes(): number {
    return this.#statusBytes('VmRSS');
  }

  #statusBytes(field: string): number {
    const text = readFileSync(`/proc/${this.#pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  }

  /** Resident memory after a full collection. */
  async settledRssBytes(): Promise<number> {
    // The second pass takes what the first one's finalisers let go.
    await this.#ask('collect');
    await this.#ask('collect');
    return this.rssBytes();
  }

  /** Resident memory, and memory in use (heap and what buffers hold outside of it), after a full collection. */
  async settledMemory(): Promise<Memory> {
    const rssBytes = await this.settledRssBytes();
    const { heapUsed, external } = (await this.#ask('memory')) as NodeJS.MemoryUsage;
    return { rssBytes, usedBytes: heapUsed + external };
  }

  /** Bytes that wait in the process for the socket that has the most of them. */
  async queuedBytes(): Promise<number> {
    return Number(await this.#ask('queued'));
  }

  async startDelay(): Promise<void> {
    await this.#ask('delay-start');
  }

  /** Event-loop delay since `startDelay`, without the timer's own period. */
  async delay(): Promise<Delay> {
    return (await this.#ask('delay-read')) as Delay;
  }

  async startHold(): Promise<void> {
    await this.#ask('hold-start');
  }

  /** The most CPU time, in milliseconds, between two turns of the event loop since `startHold`. */
  async longestHold(): Promise<number> {
    return Number(await this.#ask('hold-read'));
  }

  /** Runs `work`, profiled into $ROSTERD_BENCH_PROFILE/`name`.cpuprofile when that is set. */
  async profiled<T>(name: string, work: () => Promise<T>): Promise<T> {
    const directory = process.env.ROSTERD_BENCH_PROFILE;
    if (directory === undefined || directory === '') return await work();
    await this.#ask('profile-start');
    const result = await work();
    await this.#ask('profile-write', resolve(directory, `${name}.cpuprofile`));
    return result;
  }

  #ask(ask: string, argument?: string): Promise<unknown> {
    const id = ++this.#asked;
    return new Promise((found, failed) => {
      const take = (message: unknown): void => {
        const reply = message as { readonly id: number; readonly answer: unknown };
        if (reply.id !== id) return;
        this.#child.off('message', take);
        found(reply.answer);
      };
      this.#child.on('message', take);
      this.#child.send({ id, ask, argument }, (error) => error !== null && failed(error));
    });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal);
    await this.#exited;
  }
}
