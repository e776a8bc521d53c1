/** LV63: what an open snapshot keeps, and for how long. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordsView } from '../../../../../daemon/core/directory/frozen-view.ts';
import { SnapshotPager } from '../../../../../daemon/edge/live/session/subscriptions/snapshot-pager.ts';
import type { Want } from '../../../../../daemon/pipeline/tell/interest.ts';
import { Bench } from '../../../../support/decide-bench.ts';

const BUDGET = { caller: 'ann', spend: () => {}, note: () => {}, isSlowed: () => false };

function pagerOf(bench: Bench, want: Want, budget?: typeof BUDGET) {
  const view: RecordsView = bench.directory.freezeRecords();
  let released = 0;
  const release = view.release.bind(view);
  view.release = () => {
    released++;
    release();
  };
  const pager = new SnapshotPager({ view, want, limit: 1, online: () => false, sight: undefined, budget });
  return { pager, released: () => released };
}

test('LV63 the snapshot of ids keeps their records and no view; all others keep one until they end', async () => {
  const bench = new Bench();
  bench.upsert(['a', 'b', 'c'].map((id) => ({ id, name: 'old' })));
  const ids = pagerOf(bench, { kind: 'ids', ids: new Set(['a', 'nobody', 'b']) });
  const all = pagerOf(bench, { kind: 'all' });
  assert.deepEqual([ids.released(), all.released()], [1, 0]);
  bench.upsert(['a', 'b', 'nobody'].map((id) => ({ id, name: 'new' })));
  const read = async ({ pager }: typeof ids): Promise<(string | undefined)[]> => {
    const names: (string | undefined)[] = [];
    for (let isLast = false; !isLast; ) {
      const page = await pager.next();
      names.push(...page.users.map(({ id, name }) => `${id} ${name}`));
      isLast = page.isLast;
    }
    return names;
  };
  assert.deepEqual(await read(ids), ['a old', 'b old']);
  assert.deepEqual(await read(all), ['a old', 'b old', 'c old']);
});

test('LV63 the snapshot of a client is over after ten minutes, however it is paged through; that of a server is not', (t) => {
  let nowMs = 1_000;
  t.mock.method(performance, 'now', () => nowMs);
  const bench = new Bench();
  const client = pagerOf(bench, { kind: 'all' }, BUDGET);
  const server = pagerOf(bench, { kind: 'all' });
  nowMs += 10 * 60_000 - 1;
  assert.deepEqual([client.pager.isOver, server.pager.isOver], [false, false]);
  nowMs += 1;
  assert.deepEqual([client.pager.isOver, server.pager.isOver], [true, false]);
});
