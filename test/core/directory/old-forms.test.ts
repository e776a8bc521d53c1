/** SN4: what is kept for open views. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OldForms } from '../../../daemon/core/directory/old-forms.ts';
import { seeded } from '../../support/random.ts';

test('SN4 an old form is kept once for all views that show it, and only while one of them is open', () => {
  const old = new OldForms<string>();
  old.keep('a', 'before any view');
  assert.equal(old.size, 0);
  const views = Array.from({ length: 1_000 }, () => old.open());
  old.keep('a', 'first');
  old.keep('a', 'second');
  old.keep('b', 'first');
  assert.equal(old.size, 2, 'two records, whatever the number of views and of changes');
  for (const view of views) assert.deepEqual(old.find(view, 'a'), { id: 'a', lastView: 1_000, form: 'first' });
  const later = old.open();
  assert.equal(old.find(later, 'a'), undefined);
  old.keep('a', 'third');
  assert.deepEqual([...old.changed(later)], [['a', 'third']]);
  assert.equal(old.find(views[0] ?? 0, 'a')?.form, 'first');
  for (const view of views) old.close(view);
  old.close(views[0] ?? 0);
  assert.equal(old.size, 1, 'what only ended views show is gone');
  assert.equal(old.find(later, 'a')?.form, 'third');
  old.close(later);
  assert.deepEqual([old.size, [...old.changed(later)]], [0, []]);
});

test('SN4 views show what was there when they were opened, however they and changes alternate, and nothing is left in the end', () => {
  const random = seeded(7);
  const pick = (max: number): number => Math.floor(random() * max);
  const old = new OldForms<number>();
  const now = new Map<string, number>();
  const open = new Map<number, ReadonlyMap<string, number>>();
  let most = 0;
  for (let step = 1; step <= 5_000; step++) {
    const chance = random();
    const id = `u${pick(20)}`;
    if (chance < 0.5) {
      old.keep(id, now.get(id) ?? 0);
      now.set(id, step);
    } else if (chance < 0.7) open.set(old.open(), new Map(now));
    else {
      const views = [...open.keys()];
      const view = views[pick(views.length)];
      if (view !== undefined) {
        open.delete(view);
        old.close(view);
      }
    }
    most = Math.max(most, old.size);
    for (const [view, then] of open)
      assert.equal((old.find(view, id) ?? { form: now.get(id) ?? 0 }).form, then.get(id) ?? 0, `step ${step}`);
  }
  for (const view of open.keys()) old.close(view);
  assert.ok(most > 0);
  assert.equal(old.size, 0);
});

test('SN4 thousands of old forms are let go with the changes that follow, not all at once', () => {
  const old = new OldForms<number>();
  const first = old.open();
  for (let n = 0; n < 10_000; n++) old.keep(`u${n}`, n);
  const second = old.open();
  old.close(first);
  assert.ok(old.size > 9_000, `${old.size}`);
  for (let n = 0; n < 10_000; n++) old.keep('same', n);
  assert.ok(old.size > 9_000, 'a record that is kept already costs nothing');
  for (let n = 0; n < 10_000; n++) old.keep(`v${n}`, n);
  assert.equal(old.size, 10_001);
  old.close(second);
  assert.equal(old.size, 0);
});
