/** Ends test files whose test runs too long: a hang is a failure with the test's name. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Note } from './each-test.ts';

const LOOK_EVERY_MS = 1_000;

export class Hangs {
  /** Where the test files' processes write what runs in them. */
  readonly notes = mkdtempSync(join(tmpdir(), 'rosterd-notes-'));
  /** Of each file that was ended. */
  readonly found: Note[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #limitMs: number;

  /** `limitMs`: how long a test may run. */
  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  #look(): void {
    for (const name of readdirSync(this.notes)) {
      const note = readNote(join(this.notes, name));
      if (note === undefined || Date.now() - note.sinceMs < this.#limitMs) continue;
      rmSync(join(this.notes, name), { force: true });
      this.found.push(note);
      process.kill(note.pid, 'SIGKILL');
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    rmSync(this.notes, { recursive: true, force: true });
  }
}

/** undefined when it is being written, or its process has just removed it. */
function readNote(path: string): Note | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
