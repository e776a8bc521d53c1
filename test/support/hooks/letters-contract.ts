/** The suite of `Letters` (WH10, WH11), for every medium. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LetterStatus } from '../../../daemon/jobs/hooks/letter.ts';
import { LETTER_LIMITS, type LetterLimits, type LetterPlace, type Letters } from '../../../daemon/jobs/hooks/letters.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';
import { START_MS, userRecord } from './hook-bench.ts';

export const PARKED: LetterStatus = { state: 'parked', attempts: 1, retries: 1, whenMs: 5.25, reason: 'answered 500', isReplay: false };
export const DEAD: LetterStatus = { ...PARKED, state: 'dead' };

export function letterEvent(seq: number, padding = 0): HookEvent {
  const user = { ...userRecord(`u${seq}`), custom: { padding: 'ü'.repeat(padding), odd: '\0"\\\u2400\u2028😀' } };
  return { seq, at: START_MS * 1_000 + seq, type: 'user.updated', lane: user.id, fact: { t: 'user', event: 'updated', user } };
}

/** The letters of one hook, which can be opened again: by the same process after a stop, or by the next one. */
export interface LettersPlace {
  open(limits: LetterLimits): Promise<Letters>;
}

const seqsOf = (letters: Letters, state: 'parked' | 'dead'): string =>
  letters
    .all(state)
    .map(({ seq }) => seq)
    .join();

/** The index, without the places in a file. */
const stored = (letters: Letters) =>
  [...letters.all('parked'), ...letters.all('dead')].map(({ place, ...letter }) => ({ ...letter, bytes: place.bytes }));

export function lettersContract(place: () => Promise<LettersPlace>): void {
  const open = async (limits: Partial<LetterLimits> = {}): Promise<{ letters: Letters; again: () => Promise<Letters> }> => {
    const at = await place();
    const all = { ...LETTER_LIMITS, ...limits };
    return { letters: await at.open(all), again: () => at.open(all) };
  };

  test('WH10 letters come back as they were', async () => {
    const { letters, again } = await open();
    await Promise.all([4, 2, 3, 1].map((seq) => letters.put(`id${seq}`, 'e', letterEvent(seq), PARKED)));
    await letters.move('id2', DEAD);
    await letters.move('id3', { ...PARKED, attempts: 9, retries: 4, whenMs: 7_000_000_000_000.5, reason: 'a\0b"', isReplay: true });
    await letters.drop(['id4', 'none']);
    await letters.noteLost(5);
    await letters.noteLost(2);
    assert.equal(await letters.move('none', DEAD), true, 'there is nothing to change');
    const before = stored(letters);
    await letters.close();
    const next = await again();
    assert.deepEqual([seqsOf(next, 'parked'), seqsOf(next, 'dead'), next.lost], ['1,3', '2', 7]);
    assert.deepEqual(stored(next), before);
    assert.deepEqual(await next.read('id3'), letterEvent(3));
    assert.deepEqual([next.has('id4'), next.get('id3')?.reason], [false, 'a\0b"']);
    await next.close();
  });

  test('WH10 changes that share a write count in their order', async () => {
    const { letters, again } = await open();
    await letters.put('old', 'e', letterEvent(1), DEAD);
    await Promise.all([
      letters.noteLost(1),
      letters.put('a', 'e', letterEvent(2), PARKED),
      letters.move('a', { ...DEAD, reason: 'later' }),
      letters.put('b', 'e', letterEvent(3), PARKED),
      letters.drop(['b', 'old']),
      letters.move('old', PARKED),
      letters.put('b', 'e', letterEvent(4), { ...PARKED, attempts: 7 }),
      letters.put('c', 'e', letterEvent(5), PARKED),
      letters.drop(['c']),
      letters.noteLost(1),
    ]);
    const before = stored(letters);
    await letters.close();
    const next = await again();
    assert.deepEqual(stored(next), before);
    assert.deepEqual([seqsOf(next, 'parked'), seqsOf(next, 'dead'), next.get('a')?.reason, next.lost], ['4', '2', 'later', 2]);
    assert.deepEqual(await next.read('b'), letterEvent(4));
    await next.close();
  });

  test('WH10 what is parked is bounded in number and bytes, also within one write, and what is put again takes no room', async () => {
    const { letters, again } = await open({ parked: 3 });
    const taken = await Promise.all([1, 2, 3, 4, 5].map((seq) => letters.put(`id${seq}`, 'e', letterEvent(seq), PARKED)));
    assert.deepEqual([taken, letters.parked, letters.room], [[true, true, true, false, false], 3, 0]);
    assert.equal(await letters.put('id1', 'e', letterEvent(1), PARKED), true);
    assert.equal(await letters.put('id9', 'e', letterEvent(9), DEAD), true, 'a dead letter is not parked');
    await letters.close();
    const next = await again();
    assert.equal(next.room, 0);
    await next.drop(['id1']);
    assert.equal(await next.put('id6', 'e', letterEvent(6), PARKED), true);
    await next.close();
    const big = await open({ parkedBytes: 5_000 });
    const both = await Promise.all([1, 2].map((seq) => big.letters.put(`id${seq}`, 'e', letterEvent(seq, 1_500), PARKED)));
    assert.deepEqual(both, [true, false]);
    await big.letters.close();
    const same = await big.again();
    assert.equal(await same.put('id2', 'e', letterEvent(2, 1_500), PARKED), false, 'the size is known after a start, too');
    await same.close();
  });

  test('WH11 dead letters beyond the bound go, the oldest first, and are counted as lost; too old ones just go', async () => {
    const { letters, again } = await open({ dead: 10 });
    for (let seq = 1; seq <= 12; seq++) await letters.put(`id${seq}`, 'e', letterEvent(seq), { ...DEAD, whenMs: seq });
    // The drop and the count are written after what caused them.
    for (let turn = 0; turn < 3; turn++) await letters.noteLost(0);
    const kept = letters.dead;
    assert.ok(kept <= 10 && kept + letters.lost === 12, `${kept} and ${letters.lost}`);
    await letters.close();
    const next = await again();
    assert.deepEqual([next.dead, next.lost, next.all('dead').at(-1)?.seq], [kept, 12 - kept, 12]);
    await next.expire(12);
    assert.equal(seqsOf(next, 'dead'), '12', 'given up before that time, not at it');
    await next.close();
    const last = await again();
    assert.deepEqual([seqsOf(last, 'dead'), last.lost], ['12', 12 - kept]);
    await last.close();
  });

  test('WH10 letters that are closed take nothing more; closing ends what is under way, removing leaves nothing', async () => {
    const { letters, again } = await open();
    const putting = letters.put('id1', 'e', letterEvent(1), PARKED);
    const closing = letters.close();
    await assert.rejects(letters.put('id2', 'e', letterEvent(2), PARKED), /the letters are closed/);
    await closing;
    assert.equal(await putting, true);
    const next = await again();
    await assert.rejects(next.read('none'), /there is no letter none/);
    await next.noteLost(1);
    assert.equal(seqsOf(next, 'parked'), '1');
    await next.remove();
    await assert.rejects(next.drop(['id1']), /the letters are closed/);
    const none = await again();
    assert.deepEqual([none.parked, none.dead, none.lost], [0, 0, 0]);
    assert.equal(await none.put('id1', 'e', letterEvent(1), PARKED), true);
    await none.close();
  });
}

/** The letters of two hooks keep apart, and those of a hook that is not named are removed. */
export async function checkPlace(place: LetterPlace): Promise<void> {
  await place.begin();
  const [one, two] = [await place.open('h'), await place.open('i')];
  await Promise.all([one.put('id', 'e', letterEvent(1), PARKED), two.put('id', 'e', letterEvent(2), PARKED)]);
  assert.deepEqual([await one.read('id'), await two.read('id')], [letterEvent(1), letterEvent(2)]);
  await Promise.all([one.close(), two.close()]);
  await place.removeOthers(['i', 'none']);
  const again = [await place.open('h'), await place.open('i')];
  assert.deepEqual(
    again.map(({ parked }) => parked),
    [0, 1],
  );
  await Promise.all(again.map((letters) => letters.close()));
}
