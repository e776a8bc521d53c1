/** The order of a feed (FD8). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Docs } from '../../../daemon/core/directory/documents.ts';
import { Timeline } from '../../../daemon/core/directory/timeline.ts';
import type { Activity } from '../../../protocol/feeds/activities.ts';
import { timeUuid } from '../../../protocol/feeds/time-uuid.ts';

describe('the order of a feed', () => {
  it('FD8 a stretch is what sorting and cutting a plain list gives, whatever comes and goes in which order', () => {
    const place = fc.record({ time: fc.nat(30), id: fc.constantFrom(...'abcdef') });
    const bound = fc.record({ time: fc.nat(30), id: fc.constantFrom(...'abcdef'), inclusive: fc.boolean() });
    const step = fc.record({ place, isRemoved: fc.boolean(), look: fc.boolean() });
    const order = (a: { time: number; id: string }, b: { time: number; id: string }): number =>
      a.time - b.time || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
    const stretch = fc.record({
      after: fc.array(bound, { maxLength: 2 }),
      before: fc.array(bound, { maxLength: 2 }),
      offset: fc.nat(5),
      limit: fc.nat(9),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), stretch, (steps, wanted) => {
        const timeline = new Timeline();
        const plain: { time: number; id: string }[] = [];
        for (const { place: at, isRemoved, look } of steps) {
          const known = plain.findIndex((other) => order(other, at) === 0);
          if (isRemoved) {
            timeline.remove(at);
            if (known >= 0) plain.splice(known, 1);
          } else if (known < 0) {
            timeline.add(at);
            plain.push(at);
          }
          if (look) timeline.newest({ limit: 1 });
        }
        const expected = plain
          .sort(order)
          .filter((at) => wanted.after.every((edge) => order(at, edge) > (edge.inclusive ? -1 : 0)))
          .filter((at) => wanted.before.every((edge) => order(at, edge) < (edge.inclusive ? 1 : 0)))
          .reverse()
          .slice(wanted.offset, wanted.offset + wanted.limit);
        assert.deepEqual(
          timeline.newest(wanted),
          expected.map(({ id }) => id),
        );
        assert.equal(timeline.size, plain.length);
        assert.deepEqual(
          [...timeline],
          plain.map(({ id }) => id),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('FD8 a page of a feed with 100,000 activities is not sorted for every request', () => {
    const docs = new Docs();
    const add = (index: number): void => {
      const time = 1_715_000_000_000_000 + index;
      const id = timeUuid(time, 0, Uint8Array.of(0, 0, 0, 0, 0, 0));
      const doc: Activity = { id, feeds: ['user:ann'], origin: 'user:ann', time, data: {} };
      docs.put({ kind: 'activity', id, doc });
    };
    for (let index = 0; index < 100_000; index++) add(index);
    docs.newest('activity', 'user:ann', { limit: 1 });
    const startedMs = performance.now();
    for (let round = 0; round < 1_000; round++) {
      add(100_000 + round);
      assert.equal(docs.newest('activity', 'user:ann', { limit: 25, offset: 50_000 }).length, 25);
    }
    const ms = (performance.now() - startedMs) / 1_000;
    // Sorting, or walking, a hundred thousand takes milliseconds; a look at the index takes hundredths of one.
    assert.ok(ms < 1, `${ms} ms for one activity and one page`);
    assert.equal(docs.countUnder('activity', 'user:ann'), 101_000);
  });

  it('FD8 an activity is found under every feed it is in, with its foreign id too, and under none it left', () => {
    const docs = new Docs();
    const doc: Activity = { id: 'i', feeds: ['user:ann', 'all:one'], origin: 'user:ann', foreign_id: 'f 1', time: 5, data: {} };
    docs.put({ kind: 'activity', id: 'i', doc });
    const where = (): string[] =>
      ['user:ann', 'all:one', 'user:ann f 1', 'all:one f 1'].filter((key) => docs.newest('activity', key, { limit: 9 }).length > 0);
    assert.deepEqual(where(), ['user:ann', 'all:one', 'user:ann f 1', 'all:one f 1']);
    docs.put({ kind: 'activity', id: 'i', doc: { ...doc, feeds: ['user:ann'] } });
    assert.deepEqual(where(), ['user:ann', 'user:ann f 1']);
    docs.put({ kind: 'activity', id: 'i', doc: null });
    assert.deepEqual(where(), []);
    assert.equal(docs.countUnder('activity', 'user:ann'), 0);
  });
});
