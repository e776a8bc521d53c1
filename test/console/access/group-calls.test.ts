/** CO33: questions and changes about user groups. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createGroupCall, deleteGroupCall, groupsCall, membersCall, typedIds } from '../../../daemon/console/access/group-calls.ts';

test('CO33 groups are listed and searched in pages', () => {
  const last = { id: 'g', name: 'N', created_at: 7 };
  assert.equal(groupsCall(' ', undefined).path, '/api/v2/usergroups?limit=51');
  assert.equal(groupsCall('', last).path, '/api/v2/usergroups?limit=51&id_gt=g&created_at_gt=7');
  assert.equal(groupsCall('n', last).path, '/api/v2/usergroups/search?limit=51&query=n&id_gt=g&name_gt=N');
});

test('CO33 a change of a group names its team where it has one', () => {
  assert.deepEqual(createGroupCall('N', '', ''), { method: 'POST', path: '/api/v2/usergroups', body: { name: 'N' } });
  assert.deepEqual(createGroupCall('N', 'd', 't').body, { name: 'N', description: 'd', team_id: 't' });
  assert.equal(deleteGroupCall({ id: 'a/b', team_id: 't&' }).path, '/api/v2/usergroups/a%2Fb?team_id=t%26');
  assert.deepEqual(membersCall({ id: 'g' }, '', ['ann'], true), {
    ...{ method: 'POST', path: '/api/v2/usergroups/g/members', body: { member_ids: ['ann'], as_admin: true } },
  });
  assert.deepEqual(membersCall({ id: 'g', team_id: 't' }, '/delete', ['ann']).body, { member_ids: ['ann'], team_id: 't' });
});

test('CO33 ids are read however one separates them, each once', () => {
  assert.deepEqual(typedIds(' ann, bob\ncyd ann,,'), ['ann', 'bob', 'cyd']);
  assert.deepEqual(typedIds(' , '), []);
});
