/** SN6: records in blocks of a snapshot come back as they were, and what is no block is refused. */
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import type { Tombstone } from '../../../../daemon/core/directory/record.ts';
import type { PackedRecords } from '../../../../daemon/core/directory/records/definitions.ts';
import type { OldForm } from '../../../../daemon/core/directory/records/packed-records.ts';
import { RecordStore } from '../../../../daemon/core/directory/records/record-store.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { seeded } from '../../../support/random.ts';
import { keptLines } from '../../../support/store/snapshot-contract.ts';

type Held = StoredUser | Tombstone;

const NONE: OldForm = () => undefined;
const NO_DEFINITIONS = { shapes: [], custom_shapes: [], roles: [], teams: [] };
const texts = (store: RecordStore): string[] => Array.from(store.values(), (record) => JSON.stringify(record));

function user(id: string, rev: number, more: object = {}): StoredUser {
  return { id, rev, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: rev, ...more };
}

/** Records of every kind, some of which changed. */
function filled(): RecordStore {
  const random = seeded(11);
  const pick = (below: number): number => Math.floor(random() * below);
  const store = new RecordStore([5, 5]);
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

/** Ids of the records that were added. */
function load(store: RecordStore, block: object): string[] {
  const ids: string[] = [];
  store.load(block as PackedRecords, ({ id }) => ids.push(id));
  return ids;
}

function loaded(blocks: Iterable<PackedRecords>): RecordStore {
  const store = new RecordStore([9, 9]);
  const ids = keptLines(blocks).flatMap((block) => load(store, block));
  assert.equal(ids.length, store.size);
  for (const id of ids) assert.equal(store.get(id)?.id, id);
  return store;
}

test('SN6 what blocks hold is what was in them, is found, and may be changed', () => {
  const store = filled();
  const copy = loaded(store.packed(NONE));
  assert.deepEqual(texts(copy), texts(store));
  for (const record of store.values()) assert.deepEqual(copy.get(record.id), record);
  const blocks = keptLines(store.packed(NONE));
  assert.deepEqual(
    blocks.map(({ records }) => records),
    blocks.map((_, at) => (at === 0 ? store.size : undefined)),
  );
  for (const records of [undefined, -1, 1, 100_000, 1e300, 'many'] as number[]) {
    assert.deepEqual(
      texts(loaded([{ packed: NO_DEFINITIONS, bytes: Buffer.alloc(0), records }, ...blocks.map((block) => ({ ...block, records: 1 }))])),
      texts(store),
    );
  }
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
  const blocks = keptLines(store.packed(NONE));
  for (const { packed, bytes } of blocks) {
    const counts = [packed.shapes, packed.custom_shapes, packed.roles, packed.teams].map(({ length }) => length);
    assert.ok(Math.max(...counts) <= 64 && bytes.length <= 32_768);
  }
  assert.deepEqual(texts(loaded(blocks)), texts(store));
});

test('SN6 a block that is none is refused', () => {
  const [block] = keptLines(filled().packed(NONE)).filter(({ bytes }) => bytes.length > 0);
  assert.ok(block !== undefined);
  const refused = (change: (copy: Buffer) => Buffer): void => {
    const bytes = change(Buffer.from(block.bytes));
    assert.throws(() => load(new RecordStore(), { ...block, bytes }), /has a block of records that is not one/);
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
  const none = NO_DEFINITIONS;
  const bytes = Buffer.alloc(0);
  const defined = { ...none, shapes: [keys], custom_shapes: [['a']], roles: ['r'], teams: [['a\nb']] };
  const store = new RecordStore();
  assert.deepEqual(load(store, { packed: defined, bytes }), []);
  const wrong = [
    ...[{ shapes: [keys] }, { custom_shapes: [['a']] }, { roles: ['r'] }, { teams: [['a', 'b']] }],
    ...[{ shapes: [['id']] }, { shapes: [[...keys, 'name', 'name']] }, { custom_shapes: [['__proto__']] }, { custom_shapes: [[1]] }],
    ...[{ roles: [1] }, { teams: ['ab'] }, { teams: [[1]] }, { shapes: ['id'] }],
    ...[{ shapes: 'id' }, { custom_shapes: null }, { roles: {} }, { teams: undefined }],
  ];
  for (const one of wrong) {
    assert.throws(() => load(store, { packed: { ...none, ...one }, bytes }), /a code that is none, or twice/, JSON.stringify(one));
  }
  for (const odd of [{ packed: none }, { packed: none, bytes: 'x' }, { packed: null, bytes }, { packed: 7, bytes }])
    assert.throws(() => load(store, odd), /^BlockDamaged: it has a block without records$/);
  const held = new RecordStore();
  held.set(user('u', 1));
  const [block] = keptLines(held.packed(NONE));
  assert.ok(block !== undefined);
  const again = { packed: none, bytes: block.bytes };
  const twice = new RecordStore();
  assert.ok(load(twice, block).length > 0);
  assert.throws(() => load(twice, again), /has two records of the user "/);
});

test('SN6 a block beyond the size of a slab is refused: its records would have the places of others', () => {
  const store = new RecordStore();
  store.set(user('u', 1, { name: 'x'.repeat(60_000) }));
  const [block] = keptLines(store.packed(NONE)).filter(({ bytes }) => bytes.length > 0);
  assert.ok(block !== undefined);
  const bytes = Buffer.concat(
    Array.from({ length: 20 }, (_, at) => {
      const copy = Buffer.from(block.bytes);
      copy.write(String.fromCharCode(97 + at), copy.indexOf('["u"') + 2);
      return copy;
    }),
  );
  assert.throws(() => load(new RecordStore(), { ...block, bytes }), /has a block of records that is not one/);
});

test('SN6 a text is refused unless it is UTF-8, as are characters that JSON escapes, wherever in it they are', () => {
  const store = new RecordStore();
  store.set(user('u', 1, { name: 'é'.repeat(8) }));
  const [block] = keptLines(store.packed(NONE));
  assert.ok(block !== undefined);
  const at = Buffer.from(block.bytes).indexOf('é');
  const takes = (text: Uint8Array): boolean => {
    const bytes = Buffer.from(block.bytes);
    bytes.set(text, at);
    try {
      return load(new RecordStore(), { ...block, bytes }).length > 0;
    } catch (error) {
      assert.match(String(error), /has a block of records that is not one/);
      return false;
    }
  };
  const filled = (place: number, parts: readonly number[]): Buffer => {
    const text = Buffer.alloc(16, 'x');
    text.set(parts, place);
    // One other character, so that the list stays one that is not ASCII.
    text.set(Buffer.from('é'), place < 8 ? 14 : 0);
    return text;
  };
  for (let byte = 0; byte < 256; byte++) {
    const isPlain = byte >= 0x20 && byte < 0x80 && byte !== 0x22 && byte !== 0x5c;
    for (let place = 0; place < 9; place++) assert.equal(takes(filled(place, [byte])), isPlain, `${byte} at ${place}`);
  }
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
  for (let first = 0x80; first < 256; first++) {
    for (const second of edges) {
      for (const third of [0x78, 0x80, 0xbf, 0xc0]) {
        const parts = [first, second, third, third];
        const text = filled(3, parts);
        if (parts.some((byte) => byte < 0x20)) continue;
        assert.equal(takes(text), isUtf8(text), parts.map((byte) => byte.toString(16)).join(' '));
      }
    }
  }
});
