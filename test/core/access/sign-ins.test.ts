/** Sign-ins to the console, on the pure core: CO2, CO4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSignInOpen, LINK_MS, SIGN_IN_MS, type SignIn } from '../../../protocol/access/sign-ins.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { refusedFor } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const all = (bench: RulesBench): SignIn[] => [...bench.directory.docs.all('sign_in')];
const open = (bench: RulesBench): string[] => all(bench).flatMap((one) => (isSignInOpen(one, bench.now / 1_000) ? [one.id] : []));

test('CO2 a link lets one browser in, and no other, even after that one has left', () => {
  const bench = new RulesBench();
  bench.run({ kind: 'sign-in', id: 'one', role: 'operate' });
  assert.deepEqual(all(bench)[0]?.role, 'operate');
  assert.throws(() => bench.run({ kind: 'sign-in', id: 'one', role: 'operate' }), refusedFor('conflict', /used before/));
  bench.run({ kind: 'sign-out', id: 'one' });
  assert.deepEqual(open(bench), []);
  assert.throws(() => bench.run({ kind: 'sign-in', id: 'one', role: 'operate' }), refusedFor('conflict', /used before/));
  // Nor when the next one clears up, as long as the link is good.
  bench.at(bench.now + LINK_MS * 1_000);
  bench.run({ kind: 'sign-in', id: 'two', role: 'read' });
  assert.throws(() => bench.run({ kind: 'sign-in', id: 'one', role: 'operate' }), refusedFor('conflict'));
});

test('CO4 a sign-in ends after 12 hours, alone, or with all others; one that ended is forgotten by the next', () => {
  const bench = new RulesBench();
  bench.run({ kind: 'sign-in', id: 'one', role: 'read' });
  const [first] = all(bench);
  assert.equal(first?.ends_at, bench.now + SIGN_IN_MS * 1_000);
  bench.run({ kind: 'sign-in', id: 'two', role: 'read' });
  bench.run({ kind: 'sign-in', id: 'three', role: 'read' });
  assert.deepEqual(
    bench.run({ kind: 'sign-out', id: 'two' }).docs?.map(({ id }) => id),
    ['two'],
  );
  assert.deepEqual(open(bench), ['one', 'three']);
  assert.deepEqual(bench.run({ kind: 'sign-out', id: 'nobody' }).docs, []);
  assert.deepEqual(
    bench.run({ kind: 'sign-out' }).docs?.map(({ id }) => id),
    ['one', 'three'],
  );
  assert.deepEqual(open(bench), []);
  bench.at(bench.now + SIGN_IN_MS * 1_000);
  bench.run({ kind: 'sign-in', id: 'four', role: 'read' });
  assert.deepEqual(
    all(bench).map(({ id }) => id),
    ['four'],
  );
});

test('CO4 there is a bound to sign-ins, and all of them can be ended at once', () => {
  const bench = new RulesBench();
  for (let n = 0; n < LIMITS.signIns; n++) bench.run({ kind: 'sign-in', id: `s${n}`, role: 'read' });
  assert.throws(() => bench.run({ kind: 'sign-in', id: 'more', role: 'read' }), refusedFor('conflict', /--sign-out-all/));
  assert.equal(bench.run({ kind: 'sign-out' }).docs?.length, LIMITS.signIns);
  bench.at(bench.now + 2 * LINK_MS * 1_000);
  bench.run({ kind: 'sign-in', id: 'more', role: 'read' });
  assert.equal(all(bench).length, 1);
});

test('CO2 a client signs nobody in', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann' }]);
  assert.throws(() => bench.run({ kind: 'sign-in', id: 'one', role: 'read' }, 'ann'), refusedFor('not_allowed'));
  assert.throws(() => bench.run({ kind: 'sign-out' }, 'ann'), refusedFor('not_allowed'));
});
