/** Users that a sync took out and that are in the source again: plan, apply and the straight form against a real daemon. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { ApplyWorld, accounted } from '../../support/sync/apply-kit.ts';
import { userToken, type WorldOptions } from '../../support/world.ts';

const BEFORE = 'id,name\nsa,A\nsb,B\nsc,C\nsd,D\n';
const WITHOUT_D = 'id,name\nsa,A\nsb,B\nsc,C\n';

/** A directory out of which a sync took sd, and people took sc. */
async function withoutD(t: TestContext, missing: 'deactivate' | 'soft-delete', options: WorldOptions = {}): Promise<ApplyWorld> {
  const world = await ApplyWorld.start(t, options);
  writeFileSync(world.path('before.csv'), BEFORE);
  writeFileSync(world.path('without-d.csv'), WITHOUT_D);
  assert.equal((await world.run('apply', 'before.csv')).code, 0);
  const out = await world.run('apply', 'without-d.csv', '--missing', missing, '--max-missing', '90%');
  assert.equal(out.code, 0, out.stderr);
  await world.world.http('POST', '/users/sc/deactivate', {});
  return world;
}

test('PC10 a user that a sync deactivated is named, and comes back with --returning reactivate, in one plan with its changes', async (t) => {
  const world = await withoutD(t, 'deactivate');
  const left = await world.run('plan', 'before.csv', '--missing', 'deactivate', '--out', 'left.ndjson');
  assert.equal(left.code, 0, left.stderr);
  assert.match(left.stdout, /^taken out +1 +sd \(deactivated\)$/m);
  assert.match(
    left.stderr,
    /an earlier sync took out 1 user of the source, and it stays out: sd \(deactivated\); --returning reactivate brings it back/,
  );
  assert.match(left.stderr, /1 user of the source is deactivated \(not by a sync\) and stays so/);
  const taken_out = { count: 1, first: [{ id: 'sd', how: 'deactivated' }] };
  assert.deepEqual((await world.run('plan', 'before.csv', '--json')).json.taken_out, taken_out);
  assert.deepEqual(world.lines('left.ndjson').at(-1).taken_out, taken_out);
  assert.deepEqual((await world.run('apply', 'before.csv', '--json')).json.taken_out, taken_out);

  for (const returning of ['reactivate', 'restore']) {
    const planned = await world.run('plan', 'before.csv', '--returning', returning);
    assert.equal(planned.code, 2, planned.stderr);
    assert.match(planned.stdout, /^reactivate +1 +sd \(line 5\)$/m);
    assert.doesNotMatch(planned.stdout, /taken out/);
  }
  writeFileSync(world.path('before.csv'), BEFORE.replace('sd,D', 'sd,Dora'));
  const { json } = await world.run('plan', 'before.csv', '--returning', 'reactivate', '--out', 'plan.ndjson', '--json');
  assert.deepEqual([json.reactivate, json.update, json.unchanged, json.taken_out.count], [1, 0, 3, 0]);
  assert.deepEqual(json.examples.reactivate[0].changes.name, ['D', 'Dora']);
  const ran = await world.run('apply', 'plan.ndjson', '--json', '--report', 'report.ndjson');
  assert.deepEqual([ran.code, ran.json.reactivated, accounted(ran.json)], [0, 1, ran.json.total], ran.stderr);
  assert.equal(world.lines('report.ndjson')[0].result, 'reactivated');
  const { body } = await world.world.http('GET', '/users?payload={"filter_conditions":{"id":"sd"}}');
  assert.deepEqual([body.users[0].name, body.users[0].deactivated_at], ['Dora', undefined]);
  const again = await world.run('apply', 'plan.ndjson', '--json');
  assert.deepEqual([again.code, again.json.unchanged], [0, 1], again.stderr);
  const done = await world.run('plan', 'before.csv', '--returning', 'restore', '--missing', 'deactivate');
  assert.equal(done.code, 0, 'sc, whom people deactivated, stays out');
});

test('PC10 a user that a sync soft-deleted is named, and comes back with --returning restore alone', async (t) => {
  const world = await withoutD(t, 'soft-delete');
  for (const args of [[], ['--returning', 'reactivate']]) {
    const left = await world.run('plan', 'before.csv', '--max-errors', '50%', ...args);
    assert.equal(left.code, 1);
    assert.match(left.stdout, /^taken out +1 +sd \(deleted\)$/m);
    assert.match(left.stdout, /1 × the user sd was deleted by a sync \(line 5\)/);
    assert.match(left.stderr, /--returning restore brings it back/);
  }
  const planned = await world.run('plan', 'before.csv', '--returning', 'restore', '--missing', 'soft-delete', '--out', 'plan.ndjson');
  assert.equal(planned.code, 2, planned.stderr);
  assert.match(planned.stdout, /^restore +1 +sd \(line 5\)$/m);
  const ran = await world.run('apply', 'plan.ndjson');
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stdout, /^restored +1$/m);
  assert.ok((await world.users()).has('sd'));
  assert.equal((await world.run('plan', 'before.csv', '--returning', 'restore', '--missing', 'soft-delete')).code, 0);
});

test('AP12 the mark outlives a restart, and an interrupted plan goes on with it', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'rosterd-returning-'));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const before = await withoutD(t, 'deactivate', { data });
  await before.world.daemon.stop();
  const world = await ApplyWorld.start(t, { data });
  writeFileSync(world.path('before.csv'), `${BEFORE}n1,\nn2,\nn3,\nn4,\nn5,\n`);
  const planned = await world.run('plan', 'before.csv', '--returning', 'reactivate', '--out', 'plan.ndjson');
  assert.match(planned.stdout, /^reactivate +1 +sd/m, planned.stderr);
  const running = world.begin('apply', 'plan.ndjson', '--rate', '1', '--json');
  await eventually(() => world.exists('plan.ndjson.progress.json'));
  running.interrupt();
  assert.equal((await running.done).code, 130);
  const ran = await world.run('apply', 'plan.ndjson', '--resume', '--json');
  assert.deepEqual([ran.code, ran.json.reactivated, ran.json.created, accounted(ran.json)], [0, 1, 5, 6], ran.stderr);
});

test('AP12 a plan with a returning user is refused when somebody else changed that user meanwhile', async (t) => {
  const world = await withoutD(t, 'deactivate');
  await world.run('plan', 'before.csv', '--returning', 'reactivate', '--out', 'plan.ndjson');
  await world.world.http('POST', '/users/sd/reactivate', {});
  await world.world.http('POST', '/users/sd/deactivate', {});
  const ran = await world.run('apply', 'plan.ndjson', '--json');
  assert.deepEqual([ran.code, ran.json.status, ran.json.stale.first[0].id], [1, 'refused', 'sd'], ran.stderr);
  const kept = await world.run('apply', 'plan.ndjson', '--if-unchanged', '--json');
  assert.equal(kept.json.reactivated, 0, kept.stderr);
  const { body } = await world.world.http('GET', '/users/sd/history');
  assert.equal(body.history[0].event, 'deactivated', 'people deactivated sd, so it stays out');
});

test('SY14 the straight form knows returning users too', async (t) => {
  const off = await withoutD(t, 'deactivate');
  const left = await off.run('before.csv', '--json');
  assert.deepEqual([left.code, left.json.unchanged, left.json.taken_out], [0, 4, { count: 1, first: [{ id: 'sd', how: 'deactivated' }] }]);
  assert.match(left.stderr, /took out 1 user of the source, and it stays out: sd \(deactivated\)/);
  const back = await off.run('before.csv', '--returning', 'reactivate');
  assert.equal(back.code, 0, back.stderr);
  assert.match(back.stdout, /^reactivated +1$/m);
  const gone = await withoutD(t, 'soft-delete');
  const failed = await gone.run('before.csv', '--json');
  assert.deepEqual([failed.code, failed.json.failed, failed.json.taken_out.first], [1, 1, [{ id: 'sd', how: 'deleted' }]]);
  assert.equal(gone.lines('before.csv.report.ndjson')[0].reason, 'the user sd was deleted by a sync');
  const restored = await gone.run('before.csv', '--returning', 'restore', '--json');
  assert.deepEqual([restored.code, restored.json.restored], [0, 1], restored.stderr);
});

test('UP8 a client cannot bring users back, and servers see who stays out in any dialect', async (t) => {
  const world = await withoutD(t, 'soft-delete');
  const body = { users: { sd: { id: 'sd', name: 'D' } }, returning: 'restore' };
  const refused = await world.world.http('POST', '/users', body, userToken('sa'));
  assert.deepEqual([refused.status, refused.body.message.includes('returning: needs a server token')], [403, true]);
  for (const path of ['/users', '/api/v2/users']) {
    const { body: dry } = await world.world.http('POST', `${path}?dry_run=true`, { users: body.users });
    assert.deepEqual([dry.taken_out, dry.errors[0].message], [{ sd: 'deleted' }, 'the user sd was deleted by a sync']);
  }
  const { status, body: back } = await world.world.http('POST', '/api/v2/users', body);
  assert.deepEqual([status, back.restored, back.created, back.taken_out], [200, ['sd'], [], undefined]);
});

test('SY13 PC1 a run that reads no user is never nothing to do', async (t) => {
  const world = await ApplyWorld.start(t);
  for (const [name, text] of [
    ['none.csv', 'id,name\n,\n'],
    ['none.ndjson', '\n'],
    ['none.json', '[]'],
  ] as const) {
    writeFileSync(world.path(name), text);
    const straight = await world.run(name);
    assert.deepEqual([straight.code, straight.stderr.includes(`${name} has no users; nothing was written`)], [1, true], straight.stderr);
    assert.equal((await world.run(name, '--json')).json.status, 'empty');
    for (const args of [[], ['--missing', 'deactivate', '--max-missing', '100%']]) {
      const planned = await world.run('plan', name, ...args);
      assert.deepEqual([planned.code, planned.stdout, planned.stderr.includes(`${name} has no users`)], [1, '', true], planned.stderr);
      const applied = await world.run('apply', name, ...args);
      assert.deepEqual([applied.code, applied.stderr.includes('there is no plan; nothing was written')], [1, true], applied.stderr);
    }
  }
});
