/**
 * The environment of the demo: a temporary folder, and the commands of this program as separate processes that do not see
 * the caller's settings. It leaves nothing behind, whatever happens.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandIo } from '../io.ts';
import { ownCommand, withoutSettings } from '../own-command.ts';
import { DemoFailed, type Story } from './story.ts';

/** Number of lines of a process's output that are repeated when it fails. */
const SAID_LINES = 5;

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running command. */
export class DemoProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly finished: Promise<ChildEnd>;
  /** Set when it has ended. */
  ended: ChildEnd | undefined;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    this.#name = `rosterd ${args[0]}`;
    const [file, ...before] = ownCommand();
    this.#child = spawn(file, [...before, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.finished = once(this.#child, 'close').then(([code, signal]) => {
      this.ended = { code, signal };
      return this.ended;
    });
    this.finished.catch(() => {});
  }

  /** Waits until its output matches. Rejects with DemoFailed when it ended before. */
  async says(pattern: RegExp, story: Story): Promise<RegExpExecArray> {
    return await story.until(`${this.#name} says ${pattern}`, () => {
      const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr) ?? undefined;
      if (found === undefined && this.ended !== undefined) throw this.#failed();
      return found;
    });
  }

  /** Waits for its end. Rejects with DemoFailed when the exit code is not 0. */
  async succeeds(story: Story): Promise<void> {
    const { code } = await story.until(`${this.#name} has ended`, () => this.ended);
    if (code !== 0) throw this.#failed();
  }

  async kill(signal: NodeJS.Signals): Promise<ChildEnd> {
    this.#child.kill(signal);
    return await this.finished;
  }

  #failed(): DemoFailed {
    const { code, signal } = this.ended ?? {};
    const said = this.stderr.trim().split('\n').slice(-SAID_LINES).join('\n');
    return new DemoFailed(`${this.#name} ended with ${code ?? signal}${said === '' ? '' : `:\n${said}`}`);
  }
}

export class Stage {
  readonly folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #processes: DemoProcess[] = [];

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.#env = env;
  }

  static async open(env: CommandIo['env']): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), 'rosterd-demo-')), withoutSettings(env));
  }

  /** Starts a command in the folder. */
  start(...args: readonly string[]): DemoProcess {
    const started = new DemoProcess(args, { cwd: this.folder, env: this.#env });
    this.#processes.push(started);
    return started;
  }

  /** Ends the commands that still run, and removes the folder. */
  async clear(): Promise<void> {
    await Promise.allSettled(this.#processes.filter(({ ended }) => ended === undefined).map((left) => left.kill('SIGKILL')));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
