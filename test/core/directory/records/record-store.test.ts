/** SN5: records as bytes are what a map of objects would hold, whatever they hold and however often they change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTombstone, type Tombstone } from '../../../../daemon/core/directory/record.ts';
import { RecordStore } from '../../../../daemon/core/directory/records/record-store.ts';
import { UserView, wholeUser } from '../../../../daemon/core/directory/records/user-view.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { seeded } from '../../../support/random.ts';

type Held = StoredUser | Tombstone;

function user(id: string, rev: number, more: object = {}): StoredUser {
  return JSON.parse(
    JSON.stringify({ id, rev, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: rev, ...more }),
  ) as StoredUser;
}

/** A store beside a map of the same records. */
class Both {
  readonly store = new RecordStore([7, 7]);
  readonly map = new Map<string, Held>();

  set(record: Held): void {
    // Half of them are read from their bytes at once.
    if (this.map.size % 2 === 0) this.store.set(record, false);
    else this.store.set(record);
    this.map.set(record.id, record);
  }

  compare(): void {
    const texts = [...this.map.values()].map((record) => JSON.stringify(record));
    assert.deepEqual(
      Array.from(this.store.values(), (record) => JSON.stringify(record)),
      texts,
    );
    assert.deepEqual(
      Array.from(this.store.scan(), (record) => JSON.stringify(isTombstone(record) ? record : wholeUser(record))),
      texts,
    );
    for (const [id, record] of this.map) assert.deepEqual(this.store.get(id), record);
  }
}

/** Every field that `wanted` has, one by one, and none that it has not. */
function sameFields(seen: Held, wanted: Held): void {
  for (const field of Object.keys(Object.getOwnPropertyDescriptors(UserView.prototype))) {
    if (['constructor', 'movedTo', 'copy', 'whole', 'state', 'valueIn', 'roleCode', 'teamsCode'].includes(field)) continue;
    const read = (from: Held): unknown => (from as unknown as Record<string, unknown>)[field];
    assert.deepEqual(read(seen), read(wanted), field);
  }
}

test('SN5 what is put and changed at random comes back as from a map, in the same order', () => {
  const random = seeded(17);
  const pick = (below: number): number => Math.floor(random() * below);
  const both = new Both();
  for (let step = 1; step <= 6_000; step++) {
    const id = `user-${pick(1_500)}`;
    const more = {
      ...(pick(2) === 0 ? { name: ['Ann', 'Çağla "x"', '李\\', '\ud800'][pick(4)] } : {}),
      teams: [[], ['red'], ['red', 'blue'], ['a\nb'], ['a', 'b'], [`own-${id}`]][pick(6)],
      custom: { [`k${pick(4)}`]: 'x'.repeat(pick(300)), n: pick(9) },
      ...(pick(3) === 0 ? { last_active: step } : {}),
      ...(pick(9) === 0 ? { deleted_at: step, deleted: 'soft' } : {}),
    };
    both.set(pick(30) === 0 ? { id, gone_at: step } : user(id, step, more));
  }
  both.compare();
  const seen = both.store.scan()[Symbol.iterator]();
  for (const record of both.map.values()) sameFields(seen.next().value as Held, record);
  for (const id of ['', 'user-', 'user-1500', 'Ann']) assert.equal(both.store.get(id), undefined);
});

test('SN5 odd ids, odd keys and records of any size', () => {
  const both = new Both();
  const ids = ['', 'é', 'a"b', 'a\\u0022b', '\n', '\\n', '\ud800', '\ufffd', '李', '@at', 'x'.repeat(255), '__proto__', 'constructor'];
  for (const [at, id] of ids.entries()) both.set(user(id, at + 1, { name: id }));
  const odd = JSON.parse(
    '{"__proto__":{"a":1},"10":1,"9":2,"b":null,"toString":"x","":[{"__proto__":3}],"a":"\\u0000,]}\\"\\\\"}',
  ) as object;
  both.set(user('odd', 1, { custom: odd }));
  assert.equal(Object.getPrototypeOf((both.store.get('odd') as StoredUser).custom), Object.prototype);
  both.set({ ...user('later', 1), ...JSON.parse('{"new_field":{"x":[1]},"__proto__":1}') });
  both.set({ custom: {}, teams: ['t'], id: 'order', updated_at: 2, role: 'r', rev: 1, created_at: 1 });
  both.set(user('tiny', 1, { created_at: 1.5, last_active: -3, rev: 2 ** 53 }));
  both.set(user('unlike', 1, { rev: 'one', teams: 'red', custom: [], created_at: null }));
  for (const size of [65_000, 66_000, 1 << 20, 3 << 20]) {
    const name = `${'é'.repeat(size / 4)}${'x'.repeat(size / 2)}`;
    both.set(user(`big-${size}`, 1, { name, custom: { a: name, b: [1, { c: 2 }] } }));
  }
  both.compare();
  const seen = both.store.scan()[Symbol.iterator]();
  for (const record of both.map.values()) sameFields(seen.next().value as Held, record);
});

test('SN5 more roles, lists of teams and lists of keys than are remembered', () => {
  const both = new Both();
  for (let at = 0; at < 66_500; at++) {
    both.set(user(`u${at}`, 1, { role: `r${at}`, teams: [`t${at}`, 'x'], custom: { [`k${at}`]: at, [`l${at % 7}`]: 1 }, name: 'Ann' }));
  }
  both.compare();
  const seen = both.store.scan()[Symbol.iterator]();
  let at = 0;
  for (const record of both.map.values()) {
    const next = seen.next().value as Held;
    if (at++ % 997 === 0 || at > 66_400) sameFields(next, record);
  }
});

test('SN5 a walk meets each record once, as it is then, while records are added and changed', () => {
  const store = new RecordStore();
  for (let at = 0; at < 5_000; at++) store.set(user(`u${at}`, 1));
  const met: string[] = [];
  for (const record of store.scan()) {
    met.push(`${record.id} ${(record as StoredUser).rev}`);
    if (met.length % 2 === 0 && met.length < 4_000) {
      for (let back = 0; back < 3; back++) store.set(user(`u${4_990 - met.length + back}`, 2, { name: 'x'.repeat(500) }));
    }
    if (met.length === 10) store.set(user('new', 1));
  }
  assert.equal(met.length, 5_001);
  assert.equal(met.at(-1), 'new 1');
  assert.equal(new Set(met.map((text) => text.split(' ')[0])).size, 5_001);
  assert.ok(met.filter((text) => text.endsWith(' 2')).length > 1_000);
});

test('SN5 the room of dead records is used again, however often records change and grow', () => {
  const random = seeded(3);
  const store = new RecordStore();
  for (let at = 0; at < 20_000; at++) store.set(user(`u${at}`, 1, { name: 'x'.repeat(300) }), false);
  const atFirst = store.bytes;
  for (let step = 0; step < 200_000; step++) {
    store.set(user(`u${Math.floor(random() * 20_000)}`, step + 2, { name: 'y'.repeat(200 + Math.floor(random() * 200)) }), false);
  }
  assert.ok(store.bytes < 1.4 * atFirst, `${store.bytes} after ${atFirst}`);
  store.set(user('big', 1, { name: 'x'.repeat(20 << 20) }), false);
  store.set(user('big', 2), false);
  assert.ok(store.bytes < 1.4 * atFirst, 'what is large goes at once');
  let users = 0;
  for (const record of store.values()) users += Number((record as StoredUser).name?.length ?? 300) >= 200 ? 1 : 0;
  assert.equal(users, 20_001);
});

test('SN5 room is won back, too, after all records of the newest slab died', () => {
  const random = seeded(5);
  const name = 'x'.repeat(500);
  const store = new RecordStore();
  store.set(user('hot', 1), false);
  store.set(user('hot', 2, { name: 'x'.repeat(2 << 20) }), false);
  // It does not fit into what the first slab has left.
  store.set(user('next', 1, { name: 'x'.repeat(100_000) }), false);
  for (let at = 0; at < 4_000; at++) store.set(user(`u${at}`, 1, { name }), false);
  const atFirst = store.bytes;
  for (let step = 0; step < 40_000; step++) store.set(user(`u${Math.floor(random() * random() * 4_000)}`, step + 2, { name }), false);
  assert.ok(store.bytes < atFirst + (2 << 20), `${store.bytes} after ${atFirst}`);
});
