/** EM3, EM6–EM8: what an application holds is emptied, seeded, saved and restored, and clients notice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EmulatorBench } from '../../support/emulator/emulator-kit.ts';
import { eventually } from '../../support/eventually.ts';

const ids = async (bench: EmulatorBench): Promise<readonly string[]> =>
  (await bench.client().queryUsers({}, { id: 1 }, { limit: 100 })).users.map(({ id }) => id);

test('EM6 reset forgets users, settings, faults, deliveries and the clock, and keeps snapshots', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  await client.upsertUsers([{ id: 'ann' }]);
  await client.updateAppSettings({ enforce_unique_usernames: 'app' });
  await bench.ask('POST', '/snapshots/one');
  await bench.ask('POST', '/faults', { fault: 'unavailable', count: 5 });
  await bench.ask('POST', '/webhooks/mine', { type: 'x' });
  await bench.ask('POST', '/clock', { advance_ms: 3_600_000 });
  const before = bench.app.roster.position.epoch;
  const { status, body } = await bench.ask('POST', '/reset');
  assert.deepEqual([status, body.users], [200, 0]);
  assert.notEqual(bench.app.roster.position.epoch, before);
  const index = (await bench.ask('GET', '')).body;
  assert.deepEqual([index.clock.ahead_ms, index.faults, index.app.users], [0, [], 0]);
  assert.deepEqual(
    index.snapshots.map(({ name, users }: { name: string; users: number }) => [name, users]),
    [['one', 1]],
  );
  assert.deepEqual((await bench.ask('GET', '/webhooks')).body.webhooks, []);
  assert.deepEqual(await ids(bench), []);
  await client.upsertUsers([
    { id: 'bob', name: 'Same' },
    { id: 'carl', name: 'Same' },
  ]);
});

test('EM3 a live client outlives a reset: it comes back by itself and begins again', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  const heard: string[] = [];
  client.on('resync', (sub, users, gone) => heard.push(`resync ${sub}: ${users.length} here, ${gone.join()} gone`));
  client.on('event', ({ user }) => heard.push(user.id));
  await client.connect();
  await client.subscribe({ sub: 'all', all: true });
  await client.upsertUsers([{ id: 'ann' }]);
  await eventually(() => heard.length === 1);
  await bench.ask('POST', '/reset');
  await eventually(
    () => client.state.kind === 'open' && heard.length === 2,
    () => `${client.state.kind} ${heard}`,
  );
  await client.upsertUsers([{ id: 'bob' }]);
  await eventually(
    () => heard.length === 3,
    () => heard.join(),
  );
  assert.deepEqual(heard, ['ann', 'resync all: 0 here, ann gone', 'bob']);
  assert.deepEqual([...client.users.keys()], ['bob']);
});

test('EM3 requests wait while the daemon is replaced, and each is served', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  const work: Promise<unknown>[] = [];
  for (let n = 0; n < 5; n++) {
    work.push(bench.ask('POST', '/reset'));
    for (let m = 0; m < 20; m++) work.push(client.upsertUsers([{ id: `u${n}-${m}` }]));
  }
  await Promise.all(work);
  await client.upsertUsers([{ id: 'last' }]);
  assert.ok((await ids(bench)).includes('last'));
});

test('EM7 users come as a list, a map, NDJSON and CSV, and a second time nothing changes', async (t) => {
  const bench = await EmulatorBench.start(t);
  const seeds = [
    { users: [{ id: 'ann', name: 'Ann', colour: 'blue' }] },
    { users: { bob: { name: 'Bob', role: 'admin' } } },
    { ndjson: '{"id":"carl","teams":["red"]}\n{"id":"dora"}\n' },
    { csv: 'id,name,teams:list,custom.age:number\neve,Eve,red;blue,7\n' },
  ];
  for (const seed of seeds) {
    const { status, body } = await bench.ask('POST', '/seed', seed);
    assert.deepEqual([status, body.failed, body.problems], [200, 0, []], JSON.stringify(body));
  }
  const { users } = await bench.client().queryUsers({}, { id: 1 });
  assert.deepEqual(
    users
      .map(({ id, name, role, colour, teams, age }) => ({ id, name, role, colour, teams, age }))
      .map((user) => JSON.parse(JSON.stringify(user))),
    [
      { id: 'ann', name: 'Ann', role: 'user', colour: 'blue', teams: [] },
      { id: 'bob', name: 'Bob', role: 'admin', teams: [] },
      { id: 'carl', role: 'user', teams: ['red'] },
      { id: 'dora', role: 'user', teams: [] },
      { id: 'eve', name: 'Eve', role: 'user', teams: ['red', 'blue'], age: 7 },
    ],
  );
  for (const seed of seeds) {
    const { body } = await bench.ask('POST', '/seed', seed);
    assert.deepEqual([body.created, body.updated], [0, 0]);
  }
});

test('EM7 a user that is refused is named, and the others are in, whatever faults wait', async (t) => {
  const bench = await EmulatorBench.start(t);
  await bench.ask('POST', '/faults', { fault: 'unavailable', count: 100 });
  const users = [{ id: 'ann' }, { id: 'b b' }, { id: 'carl', role: 'king' }, { id: 'dora', name: 7 }];
  const { status, body } = await bench.ask('POST', '/seed', { users });
  assert.deepEqual([status, body.created, body.failed], [400, 1, 3]);
  assert.equal(body.problems.length, 3);
  for (const text of [/line 2: id: may contain only letters/, /line 3 \(carl\): .*role/, /line 4 \(dora\): name: must be string/])
    assert.match(body.problems.join('\n'), text);
  await bench.ask('DELETE', '/faults');
  assert.deepEqual(await ids(bench), ['ann']);
});

test('EM7 what is no source is refused with the reason', async (t) => {
  const bench = await EmulatorBench.start(t);
  const refusals: [unknown, RegExp][] = [
    [{}, /users: give one of users, csv and ndjson/],
    [{ users: [], csv: '' }, /users: give one of/],
    [{ users: { ann: { id: 'bob' } } }, /users\[ann\]\.id: must be \\"ann\\"/],
    [{ users: 7 }, /users: must be/],
    [{ csv: '' }, /csv: it is empty/],
    [{ csv: 'name\nAnn\n' }, /csv: .*id/],
    [{ json: [] }, /json: is no field here/],
  ];
  for (const [seed, text] of refusals) {
    const { status, body } = await bench.ask('POST', '/seed', seed);
    assert.equal(status, 400, JSON.stringify(body));
    assert.match(JSON.stringify(body.message), text);
  }
  const broken = await bench.ask('POST', '/seed', { ndjson: '{"id":"ann"}\n{"id":' });
  assert.deepEqual([broken.status, broken.body.created], [400, 1], JSON.stringify(broken.body));
  assert.match(broken.body.problems[0], /breaks off in its last line, 2/);
});

test('EM8 a snapshot brings back users, settings and documents, as often as one likes', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  await client.upsertUsers([{ id: 'ann', name: 'Ann' }, { id: 'bob' }]);
  await client.updateAppSettings({ enforce_unique_usernames: 'app' });
  await client.muteUser('ann', 'bob');
  const saved = await bench.ask('POST', '/snapshots/start');
  assert.deepEqual([saved.status, saved.body.name, saved.body.users], [201, 'start', 2]);
  for (let round = 0; round < 2; round++) {
    await client.upsertUsers([{ id: 'ann', name: 'Other' }, { id: 'carl' }]);
    await client.updateAppSettings({ enforce_unique_usernames: 'no' });
    const epoch = bench.app.roster.position.epoch;
    const { status, body } = await bench.ask('POST', '/snapshots/start/restore');
    assert.deepEqual([status, body.users], [200, 2]);
    assert.notEqual(bench.app.roster.position.epoch, epoch, 'whoever resumes begins again');
    const { users } = await client.queryUsers({}, { id: 1 });
    assert.deepEqual(
      users.map(({ id, name }) => [id, name]),
      [
        ['ann', 'Ann'],
        ['bob', undefined],
      ],
    );
    await assert.rejects(client.upsertUsers([{ id: 'dora', name: 'Ann' }]), { status: 400 });
  }
  assert.deepEqual((await bench.ask('DELETE', '/snapshots/start')).body, { removed: 'start' });
  assert.equal((await bench.ask('GET', '/snapshots')).body.snapshots.length, 0);
});

test('EM8 an export that a snapshot knows can be fetched after it is restored', async (t) => {
  const bench = await EmulatorBench.start(t);
  const client = bench.client();
  await client.upsertUsers([{ id: 'ann' }]);
  const { task_id } = await client.exportUsers({ user_ids: ['ann'] });
  const done = async () => await client.getTask({ id: task_id });
  await eventually(async () => (await done()).status === 'completed');
  await bench.ask('POST', '/snapshots/exported');
  await bench.ask('POST', '/reset');
  await bench.ask('POST', '/snapshots/exported/restore');
  const { result } = await done();
  const { url } = result as { url: string };
  assert.match(await (await fetch(url)).text(), /"id":"ann"/);
});

test('EM8 snapshots are bounded in number, and one that is not there is refused with those that are', async (t) => {
  const bench = await EmulatorBench.start(t);
  const none = await bench.ask('POST', '/snapshots/gone/restore');
  assert.equal(none.status, 404);
  assert.match(none.body.message, /there is no snapshot "gone"; there are none: POST/);
  for (let n = 0; n < 50; n++) assert.equal((await bench.ask('POST', `/snapshots/s${n}`)).status, 201);
  const full = await bench.ask('POST', '/snapshots/s50');
  assert.deepEqual([full.status, full.body.code], [409, 4]);
  assert.equal((await bench.ask('POST', '/snapshots/s7')).status, 201, 'one that is there is replaced');
  assert.match((await bench.ask('GET', '/snapshots/gone')).body.message, /there is no snapshot "gone"; there are s0, s1/);
  assert.equal((await bench.ask('POST', '/snapshots/a%20b')).status, 400);
});
