/** UL1 and UL2: the list of revisions while it is read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { userList } from '../../../daemon/edge/users/revision-list.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const linesOf = (text: string): Readonly<Record<string, unknown>>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** More users than fit into what lies in pipes and sockets. */
function manyUsers(count: number): RulesBench {
  const bench = new RulesBench();
  for (let at = 0; at < count; at += 1_000) {
    bench.upsert(
      Array.from({ length: Math.min(1_000, count - at) }, (_, n) => ({ id: `user-${at + n}`, teams: n % 2 === 0 ? ['even'] : [] })),
    );
  }
  return bench;
}

function countedView(bench: RulesBench) {
  const view = bench.directory.freezeRecords();
  const state = { released: 0 };
  const release = view.release.bind(view);
  view.release = () => {
    state.released++;
    release();
  };
  return { view, state };
}

test('UL1 what changes while the list is read changes nothing in it', async () => {
  const bench = manyUsers(10_000);
  const { seq } = bench.directory;
  const revs = new Map([...bench.directory.users()].map(({ id, rev }) => [id, rev]));
  const view = bench.directory.freezeRecords();
  const stream = userList({ view });
  let text = '';
  let round = 0;
  for await (const piece of stream) {
    text += String(piece);
    round++;
    bench.upsert([{ id: `user-${10_000 - round}`, name: 'changed' }, { id: `new-${round}` }]);
    bench.delete(`user-${9_000 - round}`, round % 2 === 0 ? 'hard' : 'soft');
  }
  assert.ok(round > 3, `${round} pieces`);
  const lines = linesOf(text);
  assert.deepEqual(lines[0], { epoch: 'test', seq, count: 10_000 });
  assert.deepEqual(lines.at(-1), { end: true, count: 10_000 });
  assert.deepEqual(new Map(lines.slice(1, -1).map(({ id, rev }) => [id, rev])), revs);
});

test('UL2 the view is given back at the end, when the reader goes away, when it never comes, and when it stops reading', async () => {
  const bench = manyUsers(20_000);
  const whole = countedView(bench);
  for await (const piece of userList({ view: whole.view, isListed: ({ teams }) => teams.includes('even') }))
    assert.ok(String(piece).length > 0);
  assert.equal(whole.state.released, 1);

  const left = countedView(bench);
  const leaving = userList({ view: left.view });
  await once(leaving, 'readable');
  leaving.destroy();
  await once(leaving, 'close');
  assert.equal(left.state.released, 1);

  const unread = countedView(bench);
  const never = userList({ view: unread.view });
  never.destroy();
  await once(never, 'close');
  assert.equal(unread.state.released, 1);

  const stuck = countedView(bench);
  const stalled = userList({ view: stuck.view, stallMs: 20 });
  // The timer that ends it keeps no process alive by itself.
  const awake = setInterval(() => {}, 1_000);
  await once(stalled, 'readable');
  await once(stalled, 'close');
  clearInterval(awake);
  assert.equal(stuck.state.released, 1);
});

test('UL2 the event loop stays free while somebody reads as fast as can be', async () => {
  const bench = manyUsers(100_000);
  let turns = 0;
  let isDone = false;
  const ticking = (async () => {
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      turns++;
    }
  })();
  let pieces = 0;
  for await (const _ of userList({ view: bench.directory.freezeRecords() })) pieces++;
  isDone = true;
  await ticking;
  assert.ok(turns >= pieces - 2, `${turns} turns for ${pieces} pieces`);
});
