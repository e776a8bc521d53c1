/** Permissions that the application makes, on the core: PM11, PM12, PM13. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CustomPermission } from '../../../protocol/app/custom-permissions.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const permission = (id: string, more: Partial<CustomPermission> = {}): CustomPermission => ({
  ...{ id, name: id, description: '', action: 'Do', level: 'app', owner: false, same_team: false, tags: [] },
  ...more,
});

class PermissionBench extends RulesBench {
  write(act: 'create' | 'update', id: string, more: Partial<CustomPermission> = {}) {
    return this.run({ kind: 'permission', act, permission: permission(id, more) });
  }

  drop(id: string) {
    return this.run({ kind: 'permission', act: 'delete', id });
  }

  get held(): readonly CustomPermission[] | undefined {
    return this.directory.app.permissions;
  }
}

test('PM12 a permission is created, replaced as a whole and deleted; the list is in order of the ids, and ends with the last one', () => {
  const bench = new PermissionBench();
  bench.settings({ enforce_unique_usernames: 'app' });
  for (const id of ['b', 'c', 'a']) bench.write('create', id, { tags: [id] });
  assert.deepEqual(bench.held, [permission('a', { tags: ['a'] }), permission('b', { tags: ['b'] }), permission('c', { tags: ['c'] })]);
  bench.write('update', 'b', { owner: true });
  assert.deepEqual(bench.held, [permission('a', { tags: ['a'] }), permission('b', { owner: true }), permission('c', { tags: ['c'] })]);
  assert.deepEqual(
    bench.factsOf(() => bench.write('update', 'b', { owner: true })),
    [],
  );
  for (const id of ['a', 'b', 'c']) bench.drop(id);
  assert.deepEqual(bench.directory.app, { enforce_unique_usernames: 'app' });
});

test('PM11 what is there already, built in or unknown is refused by name, and nothing changes', () => {
  const bench = new PermissionBench();
  bench.write('create', 'mine');
  const { seq } = bench.directory;
  const id = 'search-user';
  for (const [act, kind, message] of [
    [() => bench.write('create', 'mine'), 'input', 'the permission "mine" exists already'],
    [() => bench.write('create', id), 'input', `the permission "${id}" exists already`],
    [() => bench.write('update', id), 'input', `the permission "${id}" is built in and cannot be changed`],
    [() => bench.drop(id), 'input', `the permission "${id}" is built in and cannot be changed`],
    [() => bench.write('update', 'none'), 'not_found', 'the permission none does not exist'],
    [() => bench.drop('none'), 'not_found', 'the permission none does not exist'],
  ] as const) {
    const error = refusal(act);
    assert.deepEqual(
      [error.kind, error.message, error.fields],
      kind === 'input' ? [kind, `id: ${message}`, [{ path: 'id', message }]] : [kind, message, []],
    );
  }
  assert.equal(bench.directory.seq, seq);
});

test('PM13 there are at most 100; one that goes makes room, and changing one needs none', () => {
  const bench = new PermissionBench();
  for (let n = 0; n < LIMITS.customPermissions; n++) bench.write('create', `p${n}`);
  const message = `there are ${LIMITS.customPermissions} custom permissions already, and no more are allowed`;
  const { kind, fields } = refusal(() => bench.write('create', 'more'));
  assert.deepEqual([kind, fields], ['input', [{ path: 'id', message }]]);
  bench.write('update', 'p1', { owner: true });
  bench.drop('p2');
  bench.write('create', 'more');
  assert.equal(bench.held?.length, LIMITS.customPermissions);
});
