/** HB5: the recent events in memory, from which a receiver resumes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentPast, type SeqSpan } from '../../../daemon/core/directory/recent-past.ts';
import { seeded } from '../../support/random.ts';

const span = (first: number, last: number, bytes: number): SeqSpan => ({ first, last, bytes });

test('HB5 everything after the tail is kept, in at most as many bytes as allowed, the newest to the last byte', () => {
  const past = new RecentPast<SeqSpan>(100, 30);
  assert.equal(past.tail, 100);
  assert.deepEqual([...past.since(100)], []);
  const spans = [span(101, 101, 10), span(102, 104, 10), span(105, 105, 10)];
  for (const one of spans) past.push(one);
  assert.deepEqual([past.tail, [...past.since(100)]], [100, spans]);
  past.push(span(106, 109, 1));
  assert.deepEqual([past.tail, [...past.since(101)]], [101, [...spans.slice(1), span(106, 109, 1)]]);
  // An item that reaches beyond the position is handed out whole.
  assert.deepEqual([...past.since(103)], [...spans.slice(1), span(106, 109, 1)]);
  assert.deepEqual([...past.since(104)], [spans[2], span(106, 109, 1)]);
  assert.deepEqual([[...past.since(108)], [...past.since(109)]], [[span(106, 109, 1)], []]);
  past.push(span(110, 110, 31));
  assert.deepEqual([past.tail, [...past.since(110)]], [110, []], 'one that is too big alone is not kept');
});

test('HB5 from every position that is kept, the past is the same as if all of it were', () => {
  const random = seeded(11);
  const past = new RecentPast<SeqSpan>(0, 200);
  const all: SeqSpan[] = [];
  let seq = 0;
  for (let step = 0; step < 400; step++) {
    const one = span(seq + 1, seq + 1 + Math.floor(random() * 3), 1 + Math.floor(random() * 40));
    seq = one.last;
    all.push(one);
    past.push(one);
    const kept = all.filter(({ last }) => last > past.tail);
    const bytes = kept.reduce((sum, { bytes: more }) => sum + more, 0);
    const before = all.findLast(({ last }) => last === past.tail);
    assert.ok(bytes <= 200 && (before === undefined || bytes + before.bytes > 200), `${bytes} bytes in step ${step}`);
    const after = past.tail + Math.floor(random() * (seq - past.tail + 1));
    assert.deepEqual(
      [...past.since(after)],
      all.filter(({ last }) => last > after),
    );
  }
});
