/** US13: the teams of a user are a set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exactlyTeams, keptTeamsRole, sameTeams, uniqueTeams } from '../../../protocol/users/teams.ts';

const teams = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'), { maxLength: 12 });

test('US13 two lists are the same teams when each holds every team of the other, whatever their order and repetitions', () => {
  fc.assert(
    fc.property(teams, teams, (a, b) => {
      const expected = [...new Set(a)].sort().join() === [...new Set(b)].sort().join();
      assert.equal(sameTeams(a, b), expected);
      assert.equal(exactlyTeams(a)(b), expected);
      assert.deepEqual(uniqueTeams(a), [...new Set(a)]);
      assert.ok(sameTeams(a, uniqueTeams(a)));
      assert.equal(sameTeams(a, [...a].reverse()), true);
    }),
  );
});

test('US13 who leaves a team loses the role in it, and no other role', () => {
  const before = { teams: ['red', 'blue'], teams_role: { red: 'admin', blue: 'user', other: 'moderator' } };
  assert.deepEqual(keptTeamsRole(before, ['blue', 'red', 'new']), before.teams_role);
  assert.deepEqual(keptTeamsRole(before, ['blue']), { blue: 'user', other: 'moderator' });
  assert.deepEqual(keptTeamsRole(before, []), { other: 'moderator' });
  assert.equal(keptTeamsRole({ teams: ['red'], teams_role: { red: 'admin' } }, []), undefined);
  assert.equal(keptTeamsRole(undefined, ['red']), undefined);
});
