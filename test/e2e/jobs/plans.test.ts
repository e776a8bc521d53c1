/** PA: sync plans that a daemon makes of an uploaded file, and their approval by a second person. */
import assert from 'node:assert/strict';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { directory } from '../../support/http/import-kit.ts';
import { planIs, propose, signIn } from '../../support/http/sync-plans-kit.ts';
import { World } from '../../support/world.ts';

const CSV = 'id,name,custom.dept\nann,Ann,sales\nbob,Robert,design\nnew,New,support\n,No Id,x\n';

async function filled(world: World): Promise<void> {
  await world.upsert(
    { id: 'ann', name: 'Ann', custom: { dept: 'sales' } },
    { id: 'bob', name: 'Bob', custom: { dept: 'design' } },
    { id: 'old', name: 'Old' },
    { id: 'older', name: 'Older' },
  );
}

test('PA1 PA3 PA7 PA8 a file is looked at, planned, approved by a second sign-in and applied; the history names the plan', async (t) => {
  const world = await World.start(t);
  await filled(world);
  const [ann, bob] = [await signIn(world), await signIn(world)];
  const file = CSV.replace(',No Id,x\n', '').replace('custom.', '');
  const { path, size } = (await ann.call('POST', '/sync/sources?filename=users.csv', file)).body;
  assert.equal(size, file.length);
  const seen = (await ann.call('GET', `/sync/sources?path=${path}`)).body;
  assert.deepEqual([seen.format, seen.columns, seen.rows[1]], ['csv', ['id', 'name', 'dept'], ['bob', 'Robert', 'design']]);
  assert.deepEqual(seen.map, { id: 'id', name: 'name', 'custom.dept': 'dept' });

  const proposed = await propose(ann, file, { map: seen.map, missing: 'deactivate', max_missing: 0.5 });
  const plan = await planIs(world, proposed.id, 'planned');
  const { counts, brakes } = plan.summary;
  assert.deepEqual([counts.create, counts.update, counts.unchanged, counts.deactivate, counts.missing], [1, 1, 1, 2, 2]);
  assert.deepEqual(
    brakes.map(({ name, limit, found, held }: Record<string, unknown>) => [name, limit, found, held]),
    [
      ['max_errors', 0.1, 0, false],
      ['max_missing', 0.5, 0.5, false],
      ['max_missing_count', 500, 2, false],
    ],
  );
  assert.equal(plan.proposed.sign_in, ann.id);

  const page = (await ann.call('GET', `/sync/plans/${plan.id}/changes?limit=2`)).body;
  assert.deepEqual(
    page.changes.map((line: Record<string, unknown>) => [line.do, line.id, line.changes]),
    [
      ['update', 'bob', { name: ['Bob', 'Robert'] }],
      ['create', 'new', { name: [null, 'New'], role: [null, 'user'], 'custom.dept': [null, 'support'] }],
    ],
  );
  const rest = (await ann.call('GET', `/sync/plans/${plan.id}/changes?after=${page.next}`)).body;
  assert.deepEqual([rest.changes.map(({ id }: { id: string }) => id).sort(), rest.next], [['old', 'older'], undefined]);
  const created = (await ann.call('GET', `/sync/plans/${plan.id}/changes?kind=create`)).body;
  assert.deepEqual(
    created.changes.map(({ id }: { id: string }) => id),
    ['new'],
  );

  const pages = { none: (await ann.call('GET', `/sync/plans/${plan.id}/changes?kind=error`)).body.changes };
  assert.deepEqual(pages.none, []);

  const early = await bob.call('POST', `/sync/plans/${plan.id}/apply`, {});
  assert.deepEqual([early.status, /was not approved/.test(early.body.message)], [403, true]);
  assert.equal((await bob.call('POST', `/sync/plans/${plan.id}/approve`, { digest: plan.digest })).status, 200);
  assert.equal((await ann.call('POST', `/sync/plans/${plan.id}/apply`, {})).status, 200);
  const done = await planIs(world, plan.id, 'applied');
  const { created: made, updated, deactivated, failed } = done.report.counts;
  assert.deepEqual([made, updated, deactivated, failed, done.report.exceptions], [1, 1, 2, 0, []]);
  assert.deepEqual([done.approved.sign_in, done.applied.sign_in], [bob.id, ann.id]);
  const { directory: users } = world.daemon.roster;
  assert.equal(users.user('bob')?.name, 'Robert');
  assert.ok(users.user('old')?.deactivated_at !== undefined && users.user('older')?.deactivated_at !== undefined);
  for (const id of ['bob', 'new', 'old']) {
    const [last] = (await world.http('GET', `/api/v2/users/${id}/history`)).body.history;
    assert.deepEqual([last.source, last.job, last.client], ['plan', plan.id, `proposed ${ann.id}, approved ${bob.id}`], id);
  }
});

test('PA4 nobody approves the own plan, a server token approves none, a sign-in that reads does nothing; the refusals say why', async (t) => {
  const world = await World.start(t);
  await filled(world);
  const [ann, bob, reader] = [await signIn(world), await signIn(world), await signIn(world, 'read')];
  const { id } = await propose(ann, CSV, { max_errors: 1 });
  const { digest } = await planIs(world, id, 'planned');
  const approve = `/sync/plans/${id}/approve`;
  const own = await ann.call('POST', approve, { digest });
  assert.deepEqual([own.status, /this sign-in proposed the plan/.test(own.body.message)], [403, true]);
  const server = await world.http('POST', `/api/v2${approve}`, { digest });
  assert.deepEqual([server.status, /a server token cannot approve/.test(server.body.message)], [403, true]);
  const other = await bob.call('POST', approve, { digest: 'f'.repeat(64) });
  assert.deepEqual([other.status, /another plan/.test(other.body.message)], [409, true]);
  for (const path of [
    approve,
    '/sync/plans',
    '/sync/sources',
    ...['apply', 'withdraw', 'stop'].map((what) => `/sync/plans/${id}/${what}`),
  ]) {
    const refused = await reader.call('POST', path, {});
    assert.deepEqual([refused.status, /role \\?"read\\?"/.test(refused.body.message)], [403, true], path);
  }
  assert.equal((await reader.call('GET', `/sync/plans/${id}/changes`)).status, 200);
  // A plan of a server may be approved by any sign-in.
  const { path } = (await ann.call('POST', '/sync/sources', CSV)).body;
  const byServer = (await world.http('POST', '/api/v2/sync/plans', { path, max_errors: 1 })).body.sync_plan;
  assert.equal(byServer.proposed.sign_in, undefined);
  const made = await planIs(world, byServer.id, 'planned');
  assert.equal((await ann.call('POST', `/sync/plans/${made.id}/approve`, { digest: made.digest })).status, 200);
  assert.equal((await ann.call('POST', `/sync/plans/${made.id}/withdraw`)).body.sync_plan.state, 'withdrawn');
  assert.equal((await ann.call('POST', `/sync/plans/${made.id}/apply`, {})).status, 409);
  assert.equal(world.daemon.roster.directory.user('bob')?.name, 'Bob');
});

test('PA6 a change meanwhile refuses the plan as a whole, or with if_unchanged keeps the user and applies the rest', async (t) => {
  const world = await World.start(t);
  await filled(world);
  const [ann, bob] = [await signIn(world), await signIn(world)];
  const { id } = await propose(ann, CSV, { max_errors: 1 });
  const { digest } = await planIs(world, id, 'planned');
  await bob.call('POST', `/sync/plans/${id}/approve`, { digest });
  await world.upsert({ id: 'bob', name: 'Bobby' });
  await bob.call('POST', `/sync/plans/${id}/apply`, {});
  const refused = await planIs(world, id, 'approved');
  assert.match(refused.problems[0], /^1 user has changed since the plan was made; nothing was written/);
  assert.deepEqual(
    refused.report.stale.first.map((user: { id: string }) => user.id),
    ['bob'],
  );
  assert.equal(world.daemon.roster.directory.user('new'), undefined);
  await bob.call('POST', `/sync/plans/${id}/apply`, { if_unchanged: true });
  const done = await planIs(world, id, 'applied');
  assert.deepEqual([done.report.counts.created, done.report.counts.changed_meanwhile], [1, 1]);
  assert.equal(done.report.exceptions[0].id, 'bob');
  assert.equal(world.daemon.roster.directory.user('bob')?.name, 'Bobby');
});

test('PA2 what cannot be planned says why, in the words of the command', async (t) => {
  const world = await World.start(t);
  await filled(world);
  const ann = await signIn(world);
  const problem = async (text: string, options: object = {}): Promise<string> => {
    const plan = await planIs(world, (await propose(ann, text, options)).id, 'refused', 'failed', 'planned');
    return `${plan.state}: ${plan.problems.join(' ')}`;
  };
  assert.match(await problem(''), /^refused: .*it is empty/);
  assert.match(await problem('id,name\n'), /^refused: .*has no users/);
  assert.match(await problem('login,name\nann,Ann\n'), /^failed: .*there is no column "id".*columns of the source: login, name/);
  assert.match(await problem('id,name\nann,"Ann\nbob,Bob\n'), /^refused: .*a quote that is opened on line 2 is not closed/);
  assert.match(
    await problem('id,name\nann,Ann\n', { missing: 'deactivate' }),
    /^refused: 3 of the 4 users of the directory are not in users.csv/,
  );
  assert.match(await problem('id,name\nann,Ann\nann,Anna\nbob,B\n'), /^refused: 1 of 3 rows are wrong[\s\S]*names the same user as line 2/);
  assert.match(await problem('id\tname\u0000\u0001'), /^(refused|failed): /);
  for (const [body, field] of [
    [{ path: 'nowhere' }, 'path'],
    [{ path: `${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}/users.csv` }, 'path'],
    [{ path: `${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}/users.csv`, missing: 'hard-delete' }, 'max_missing_count'],
    [{ path: 'x', max_missing: 2 }, 'max_missing'],
  ] as const) {
    const { status, body: answer } = await ann.call('POST', '/sync/plans', body);
    assert.deepEqual([status, Object.hasOwn(answer.exception_fields ?? {}, field)], [400, true], JSON.stringify(answer));
  }
  assert.equal((await ann.call('GET', '/sync/plans/nothing')).status, 404);
});

test('PA5 planning and applying go on after a stop, from where they were; stopping by a person holds until it goes on', async (t) => {
  const data = await directory(t);
  const first = await World.start(t, { data });
  const ann = await signIn(first);
  const many = `id,name\n${Array.from({ length: 6_000 }, (_, n) => `user${n},User ${n}`).join('\n')}\n`;
  const { id } = await propose(ann, many);
  await first.stop();
  assert.ok(
    ['uploaded', 'planning'].includes(first.daemon.roster.directory.docs.get('plan', id)?.state ?? ''),
    'it was stopped in between',
  );

  const second = await World.start(t, { data });
  const { digest, summary } = await planIs(second, id, 'planned');
  assert.equal(summary.counts.create, 6_000);
  await (await signIn(second)).call('POST', `/sync/plans/${id}/approve`, { digest });
  await second.http('POST', `/api/v2/sync/plans/${id}/apply`, {});
  while (second.daemon.roster.directory.size < 500) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await second.http('POST', `/api/v2/sync/plans/${id}/stop`)).body.sync_plan.state, 'stopped');
  await second.http('POST', `/api/v2/sync/plans/${id}/apply`, {});
  while (second.daemon.roster.directory.size < 1_500) await new Promise((resolve) => setImmediate(resolve));
  await second.stop();
  const left = second.daemon.roster.directory.size;
  assert.ok(left < 6_000, `it was over before it was stopped: ${left}`);
  assert.equal(second.daemon.roster.directory.docs.get('plan', id)?.state, 'applying');

  // As a process leaves it that is killed meanwhile.
  await mkdir(join(data, 'work', 'plan-left'), { recursive: true });
  const third = await World.start(t, { data });
  const done = await planIs(third, id, 'applied');
  const { created, unchanged, changed_meanwhile, failed } = done.report.counts;
  assert.deepEqual([created + unchanged, changed_meanwhile, failed], [6_000, 0, 0]);
  assert.equal(third.daemon.roster.directory.size, 6_000);
  await eventually(async () => (await readdir(join(data, 'work'))).length === 0, 'what was needed meanwhile is gone');
});
