/** Peers on one server: PE1 to PE4. */
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { PostgresPeers } from '../../../store/postgres/peers.ts';
import { eventually } from '../../support/eventually.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

/** A process: what it says, and what it has heard. */
class Peer {
  readonly node: PgNode;
  readonly peers: PostgresPeers;
  readonly here = new Set<string>();
  readonly heard = new Map<string, Set<string>>();
  readonly gone: string[] = [];

  constructor(t: TestContext, app: string, node: PgNode, name: string) {
    this.node = node;
    this.peers = new PostgresPeers({ app, node: name, version: '1.0.0', links: node.log.links });
    t.after(() => this.peers.close());
  }

  async start(): Promise<this> {
    await this.peers.start({
      here: () => this.here,
      applied: () => 7,
      replaced: (node, users) => void this.heard.set(node, new Set(users)),
      changed: (node, arrived, left) => {
        const users = this.heard.get(node) ?? new Set();
        for (const id of left) users.delete(id);
        for (const id of arrived) users.add(id);
        this.heard.set(node, users);
      },
      gone: (node) => {
        this.gone.push(node);
        this.heard.delete(node);
      },
    });
    return this;
  }

  say(id: string, isHere: boolean): void {
    if (isHere) this.here.add(id);
    else this.here.delete(id);
    this.peers.say(id, isHere);
  }

  /** Waits until this peer has heard exactly what the other says. */
  async hears(other: Peer): Promise<void> {
    const said = () => [...other.here].sort().join();
    const heard = () => [...(this.heard.get(other.peers.node) ?? [])].sort().join();
    await eventually(
      () => heard() === said(),
      () => `heard ${heard()} of ${said()}`,
    );
  }
}

async function peersOf(t: TestContext, ...names: string[]): Promise<Peer[]> {
  const app = randomUUID();
  return await Promise.all(names.map(async (name) => await new Peer(t, app, await kit.node(app), name).start()));
}

test('PE1 who comes and goes at one node is heard at the others, in order, however many they are', pgOptions, async (t) => {
  const [one, two, three] = await peersOf(t, 'one', 'two', 'three');
  assert.ok(one && two && three);
  for (let n = 0; n < 2_000; n++) one.say(`user-${n}-${'x'.repeat(40)}`, true);
  for (let n = 0; n < 300; n++) {
    const id = `user-${n % 20}`;
    two.say(id, n % 3 !== 0);
    if (n % 50 === 0) await delay(30);
  }
  for (const [a, b] of [
    [one, two],
    [two, one],
    [three, one],
    [three, two],
  ] as const)
    await a.hears(b);
  assert.ok(!one.heard.has('one'), 'nobody hears itself');
});

test('PE1 what others say on the channel of the nodes, where every role of the database may, does no harm', pgOptions, async (t) => {
  const app = randomUUID();
  const [one, two] = [
    await new Peer(t, app, await kit.node(app), 'one').start(),
    await new Peer(t, app, await kit.node(app), 'two').start(),
  ];
  const channel = `rosterd_peers_${createHash('sha256').update(app).digest('hex').slice(0, 32)}`;
  for (const said of [
    '',
    'hello',
    '{',
    'null',
    '7',
    '"x"',
    '[]',
    '{"node":7,"arrived":"x"}',
    '{"joined":"nobody"}',
    '{"node":"two","arrived":7}',
  ])
    await kit.postgres.sql(`select pg_notify('${channel}', '${said}')`);
  two.say('ann', true);
  await one.hears(two);
  one.say('bob', true);
  await two.hears(one);
});

test('PE2 a node that joins hears who is there; one that was cut off is heard, and hears, anew', pgOptions, async (t) => {
  const app = randomUUID();
  const one = await new Peer(t, app, await kit.node(app), 'one').start();
  one.say('ann', true);
  one.say('bob', true);
  const two = await new Peer(t, app, await kit.node(app), 'two').start();
  await two.hears(one);
  two.say('carl', true);
  await one.hears(two);
  // Nothing of this is said or heard at once.
  two.node.proxy.isAway = true;
  two.node.proxy.cutAll();
  two.say('carl', false);
  two.say('dora', true);
  one.say('bob', false);
  one.say('eve', true);
  await delay(300);
  two.node.proxy.isAway = false;
  await one.hears(two);
  await two.hears(one);
});

test('PE3 a node that stops is gone at once, one that dies after ten seconds', pgOptions, async (t) => {
  const [one, two, three] = await peersOf(t, 'one', 'two', 'three');
  assert.ok(one && two && three);
  three.say('ann', true);
  await one.hears(three);
  await two.peers.close();
  await eventually(() => one.gone.includes('two'));
  assert.deepEqual(
    (await one.peers.nodes()).map(({ name, applied, version }) => [name, applied, version]),
    [
      ['one', 7, '1.0.0'],
      ['three', 7, '1.0.0'],
    ],
  );
  three.node.proxy.isAway = true;
  three.node.proxy.cutAll();
  await delay(1_500);
  assert.ok(!one.gone.includes('three'));
  await kit.postgres.sql("update rosterd.node set seen = clock_timestamp() - interval '10.1 s' where name = 'three'");
  await eventually(() => one.gone.includes('three'));
  three.node.proxy.isAway = false;
  await one.hears(three);
});

test('PE3 a silent node is gone when its time is over, and not at the next beat', pgOptions, async (t) => {
  const [one, two] = await peersOf(t, 'one', 'two');
  assert.ok(one && two);
  two.node.proxy.isAway = true;
  two.node.proxy.cutAll();
  const lateMs: number[] = [];
  for (let round = 0; round < 4; round++) {
    // Between two beats: the last one was when it was gone the last time.
    await kit.postgres.sql("update rosterd.node set seen = clock_timestamp() - interval '8.5 s' where name = 'two'");
    const dueMs = performance.now() + 1_500;
    await eventually(() => one.heard.has('two'));
    await eventually(() => one.gone.length > round);
    lateMs.push(Math.round(performance.now() - dueMs));
  }
  assert.ok(Math.min(...lateMs.slice(1)) < 400, `${lateMs} ms late: the next beat is 500 ms later`);
});

test('PE4 a second node of one name is refused; one that comes back after its death is not', pgOptions, async (t) => {
  const app = randomUUID();
  const one = await new Peer(t, app, await kit.node(app), 'one').start();
  const other = new Peer(t, app, await kit.node(app), 'one');
  await assert.rejects(other.start(), /another node named "one" is running/);
  one.node.proxy.isAway = true;
  one.node.proxy.cutAll();
  await delay(1_200);
  await new Peer(t, app, await kit.node(app), 'one').start();
});

test('PE6 a node that has said nothing for a day is forgotten, with its users; one that is gone for less is not', pgOptions, async (t) => {
  const app = randomUUID();
  const silent = async (name: string, hours: number) => {
    await kit.postgres.sql(
      `insert into rosterd.node values ('${app}', '${name}', 'boot', '1', 0, clock_timestamp() - interval '${hours} hours')`,
    );
    await kit.postgres.sql(`insert into rosterd.presence values ('${app}', '${name}', 'ann')`);
  };
  const node = await kit.node(app);
  await silent('old', 25);
  await silent('recent', 23);
  const peer = await new Peer(t, app, node, 'blue').start();
  const names = async () => (await peer.peers.nodes()).map(({ name }) => name).join();
  await eventually(async () => (await names()) === 'blue,recent');
  const left = await kit.postgres.sql(`select node from rosterd.presence where app = '${app}'`);
  assert.match(JSON.stringify(left), /recent/);
  assert.doesNotMatch(JSON.stringify(left), /old/);
});

test('PE2 a node whose row went with a crash of the server joins again, and says everything anew', pgOptions, async (t) => {
  const app = randomUUID();
  const one = await new Peer(t, app, await kit.node(app), 'one').start();
  one.say('ann', true);
  const rows = () =>
    kit.postgres.sql(
      `select (select count(*) from rosterd.node where app = '${app}'), (select string_agg(user_id, ' ') from rosterd.presence where app = '${app}')`,
    );
  await eventually(async () => (await rows()) === '1|ann\n', 'it is said');
  await kit.postgres.sql(`delete from rosterd.node where app = '${app}'; delete from rosterd.presence where app = '${app}'`);
  await eventually(async () => (await rows()) === '1|ann\n', 'it is said again');
});

test('PE5 settings that differ are reported once for each start of the other node, while it lives', pgOptions, async (t) => {
  const app = randomUUID();
  const told: string[] = [];
  const node = await kit.node(app);
  const peers = new PostgresPeers({
    ...{
      app,
      node: 'one',
      version: '1',
      links: node.log.links,
      settings: new Map([
        ['a', '1'],
        ['b', '1'],
      ]),
    },
    onEvent: (event) => void told.push(event.type === 'settings-differ' ? `${event.node}: ${event.settings.join(' ')}` : event.type),
  });
  t.after(() => peers.close());
  let beats = 0;
  await peers.start({ here: () => [], applied: () => beats++, replaced: () => {}, changed: () => {}, gone: () => {} });
  const other = (name: string, boot: string, config: string, msAgo = 0) =>
    kit.postgres.sql(`insert into rosterd.node (app, name, boot, version, applied, seen, config_mac)
      values ('${app}', '${name}', '${boot}', '1', 0, clock_timestamp() - ${msAgo} * interval '1 ms', '${config}')
      on conflict (app, name) do update set boot = excluded.boot, seen = excluded.seen, config_mac = excluded.config_mac`);
  const afterBeats = async (count: number): Promise<string> => {
    const from = beats;
    await eventually(() => beats >= from + count);
    return told.splice(0).join(', ');
  };
  await other('same', 'x', 'a=1 b=1');
  await other('two', 'x', 'a=2 b=2', 60_000);
  assert.equal(await afterBeats(2), '', 'one that is gone is not compared');
  await other('two', 'x', 'a=1 b=2', -3_600_000);
  assert.equal(await afterBeats(3), 'two: b');
  await other('two', 'y', 'a=2 b=2', -3_600_000);
  assert.equal(await afterBeats(3), 'two: a b', 'after another start');
  await kit.postgres.sql(`delete from rosterd.node where app = '${app}' and name = 'two'`);
  await afterBeats(2);
  await other('two', 'y', 'a=2 b=2', -3_600_000);
  assert.equal(await afterBeats(3), 'two: a b', 'a node that was forgotten is another one');
});

test('PE2 a node that was cut off takes none for gone that are still there', pgOptions, async (t) => {
  const [one, two] = await peersOf(t, 'one', 'two');
  assert.ok(one && two);
  await eventually(() => two.heard.has('one'));
  two.heard.clear();
  two.node.proxy.cutAll();
  await eventually(() => two.heard.has('one'), 'it is heard anew');
  assert.deepEqual(two.gone, []);
});

test('PE2 a node that left while another one was cut off is gone for that one, too', pgOptions, async (t) => {
  const [one, two] = await peersOf(t, 'one', 'two');
  assert.ok(one && two);
  await eventually(() => two.heard.has('one'));
  two.node.proxy.isAway = true;
  two.node.proxy.cutAll();
  await one.peers.close();
  assert.deepEqual(two.gone, []);
  two.node.proxy.isAway = false;
  await eventually(() => two.gone.length !== 0, 'it is told');
  assert.deepEqual([two.gone, two.heard.has('one')], [['one'], false]);
});

test('PE3 a node without a row is gone at the next beat, also for whoever read it after it had left', pgOptions, async (t) => {
  const app = randomUUID();
  const one = await new Peer(t, app, await kit.node(app), 'one').start();
  await kit.postgres.sql(`insert into rosterd.node values ('${app}', 'ghost', 'boot', '1', 0, clock_timestamp())`);
  await eventually(() => one.heard.has('ghost'));
  // Nobody says so.
  await kit.postgres.sql(`delete from rosterd.node where app = '${app}' and name = 'ghost'`);
  await eventually(() => one.gone.includes('ghost'));
  assert.equal(one.heard.has('ghost'), false);
});
