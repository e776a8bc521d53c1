/** WH26: what the node that delivers says of a hook. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeReport, parseReport } from '../../../../daemon/jobs/hooks/shared/report.ts';

test('WH26 a report is read as it was written; what is not understood is left out', () => {
  const down = { position: 7, isDown: true, lastError: { reason: 'answered 500', atMs: 1.5 }, lastSuccessMs: 3 };
  assert.deepEqual(parseReport(encodeReport('e', down)), { epoch: 'e', state: down });
  const fresh = { position: 0, isDown: false, lastError: undefined, lastSuccessMs: undefined };
  assert.deepEqual(parseReport(encodeReport('e', fresh)), { epoch: 'e', state: fresh });
  for (const text of [
    '',
    'x',
    '[]',
    '{"epoch":1,"position":"7","isDown":1,"lastError":{"reason":1,"atMs":1},"lastSuccessMs":"3"}',
    '{"lastError":{"reason":"r"}}',
  ])
    assert.deepEqual(parseReport(text), { epoch: '', state: fresh }, text);
});
