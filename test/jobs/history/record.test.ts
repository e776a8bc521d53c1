/** HY1, HY5: one change of a user, and its line on disk. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changeOf,
  decodeLine,
  encodeLine,
  type HistoryChange,
  hashOf,
  idInLine,
  RECORD_BYTES_MAX,
} from '../../../daemon/jobs/history/record.ts';
import { Slots } from '../../../daemon/jobs/history/slots.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import { userRecord } from '../../support/hooks/hook-bench.ts';

const change = (more: Partial<HistoryChange> = {}): HistoryChange => ({
  ...{ id: 'ann', seq: 7, at: 9, event: 'updated', from: undefined, fields: undefined },
  ...more,
});

test('HY5 a fact about a user is a change, unless it is silent; a deletion says how', () => {
  const user = userRecord('ann');
  const from = { source: 'server' } as const;
  const facts: readonly [Fact, HistoryChange | undefined][] = [
    [{ t: 'user', event: 'updated', user, from, fields: ['name'] }, change({ from, fields: ['name'] })],
    [{ t: 'user', event: 'created', user }, change({ event: 'created' })],
    [{ t: 'user', event: 'silent', user }, undefined],
    [{ t: 'deleted', mode: 'hard', user, from } as Fact, change({ event: 'deleted:hard', from })],
    [{ t: 'app', app: { enforce_unique_usernames: 'no' } }, undefined],
  ];
  for (const [fact, expected] of facts) assert.deepEqual(changeOf(fact, 7, 9), expected);
});

test('HY1 a record is read as it was written, whatever was written before it', () => {
  const [server, client] = [{ source: 'server', by: 'bob' } as const, { source: 'client', client: 'c', job: 'j' } as const];
  const changes: readonly Partial<HistoryChange>[] = [
    ...[
      { from: server, fields: ['name'] },
      { from: server, fields: ['name'] },
      { from: client, fields: ['name', 'role'] },
      { fields: ['role', 'name'] },
    ],
    ...[
      { fields: ['name'] },
      { fields: [] },
      {},
      { at: 10, fields: ['name'] },
      { at: 9 },
      { from: server },
      { fields: ['custom."x"\n', 'Zoë'] },
    ],
  ];
  for (const more of changes) {
    const { id, seq, at, event, from, fields } = change(more);
    const line = encodeLine(change(more), 3, 4);
    assert.ok(line.endsWith('}\n') && !line.slice(0, -1).includes('\n'));
    const item = { seq, at, event, ...from, ...(fields === undefined || fields.length === 0 ? {} : { fields }) };
    assert.deepEqual(decodeLine(line), { id, prev: 3, skip: 4, item });
    const bytes = Buffer.from(`before\n${line}`);
    assert.equal(idInLine(bytes, 7), 'ann');
  }
});

test('HY1 a change with more field names than a record holds is kept without them', () => {
  const bytesOf = (fields: readonly string[]): number => Buffer.byteLength(encodeLine(change({ fields }), 1, 1));
  const room = 192 * 1024;
  /** Names whose JSON has this many characters, three bytes each. */
  const names = (chars: number): string[] => ['語'.repeat(chars - '["",""]'.length - ',"fields":'.length), ''];
  assert.ok(bytesOf(names(room / 3)) > room - 100);
  assert.ok(bytesOf(names(room / 3)) < RECORD_BYTES_MAX);
  assert.ok(bytesOf(names(room / 3 + 1)) < 100);
  assert.ok(bytesOf(['name']) < 100, 'and the next one is whole');
  assert.ok(encodeLine(change({ fields: ['name'] }), 1, 1).includes('"fields":["name"]'));
});

test('HY3 a line that lacks something, or has it in another form, is no record; what is not known is left out', () => {
  const good = { id: 'ann', link: [1, 2], seq: 7, at: 9, event: 'updated' };
  const read = (more: object) => decodeLine(JSON.stringify({ ...good, ...more }));
  assert.deepEqual(read({}), { id: 'ann', prev: 1, skip: 2, item: { seq: 7, at: 9, event: 'updated' } });
  for (const [field, values] of Object.entries({
    id: [undefined, 7],
    link: [undefined, 7, {}, [], [1], ['1', 2], [1, '2']],
    seq: [undefined, '7'],
    at: [undefined, '9'],
    event: [undefined, 7],
  })) {
    for (const value of values) assert.equal(read({ [field]: value }), undefined, `${field}: ${JSON.stringify(value)}`);
  }
  for (const text of ['', '7', '[]', '{']) assert.equal(decodeLine(text), undefined);
  const plain = read({});
  for (const more of [
    { fields: 'name' },
    { fields: [] },
    { fields: [7] },
    { from: 'x' },
    { from: [] },
    { from: {} },
    { from: { source: 7, by: 7, client: 7, job: 7 } },
  ])
    assert.deepEqual(read(more), plain, JSON.stringify(more));
  assert.deepEqual(read({ fields: ['a', 7, 'b'], from: { by: 'bob', other: 1 } })?.item, { ...plain?.item, by: 'bob', fields: ['a', 'b'] });
});

test('HY1 an id has the same hash in every version: segments of earlier daemons are found by it', () => {
  for (const [id, salt, hash] of [
    ['', 0, 2872998923],
    ['a', 0, 444641715],
    ['ann', 0, 2778018533],
    ['ann', 1, 1210642915],
    ['ann', 4294967295, 1962050931],
    ['a-very_long@id', 123456789, 3174580687],
  ] as const)
    assert.equal(hashOf(id, salt), hash, `${id} ${salt}`);
});

test('HY1 a record is linked to the one before it in its slot, and to the newest of another user', () => {
  // One slot for everybody.
  const slots = new Slots({ epoch: 'e', after: 0, time: 0, salt: 5, slots: 1 });
  assert.deepEqual(slots.put('ann', 100), { prev: 0, skip: 0 });
  assert.deepEqual(slots.put('ann', 200), { prev: 100, skip: 0 });
  assert.deepEqual(slots.put('bob', 300), { prev: 200, skip: 200 });
  assert.deepEqual(slots.put('bob', 400), { prev: 300, skip: 200 });
  assert.deepEqual(slots.put('bob', 500), { prev: 400, skip: 200 });
  assert.deepEqual(slots.put('ann', 600), { prev: 500, skip: 500 });
  assert.deepEqual([...slots.heads], [600]);
});

test('HY2 the slots of a block that is read back are those of the one that was written', () => {
  const header = { epoch: 'e', after: 0, time: 0, salt: 5, slots: 4 };
  const [written, read] = [new Slots(header), new Slots(header)];
  let block = '';
  for (const [index, id] of ['ann', 'bob', 'ann', 'carl', 'dora', 'ann', 'eve'].entries()) {
    const at = 1_000 + block.length;
    const { prev, skip } = written.put(id, at);
    block += encodeLine(change({ id, seq: index + 1 }), prev, skip);
  }
  read.putAll(Buffer.from(block), 1_000);
  assert.deepEqual(read.heads, written.heads);
  for (const id of ['ann', 'bob', 'carl', 'dora', 'eve', 'new']) assert.deepEqual(read.put(id, 9_000), written.put(id, 9_000), id);
  read.putAll(Buffer.from('no end'), 1);
  assert.deepEqual(read.heads, written.heads);
});
