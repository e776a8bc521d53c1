/** One process of the cluster: a database server, a node or the proxy. Its output is in a file of the cluster's folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import type { Owner } from './programs.ts';
import { ClusterFailed } from './trouble.ts';

/** Lines of its output that are repeated when it fails. */
const SAID_LINES = 5;
const LOOK_EVERY_MS = 50;

export interface PartOptions {
  readonly name: string;
  /** File of the program, and its arguments. */
  readonly command: readonly [file: string, ...args: string[]];
  /** Its log is written here. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly owner?: Owner | undefined;
  /** The signal that asks it to end in order. */
  readonly stopSignal: NodeJS.Signals;
  /** Called when it ends without having been stopped. */
  readonly died: (part: Part) => void;
}

export class Part {
  readonly name: string;
  readonly logFile: string;
  readonly #options: PartOptions;
  readonly #child: ChildProcess;
  readonly #finished: Promise<void>;
  /** In words; undefined while it runs. */
  ending: string | undefined;
  #isStopped = false;

  constructor(options: PartOptions) {
    this.#options = options;
    this.name = options.name;
    this.logFile = join(options.folder, `${options.name}.log`);
    const log = openSync(this.logFile, 'a', 0o600);
    const [file, ...args] = options.command;
    // In a session of its own, so that Ctrl-C does not reach it before its turn.
    const { env, owner } = options;
    this.#child = spawn(file, args, { cwd: options.folder, env, ...owner, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.#finished = this.#watch();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async #watch(): Promise<void> {
    try {
      const [code, signal] = await once(this.#child, 'exit');
      this.ending = signal === null ? `exit code ${code}` : String(signal);
    } catch (error) {
      this.ending = `it could not be started: ${errorText(error)}`;
    }
    if (!this.#isStopped) this.#options.died(this);
  }

  /** Waits until `isReady` resolves with true. Throws ClusterFailed when it ends before, or after `patienceMs`. */
  async ready(isReady: () => Promise<boolean>, patienceMs: number, stop: AbortSignal): Promise<void> {
    for (const endMs = performance.now() + patienceMs; ; ) {
      stop.throwIfAborted();
      if (await isReady().catch(() => false)) return;
      if (this.ending !== undefined) throw new ClusterFailed(`${this.name} ended (${this.ending}):\n${await this.said()}`);
      if (performance.now() > endMs)
        throw new ClusterFailed(`${this.name} is not ready after ${patienceMs / 1_000} s:\n${await this.said()}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  /** The end of its output. */
  async said(): Promise<string> {
    const text = await readFile(this.logFile, 'utf8').catch(() => '');
    return text.trim().split('\n').slice(-SAID_LINES).join('\n');
  }

  /** Asks it to end, and kills it when it has not after `deadlineMs`. Resolves when it has ended; does nothing when it has before. */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopped = true;
    if (this.ending === undefined) this.#child.kill(this.#options.stopSignal);
    const late = setTimeout(() => this.kill(), deadlineMs);
    await this.#finished;
    clearTimeout(late);
  }

  /** Ends it at once. */
  kill(): void {
    this.#isStopped = true;
    if (this.ending === undefined) this.#child.kill('SIGKILL');
  }
}
