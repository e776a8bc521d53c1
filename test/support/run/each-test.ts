/**
 * Loaded before each test file by the runner: notes which test is running and since when, where the runner looks for tests that
 * hang. A note and not an event, as a test that never yields sends none.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';

/** What a test file's process has written about the test that runs in it. */
export interface Note {
  readonly pid: number;
  /** The compiled test file. */
  readonly file: string;
  readonly test: string;
  readonly sinceMs: number;
}

const folder = process.env.ROSTERD_TEST_NOTES;
if (folder !== undefined) {
  const path = join(folder, String(process.pid));
  const running = new Map<string, number>();
  const write = (): void => {
    const [oldest] = running;
    if (oldest === undefined) {
      rmSync(path, { force: true });
      return;
    }
    const note: Note = { pid: process.pid, file: process.argv[1] ?? '', test: oldest[0], sinceMs: oldest[1] };
    writeFileSync(path, JSON.stringify(note));
  };
  beforeEach((t) => {
    running.set(t.name, Date.now());
    write();
  });
  afterEach((t) => {
    running.delete(t.name);
    write();
  });
}
