/** UN7: where names are unique, a write is refused for its names exactly when what it leads to has two users of one name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RosterError } from '../../protocol/base/errors.ts';
import { nameKey } from '../../protocol/users/names.ts';
import { RulesBench } from '../support/rules-bench.ts';

const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const name = fc.constantFrom(undefined, 'Ann', 'ANN', 'Bob', 'b.o.b', '..');
const teams = fc.constantFrom<(readonly string[] | undefined)[]>(undefined, [], ['r'], ['g'], ['r', 'g']);
const user = fc.record({ id, name, teams }).map((fields) => ({
  id: fields.id,
  ...(fields.name === undefined ? {} : { name: fields.name }),
  ...(fields.teams === undefined ? {} : { teams: fields.teams }),
}));
const batch = fc.uniqueArray(user, { selector: ({ id: key }) => key, minLength: 1, maxLength: 5 });

type Step =
  | { readonly kind: 'upsert'; readonly users: readonly { id: string; name?: string; teams?: readonly string[] }[] }
  | { readonly kind: 'delete' | 'restore'; readonly id: string };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: batch.map((users) => ({ kind: 'upsert' as const, users })) },
  { weight: 1, arbitrary: id.map((one) => ({ kind: 'delete' as const, id: one })) },
  { weight: 1, arbitrary: id.map((one) => ({ kind: 'restore' as const, id: one })) },
);

function perform(bench: RulesBench, action: Step): RosterError | undefined {
  try {
    if (action.kind === 'upsert') bench.upsert(action.users);
    else if (action.kind === 'delete') bench.delete(action.id);
    else bench.run({ kind: 'restore', ids: [action.id] });
    return undefined;
  } catch (error) {
    if (error instanceof RosterError) return error;
    throw error;
  }
}

function collides(bench: RulesBench, scope: 'app' | 'team'): boolean {
  const users = [...bench.directory.users()].filter((one) => one.name !== undefined && nameKey(one.name) !== '');
  return users.some((one) =>
    users.some(
      (other) =>
        one.id < other.id &&
        nameKey(one.name ?? '') === nameKey(other.name ?? '') &&
        (scope === 'app' || one.teams.some((team) => other.teams.includes(team))),
    ),
  );
}

for (const scope of ['app', 'team'] as const) {
  test(`UN7 names stay unique (${scope}), and nothing is refused that would leave them so`, () => {
    let refused = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const bench = new RulesBench();
        const free = new RulesBench();
        bench.settings({ enforce_unique_usernames: scope });
        for (const action of steps) {
          // The same step where names need not be unique shows what a refused one would have led to.
          const error = perform(bench, action);
          const without = perform(free, action);
          assert.equal(collides(bench, scope), false);
          if (error?.kind === 'duplicate_username') {
            refused++;
            assert.equal(without, undefined);
            assert.equal(collides(free, scope), true);
            return;
          }
          assert.equal(error?.message, without?.message);
          assert.equal(collides(free, scope), false);
        }
      }),
      { numRuns: 2_000 },
    );
    assert.ok(refused > 100, `only ${refused} writes were refused`);
  });
}
