/** AP: `rosterd sync apply` against a real daemon. */
import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { ApplyWorld, accounted, type Ran } from '../../support/sync/apply-kit.ts';

const person = (n: number, more: Record<string, unknown> = {}) => ({ id: `u${n}`, name: `User ${n}`, book: `book ${n}`, ...more });
const people = (count: number, change: (n: number) => Record<string, unknown> = () => ({})) =>
  Array.from({ length: count }, (_, n) => person(n, change(n)));

/** A directory that holds the first `count` people. */
async function seeded(t: TestContext, count: number, flags: Record<string, string> = {}): Promise<ApplyWorld> {
  const world = await ApplyWorld.start(t, { flags });
  world.write('seed.ndjson', people(count));
  const { code, stderr } = await world.run('seed.ndjson', '--quiet');
  assert.equal(code, 0, stderr);
  return world;
}

test('AP1 a plan is carried out: users are created, updated and removed, and the report says what was done to whom', async (t) => {
  const world = await seeded(t, 250);
  // Drops u240 to u249, changes u0 to u4, adds u250 to u259.
  const source = [...people(240, (n) => (n < 5 ? { name: `New ${n}` } : {})), ...people(260).slice(250)];
  await world.plan(source, '--missing', 'deactivate');
  const ran = await world.run('apply', 'plan.ndjson', '--report', 'done.ndjson', '--json');
  assert.equal(ran.code, 0, ran.stderr);
  const { status, created, updated, deactivated, unchanged, failed, left, total } = ran.json;
  assert.deepEqual([status, created, updated, deactivated, unchanged, failed, left, total], ['done', 10, 5, 10, 0, 0, 0, 25]);
  const report = world.lines('done.ndjson');
  assert.equal(report.length, 25);
  assert.deepEqual(
    report.find(({ id }) => id === 'u3'),
    { id: 'u3', result: 'updated', fields: ['name'] },
  );
  assert.equal(report.find(({ id }) => id === 'u255')?.result, 'created');
  assert.deepEqual(report.at(-1)?.result, 'deactivated');
  const users = await world.users();
  assert.equal(users.get('u3')?.name, 'New 3');
  assert.ok(users.get('u245')?.deactivated_at !== undefined || !users.has('u245'));

  const seq = await world.seq();
  const again = await world.run('apply', 'plan.ndjson', '--json');
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual([again.json.unchanged, again.json.total], [25, 25]);
  assert.equal(await world.seq(), seq, 'applied again it writes nothing');
});

test('AP1 soft and hard deletes are carried out, and again find everybody gone', async (t) => {
  for (const [missing, name] of [
    ['soft-delete', 'soft_deleted'],
    ['hard-delete', 'hard_deleted'],
  ] as const) {
    const world = await seeded(t, 130);
    await world.plan(people(20), '--missing', missing, '--max-missing', '100%', '--max-missing-count', '500');
    const ran = await world.run('apply', 'plan.ndjson', '--json');
    assert.deepEqual([ran.code, ran.json[name], ran.json.total], [0, 110, 110], ran.stderr);
    assert.equal((await world.users()).size, 20);
    const again = await world.run('apply', 'plan.ndjson', '--json');
    assert.deepEqual([again.code, again.json.unchanged], [0, 110], again.stderr);
  }
});

test('AP2 a plan that is not whole, was changed, or is for another directory is refused, and nothing is written', async (t) => {
  const world = await ApplyWorld.start(t);
  await world.plan(people(30));
  const text = world.text('plan.ndjson');
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['broken off', text.slice(0, text.length - 40), /cannot be used as a plan/],
    ['without its end', `${text.trimEnd().split('\n').slice(0, -1).join('\n')}\n`, /no end/],
    ['changed', text.replace('User 7', 'User X'), /checksum/],
    ['of another version', text.replace('"rosterd_plan":1', '"rosterd_plan":9'), /version 9/],
  ];
  for (const [what, wrong, message] of cases) {
    writeFileSync(world.path('wrong.ndjson'), wrong);
    const ran = await world.run('apply', 'wrong.ndjson');
    assert.equal(ran.code, 1, what);
    assert.match(ran.stderr, message, what);
  }
  const other = await ApplyWorld.start(t);
  const ran = await other.run('apply', world.path('plan.ndjson'));
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /the plan was made for another directory.*Plan again\nrosterd: nothing was written/s);
  assert.equal((await world.users()).size + (await other.users()).size, 0);
  assert.ok(!world.exists('wrong.ndjson.progress.json'));
});

test('AP3 a plan whose users changed since is refused before anything is written; the first ten are named', async (t) => {
  const world = await seeded(t, 300);
  await world.plan(people(320, (n) => (n < 200 ? { name: `New ${n}` } : {})));
  const planned = new Map(world.lines('plan.ndjson').map(({ id, rev }) => [id, rev]));
  await world.world.upsert(...Array.from({ length: 12 }, (_, n) => ({ id: `u${n}`, name: 'Somebody else' })), {
    id: 'u310',
    name: 'Early',
  });
  const before = await world.users();
  const ran = await world.run('apply', 'plan.ndjson');
  assert.equal(ran.code, 1);
  assert.match(ran.stderr, /^rosterd: 13 users changed since the plan was made:$/m);
  const rev = before.get('u0')?.rev;
  assert.ok(ran.stderr.includes(`  u0: revision ${rev} now, revision ${planned.get('u0')} in the plan\n`), ran.stderr);
  assert.match(ran.stderr, /^ {2}and 3 more$/m);
  assert.match(ran.stderr, /plan again, or give --if-unchanged/);
  assert.equal(ran.stdout, '');
  assert.deepEqual(await world.users(), before);

  const kept = await world.run('apply', 'plan.ndjson', '--if-unchanged', '--json');
  assert.equal(kept.code, 0, kept.stderr);
  assert.deepEqual([kept.json.changed_meanwhile, kept.json.updated, kept.json.created], [13, 188, 19]);
  const after = await world.users();
  assert.equal(after.get('u5')?.name, 'Somebody else');
  assert.equal(after.get('u12')?.name, 'New 12');
  assert.equal(after.get('u310')?.name, 'Early');
  assert.equal(world.lines('plan.ndjson.report.ndjson').length, 13, 'without --report only they are named');
});

test('AP3 who is already as the plan wants it did not change', async (t) => {
  const world = await seeded(t, 150);
  await world.plan(
    people(150, (n) => ({ name: `New ${n}` })),
    '--missing',
    'deactivate',
  );
  await world.world.http('PATCH', '/users', { users: [{ id: 'u1', set: { name: 'New 1' } }] });
  const ran = await world.run('apply', 'plan.ndjson', '--json');
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual([ran.json.updated, ran.json.unchanged], [149, 1]);
});

test('AP3 removals: who was removed or deactivated by somebody else is so already, who was changed is not removed', async (t) => {
  const world = await seeded(t, 20);
  await world.plan(people(10), '--missing', 'deactivate', '--max-missing', '100%');
  await world.world.http('POST', '/users/u15/deactivate', {});
  assert.deepEqual((await world.run('apply', 'plan.ndjson', '--json')).json.unchanged, 1);

  const other = await seeded(t, 20);
  await other.plan(people(10), '--missing', 'soft-delete', '--max-missing', '100%');
  await other.world.upsert({ id: 'u12', name: 'Stays' });
  await other.world.http('DELETE', '/users/u13');
  const refused = await other.run('apply', 'plan.ndjson');
  assert.match(refused.stderr, /^rosterd: 1 user changed since the plan was made:\n {2}u12: /m);
  const kept = await other.run('apply', 'plan.ndjson', '--if-unchanged', '--json');
  assert.deepEqual([kept.json.soft_deleted, kept.json.unchanged, kept.json.changed_meanwhile], [8, 1, 1], kept.stderr);
  assert.equal((await other.users()).get('u12')?.name, 'Stays');
});

test('AP5 removals do not begin when a user could not be written', async (t) => {
  const world = await seeded(t, 30);
  await world.world.http('POST', '/roles', { name: 'clerk' });
  await world.plan(
    [...people(10), person(99, { role: 'clerk' }), person(98)],
    '--missing',
    'hard-delete',
    '--max-missing',
    '100%',
    '--max-missing-count',
    '50',
  );
  await world.world.http('DELETE', '/roles/clerk');
  const ran = await world.run('apply', 'plan.ndjson', '--json', '--report', 'done.ndjson');
  assert.equal(ran.code, 1);
  assert.deepEqual([ran.json.created, ran.json.failed, ran.json.hard_deleted, ran.json.held_back], [1, 1, 0, 20], ran.stderr);
  assert.match(ran.stderr, /nobody was removed, because 1 could not be written/);
  assert.equal((await world.users()).size, 31);
  assert.equal(accounted(ran.json), ran.json.total);
  assert.equal(world.lines('done.ndjson').at(-1)?.result, 'held_back');
  // The plan is over: what it held back is for the next one.
  assert.equal((await world.run('apply', 'plan.ndjson', '--resume')).code, 1);
});

test('AP7 --resume: nothing to resume, another plan, a foreign file, a finished run', async (t) => {
  const world = await ApplyWorld.start(t);
  await world.plan(people(30));
  const none = await world.run('apply', 'plan.ndjson', '--resume');
  assert.equal(none.code, 2);
  assert.match(none.stderr, /there is nothing to resume/);
  assert.equal((await world.run('apply', 'plan.ndjson')).code, 0);
  const finished = await world.run('apply', 'plan.ndjson', '--resume');
  assert.equal(finished.code, 0);
  assert.match(finished.stderr, /there is nothing to resume: the plan was finished at \d{4}-/);
  await world.plan(people(31));
  const other = await world.run('apply', 'plan.ndjson', '--resume');
  assert.equal(other.code, 2);
  assert.match(other.stderr, /is of another plan/);
  writeFileSync(world.path('mine.json'), '{"my":"data"}');
  const foreign = await world.run('apply', 'plan.ndjson', '--checkpoint', 'mine.json');
  assert.equal(foreign.code, 2);
  assert.equal(world.text('mine.json'), '{"my":"data"}');
  appendFileSync(world.path('plan.ndjson'), ' ');
  assert.equal((await world.run('apply', 'plan.ndjson', '--map', 'x.json')).code, 2, 'flags of a source do nothing for a plan');
});

/** Slow enough that Ctrl-C comes in the middle. */
const RATE = ['--rate', '4000'] as const;

/** Begins to apply `plan.ndjson` and presses Ctrl-C once the user `id` was written. */
async function interrupted(world: ApplyWorld, id: string, ...args: readonly string[]): Promise<Ran> {
  const watcher = await world.world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const run = world.begin('apply', 'plan.ndjson', '--json', ...RATE, ...args);
  await watcher.until(({ type, user }) => type === 'user.updated' && user.id === id);
  run.interrupt();
  watcher.terminate();
  const ran = await run.done;
  assert.equal(ran.code, 130, ran.stderr);
  return ran;
}

test('AP6 Ctrl-C, then --resume: everybody is in one count, and in the report once', async (t) => {
  const world = await ApplyWorld.start(t);
  await world.plan(people(3_000));
  const stopped = await interrupted(world, 'u500', '--report', 'done.ndjson', '--concurrency', '3');
  assert.match(stopped.stderr, /run it again with --resume to finish/);
  assert.ok(stopped.json.created >= 500 && stopped.json.left > 0, JSON.stringify(stopped.json));
  assert.equal(accounted(stopped.json), 3_000);
  const checkpoint = JSON.parse(world.text('plan.ndjson.progress.json'));
  assert.deepEqual([checkpoint.finished, checkpoint.counts.created], [false, stopped.json.created]);
  assert.equal(world.lines('done.ndjson').at(-1)?.result, 'not_applied');

  const resumed = await world.run('apply', 'plan.ndjson', '--resume', '--report', 'done.ndjson', '--json');
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.equal(accounted(resumed.json), 3_000);
  assert.equal((await world.users()).size, 3_000);
  const ids = world.lines('done.ndjson').map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(ids.length, resumed.json.created);
});

test('AP6 without --resume a plan begins anew: that is pointed out, and does no harm', async (t) => {
  const world = await ApplyWorld.start(t);
  await world.plan(people(3_000));
  const stopped = await interrupted(world, 'u500');
  const anew = await world.run('apply', 'plan.ndjson', '--json');
  assert.equal(anew.code, 0, anew.stderr);
  assert.match(anew.stderr, /an earlier run of this plan ended at line \d+; --resume would go on there/);
  assert.equal(accounted(anew.json), 3_000);
  assert.ok(anew.json.unchanged >= stopped.json.created);
});

test('AP8 a source is planned first: brakes hold before anything is written, and nothing is left behind', async (t) => {
  const world = await seeded(t, 100);
  world.write('users.ndjson', people(120).slice(60));
  const seq = await world.seq();
  const refused = await world.run('apply', 'users.ndjson', '--missing', 'deactivate');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /nothing was written/);
  assert.equal(await world.seq(), seq);
  const ran = await world.run('apply', 'users.ndjson', '--missing', 'deactivate', '--max-missing', '60%', '--json');
  assert.deepEqual([ran.code, ran.json.created, ran.json.deactivated], [0, 20, 60], ran.stderr);
  assert.ok(!world.exists('users.ndjson.progress.json') && !world.exists('users.ndjson.progress.plan.ndjson'));
  const again = await world.run('apply', 'users.ndjson', '--missing', 'deactivate');
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stderr, /nothing to do/);
});

test('AP8 rows with errors are left out, reported, and make the exit code 1', async (t) => {
  const world = await ApplyWorld.start(t);
  writeFileSync(
    world.path('users.ndjson'),
    `${people(30)
      .map((user) => JSON.stringify(user))
      .join('\n')}\n{"id":"a b"}\n`,
  );
  const ran = await world.run('apply', 'users.ndjson', '--json');
  assert.deepEqual([ran.code, ran.json.created, ran.json.errors], [1, 30, 1], ran.stderr);
  assert.deepEqual(
    world.lines('users.ndjson.report.ndjson').map(({ result, line }) => [result, line]),
    [['error', 31]],
  );
});

test('AP8 a source that was interrupted goes on with the plan that was made then', async (t) => {
  const world = await ApplyWorld.start(t);
  world.write('users.ndjson', people(3_000));
  const watcher = await world.world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const first = world.begin('apply', 'users.ndjson', '--json', ...RATE);
  await watcher.until(({ type, user }) => type === 'user.updated' && user.id === 'u500');
  first.interrupt();
  assert.equal((await first.done).code, 130);
  assert.ok(world.exists('users.ndjson.progress.plan.ndjson'));
  world.write('users.ndjson', people(3));
  const second = await world.run('apply', 'users.ndjson', '--resume', '--json');
  assert.equal(second.code, 0, second.stderr);
  assert.equal(accounted(second.json), 3_000);
  assert.equal((await world.users()).size, 3_000);
  assert.ok(!world.exists('users.ndjson.progress.plan.ndjson'));
});

test('AP4 a writer changes users while a plan is applied: its changes stay, and are counted', async (t) => {
  const world = await seeded(t, 2_000);
  await world.plan(people(2_000, (n) => ({ name: `New ${n}` })));
  const run = world.begin('apply', 'plan.ndjson', '--json', '--report', 'done.ndjson', '--rate', '1500');
  const watcher = await world.world.subscriber({ subs: [{ sub: 'all', all: true }] });
  await watcher.until(({ type }) => type === 'user.updated');
  const theirs: string[] = [];
  for (let n = 1_999; n > 1_000; n -= 37) {
    const { body } = await world.world.http('PATCH', '/users', { users: [{ id: `u${n}`, set: { mood: 'mine' } }] });
    assert.deepEqual(body.updated, [`u${n}`]);
    theirs.push(`u${n}`);
  }
  const ran = await run.done;
  const users = await world.users();
  assert.ok(
    theirs.every((id) => users.get(id)?.custom.mood === 'mine'),
    'what was written meanwhile is never lost',
  );
  const kept = world.lines('done.ndjson').filter(({ result }) => result === 'changed_meanwhile');
  assert.ok(kept.length > 0, 'nobody was changed in time: the test shows nothing');
  assert.equal(ran.json.changed_meanwhile, kept.length);
  assert.equal(ran.code, 1);
  assert.equal(accounted(ran.json), 2_000);
  for (const { id, reason } of kept) {
    assert.match(reason, /has revision \d+, not \d+/);
    assert.equal(users.get(id)?.name, `User ${id.slice(1)}`);
  }
});

test('AP9 where servers are limited too, not one request is answered 429', async (t) => {
  const statuses: number[] = [];
  const onLog = (line: string) => {
    const { status } = JSON.parse(line);
    if (typeof status === 'number') statuses.push(status);
  };
  const flags = { 'rate-limits': 'all', 'rate-limit': 'UpdateUsers=1800,DeactivateUsers=300' };
  const world = await ApplyWorld.start(t, { flags, onLog });
  world.write('users.ndjson', people(2_000));
  const ran = await world.run('apply', 'users.ndjson', '--json', '--concurrency', '8');
  assert.equal(ran.json.created, 2_000, ran.stderr);
  world.write('users.ndjson', people(1_500));
  const second = await world.run(
    'apply',
    'users.ndjson',
    '--json',
    '--missing',
    'deactivate',
    '--max-missing',
    '50%',
    '--concurrency',
    '8',
  );
  assert.equal(second.json.deactivated, 500, second.stderr);
  assert.ok(statuses.length > 60, `${statuses.length} requests were logged`);
  assert.deepEqual(
    statuses.filter((status) => status === 429),
    [],
  );
});

test('AP9 --rate holds', async (t) => {
  const world = await ApplyWorld.start(t);
  await world.plan(people(300));
  const ran = await world.run('apply', 'plan.ndjson', '--rate', '200/s', '--json');
  assert.equal(ran.json.created, 300);
  assert.ok(ran.json.seconds >= 1 && ran.json.seconds < 30, `${ran.json.seconds} s`);
});

test('AP2 the plan is kept as it was made', async (t) => {
  const world = await ApplyWorld.start(t);
  await world.plan(people(3));
  const before = readFileSync(world.path('plan.ndjson'));
  await world.run('apply', 'plan.ndjson');
  assert.deepEqual(readFileSync(world.path('plan.ndjson')), before);
});
