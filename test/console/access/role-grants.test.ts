/** CO33: the permissions of a role, and what a change of them means. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grantSettingsOf, grantsCall, grantsOf, grantsSay } from '../../../daemon/console/access/role-grants.ts';

test('CO33 a role has the built-in permissions until the application sets others', () => {
  const settings = grantSettingsOf({ grants: { editor: ['x'] } }, [{ id: 'x', description: 'X' }]);
  assert.deepEqual(grantsOf('editor', settings), { ids: ['x'], isSet: true });
  assert.equal(grantsOf('admin', settings).isSet, false);
  assert.ok(grantsOf('admin', settings).ids.includes('ban-user'));
  assert.deepEqual(grantsOf('anonymous', settings).ids, []);
  assert.equal(grantsOf('constructor', settings).isSet, false, 'a property that every object inherits is no grant');
  assert.deepEqual(grantSettingsOf(undefined, undefined), { grants: {}, isUnchecked: false, permissions: [] });
});

test('CO33 a change of permissions says who may do what from then on', () => {
  assert.deepEqual(grantsSay('r', ['a'], ['a']), ['Nothing is different.']);
  const says = grantsSay('r', ['a', 'b'], ['b', 'c']).join(' ');
  assert.match(says, /role r may then also: c\. They may no longer: a\./);
  assert.deepEqual(grantsCall('r', null, '"7"'), { method: 'PATCH', path: '/api/v2/app', body: { grants: { r: null } }, ifMatch: '"7"' });
});
