/** DK5: a daemon whose files are no longer in its data directory acknowledges nothing more, and ends with the reason. */
import assert from 'node:assert/strict';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RosterdProcess } from '../../support/process.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';
import { API_KEY, API_SECRET, serverToken } from '../../support/world.ts';

/** Longer than the writer goes without a look. */
const PAUSE_MS = 150;

interface Daemon {
  readonly daemon: RosterdProcess;
  readonly data: string;
  readonly write: (id: string) => Promise<{ readonly status: number; readonly body: { outcome?: string } }>;
}

async function running(t: TestContext): Promise<Daemon> {
  const data = join(await temporaryDirectory(), 'data');
  const daemon = RosterdProcess.run(['serve', '--data', data, '--listen', '127.0.0.1:0'], {
    env: { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET },
  });
  t.after(() => daemon.kill('SIGKILL'));
  const url = await daemon.listening();
  const headers = { authorization: serverToken(), 'content-type': 'application/json' };
  const write = async (id: string) => {
    const body = JSON.stringify({ users: [{ id }] });
    const answer = await fetch(`${url}/users?api_key=${API_KEY}`, { method: 'POST', headers, body });
    return { status: answer.status, body: (await answer.json()) as { outcome?: string } };
  };
  assert.equal((await write('kept')).status, 201);
  await sleep(PAUSE_MS);
  return { daemon, data, write };
}

const JOURNAL_LOST = /was removed or renamed while it was written, '[^']+\.journal'/;

interface Loss {
  readonly lose: (data: string) => Promise<void>;
  /** Whether the lock is where it was. Else its heartbeat may see it first: the daemon ends then, and takes no write any more. */
  readonly keepsLock: boolean;
}

const LOSSES: Readonly<Record<string, Loss>> = {
  'the directory is removed': { lose: (data) => rm(data, { recursive: true }), keepsLock: false },
  'the directory is renamed': { lose: (data) => rename(data, `${data}-old`), keepsLock: false },
  'the journal is removed': { lose: (data) => rm(join(data, 'journal'), { recursive: true }), keepsLock: true },
  'the segment is removed': {
    lose: async (data) => {
      for (const name of await readdir(join(data, 'journal'))) await rm(join(data, 'journal', name));
    },
    keepsLock: true,
  },
};

for (const [what, { lose, keepsLock }] of Object.entries(LOSSES)) {
  test(`DK5 when ${what}, the next write is not acknowledged, and the daemon ends`, async (t) => {
    const { daemon, data, write } = await running(t);
    await lose(data);
    const answer = keepsLock ? await write('lost') : await write('lost').catch(() => undefined);
    if (answer !== undefined) assert.equal(answer.status, 503);
    if (keepsLock) assert.equal(answer?.body.outcome, 'unknown');
    const { code, stderr } = await daemon.finished;
    assert.equal(code, 1);
    assert.match(stderr, answer?.body.outcome === 'unknown' ? JOURNAL_LOST : /lock-lost/);
  });
}

test('DK5 a daemon that writes nothing ends, too, when its directory is gone, whatever is there in its place', async (t) => {
  const { daemon, data } = await running(t);
  await rename(data, `${data}-old`);
  await writeFile(data, '');
  const { code, stderr } = await daemon.finished;
  assert.equal(code, 1);
  assert.match(stderr, /lock-lost/);
});
