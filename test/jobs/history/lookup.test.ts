/** HY1, HY3, HY4: the changes of one user, over segments that are in memory here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type HistoryQuestion, type LookupOptions, lookUp } from '../../../daemon/jobs/history/lookup.ts';
import { encodeLine, hashOf } from '../../../daemon/jobs/history/record.ts';
import { HistoryDamaged, type HistorySegment } from '../../../daemon/jobs/history/segment.ts';
import { Slots } from '../../../daemon/jobs/history/slots.ts';

const FIRST = 64;

interface Content {
  readonly number?: number;
  readonly after?: number;
  /** Ids, one change each, from `after` on; `-` is a position without a change. */
  readonly ids: readonly string[];
  readonly fields?: readonly string[];
  /** Changes the bytes before they are read. */
  readonly damage?: (text: string) => string;
}

/** The time of a change is its seq times ten. All ids share one slot. */
function segmentOf({ number = 1, after = 0, ids, fields, damage = (text) => text }: Content) {
  const header = { epoch: 'e', after, time: after * 10, salt: 3, slots: 1 };
  const slots = new Slots(header);
  let text = ' '.repeat(FIRST);
  let seq = after;
  for (const id of ids) {
    seq++;
    if (id === '-') continue;
    const { prev, skip } = slots.put(id, text.length);
    text += encodeLine({ id, seq, at: seq * 10, event: 'updated', from: undefined, fields }, prev, skip);
  }
  const bytes = Buffer.from(damage(text));
  const reads: number[] = [];
  const segment: HistorySegment = {
    ...{ place: { number } as never, header, seq, time: seq * 10, bytes: bytes.length },
    head: async () => slots.heads[0] ?? 0,
    read: async (buffer, position) => {
      reads.push(position);
      return bytes.copy(buffer, 0, position, position + buffer.length);
    },
  };
  return { segment, reads };
}

async function found(segments: readonly HistorySegment[], question: Partial<HistoryQuestion> = {}, more: Partial<LookupOptions> = {}) {
  const damaged: string[] = [];
  const page = await lookUp(
    { id: 'ann', limit: 100, ...question },
    { segments, notBefore: 0, isGone: () => false, onDamaged: ({ message }) => damaged.push(message), ...more },
  );
  const items = page.items.map(({ seq, event }) => (event === 'gap' ? `gap ${seq}` : seq));
  return { items, next: page.next, from: page.from, damaged };
}

const of = (...contents: readonly Content[]): HistorySegment[] =>
  contents.map((content, index) => segmentOf({ number: index + 1, ...content }).segment);

test('HY1 a page has so many items, newest first, and the place of the next one where there is more', async () => {
  const segments = of({ ids: ['ann', 'bob', 'ann', 'ann'] }, { after: 4, ids: ['bob', 'ann'] });
  assert.deepEqual(await found(segments), { items: [6, 4, 3, 1], next: undefined, from: 0, damaged: [] });
  for (const [limit, items, next] of [
    [1, [6], 6],
    [2, [6, 4], 4],
    [3, [6, 4, 3], 3],
    [4, [6, 4, 3, 1], undefined],
  ] as const) {
    const page = await found(segments, { limit });
    assert.deepEqual([page.items, page.next], [items, next]);
  }
  for (const [before, items] of [
    [6, [4, 3, 1]],
    [5, [4, 3, 1]],
    [4, [3, 1]],
    [1, []],
  ] as const)
    assert.deepEqual((await found(segments, { before })).items, items);
  assert.deepEqual((await found(segments, { id: 'nobody' })).items, []);
});

test('HY1 segments that hold nothing before the wanted place are not read', async () => {
  const [first, second] = [segmentOf({ ids: ['ann', 'ann'] }), segmentOf({ number: 2, after: 2, ids: ['ann', 'ann'] })];
  assert.deepEqual((await found([first.segment, second.segment], { before: 3 })).items, [2, 1]);
  assert.equal(second.reads.length, 0);
  assert.deepEqual((await found([first.segment, second.segment], { before: 4 })).items, [3, 2, 1]);
  assert.ok(second.reads.length > 0);
});

test('HY1 a record of any length is read, and those of others are passed over', async () => {
  const long = Array.from({ length: 3_000 }, (_, n) => `custom.a-long-name-of-a-field-${n}`);
  assert.deepEqual((await found(of({ ids: ['ann', 'bob', 'ann', 'bob', 'bob', 'ann'], fields: long }))).items, [6, 3, 1]);
  const many = segmentOf({ ids: Array.from({ length: 4_000 }, (_, n) => (n % 2 === 0 ? 'ann' : 'bob')) });
  assert.equal((await found([many.segment], { limit: 5_000 })).items.length, 2_000);
  const bytes = many.segment.bytes;
  assert.ok(many.reads.length < (bytes / (14 * 1_024)) * 1.2 + 2, `${many.reads.length} reads of ${bytes} bytes`);
  const busy = segmentOf({ ids: ['ann', ...Array.from({ length: 3_000 }, () => 'bob')] });
  assert.deepEqual((await found([busy.segment])).items, [1]);
  assert.ok(busy.reads.length <= 2, 'one step over all of the changes of somebody else');
});

test('HY3 changes that are missing between two segments are told between those around them, and by the time since which none is', async () => {
  const segments = of({ ids: ['ann', 'ann'] }, { after: 5, ids: ['ann', '-', 'ann'] });
  assert.deepEqual(await found(segments), { items: [8, 6, 'gap 5', 2, 1], next: undefined, from: 50, damaged: [] });
  assert.deepEqual((await found(segments, { before: 6 })).items, ['gap 5', 2, 1]);
  assert.deepEqual((await found(segments, { before: 5 })).items, [2, 1]);
  assert.deepEqual((await found(of({ ids: ['bob'] }, { after: 5, ids: ['ann'] }))).items, [6], 'nothing older, no gap');
  assert.deepEqual((await found(of({ ids: ['ann', 'ann'] }, { after: 2, ids: ['ann'] }))).from, 0);
  const several = of({ ids: ['ann'] }, { after: 3, ids: ['bob'] }, { after: 4, ids: ['ann'] });
  assert.deepEqual([(await found(several)).items, (await found(several)).from], [[5, 'gap 3', 1], 30]);
});

test('HY3 what another history undid is not shown', async () => {
  const undone = of({ ids: ['ann', 'ann', 'ann', 'ann'] }, { after: 2, ids: ['bob', 'ann'] });
  assert.deepEqual(await found(undone), { items: [4, 2, 1], next: undefined, from: 0, damaged: [] });
});

test('HY4 what is too old is not shown, also where a later change has an older time', async () => {
  const segments = of({ ids: ['ann', 'ann', 'ann'] });
  assert.deepEqual(
    [(await found(segments, {}, { notBefore: 20 })).items, (await found(segments, {}, { notBefore: 20 })).from],
    [[3, 2], 20],
  );
  assert.deepEqual((await found(segments, {}, { notBefore: 21 })).items, [3]);
  const damage = (text: string): string => text.replace('"seq":2,"at":20', '"seq":2,"at":99').replace('"seq":3,"at":30', '"seq":3,"at":10');
  assert.deepEqual((await found(of({ ids: ['ann', 'ann', 'ann'], damage }), {}, { notBefore: 15 })).items, [2]);
});

test('HY3 HY4 damage is told and ends the history there; a segment that is gone ends it silently; another error is passed on', async () => {
  const contents = { ids: ['ann', 'ann'] };
  const after = { after: 2, ids: ['ann'] };
  const lost = of({ ...contents, damage: (text) => text.replace('"seq":1,', '"seq":x,') }, after);
  const told = await found(lost);
  assert.deepEqual([told.items, told.from, told.damaged], [[3, 2], 20, ['segment 1 is damaged: there is no record at 64']]);
  const loop = of({ ...contents, damage: (text) => text.replace(/"link":\[64,0\]/, '"link":[999,0]') }, after);
  const looped = await found(loop);
  assert.match(looped.damaged.join(), /^segment 1 is damaged: the record at \d+ leads to 999$/);
  const self = of({ ids: ['ann'], damage: (text) => text.replace('"link":[0,0]', '"link":[64,0]') });
  assert.deepEqual((await found(self)).damaged, ['segment 1 is damaged: the record at 64 leads to 64']);
  const gone = await found(lost, {}, { isGone: ({ place }) => place.number === 1 });
  assert.deepEqual([gone.items, gone.from, gone.damaged], [[3, 2], 20, []]);
  const [first, second] = of(contents, after) as [HistorySegment, HistorySegment];
  const broken = { ...first, read: () => Promise.reject(new Error('EIO')) };
  await assert.rejects(found([broken, second]), /EIO/);
  assert.deepEqual((await found([broken, second], {}, { isGone: () => true })).items, [3]);
  assert.equal(new HistoryDamaged('f', 'r').name, 'HistoryDamaged');
});

test('HY1 two users whose ids have the same hash do not hide each other', async () => {
  const [ann, bob] = ['u332789', 'u529192'];
  assert.equal(hashOf(ann, 3), hashOf(bob, 3));
  const segments = of({ ids: [ann, bob, 'other', ann, bob, ann] });
  assert.deepEqual((await found(segments, { id: ann })).items, [6, 4, 1]);
  assert.deepEqual((await found(segments, { id: bob })).items, [5, 2]);
});
