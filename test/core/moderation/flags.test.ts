/** Reports on the core, in detail: MD8, MD14. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FlagCommand } from '../../../protocol/moderation/flags.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const SERVER = { kind: 'server' } as const;

class FlagBench extends RulesBench {
  constructor() {
    super();
    this.upsert([{ id: 'ann' }, { id: 'bob' }, { id: 'cem' }]);
  }

  flag(command: Partial<FlagCommand>) {
    return this.run({ kind: 'flag', actor: SERVER, target: 'bob', itemId: 'new', ...command });
  }
}

test('MD8 a report is the same only with the same reporter, reason and custom data; nothing of an earlier one is left in a new one', () => {
  const bench = new FlagBench();
  bench.flag({ by: 'ann', reason: 'spam', custom: { a: 1 } });
  const created_at = bench.now;
  const held = () => bench.user('bob').flags;
  assert.deepEqual(held(), [{ item_id: 'new', by: 'ann', reason: 'spam', custom: { a: 1 }, created_at }]);
  for (const other of [{ by: 'ann', reason: 'spam', custom: { a: 2 } }, { by: 'ann', reason: 'worse', custom: { a: 2 } }, { by: 'ann' }]) {
    const facts = bench.factsOf(() => bench.flag({ ...other, itemId: 'again' }));
    assert.deepEqual(held(), [{ item_id: 'new', created_at, ...other }]);
    const { custom: _, ...told } = { custom: {}, ...other };
    assert.deepEqual(
      facts.map((fact) => (fact.t === 'user' ? [fact.event, fact.about] : fact)),
      [['flagged', { ...told, total_flags: 1 }]],
    );
    assert.deepEqual(
      bench.factsOf(() => assert.equal(bench.flag(other).users[0]?.change, 'unchanged')),
      [],
    );
  }
  // A report of the server itself is one of its own.
  assert.equal(bench.flag({}).users[0]?.user.flags?.length, 2);
  assert.equal(bench.flag({ by: 'cem' }).users[0]?.user.flags?.length, 3);
});

test('MD8 a report that is withdrawn leaves the others; the number of those left is told', () => {
  const bench = new FlagBench();
  for (const by of ['ann', 'cem', undefined]) bench.flag(by === undefined ? {} : { by });
  const unflag = (by?: string) =>
    bench
      .factsOf(() => bench.run({ kind: 'unflag', actor: SERVER, target: 'bob', ...(by === undefined ? {} : { by }) }))
      .map((fact) => (fact.t === 'user' ? [fact.event, fact.about, fact.user.rev] : fact));
  assert.deepEqual(unflag('ann'), [['unflagged', { by: 'ann', total_flags: 2 }, bench.directory.seq]]);
  assert.deepEqual(
    bench.user('bob').flags?.map(({ by }) => by),
    ['cem', undefined],
  );
  assert.deepEqual(unflag(), [['unflagged', { total_flags: 1 }, bench.directory.seq]]);
  assert.deepEqual(
    bench.user('bob').flags?.map(({ by }) => by),
    ['cem'],
  );
  assert.deepEqual(unflag('cem'), [['unflagged', { by: 'cem', total_flags: 0 }, bench.directory.seq]]);
  assert.ok(!('flags' in bench.user('bob')));
  assert.deepEqual([...unflag('cem'), ...unflag()], []);
});

test('MD8 only users that exist are reported, by users that exist, and only such are freed from moderation', () => {
  const bench = new FlagBench();
  for (const [act, path] of [
    [() => bench.flag({ target: 'ghost' }), 'target_user_id'],
    [() => bench.flag({ by: 'ghost' }), 'user_id'],
    [() => bench.run({ kind: 'unflag', actor: SERVER, target: 'ghost', by: 'ann' }), 'target_user_id'],
    [() => bench.run({ kind: 'bypass', target: 'ghost', enabled: true }), 'target_user_id'],
  ] as const) {
    const error = refusal(act);
    assert.deepEqual([error.kind, error.message, error.fields[0]?.path], ['not_found', 'the user ghost does not exist', path]);
  }
});

test('MD8 whoever is not freed from moderation cannot be put under it: that changes nothing', () => {
  const bench = new FlagBench();
  const bypass = (enabled: boolean) => bench.factsOf(() => bench.run({ kind: 'bypass', target: 'ann', enabled })).length;
  assert.deepEqual([bypass(false), bypass(true), bypass(true), bypass(false), bypass(false)], [0, 1, 0, 1, 0]);
});
