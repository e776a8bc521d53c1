/** LV63: the open snapshots of a connection. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OpenSnapshots } from '../../../../../daemon/edge/live/session/subscriptions/open-snapshots.ts';
import { SnapshotPager } from '../../../../../daemon/edge/live/session/subscriptions/snapshot-pager.ts';
import { RosterError } from '../../../../../protocol/base/errors.ts';
import { Bench } from '../../../../support/decide-bench.ts';

const noPage = (act: () => unknown): void =>
  assert.throws(act, (error) => error instanceof RosterError && error.kind === 'input' && error.fields[0]?.path === 'more');

function bench(t: { after(fn: () => void): void }) {
  const { directory } = new Bench();
  const released: SnapshotPager[] = [];
  let changes = 0;
  const snapshots = new OpenSnapshots(() => changes++);
  t.after(() => snapshots.close());
  const pager = (isOver = false): SnapshotPager => {
    const view = directory.freezeRecords();
    const made = new SnapshotPager({ view, want: { kind: 'all' }, limit: 1, online: () => false, sight: undefined, budget: undefined });
    const release = made.release.bind(made);
    made.release = () => {
      released.push(made);
      release();
    };
    if (isOver) Object.defineProperty(made, 'isOver', { value: true });
    return made;
  };
  return { snapshots, pager, released, changes: () => changes };
}

test('LV63 a page is the next one of an open snapshot, once; the snapshot of a subscription that is named again replaces its own', (t) => {
  const { snapshots, pager, released, changes } = bench(t);
  const [first, second] = [pager(), pager()];
  snapshots.begin('s', first);
  noPage(() => snapshots.find('s', ''));
  const more = snapshots.nextPage('s', first);
  assert.equal(snapshots.find('s', more), first);
  const next = snapshots.nextPage('s', first);
  noPage(() => snapshots.find('s', more));
  noPage(() => snapshots.find('other', next));
  assert.deepEqual(
    [snapshots.size, snapshots.sizeWith('s', true), snapshots.sizeWith('s', false), snapshots.sizeWith('t', true)],
    [1, 1, 0, 2],
  );
  snapshots.begin('s', second);
  assert.deepEqual([released, snapshots.size], [[first], 1]);
  noPage(() => snapshots.find('s', next));
  snapshots.nextPage('s', first);
  noPage(() => snapshots.find('s', next));
  snapshots.drop('s');
  snapshots.drop('s');
  assert.deepEqual([released, snapshots.size, changes()], [[first, second], 0, 4]);
});

test('LV63 a snapshot that is over ends when its next page is asked for; nothing is held after the connection ended', (t) => {
  const { snapshots, pager, released } = bench(t);
  const old = pager(true);
  snapshots.begin('s', old);
  const more = snapshots.nextPage('s', old);
  noPage(() => snapshots.find('s', more));
  assert.deepEqual([released, snapshots.size], [[old], 0]);
  const [open, late] = [pager(), pager()];
  snapshots.begin('s', open);
  snapshots.close();
  snapshots.begin('s', late);
  assert.deepEqual([released, snapshots.size], [[old, open, late], 0]);
});
