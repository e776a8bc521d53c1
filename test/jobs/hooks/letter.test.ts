/** WH10–WH12: a letter, its line in the file, and the part of all letters that is in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compareLetters,
  encodeLetterLine,
  type LetterLine,
  type LetterStatus,
  parseLetterLine,
} from '../../../daemon/jobs/hooks/letter.ts';
import { LetterIndex } from '../../../daemon/jobs/hooks/letter-index.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { userRecord } from '../../support/hooks/hook-bench.ts';

const STATUS: LetterStatus = { state: 'parked', attempts: 1, retries: 2, whenMs: 3, reason: 'r', isReplay: false };

function eventAt(seq: number): HookEvent {
  const user = userRecord(`u${seq}`);
  return { seq, at: 100 - seq, type: 'user.updated', lane: user.id, fact: { t: 'user', event: 'updated', user } };
}

const put = (seq: number, more: Partial<LetterStatus> = {}): LetterLine => ({
  ...{ op: 'put', id: `id${seq}`, epoch: 'e', status: { ...STATUS, ...more }, event: eventAt(seq) },
});

test('WH10 every line is read as it was written', () => {
  const lines: readonly LetterLine[] = [
    ...[put(1), put(2, { state: 'dead', isReplay: true })],
    ...[{ op: 'move', id: 'id1', status: STATUS } as const, { op: 'drop', ids: ['id1', 'id2'] } as const, { op: 'drop', ids: [] } as const],
    { op: 'lost', count: 7 },
  ];
  for (const line of lines) {
    const text = encodeLetterLine(line).toString();
    assert.ok(text.endsWith('}\n'));
    assert.deepEqual(parseLetterLine(text.trimEnd()), line);
  }
});

test('WH10 a line that lacks something, or has it in another form, is none', () => {
  const isLine = (line: unknown): boolean => parseLetterLine(JSON.stringify(line)) !== undefined;
  const wrong = (good: object, values: Readonly<Record<string, readonly unknown[]>>): void => {
    assert.equal(isLine(good), true);
    for (const [field, tried] of Object.entries(values)) {
      for (const value of tried) assert.equal(isLine({ ...good, [field]: value }), false, `${field}: ${JSON.stringify(value)}`);
    }
  };
  const noTexts = [undefined, null, 7];
  const noNumbers = [undefined, null, '7'];
  const badStatus: unknown[] = [undefined, 'parked', []];
  for (const [field, values] of Object.entries({
    state: [undefined, 'lost'],
    attempts: noNumbers,
    retries: noNumbers,
    whenMs: noNumbers,
    reason: noTexts,
    isReplay: [undefined, 1],
  }))
    for (const value of values) badStatus.push({ ...STATUS, [field]: value });
  const event = eventAt(1);
  const badEvents: unknown[] = [undefined, 'x', []];
  for (const [field, values] of Object.entries({ seq: noNumbers, at: noNumbers, type: noTexts, lane: noTexts, fact: [undefined, 'x', []] }))
    for (const value of values) badEvents.push({ ...event, [field]: value });
  wrong({ ...put(1) }, { op: [undefined, 'move?', 'lost'], id: noTexts, epoch: noTexts, status: badStatus, event: badEvents });
  wrong({ op: 'move', id: 'id1', status: STATUS }, { op: ['put', 'drop', 'lost'], id: noTexts, status: badStatus });
  wrong({ op: 'drop', ids: ['a'] }, { op: ['put', 'move', 'lost'], ids: [undefined, 'a', [7], ['a', 7]] });
  wrong({ op: 'lost', count: 1 }, { op: ['put', 'move', 'drop', 'x'], count: noNumbers });
  for (const text of ['', '7', '[]', '{', 'null']) assert.equal(parseLetterLine(text), undefined);
});

test('WH12 letters of one history are in its order; across two, the time decides', () => {
  const letter = (epoch: string, seq: number, at: number) => ({ epoch, seq, at });
  assert.ok(compareLetters(letter('e', 1, 9), letter('e', 2, 5)) < 0);
  assert.ok(compareLetters(letter('e', 2, 5), letter('e', 1, 9)) > 0);
  assert.ok(compareLetters(letter('f', 1, 9), letter('e', 2, 5)) > 0);
  assert.ok(compareLetters(letter('f', 2, 5), letter('e', 1, 9)) < 0);
});

test('WH10 WH11 the index counts letters and their bytes by state, whatever happens to them', () => {
  const index = new LetterIndex();
  const state = () =>
    [index.parked, index.dead, index.bytes, index.lost].map((value) => (typeof value === 'object' ? { ...value } : value));
  const at = (bytes: number) => ({ offset: bytes * 10, bytes });
  index.apply(put(1), at(100));
  index.apply(put(2), at(20));
  index.apply(put(3, { state: 'dead' }), at(3));
  assert.deepEqual(state(), [{ count: 2, bytes: 120 }, { count: 1, bytes: 3 }, 123, 0]);
  index.apply({ op: 'move', id: 'id1', status: { ...STATUS, state: 'dead', attempts: 9 } }, at(1));
  index.apply({ op: 'move', id: 'stranger', status: STATUS }, at(1));
  assert.deepEqual(state(), [{ count: 1, bytes: 20 }, { count: 2, bytes: 103 }, 123, 0]);
  assert.deepEqual(index.get('id1'), {
    ...{ id: 'id1', epoch: 'e', seq: 1, at: 99, lane: 'u1', type: 'user.updated', ...STATUS, state: 'dead', attempts: 9 },
    place: { offset: 1_000, bytes: 100 },
  });
  index.apply(put(2), at(50));
  assert.deepEqual(state(), [{ count: 1, bytes: 50 }, { count: 2, bytes: 103 }, 153, 0], 'put again, it is there once');
  index.apply({ op: 'drop', ids: ['id1', 'stranger', 'id2'] }, at(1));
  assert.deepEqual([state(), index.get('id1')], [[{ count: 0, bytes: 0 }, { count: 1, bytes: 3 }, 3, 0], undefined]);
  index.apply({ op: 'lost', count: 4 }, at(1));
  index.apply({ op: 'lost', count: 2 }, at(1));
  assert.equal(index.lost, 6);
});

test('WH12 letters of a state are listed in the order of their events', () => {
  const index = new LetterIndex();
  for (const seq of [3, 1, 4, 2]) index.apply(put(seq, { state: seq === 4 ? 'dead' : 'parked' }), { offset: 0, bytes: 1 });
  assert.deepEqual([index.all('parked').map(({ seq }) => seq), index.all('dead').map(({ seq }) => seq)], [[1, 2, 3], [4]]);
  assert.equal([...index.values()].length, 4);
});
