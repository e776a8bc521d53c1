/** BU10, RL16, LV63: what callers whom nobody vouches for can take from the daemon, and that they take nothing from users. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import { API_KEY, userToken, World } from '../../support/world.ts';

const idsOf = (prefix: string): string[] => Array.from({ length: LIMITS.subIds }, (_, n) => `${prefix}${n}`);
const isRefused = (error: { body: { code: number; message: string } }, reason: RegExp): boolean =>
  error.body.code === 9 && reason.test(error.body.message);

async function anonymous(world: World, connect: object = {}): Promise<LiveClient> {
  const client = await world.open();
  await client.request({ op: 'connect', api_key: API_KEY, user: { id: '!anon' }, ...connect });
  return client;
}

/** Fills what anonymous callers may follow in all; from the loopback address there is no lower bound. */
async function filled(t: TestContext): Promise<{ world: World; last: LiveClient }> {
  const world = await World.start(t);
  let last = await anonymous(world);
  for (let held = 0; held < LIMITS.subIdsOfStrangers; held += LIMITS.subIds) {
    const at = (held / LIMITS.subIds) % LIMITS.subsPerConnection;
    if (held > 0 && at === 0) last = await anonymous(world);
    await last.request({ op: 'sub', sub: `s${at}`, ids: idsOf(`${held}_`), snapshot: false });
  }
  return { world, last };
}

test('BU10 anonymous callers follow a bounded number of users in all; beyond it they are refused with a code, and users are not', async (t) => {
  const { world, last } = await filled(t);
  const full =
    /at most 400000 ids and teams in the subscriptions and among watched users of all connections of anonymous callers and guests; try again later/;
  const other = await anonymous(world);
  await assert.rejects(other.request({ op: 'sub', sub: 's', ids: ['ann'] }), (error) => isRefused(error as never, full));
  const named = await anonymous(world, { subs: [{ sub: 'named', ids: ['ann'] }] });
  assert.equal((await named.until(({ type }) => type === 'sub.reset')).sub, 'named');
  await world.upsert({ id: 'guest', role: 'guest' });
  const guest = await world.chat('guest');
  await assert.rejects(guest.request({ op: 'sub', sub: 's', ids: ['ann'] }), (error) => isRefused(error as never, full));
  const ann = await world.chat('ann');
  assert.equal((await ann.request({ op: 'sub', sub: 's', ids: idsOf('x') })).error, undefined);
  await last.request({ op: 'sub', sub: 's0', ids: ['bob'], snapshot: false });
  assert.equal((await other.request({ op: 'sub', sub: 's', ids: ['ann'] })).error, undefined, 'what is given up makes room');
  await last.request({ op: 'unsub', sub: 's1' });
  last.terminate();
  await last.closed;
  for (let n = 0; n < 10; n++) await other.request({ op: 'sub', sub: `t${n}`, ids: idsOf(`t${n}_`), snapshot: false });
});

test('BU10 LV63 unfinished snapshots are bounded in all, keep no view open, and go on', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'a' }, { id: 'b' }, { id: 'c' });
  const { roster } = world.daemon;
  let open = 0;
  const freeze = roster.freeze.bind(roster);
  roster.freeze = () => {
    const view = freeze();
    const release = view.release.bind(view);
    let isOpen = true;
    open++;
    view.release = () => {
      if (isOpen) open--;
      isOpen = false;
      release();
    };
    return view;
  };
  let refused = 0;
  let first: { client: LiveClient; more: unknown } | undefined;
  for (let held = 0; refused === 0; held += LIMITS.subsPerConnection) {
    assert.ok(held <= LIMITS.snapshotsOfStrangers + LIMITS.subsPerConnection);
    const client = await anonymous(world);
    for (let n = 0; n < LIMITS.subsPerConnection; n++) {
      const asked = client.request({ op: 'sub', sub: `s${n}`, ids: ['a', 'b', 'c'], limit: 1 });
      const answer = await asked.catch((error) => {
        assert.ok(isRefused(error, /at most 2000 unfinished snapshots/));
        return undefined;
      });
      if (answer === undefined) refused++;
      else first ??= { client, more: answer.more };
    }
  }
  assert.equal(open, 0);
  await world.upsert({ id: 'b', name: 'new' });
  const page = await first?.client.request({ op: 'page', sub: 's0', more: first.more });
  assert.deepEqual([page?.users[0].id, page?.users[0].name], ['b', undefined]);
});

test('RL16 an anonymous caller that asks without end takes nothing from the limits of users', async (t) => {
  const world = await World.start(t, { flags: { 'rate-limit': 'Subscribe=600,Connect=300' } });
  await world.upsert({ id: 'ann' });
  const stranger = await anonymous(world);
  const answers = await Promise.allSettled(Array.from({ length: 200 }, () => stranger.request({ op: 'unsub', sub: 'x' })));
  const codes = answers.map((answer) => (answer.status === 'rejected' ? answer.reason.body.code : 0));
  assert.ok(codes.includes(9), 'it used up what strangers have');
  const ann = await world.open();
  await ann.request({ op: 'connect', api_key: API_KEY, token: userToken('ann'), user: { id: 'ann' } });
  for (let n = 0; n < 5; n++) assert.equal((await ann.request({ op: 'sub', sub: 's', ids: ['ann'] })).error, undefined);
});
