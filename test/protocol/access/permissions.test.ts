/** What a role grants, and the list of permissions: PM. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isGranted, PERMISSIONS } from '../../../protocol/access/permissions.ts';
import { BUILT_IN_ROLES } from '../../../protocol/users/user.ts';

const PLAIN = { enforce_unique_usernames: 'no' } as const;
const OWN = ['search-user', 'update-user-owner', 'flag-user', 'mute-user', 'block-user'];
const MODERATION = ['ban-user', 'read-flag-reports', 'update-flag-reports'];

function granted(role: string, app: Parameters<typeof isGranted>[0] = PLAIN): string[] {
  return [...PERMISSIONS.keys()].filter((id) => isGranted(app, role, id)).sort();
}

test('PM1 built-in grants: everyone but anonymous acts for itself, moderators and admins moderate, nobody changes its teams', () => {
  const moderators = new Set(['moderator', 'global_moderator', 'admin', 'global_admin']);
  for (const role of BUILT_IN_ROLES) {
    const expected = role === 'anonymous' ? [] : moderators.has(role) ? [...OWN, ...MODERATION] : OWN;
    assert.deepEqual(granted(role), expected.sort(), role);
  }
});

test('PM2 a role without grants of its own, a custom one too, has those of user', () => {
  for (const role of ['captain', 'toString', 'constructor']) assert.deepEqual(granted(role), granted('user'), role);
  assert.deepEqual(granted('captain', { ...PLAIN, grants: { user: [] } }), granted('user'));
});

test('PM3 a role that the application grants something has exactly that', () => {
  const app = { ...PLAIN, grants: { user: ['update-user-teams'], admin: [] } };
  assert.deepEqual(granted('user', app), ['update-user-teams']);
  assert.deepEqual(granted('admin', app), []);
  assert.deepEqual(granted('moderator', app), granted('moderator'));
});

test('PM4 without permission checks all is granted', () => {
  const app = { ...PLAIN, disable_permissions_checks: true, grants: { user: [] } };
  assert.deepEqual(granted('user', app), [...PERMISSIONS.keys()].sort());
  assert.equal(isGranted({ ...PLAIN, disable_permissions_checks: false }, 'user', 'ban-user'), false);
});

test('PM5 what is no permission is granted to nobody', () => {
  assert.equal(isGranted(PLAIN, 'admin', 'no-such-thing'), false);
});

test('PM6 the list is by id, and each permission is complete', () => {
  const ids = [...PERMISSIONS.keys()];
  assert.deepEqual(ids, [...ids].sort());
  for (const id of ['create-channel', 'read-channel', ...OWN, ...MODERATION, 'update-user-teams']) assert.ok(PERMISSIONS.has(id), id);
  for (const [id, permission] of PERMISSIONS) {
    assert.equal(permission.id, id);
    assert.match(permission.action, /^[A-Z][A-Za-z]+$/);
    assert.match(permission.name, /^[A-Z][a-z]+( [A-Z][a-z]+)+$/);
    assert.ok(permission.description.length > 10);
    assert.equal(permission.owner, id === 'update-user-owner');
  }
});
