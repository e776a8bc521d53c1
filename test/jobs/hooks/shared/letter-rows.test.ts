/** WH10, WH11, WH25, WH26: letters as the node that delivers has them, over a table that a test makes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedLetters } from '../../../../daemon/jobs/hooks/shared/letter-rows.ts';
import { LeaseLost } from '../../../../store/leases.ts';
import type { LetterRow, LetterTable, LetterWrite, ReplayedLetter } from '../../../../store/letters.ts';
import { DEAD, letterEvent, PARKED } from '../../../support/hooks/letters-contract.ts';

const row = (seq: number, state: 'parked' | 'dead'): LetterRow => ({
  ...{ id: `id${seq}`, epoch: 'e', seq, at: seq, lane: `u${seq}`, type: 't', bytes: 100 },
  ...{ state, attempts: 1, retries: 1, whenMs: 5, reason: 'r', isReplay: false },
});

async function opened(table: Partial<LetterTable>) {
  const writes: LetterWrite[] = [];
  let losses = 0;
  const all: Partial<LetterTable> = {
    load: async () => ({ letters: [row(1, 'parked'), row(2, 'dead'), row(3, 'dead')], lost: 4, number: 7 }),
    write: async (_, __, write) => void writes.push(write),
    ...table,
  };
  const term = { job: 'webhooks', token: 1, signal: new AbortController().signal };
  const place = new SharedLetters({ table: all as LetterTable, term, onLost: () => losses++ });
  return { letters: await place.open('h'), writes, losses: () => losses };
}

test('WH10 WH11 changes that come together are one write, urgent if one of them is; dead letters go only while they are dead', async () => {
  const { letters, writes } = await opened({});
  assert.deepEqual([letters.parked, letters.dead, letters.lost, letters.room], [1, 2, 4, 9_999]);
  await Promise.all([letters.drop(['id1', 'id2', 'id9']), letters.move('id3', PARKED, false), letters.noteLost(2)]);
  await letters.move('id3', { ...PARKED, attempts: 2 }, false);
  const none = { puts: [], moves: [], drops: [], expired: [] };
  assert.deepEqual(writes, [
    { ...none, number: 8, isUrgent: true, lost: 6, moves: [{ id: 'id3', ...PARKED }], drops: ['id1', 'id9'], expired: ['id2'] },
    { ...none, number: 9, isUrgent: false, lost: 6, moves: [{ id: 'id3', ...PARKED, attempts: 2 }] },
  ]);
});

test('WH25 a write that is refused because the job was lost says so, and changes nothing in memory either', async () => {
  const lost = await opened({ write: () => Promise.reject(new LeaseLost('webhooks')) });
  await assert.rejects(lost.letters.put('id9', 'e', letterEvent(9), DEAD), LeaseLost);
  assert.deepEqual([lost.letters.has('id9'), lost.losses()], [false, 1]);
  const full = await opened({ write: () => Promise.reject(new Error('no space')) });
  await assert.rejects(full.letters.drop(['id1']), /no space/);
  assert.deepEqual([full.letters.has('id1'), full.losses()], [true, 0]);
});

test('WH17 the letters of hooks that are gone are removed before anything else is done, or that fails', async () => {
  const asked: unknown[] = [];
  const table: Partial<LetterTable> = {
    remove: async (...what) => {
      asked.push(what.slice(1));
      if (asked.length > 1) throw new Error('away');
    },
  };
  const term = { job: 'webhooks', token: 1, signal: new AbortController().signal };
  const place = new SharedLetters({ table: table as LetterTable, term, onLost: () => {} });
  await place.removeOthers(['h', 'i']);
  assert.deepEqual(asked, [['others', ['h', 'i']]]);
  await assert.rejects(place.removeOthers([]), /away/);
});

test('WH26 letters that other nodes replay are parked from then on, those that had expired too, and are taken up once', async () => {
  const asked: (ReplayedLetter | { readonly mark: number })[][] = [];
  const marked = [2, 8].map((seq) => ({ ...row(seq, 'parked'), isReplay: true, mark: seq }));
  let isDone = false;
  const { letters } = await opened({
    replayed: async () => (isDone ? [] : marked),
    takenUp: async (_, __, list) => {
      isDone = true;
      asked.push([...list] as ReplayedLetter[]);
    },
    event: async (_, __, id) => (id === 'id8' ? JSON.stringify(letterEvent(8)) : undefined),
  });
  assert.deepEqual(
    (await letters.replayed()).map(({ id, state, isReplay }) => [id, state, isReplay]),
    [2, 8].map((seq) => [`id${seq}`, 'parked', true]),
  );
  assert.deepEqual([letters.parked, letters.dead, await letters.replayed(), asked.length], [3, 1, [], 1]);
  assert.deepEqual(await letters.read('id8'), letterEvent(8));
  await assert.rejects(letters.read('id2'), /the letter id2 is no longer there/);
});
