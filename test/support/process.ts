/** rosterd as a process of its own, as an operator runs it: started from the sources, killed without mercy. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { assertNoSecret } from './http/secrecy.ts';
import { nodeOptions, programFile } from './run/program.ts';

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface ProcessOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** For Node and V8. */
  readonly nodeFlags?: readonly string[];
  /** A file that is open, in place of what the test reads. */
  readonly stdout?: number | 'pipe';
}

export class RosterdProcess {
  readonly child: ChildProcess;
  #stdout = '';
  #stderr = '';
  readonly finished: Promise<Finished>;

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    this.finished = once(child, 'close').then(([code]) => {
      assertNoSecret(this.#stderr, 'what a process said');
      return { code: code as number | null, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  static run(args: readonly string[], { cwd, env, nodeFlags = [], stdout = 'pipe' }: ProcessOptions = {}): RosterdProcess {
    const child = spawn(process.execPath, [...nodeOptions(), ...nodeFlags, programFile('daemon/main.ts'), ...args], {
      stdio: ['ignore', stdout, 'pipe'],
      // Several run at the same time, and only one of them has the default address.
      env: { ...process.env, ...(args.includes('serve') ? { ROSTERD_METRICS_LISTEN: 'off' } : undefined), ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    return new RosterdProcess(child);
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Resolves with the URL that the daemon's greeting names. */
  async listening(): Promise<string> {
    for (;;) {
      const url = /https?:\/\/[^\s)]+/.exec(this.#stdout)?.[0];
      if (url !== undefined && this.#stdout.split('\n').length > 2) return url;
      const ended = await Promise.race([once(this.child.stdout ?? this.child, 'data').then(() => undefined), this.finished]);
      if (ended !== undefined) throw new Error(`rosterd ended with ${ended.code} before it listened: ${ended.stderr}`);
    }
  }

  async kill(signal: NodeJS.Signals): Promise<Finished> {
    this.child.kill(signal);
    return await this.finished;
  }
}
