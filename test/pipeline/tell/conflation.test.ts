/** DE5: events about documents where only the newest state of users is wanted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conflation } from '../../../daemon/pipeline/tell/conflation.ts';
import { eachText } from '../../../daemon/pipeline/tell/frame.ts';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { batchFromLog } from '../../../daemon/pipeline/tell/user-event.ts';
import { lookupsOf } from '../../support/document-kit.ts';
import { RulesBench } from '../../support/rules-bench.ts';

test('DE5 who wants only the newest state of each user gets every event about documents, in its place', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: '1' }]);
  bench.run({ kind: 'group-create', id: 'g', name: 'G', memberIds: ['ann'] });
  bench.upsert([{ id: 'ann', name: '2' }]);
  bench.run({ kind: 'group-update', id: 'g', name: 'H' });
  const conflation = new Conflation([new Interest({ name: 'x', want: { kind: 'all' }, since: 0, reach: 'server' })]);
  for (const entry of bench.entries) for (const event of batchFromLog(entry, lookupsOf(bench)).events) conflation.take(event);
  assert.ok(conflation.bytes > 0);
  const told = conflation
    .frames({ form: 'live', isPrivyTo: () => true })
    .flatMap((frame) => [...eachText(frame)].map((text) => JSON.parse(text)));
  assert.deepEqual(
    told.map(({ seq, type, sub }) => [seq, type, sub]),
    [
      [2, 'user_group.created', ['x']],
      [3, 'user.updated', ['x']],
      [4, 'user_group.updated', ['x']],
    ],
  );
});
