/** SN6: records in blocks of a snapshot come back as they were, and what is no block is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tombstone } from '../../../../daemon/core/directory/record.ts';
import type { PackedRecords } from '../../../../daemon/core/directory/records/definitions.ts';
import type { OldForm } from '../../../../daemon/core/directory/records/packed-records.ts';
import { RecordStore } from '../../../../daemon/core/directory/records/record-store.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { seeded } from '../../../support/random.ts';

type Held = StoredUser | Tombstone;

const NONE: OldForm = () => undefined;
const texts = (store: RecordStore): string[] => Array.from(store.values(), (record) => JSON.stringify(record));

function user(id: string, rev: number, more: object = {}): StoredUser {
  return { id, rev, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: rev, ...more };
}

/** Records of every kind, some of which changed. */
function filled(): RecordStore {
  const random = seeded(11);
  const pick = (below: number): number => Math.floor(random() * below);
  const store = new RecordStore(5);
  for (let step = 1; step <= 3_000; step++) {
    const id = ['', 'é', 'a"b', '\n', '\ud800'][pick(400)] ?? `user-${pick(1_000)}`;
    const more = {
      ...(pick(2) === 0 ? { name: ['Ann', 'Çağla "x"', '李\\'][pick(3)] } : {}),
      role: `role-${pick(300)}`,
      teams: [[], ['red'], ['red', 'blue'], [`own-${pick(900)}`]][pick(4)],
      custom: { [`k${pick(100)}`]: 'x'.repeat(pick(300)), n: pick(9) },
      ...(pick(200) === 0 ? { teams: 'odd' } : {}),
    };
    const record: Held = pick(30) === 0 ? { id, gone_at: step } : user(id, step, more);
    store.set(record, false);
  }
  store.set(user('big', 1, { name: 'x'.repeat(3 << 20) }), false);
  return store;
}

function loaded(blocks: Iterable<PackedRecords>): RecordStore {
  const store = new RecordStore(9);
  for (const block of JSON.parse(JSON.stringify([...blocks])) as PackedRecords[]) {
    for (const view of store.load(block)) assert.equal(view.id, view.copy().id);
  }
  return store;
}

test('SN6 what blocks hold is what was in them, is found, and may be changed', () => {
  const store = filled();
  const copy = loaded(store.packed(NONE));
  assert.deepEqual(texts(copy), texts(store));
  for (const record of store.values()) assert.deepEqual(copy.get(record.id), record);
  assert.equal(copy.get('nobody'), undefined);
  for (const both of [store, copy]) {
    for (let at = 0; at < 900; at++) both.set(user(`user-${at}`, 9_000 + at, { role: `later-${at % 7}`, custom: { [`z${at % 5}`]: 1 } }));
  }
  assert.deepEqual(texts(copy), texts(store));
  assert.deepEqual(texts(loaded(copy.packed(NONE))), texts(store));
});

test('SN6 a record that has an old form is saved in that form, or not at all', () => {
  const store = new RecordStore();
  for (let at = 0; at < 50; at++) store.set(user(`u${at}`, 1));
  const before = texts(store);
  const old = new Map(Array.from(store.values(), (record) => [record.id, record as Held | undefined]));
  for (let at = 0; at < 50; at += 2) store.set(user(`u${at}`, 2, { role: 'new', custom: { a: at } }));
  store.set(user('added', 3));
  old.set('added', undefined);
  assert.deepEqual(texts(loaded(store.packed(({ id }) => (old.has(id) ? { form: old.get(id) } : undefined)))), before);
});

test('SN6 no block is large, however many definitions come before the first record', () => {
  const store = new RecordStore();
  for (let at = 0; at < 5_000; at++) store.set(user(`u${at}`, 1, { role: `r${at}`, teams: [`t${at}`], custom: { [`k${at}`]: at } }));
  const blocks = [...store.packed(NONE)];
  for (const { shapes, custom_shapes, roles, teams, records } of blocks) {
    assert.ok(Math.max(shapes.length, custom_shapes.length, roles.length, teams.length) <= 64 && records.length < 50_000);
  }
  assert.deepEqual(texts(loaded(blocks)), texts(store));
});

test('SN6 a block that is none is refused', () => {
  const [block] = [...filled().packed(NONE)].filter(({ records }) => records !== '');
  assert.ok(block !== undefined);
  const bytes = Buffer.from(block.records, 'base64');
  const refused = (change: (copy: Buffer) => Buffer): void => {
    const records = change(Buffer.from(bytes)).toString('base64');
    assert.throws(() => [...new RecordStore().load({ ...block, records })], /has a block of records that is not one/);
  };
  const set =
    (at: number, value: number) =>
    (copy: Buffer): Buffer => {
      copy.writeUInt16LE(value, at);
      return copy;
    };
  refused((copy) => copy.subarray(0, copy.length - 1));
  refused((copy) => copy.subarray(0, 30));
  for (const [at, value] of [
    [0, 0],
    [0, 12],
    [2, 9_000],
    [8, 60_000],
    [12, 60_000],
    [14, 60_000],
    [18, 1],
    [20, 60_000],
    [56, 60_000],
    [58, 60_000],
  ] as const) {
    refused(set(at, value));
  }
});

test('SN6 lists of keys, roles and teams that are none are refused, and so is a user that comes twice', () => {
  const keys = ['id', 'rev', 'role', 'teams', 'custom', 'created_at', 'updated_at'];
  const none = { shapes: [], custom_shapes: [], roles: [], teams: [], records: '' };
  const defined = { ...none, shapes: [keys], custom_shapes: [['a']], roles: ['r'], teams: [['a\nb']] };
  const store = new RecordStore();
  assert.deepEqual([...store.load(defined)], []);
  const wrong = [
    ...[{ shapes: [keys] }, { custom_shapes: [['a']] }, { roles: ['r'] }, { teams: [['a', 'b']] }],
    ...[{ shapes: [['id']] }, { shapes: [[...keys, 'name', 'name']] }, { custom_shapes: [['__proto__']] }, { custom_shapes: [[1]] }],
    ...[{ roles: [1] }, { teams: ['ab'] }, { teams: [[1]] }, { shapes: ['id'] }],
  ];
  for (const one of wrong) {
    assert.throws(
      () => [...store.load({ ...none, ...one } as unknown as PackedRecords)],
      /a code that is none, or twice/,
      JSON.stringify(one),
    );
  }
  const held = new RecordStore();
  held.set(user('u', 1));
  const [block] = [...held.packed(NONE)];
  assert.ok(block !== undefined);
  const again = { ...none, records: block.records };
  const twice = new RecordStore();
  assert.ok([...twice.load(block)].length > 0);
  assert.throws(() => [...twice.load(again)], /has two records of the user "/);
});

test('SN6 a block beyond the size of a slab is refused: its records would have the places of others', () => {
  const store = new RecordStore();
  store.set(user('u', 1, { name: 'x'.repeat(60_000) }));
  const [block] = [...store.packed(NONE)].filter(({ records }) => records !== '');
  assert.ok(block !== undefined);
  const one = Buffer.from(block.records, 'base64');
  const records = Buffer.concat(
    Array.from({ length: 20 }, (_, at) => {
      const copy = Buffer.from(one);
      copy.write(String.fromCharCode(97 + at), copy.indexOf('["u"') + 2);
      return copy;
    }),
  ).toString('base64');
  assert.throws(() => [...new RecordStore().load({ ...block, records })], /has a block of records that is not one/);
});
