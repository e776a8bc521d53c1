/** AP7: the report of a plan that is applied. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ReportFile } from '../../../daemon/cli/sync/report.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-apply-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('AP7 a report that goes on is cut to what its checkpoint knows', async (t) => {
  const path = join(folder(t), 'report.ndjson');
  const first = await ReportFile.open({ path, isFull: true });
  await first.add([{ id: 'ann', result: 'created' }]);
  const bytes = await first.sync();
  await first.add([{ id: 'bob', result: 'created' }]);
  await first.close();
  const second = await ReportFile.open({ path, isFull: true, keepBytes: bytes });
  await second.add([{ id: 'bob', result: 'updated', fields: ['name'] }]);
  assert.equal(await second.close(), path);
  assert.equal(readFileSync(path, 'utf8'), '{"id":"ann","result":"created"}\n{"id":"bob","result":"updated","fields":["name"]}\n');
});

test('AP7 without --report only those that were not applied are written down', async (t) => {
  const path = join(folder(t), 'report.ndjson');
  const report = await ReportFile.open({ path, isFull: false });
  await report.add([{ id: 'ann', result: 'created' }]);
  assert.equal(await report.sync(), 0);
  assert.ok(!existsSync(path));
  await report.add([{ id: 'bob', result: 'failed', line: 2, code: 4, reason: 'no' }]);
  await report.close();
  assert.equal(readFileSync(path, 'utf8'), '{"id":"bob","result":"failed","line":2,"code":4,"reason":"no"}\n');
});
