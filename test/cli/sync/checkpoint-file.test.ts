/** AP7: the file of a checkpoint. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { CheckpointFile, readCheckpoint } from '../../../daemon/cli/sync/checkpoint-file.ts';
import { NO_RESULTS } from '../../../daemon/sync/counts.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-apply-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('AP7 a checkpoint file is replaced as a whole; what is none is told apart', async (t) => {
  const path = join(folder(t), 'progress.json');
  assert.equal(await readCheckpoint(path), 'none');
  const identity = { plan: 'f'.repeat(64), plan_path: '/plan', is_plan_temporary: false, reportPath: '/report', now: () => 0 };
  const file = new CheckpointFile(path, identity);
  await file.write({ at: 7, counts: { ...NO_RESULTS, created: 5 }, finished: false }, 99);
  await file.write({ at: 9, counts: { ...NO_RESULTS, created: 7 }, finished: true }, 120);
  const found = await readCheckpoint(path);
  assert.ok(typeof found === 'object');
  assert.deepEqual([found.at, found.counts.created, found.finished, found.report], [9, 7, true, { path: '/report', bytes: 120 }]);
  assert.deepEqual(readdirSync(join(path, '..')), ['progress.json']);
});
