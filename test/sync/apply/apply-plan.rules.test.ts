/** AP1, AP3–AP6: plans made and applied over the HTTP edge, with a directory in memory. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import type { PlanOptions } from '../../../daemon/sync/plan/plan-types.ts';
import { seeded, testOption } from '../../support/random.ts';
import { appliedTo, EdgeServer, planned } from '../../support/sync/edge-server.ts';

// Fake time takes no listener back.
setMaxListeners(0);

type User = { readonly id: string; readonly name?: string; readonly color?: string };

async function serverWith(users: readonly User[]): Promise<EdgeServer> {
  const server = new EdgeServer();
  for (let at = 0; at < users.length; at += 100) {
    const body = { users: Object.fromEntries(users.slice(at, at + 100).map((user) => [user.id, user])) };
    const { status, text } = await server.world.send('POST', '/users', { body });
    assert.ok(status < 300, text);
  }
  return server;
}

const nameOf = (server: EdgeServer, id: string): string | undefined => server.world.backend.directory.user(id)?.name;
const seqOf = (server: EdgeServer): number => server.world.backend.directory.seq;

/** Changes a user behind the back of the plan. */
const rename = (server: EdgeServer, id: string, name: string): Promise<unknown> =>
  server.world.send('POST', '/users', { body: { users: { [id]: { id, name } } } });

test('AP1 a plan is carried out exactly as it stands, and applied again it writes nothing', async (t) => {
  for (const missing of ['deactivate', 'soft-delete', 'hard-delete'] as const) {
    const server = await serverWith([
      { id: 'same', name: 'S' },
      { id: 'old', name: 'O' },
      { id: 'gone', name: 'G' },
    ]);
    const source = [
      { id: 'same', name: 'S' },
      { id: 'old', name: 'New' },
      { id: 'new', name: 'N' },
    ];
    const plan = await planned(t, server, source, { missing });
    const { summary, report, checkpoints } = await appliedTo(t, server, plan, plan.lines);
    assert.equal(summary.status, 'done', summary.problems.join());
    const { created, updated, deactivated, soft_deleted, hard_deleted, failed } = summary.counts;
    const removed = { deactivate: deactivated, 'soft-delete': soft_deleted, 'hard-delete': hard_deleted }[missing];
    assert.deepEqual([created, updated, deactivated + soft_deleted + hard_deleted, removed, failed], [1, 1, 1, 1, 0]);
    assert.deepEqual([nameOf(server, 'old'), nameOf(server, 'new')], ['New', 'N']);
    const { directory } = server.world.backend;
    if (missing === 'deactivate') assert.ok(directory.user('gone')?.deactivated_at !== undefined);
    else assert.equal(directory.user('gone'), undefined);
    assert.deepEqual(
      server.writes,
      ['POST /users', missing === 'deactivate' ? 'POST /users/deactivate' : 'POST /users/delete'],
      'removals last',
    );
    assert.deepEqual([report.length, summary.users, summary.total, summary.left], [3, 3, 3, 0]);
    assert.deepEqual(checkpoints.at(-1)?.finished, true);
    const before = seqOf(server);
    const again = await appliedTo(t, server, plan, plan.lines);
    assert.deepEqual([again.summary.status, again.summary.counts.unchanged], ['done', 3]);
    // The request of a hard delete leaves its task.
    assert.equal(seqOf(server), before + (missing === 'hard-delete' ? 1 : 0), missing);
    assert.deepEqual((await planned(t, server, source, { missing })).lines, [], 'nothing is left to do');
  }
});

test('AP3 when users changed since the plan was made, nothing is written, and the first ten are named with both revisions', async (t) => {
  const users = Array.from({ length: 30 }, (_, n) => ({ id: `u${n}`, name: `U ${n}` }));
  const server = await serverWith(users);
  const plan = await planned(
    t,
    server,
    users.slice(0, 25).map(({ id }) => ({ id, name: 'new' })),
    { missing: 'soft-delete' },
  );
  for (let n = 0; n < 12; n++) await rename(server, `u${n}`, 'meanwhile');
  await rename(server, 'u29', 'meanwhile');
  // One is as the plan wants it already, and one that it removes is gone.
  await rename(server, 'u20', 'new');
  await server.world.send('POST', '/users/delete', { body: { user_ids: ['u28'], user: 'soft' } });
  const before = seqOf(server);
  const { summary } = await appliedTo(t, server, plan, plan.lines);
  assert.deepEqual([summary.status, summary.stale.count, summary.stale.first.length, seqOf(server)], ['refused', 13, 10, before]);
  const known = new Map([...summary.stale.first].map(({ id, planned: was, found }) => [id, [was, found]]));
  for (const [id, revs] of known) {
    assert.equal(server.world.backend.directory.user(id)?.rev, revs[1], id);
    assert.ok((revs[0] ?? 0) < (revs[1] ?? 0), id);
  }
  assert.ok(!known.has('u20') && !known.has('u28'));
  const kept = await appliedTo(t, server, plan, plan.lines, { ifUnchanged: true });
  assert.equal(kept.summary.status, 'done');
  const { updated, unchanged, changed_meanwhile, soft_deleted, failed } = kept.summary.counts;
  assert.deepEqual([updated, unchanged, changed_meanwhile, soft_deleted, failed], [12, 2, 13, 3, 0]);
  assert.deepEqual([nameOf(server, 'u0'), nameOf(server, 'u12'), nameOf(server, 'u29')], ['meanwhile', 'new', 'meanwhile']);
});

test('AP4 a user that changes while the plan is applied keeps the newer state and counts as changed meanwhile', async (t) => {
  const server = await serverWith([
    { id: 'a', name: 'A' },
    { id: 'b', name: 'B' },
    { id: 'gone', name: 'G' },
  ]);
  const plan = await planned(
    t,
    server,
    [
      { id: 'a', name: 'A2' },
      { id: 'b', name: 'B2' },
    ],
    { missing: 'deactivate' },
  );
  server.beforeWrite = async ({ path }) => {
    if (path === '/users') await rename(server, 'a', 'newer');
    else await rename(server, 'gone', 'newer');
  };
  const { summary, report } = await appliedTo(t, server, plan, plan.lines);
  assert.deepEqual(
    [summary.status, summary.counts.updated, summary.counts.changed_meanwhile, summary.counts.deactivated],
    ['done', 1, 2, 0],
  );
  assert.deepEqual([nameOf(server, 'a'), nameOf(server, 'b'), nameOf(server, 'gone')], ['newer', 'B2', 'newer']);
  assert.deepEqual(
    report.filter(({ result }) => result === 'changed_meanwhile').map((entry) => 'id' in entry && entry.id),
    ['a', 'gone'],
  );
});

test('AP5 nobody is removed when a user could not be written', async (t) => {
  const server = await serverWith([
    { id: 'a', name: 'A' },
    { id: 'gone', name: 'G' },
  ]);
  const plan = await planned(
    t,
    server,
    [
      { id: 'a', name: 'A2' },
      { id: 'b', name: 'Taken' },
    ],
    { missing: 'hard-delete' },
  );
  await rename(server, 'other', 'Taken');
  await server.world.send('PATCH', '/app', { body: { enforce_unique_usernames: 'app' } });
  const { summary, report } = await appliedTo(t, server, plan, plan.lines, { ifUnchanged: true });
  assert.deepEqual([summary.status, summary.counts.updated, summary.counts.failed, summary.heldBack, summary.left], ['done', 1, 1, 1, 0]);
  assert.ok(nameOf(server, 'gone') !== undefined);
  assert.deepEqual(
    server.writes.filter((write) => write !== 'POST /users'),
    [],
  );
  const held = report.find(({ result }) => result === 'held_back');
  assert.match(JSON.stringify(held), /nobody is removed/);
});

test('AP6 AP7 a run that is stopped and resumed, at any moment, ends as if undisturbed, and every user is in one count', async (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  for (let round = 0; round < 6; round++) {
    const old = Array.from({ length: 350 }, (_, n) => ({ id: `u${n}`, name: `U ${n}` }));
    const server = await serverWith(old);
    const source = old.filter((_, n) => n % 3 !== 0).map((user, n) => (n % 2 === 0 ? user : { ...user, name: 'new' }));
    source.push(...Array.from({ length: 150 }, (_, n) => ({ id: `new${n}`, name: 'N' })));
    const missing = (['deactivate', 'soft-delete', 'hard-delete'] as const)[round % 3] as PlanOptions['missing'];
    const plan = await planned(t, server, source, { missing });
    const seen = new Set<string>();
    let checkpoint: Awaited<ReturnType<typeof appliedTo>>['checkpoints'][number] | undefined;
    for (let life = 0; life < 20 && checkpoint?.finished !== true; life++) {
      const stop = new AbortController();
      let writes = 1 + Math.floor(random() * 4);
      server.beforeWrite = () => {
        if (--writes <= 0) stop.abort();
      };
      const { summary, report, checkpoints } = await appliedTo(t, server, plan, plan.lines, {
        stop: stop.signal,
        ...(checkpoint === undefined ? {} : { resume: checkpoint }),
      });
      checkpoint = checkpoints.at(-1);
      for (const entry of report) {
        if (!('id' in entry) || entry.id === undefined) continue;
        assert.ok(!seen.has(entry.id), `seed ${seed}: ${entry.id} is reported twice`);
        seen.add(entry.id);
      }
      const { created, updated, deactivated, soft_deleted, hard_deleted, unchanged, failed, changed_meanwhile } = summary.counts;
      const all = created + updated + deactivated + soft_deleted + hard_deleted + unchanged + failed + changed_meanwhile;
      assert.equal(all + summary.left + summary.outcomeUnknown + summary.heldBack, summary.total, `seed ${seed}`);
    }
    assert.equal(checkpoint?.finished, true, `seed ${seed}`);
    assert.deepEqual((await planned(t, server, source, { missing })).lines, [], `seed ${seed}: ${missing}`);
  }
});
