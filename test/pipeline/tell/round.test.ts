/** HB1, HB2, HB8, HB11: what a flush tells is found, framed and written receiver by receiver, whatever they do meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hub } from '../../../daemon/pipeline/tell/hub.ts';
import { Interest, type Want } from '../../../daemon/pipeline/tell/interest.ts';
import { PresenceChange } from '../../../daemon/pipeline/tell/presence-change.ts';
import { Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';
import { batchOf } from '../../../daemon/pipeline/tell/user-event.ts';
import type { UserFact } from '../../../protocol/log/entry.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { FakeOutlet } from '../../support/live/hub-kit.ts';

const NO_LOOKUPS = { user: () => undefined, online: () => false, exportUrl: () => undefined };
const WRITE_MS = 0.5;

const userOf = (id: string, teams: readonly string[] = []): StoredUser => ({
  ...{ id, rev: 1, role: 'user', teams: [...teams], custom: {}, created_at: 1, updated_at: 1 },
});
const ids = (...of: string[]): Want => ({ kind: 'ids', ids: new Set(of) });
const teams = (...of: string[]): Want => ({ kind: 'teams', teams: new Set(of) });
const interestIn = (want: Want, name = 's'): Interest => new Interest({ name, want, since: 0, reach: 'server', wantsPresence: true });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A hub whose clock moves with every write; `lost` are the subscribers that were sent to read the past. */
function bench() {
  let nowMs = 0;
  let seq = 0;
  let writes = 0;
  const lost: Subscriber[] = [];
  const hub = new Hub({ seq: 0, outboxBytesMax: 1 << 20, gatherMs: 0, nowMs: () => nowMs, catchUp: (one) => void lost.push(one) });
  const publish = (...users: StoredUser[]): void => {
    const changes = users.map((user, index) => {
      const fact: UserFact = { t: 'user', event: 'updated', user };
      return { seq: seq + 1 + index, fact, before: user, after: user };
    });
    const entry = { id: 'e', first: seq + 1, time: 1, facts: changes.map(({ fact }) => fact) };
    seq += users.length;
    hub.publish(batchOf(entry, changes, NO_LOOKUPS));
    hub.flush();
  };
  const join = (want: Want, name = 's') => {
    const outlet = new FakeOutlet();
    const { write } = outlet;
    outlet.write = (frames) => {
      nowMs += WRITE_MS;
      writes++;
      write.call(outlet, frames);
    };
    const subscriber = new Subscriber(outlet, 'live');
    subscriber.interests.set(name, interestIn(want, name));
    hub.join(subscriber);
    return { outlet, subscriber, seqs: () => outlet.events.map((event) => event.seq) };
  };
  return { hub, lost, publish, join, seq: () => seq, writes: () => writes };
}

test('HB11 a batch for many that each ask under another name is framed and written in slices, by a few at a time', async () => {
  const { publish, join, writes, hub } = bench();
  const all = Array.from({ length: 300 }, (_, n) => n);
  const users = Array.from({ length: 100 }, (_, n) => userOf(`u${n}`, ['red']));
  for (const want of [ids(...users.map(({ id }) => id)), teams('red')]) {
    const many = all.map((n) => join(want, `s${n}`));
    let before = writes();
    const slices: number[] = [];
    const took = (): void => {
      slices.push(writes() - before);
      before = writes();
    };
    publish(...users);
    took();
    while (slices.reduce((sum, count) => sum + count, 0) < 300) {
      await turn();
      took();
    }
    assert.ok(
      slices.every((count) => count <= 11),
      `${slices}`,
    );
    assert.ok(slices.length >= 300 / 11);
    for (const { seqs, subscriber } of many) {
      assert.equal(seqs().length, 100);
      hub.leave(subscriber);
    }
  }
});

test('HB11 changes of presence for many go out in slices', async () => {
  const { join, writes, hub } = bench();
  const changes = Array.from({ length: 50 }, (_, n) => new PresenceChange(userOf(`u${n}`), true, 1, 0));
  const many = Array.from({ length: 100 }, (_, n) => join(ids(...changes.map(({ id }) => id)), `s${n}`));
  hub.publishPresence(changes);
  assert.ok(writes() <= 11);
  while (writes() < 100) {
    const before = writes();
    await turn();
    assert.ok(writes() - before <= 11);
  }
  for (const { seqs } of many) assert.equal(seqs().length, 50);
});

test('HB2 receivers that ask the same get the same bytes, also of several events', () => {
  const { publish, join } = bench();
  const [one, other] = [join(ids('a', 'b', 'c')), join(ids('a', 'b'))];
  publish(userOf('a'), userOf('b'));
  publish(userOf('c'), userOf('a'));
  assert.equal(one.outlet.writes[0], other.outlet.writes[0]);
  assert.deepEqual(
    [one.seqs(), other.seqs()],
    [
      [1, 2, 3, 4],
      [1, 2, 4],
    ],
  );
});

test('HB8 when too many rounds wait, whoever has none of the shared bytes reads the past, and has lost nothing', async () => {
  const { publish, join, lost, hub } = bench();
  const everything = join({ kind: 'all' });
  const many = Array.from({ length: 30 }, () => join(ids('a')));
  for (let n = 0; n < 40; n++) publish(userOf('a'));
  for (let n = 0; n < 100; n++) await turn();
  assert.ok(lost.length > 0);
  for (const { subscriber, seqs } of many) {
    const { state } = subscriber;
    // What it got, and where it goes on reading.
    const reached = state.kind === 'behind' ? state.position : 40;
    assert.deepEqual(
      seqs(),
      Array.from({ length: reached }, (_, n) => n + 1),
    );
    assert.equal(subscriber.missedPresence, state.kind === 'behind');
  }
  assert.equal(everything.seqs().length, 40);
  assert.equal(hub.stats.fellBehind, lost.length);
});

/** A fixed sequence of numbers from 0 to 1. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test('HB1 HB7 whoever joins, changes or leaves while rounds wait gets exactly what it wanted at each flush, in order', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = randomOf(seed);
    const { publish, join, hub, seq } = bench();
    const pick = (count: number): number => Math.floor(random() * count);
    const wantOf = (): Want => {
      const some = [0, 1, 2].map(() => `u${pick(6)}`);
      return [ids(...some), teams(`t${pick(3)}`), { kind: 'all' } as const][pick(3)] ?? ids();
    };
    const wants = (want: Want, user: StoredUser): boolean =>
      want.kind === 'all' ||
      (want.kind === 'ids' && want.ids.has(user.id)) ||
      (want.kind === 'teams' && user.teams.some((team) => want.teams.has(team)));
    const live: { want: Want; expected: number[]; one: ReturnType<typeof join> }[] = [];
    const gone: typeof live = [];
    const enter = (): void => {
      const want = wantOf();
      live.push({ want, expected: [], one: join(want, `s${pick(3)}`) });
    };
    for (let n = 0; n < 40; n++) enter();
    for (let step = 0; step < 200; step++) {
      const at = live[pick(live.length)];
      const act = pick(14);
      if (act < 3) {
        const users = Array.from({ length: 1 + pick(4) }, () => userOf(`u${pick(6)}`, [`t${pick(3)}`]));
        const first = seq() + 1;
        for (const { want, expected } of live)
          for (const [index, user] of users.entries()) if (wants(want, user)) expected.push(first + index);
        publish(...users);
      } else if (act === 3) enter();
      else if (at === undefined) continue;
      else if (act === 4) {
        at.want = wantOf();
        hub.change(at.one.subscriber, (interests) => {
          interests.clear();
          interests.set('s', interestIn(at.want));
        });
      } else if (act === 5 && live.length > 10) {
        live.splice(live.indexOf(at), 1);
        gone.push(at);
        hub.leave(at.one.subscriber);
        assert.deepEqual(at.one.seqs(), at.expected, `${seed}: before it left`);
      } else if (act === 6) hub.settle(at.one.subscriber);
      else await turn();
    }
    for (let n = 0; n < 400; n++) await turn();
    for (const { one, expected } of [...live, ...gone]) assert.deepEqual(one.seqs(), expected, `seed ${seed}`);
  }
});

test('HB1 a round that has nothing for a receiver writes nothing to it, also when it is served before its turn', () => {
  const { publish, join, hub } = bench();
  const many = Array.from({ length: 100 }, () => join(ids('a')));
  const others = [join(ids('zoe')), join(teams('blue'))];
  publish(userOf('a', ['red']));
  for (const { subscriber, outlet } of others) {
    hub.settle(subscriber);
    assert.deepEqual(outlet.writes, []);
  }
  assert.ok(
    many.some(({ outlet }) => outlet.writes.length === 0),
    'the round is not over',
  );
});
