/**
 * RF1: random cuts with concurrent writers. However often and wherever a subscriber is cut off, by the time it has caught
 * up it has had every event once and in order, and its copy equals the directory. Cuts: `npm run test:e2e -- --cuts 1000`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparable, DirectoryCopy } from '../../support/live/copy.ts';
import { sized } from '../../support/long.ts';
import { seeded, testOption } from '../../support/random.ts';
import { API_KEY, serverToken, World } from '../../support/world.ts';

const WRITERS = 4;
const SUBSCRIBERS = 4;
const IDS = 500;

test('RF1 random cuts lose, repeat and reorder nothing', { timeout: 300_000 }, async (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const cuts = testOption('cuts', sized(200, 2_000));
  t.diagnostic(`seed ${seed}, ${cuts} cuts`);
  // A history of this size holds a few hundred events, so that many resumes have to read the journal.
  const world = await World.start(t, { flags: { 'history-bytes': '524288' } });
  const connect = { api_key: API_KEY, token: serverToken() };
  const steady = new DirectoryCopy(() => world.liveUrl, connect);
  await steady.connect();
  let isWriting = true;

  async function write(random: () => number): Promise<void> {
    while (isWriting) {
      const count = random() < 0.5 ? 1 : 1 + Math.floor(random() * 100);
      const ids = new Set(Array.from({ length: count }, () => `u${Math.floor(random() * IDS)}`));
      await world.upsert(...[...ids].map((id) => ({ id, custom: { n: Math.floor(random() * 1e6), pad: 'x'.repeat(100) } })));
    }
  }

  async function follow(random: () => number, count: number): Promise<DirectoryCopy> {
    const copy = new DirectoryCopy(() => world.liveUrl, connect);
    await copy.connect();
    for (let cut = 0; cut < count; cut++) {
      const until = copy.seqs.length + 1 + Math.floor(random() * 200);
      await copy.until(() => copy.seqs.length >= until);
      copy.cut();
      // Now and then it stays away long enough for the memory to have moved on.
      if (random() < 0.1) await new Promise((resolve) => setTimeout(resolve, random() * 200));
      await copy.connect();
    }
    return copy;
  }

  const writers = Array.from({ length: WRITERS }, (_, n) => write(seeded(seed + n)));
  const copies = await Promise.all(
    Array.from({ length: SUBSCRIBERS }, (_, n) => follow(seeded(seed + 100 + n), Math.ceil(cuts / SUBSCRIBERS))),
  );
  isWriting = false;
  await Promise.all(writers);
  await world.upsert({ id: 'last' });

  const expected = new DirectoryCopy(() => world.liveUrl, connect);
  await expected.connect();
  await steady.until(() => steady.users.has('last'));
  for (const copy of copies) {
    await copy.until(() => copy.users.has('last'));
    assert.equal(copy.resyncs, 0, `seed ${seed}`);
    const [first = 0] = copy.seqs;
    assert.deepEqual(
      copy.seqs,
      steady.seqs.filter((seq) => seq >= first),
      `seed ${seed}: a copy that was cut did not get exactly the events of one that was not`,
    );
    assert.deepEqual(comparable(copy.users.values()), comparable(expected.users.values()), `seed ${seed}`);
    copy.cut();
  }
  expected.cut();
  steady.cut();
});
