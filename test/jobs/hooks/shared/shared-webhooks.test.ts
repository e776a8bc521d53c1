/** Webhooks on several nodes that share a PostgreSQL (WH24–WH26). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RosterError } from '../../../../protocol/base/errors.ts';
import { OK, status } from '../../../support/hooks/hook-bench.ts';
import { type HookNode, SharedWorld } from '../../../support/hooks/shared-world.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

test('WH24 three nodes send each of 70 events once, also when one of them stops in between', pgOptions, async (t) => {
  const world = await SharedWorld.open(t, kit, 3);
  const users = Array.from({ length: 10 }, (_, n) => `u${n}`);
  await world.tell(...users);
  const seqs: number[] = [];
  for (let round = 0; round < 6; round++) {
    seqs.push(...(await world.tell(...users)));
  }
  await world.until('all arrive', () => world.taken.filter(({ seq }) => seqs.includes(seq)).length >= seqs.length);
  const holder = await world.holder();
  assert.deepEqual([...new Set(world.requests.map(({ node }) => node))], [holder]);
  // It stores its positions when it stops.
  await holder.webhooks.stop(30_000);
  assert.deepEqual([...world.commands].sort(), ['held', 'lease'], 'positions are refused once another node has the job');
  await world.until('another node has the job', async () => (await world.holder()) !== holder);
  seqs.push(...(await world.tell(...users)));
  await world.until('all arrive', () => world.taken.filter(({ seq }) => seqs.includes(seq)).length >= seqs.length);
  await delay(300);
  world.checkDelivered(seqs);
  assert.equal(world.requests.length, new Set(world.requests.map(({ id }) => id)).size, 'none was sent twice');
});

test('WH24 200 events while the job goes from node to node: none is lost, one id each, in order per user', pgOptions, async (t) => {
  const world = await SharedWorld.open(t, kit, 3);
  world.answer = async ({ user }) => {
    await delay(Math.random() * 8);
    // One user in ten is refused now and then, so that letters go from node to node, too.
    return user === 'u9' && Math.random() < 0.5 ? status(400) : OK;
  };
  const users = Array.from({ length: 10 }, (_, n) => `u${n}`);
  await world.tell(...users);
  const seqs: number[] = [];
  // What may be sent again at each change: all that was told since the last stored position, and letters.
  let unstored = 0;
  for (let round = 0; round < 20; round++) {
    const told = await world.tell(...users);
    seqs.push(...told);
    const holder = await world.holder();
    if (round % 2 === 0) await world.until('some arrive', () => world.taken.some(({ seq }) => told.includes(seq)));
    if (round % 4 === 3) await world.until('their position is stored', () => world.stored >= Math.max(...told));
    unstored += seqs.filter((seq, index) => seq > world.stored && index % users.length < 9).length;
    const next = world.nodes[(world.nodes.indexOf(holder) + 1) % world.nodes.length] ?? assert.fail();
    if (round % 5 === 1) holder.store.proxy.cutAll();
    if (round % 5 === 4) {
      // It is cut off, and goes on for a while with what it has in its hand.
      holder.store.proxy.isAway = true;
      holder.store.proxy.cutAll();
    }
    if (round % 5 === 2) await holder.webhooks.stop(1_000);
    await world.until('another node has it', async () => {
      // Not once: the next one may be giving back the lease that it had before.
      if (round % 5 !== 2) await world.kit.handOver(next.store);
      return (await world.holder()) !== holder;
    });
    if (round % 5 === 2) holder.begin();
    holder.store.proxy.isAway = false;
  }
  world.answer = async () => OK;
  const [anyNode] = world.nodes;
  assert.ok(anyNode);
  const isMissing = () => seqs.some((seq) => !world.taken.some((one) => one.seq === seq));
  await world.until('everything arrives', async () => {
    if (isMissing()) await anyNode.webhooks.replay('h', {}).catch(() => {});
    await delay(200);
    return !isMissing();
  });
  await world.until('no letter is left', async () => (await anyNode.status()).parked === 0);
  world.checkDelivered(seqs);
  const others = world.taken.filter(({ seq, user }) => seqs.includes(seq) && user !== 'u9').length;
  const extra = others - seqs.length * 0.9;
  assert.ok(extra <= unstored, `${extra} were taken again, and ${unstored} may be`);
  assert.ok(world.requests.some(({ isTaken }) => !isTaken));
  const again = world.requests.filter(({ seq, stored, user }) => user !== 'u9' && seq <= stored);
  assert.deepEqual(again, [], 'nothing before the stored position is sent again, but letters');
  assert.ok(world.requests.length <= seqs.length * 3, `${world.requests.length} requests`);
});

test('WH24 over a crash of PostgreSQL in the middle of deliveries, no event and no letter is lost', pgOptions, async (t) => {
  const world = await SharedWorld.open(t, kit, 2);
  const users = Array.from({ length: 10 }, (_, n) => `u${n}`);
  world.answer = async ({ user }) => {
    await delay(Math.random() * 20);
    return user === 'u9' ? status(400) : OK;
  };
  await world.tell(...users);
  const [node] = world.nodes;
  assert.ok(node);
  await world.until('one is parked', async () => (await node.status()).parked > 0);
  const seqs = [...(await world.tell(...users)), ...(await world.tell(...users))];
  await world.until('some arrive', () => world.taken.some(({ seq }) => seqs.includes(seq)));
  await kit.postgres.kill();
  await kit.postgres.start();
  await world.until('it can be written to', () =>
    world.tell(...users).then(
      (told) => seqs.push(...told) > 0,
      () => false,
    ),
  );
  const others = seqs.filter((_, index) => index % users.length < 9);
  await world.until('the others arrive', () => others.every((seq) => world.taken.some((one) => one.seq === seq)));
  world.answer = async () => OK;
  await world.until('the letters arrive', async () => {
    await node.webhooks.replay('h', {}).catch(() => {});
    await delay(200);
    return seqs.every((seq) => world.taken.some((one) => one.seq === seq));
  });
  world.checkDelivered(seqs);
});

test('WH25 a node that stood still sends nothing more, and stores nothing, once another one has the job', pgOptions, async (t) => {
  // It would look after its lease every two seconds only.
  const world = await SharedWorld.open(t, kit, 2, { leaseMs: 10_000 });
  const holder = await world.holder();
  const other = await world.otherThan(holder);
  let release = (): void => {};
  world.answer = async ({ node }) => {
    if (node === holder) await new Promise<void>((resolve) => (release = resolve));
    return OK;
  };
  const seqs = [...(await world.tell('ann')), ...(await world.tell('ann')), ...(await world.tell('ann'))];
  await world.until('its first request is in flight', () => world.requests.length === 1);
  await world.kit.handOver(other.store);
  await world.until('the other one delivers', () => world.taken.length === 3);
  assert.equal(world.requests.filter(({ node }) => node === holder).length, 1);
  release();
  await world.until('the other one stores it', async () => (await other.status()).lag === 0);
  await delay(200);
  assert.equal(world.requests.filter(({ node }) => node === holder).length, 1);
  world.checkDelivered(seqs);
});

test('WH25 requests in flight end when the job is lost, within a second, and are then cut', pgOptions, async (t) => {
  const world = await SharedWorld.open(t, kit, 2);
  const holder = await world.holder();
  const other = await world.otherThan(holder);
  world.answer = async ({ node, user }) => {
    if (node === holder) await delay(user === 'quick' ? 300 : 60_000, undefined, { ref: false });
    return OK;
  };
  await world.tell('quick', 'slow');
  await world.until('both are in flight', () => world.requests.length === 2);
  await world.kit.handOver(other.store);
  const beganAt = performance.now();
  await world.until(
    'both are done by the other one',
    () => world.requests.filter(({ node, isTaken }) => node === other && isTaken).length === 2,
  );
  await world.until('the quick one ends', () =>
    world.requests.some(({ node, user, isTaken }) => node === holder && user === 'quick' && isTaken),
  );
  await world.until('its work has ended', () => world.logged.includes('another node may do a job from now on'));
  assert.ok(performance.now() - beganAt < 30_000);
  assert.deepEqual(
    world.requests.filter(({ node, isTaken }) => node === holder && !isTaken).map(({ user }) => user),
    ['slow'],
  );
});

/** The events of these users are dead letters. */
async function deadLettersOf(world: SharedWorld, holder: HookNode, ids: readonly string[]): Promise<void> {
  world.answer = async ({ user }) => (ids.includes(user) ? status(400) : OK);
  await world.tell('fine');
  for (const id of ids) await world.tell(id, 'fine');
  await world.until('they are dead', async () => (await holder.status()).dead === ids.length);
}

test('WH26 every node shows the hooks and their letters, and replays them', pgOptions, async (t) => {
  const world = await SharedWorld.open(t, kit, 2, { retryMs: 1, leaseMs: 10_000 });
  const holder = await world.holder();
  const other = await world.otherThan(holder);
  await deadLettersOf(world, holder, ['ann', 'bob', 'carl']);
  await world.until('it says so', async () => (await other.status()).lastError !== undefined);
  const { lastError, lastSuccessAt, ...known } = await other.status();
  assert.deepEqual(known, {
    id: 'h',
    kind: 'webhook',
    isEnabled: true,
    state: 'ok',
    position: known.position,
    lag: known.lag,
    parked: 0,
    dead: 3,
    lost: 0,
  });
  assert.deepEqual([lastError?.reason, lastSuccessAt !== undefined], ['answered 400', true]);
  const [one, two] = [await holder.webhooks.deadLetters('h', { limit: 10 }), await other.webhooks.deadLetters('h', { limit: 10 })];
  assert.deepEqual(one, two);
  assert.deepEqual(
    two.map(({ subject, attempts, reason }) => [subject, attempts, reason]),
    ['ann', 'bob', 'carl'].map((id) => [id, 1, 'answered 400']),
  );
  const [ann, bob, carl] = two;
  assert.ok(ann !== undefined && bob !== undefined && carl !== undefined);
  assert.deepEqual(await other.webhooks.deadLetters('h', { limit: 1, after: ann.id }), [bob]);
  assert.deepEqual(await other.webhooks.deadLetters('h', { limit: 9, from: bob.at, to: bob.at }), [bob]);
  for (const { webhooks } of [holder, other]) {
    assert.deepEqual(await webhooks.deadLetters('h', { limit: 9, subject: 'carl' }), [carl], 'CO41 on every node');
    const opened = await webhooks.openLetter('h', carl.id);
    assert.deepEqual([opened.letter, opened.event.lane], [carl, 'carl']);
    await assert.rejects(webhooks.openLetter('h', 'none'), (error) => error instanceof RosterError && error.kind === 'not_found');
  }
  await assert.rejects(
    other.webhooks.deadLetters('h', { limit: 1, after: 'none' }),
    (error) => error instanceof RosterError && error.kind === 'input',
  );
  await assert.rejects(other.webhooks.replay('none', {}), (error) => error instanceof RosterError && error.kind === 'not_found');

  world.answer = async ({ user }) => (user === 'bob' ? status(410) : OK);
  const sent = world.requests.length;
  assert.deepEqual(await other.webhooks.replay('h', { ids: [carl.id, bob.id, 'none'] }), { replaying: 2, remaining: 0 });
  await world.until('carl is taken', () => world.taken.some(({ id }) => id === carl.id));
  await world.until('bob is dead again', async () => (await other.status()).dead === 2);
  const again = await other.webhooks.deadLetters('h', { limit: 9 });
  assert.deepEqual(
    again.map(({ subject, attempts, reason }) => [subject, attempts, reason]),
    [
      ['ann', 1, 'answered 400'],
      ['bob', 2, 'answered 410'],
    ],
  );
  assert.deepEqual(
    world.requests
      .slice(sent)
      .map(({ node, user }) => [node === holder, user])
      .sort(),
    [
      [true, 'bob'],
      [true, 'carl'],
    ],
  );
  await world.settings({ id: 'h', enabled: false });
  await world.until('it is known', () => other.roster.directory.seq === world.writer.directory.seq);
  await assert.rejects(other.webhooks.replay('h', {}), (error) => error instanceof RosterError && error.kind === 'conflict');
  assert.equal((await other.status()).state, 'disabled');
});

test('WH26 a replay that nobody has taken up is taken up by the next node', pgOptions, async (t) => {
  const world = await SharedWorld.open(t, kit, 2, { retryMs: 1 });
  const holder = await world.holder();
  const other = await world.otherThan(holder);
  await deadLettersOf(world, holder, ['ann', 'bob']);
  await world.until('its position is stored', async () => (await other.status()).lag === 0);
  holder.store.proxy.isAway = true;
  holder.store.proxy.cutAll();
  world.answer = async () => OK;
  assert.deepEqual(await other.webhooks.replay('h', {}), { replaying: 2, remaining: 0 });
  assert.deepEqual([(await other.status()).dead, (await other.status()).parked], [0, 2]);
  await world.kit.handOver(other.store);
  await world.until('they leave the list', async () => (await other.status()).parked === 0);
  holder.store.proxy.isAway = false;
  assert.ok(['ann', 'bob'].every((id) => world.taken.some(({ user, node }) => user === id && node === other)));
});

test('WH17 WH24 the letters of a removed hook go, also when it was removed while no node delivered', pgOptions, async (t) => {
  const world = await SharedWorld.open(t, kit, 1, { retryMs: 1 });
  const holder = await world.holder();
  await world.settings({ id: 'h' }, { id: 'i' });
  await deadLettersOf(world, holder, ['ann']);
  await world.until('both have one', async () => (await holder.status('i')).dead === 1);
  const rows = () => world.kit.sql(`select coalesce(string_agg(hook, ' ' order by hook), '') from rosterd.letter where app = '$app'`);
  assert.equal(await rows(), 'h i');
  await world.settings({ id: 'i' });
  await world.until('those of h are gone', async () => (await rows()) === 'i');
  await holder.webhooks.stop(0);
  await world.settings();
  holder.begin();
  await world.until('those of i are gone', async () => (await rows()) === '');
  assert.deepEqual(await holder.webhooks.status(), []);
});
