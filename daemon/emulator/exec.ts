/**
 * The command that `rosterd emulator --exec` runs: in a shell and a process group of its own, so that a signal reaches all of it once.
 *
 * It keeps EM25 and EM26 (README.md).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';

/** Exit codes of shells: 128 and the number of the signal that ended the command. */
const SIGNALLED = 128;

export class ExecutedCommand {
  readonly #child: ChildProcess;
  /** Its exit code; 127 when there is no shell. Never rejects. */
  readonly ended: Promise<number>;

  constructor(command: string, env: NodeJS.ProcessEnv, cwd: string) {
    this.#child = spawn(command, { shell: true, stdio: 'inherit', detached: true, env, cwd });
    this.ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve(127));
      this.#child.once('close', (code, signal) => resolve(code ?? SIGNALLED + (signal === null ? 0 : constants.signals[signal])));
    });
  }

  /** Passes a signal on to the command and everything that it has started. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has just ended.
    }
  }
}
