/** CN9: conditional writes in any order, some of them late or repeated, never overwrite a change that their writer did not know. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RosterError } from '../../protocol/base/errors.ts';
import type { Command } from '../../protocol/log/command.ts';
import { decodePatches } from '../../protocol/users/patch-request.ts';
import { RulesBench } from '../support/rules-bench.ts';

const id = fc.constantFrom('ann', 'bob');
const value = fc.constantFrom('x', 'y', 'z');
const operation = fc.constantFrom('upsert', 'patch', 'deactivate', 'reactivate', 'delete');

/** `look`: a writer reads the user and remembers what it saw. `write`: it writes by what it saw last, however long ago that was. */
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('look' as const), writer: fc.nat(2), id }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), writer: fc.nat(2), id, operation, value }) },
);

function commandOf(kind: string, one: string, name: string, rev: number): Command {
  const ifRev = new Map([[one, rev]]);
  switch (kind) {
    case 'upsert':
      return { kind, actor: { kind: 'server' }, users: [{ id: one, name, custom: {} }], problems: [], ifRev, reuseDeleted: true };
    case 'patch':
      return { ...decodePatches({ users: [{ id: one, set: { name } }] }, { kind: 'server' }), ifRev };
    case 'deactivate':
    case 'reactivate':
      return { kind, ids: [one], options: {}, ifRev };
    default:
      return { kind: 'delete', ids: [one], mode: 'soft', options: {}, ifRev };
  }
}

test('CN9 no update is lost', () => {
  let [written, refused, repeated] = [0, 0, 0];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const bench = new RulesBench();
      const seen = new Map<string, number>();
      for (const action of steps) {
        const key = `${action.writer} ${action.id}`;
        const before = bench.directory.user(action.id);
        const rev = before?.rev ?? 0;
        if (action.do === 'look') {
          seen.set(key, rev);
          continue;
        }
        const known = seen.get(key) ?? 0;
        const entries = bench.entries.length;
        try {
          const { users } = bench.run(commandOf(action.operation, action.id, action.value, known));
          const isChanged = bench.entries.length > entries;
          assert.equal(isChanged, users[0]?.change !== 'unchanged');
          // The heart of it: whoever changed something had seen the very state that it changed.
          if (isChanged) assert.equal(known, rev, 'a change that the writer did not know was overwritten');
          else repeated++;
          if (isChanged) written++;
          seen.set(key, bench.directory.user(action.id)?.rev ?? 0);
        } catch (error) {
          if (!(error instanceof RosterError)) throw error;
          assert.equal(bench.entries.length, entries, 'what is refused leaves nothing');
          assert.equal(bench.directory.user(action.id), before);
          if (error.kind === 'precondition') assert.notEqual(known, rev, 'a writer that knew the state was refused');
          refused++;
        }
      }
    }),
    { numRuns: 2_000 },
  );
  assert.ok(written > 1_000 && refused > 1_000 && repeated > 100, `${written} written, ${refused} refused, ${repeated} repeated`);
});
