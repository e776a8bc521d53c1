/** Ends processes and removes a directory when the test is over, also when the process of the test is killed: then its pipe ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Children first: those of PostgreSQL notice that their parent is gone only while they run. Ends no process that it was not given. */
const SCRIPT = `
  pids=
  while read -r what pid; do
    case $what in
      +) pids="$pids $pid " ;;
      -) pids=$(echo "$pids" | sed "s/ $pid / /g") ;;
    esac
  done
  for pid in $pids; do kill -9 $(ps -o pid= --ppid "$pid") "$pid" 2>/dev/null; done
  rm -rf "$1"
`;

export class Reaper {
  readonly #shell: ChildProcess;

  /** `directory` is removed at the end. */
  constructor(directory: string) {
    // A Ctrl-C in the terminal reaches the test; the reaper ends after it.
    this.#shell = spawn('sh', ['-c', SCRIPT, 'sh', directory], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  }

  watch(child: ChildProcess): void {
    const { pid } = child;
    if (pid === undefined) return;
    this.#shell.stdin?.write(`+ ${pid}\n`);
    child.once('exit', () => this.#shell.stdin?.write(`- ${pid}\n`));
  }

  /** Resolves when everything has ended and is removed. */
  async end(): Promise<void> {
    const ended = once(this.#shell, 'exit');
    this.#shell.stdin?.end();
    await ended;
  }
}
