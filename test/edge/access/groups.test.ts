/** User groups over HTTP: UG20–UG24. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, NOW_MS, type Send, userToken } from '../../support/http/fake-backend.ts';

interface Member {
  readonly user_id: string;
}

const PREFIXES = ['', '/api/v2'] as const;

const ids = (groups: readonly { readonly id: string }[]): string[] => groups.map(({ id }) => id);

async function create(send: Send, ...users: string[]): Promise<void> {
  assert.equal((await send('POST', '/users', { body: { users: Object.fromEntries(users.map((id) => [id, {}])) } })).status, 201);
}

describe('user groups', () => {
  it('UG20 a group through all its calls, in both dialects', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', 'bob', 'cem');
    for (const prefix of PREFIXES) {
      const path = `${prefix}/usergroups`;
      const body = { name: 'Crew', id: '', description: 'all hands', team_id: 'red', member_ids: ['ann'] };
      const created = await send('POST', path, { body });
      assert.equal(created.status, 201);
      const { id, created_at, updated_at, members, ...rest } = created.body.user_group;
      assert.deepEqual(rest, { name: 'Crew', description: 'all hands', team_id: 'red' });
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), NOW_MS);
      assert.equal(created_at, updated_at);
      assert.equal(typeof created_at, prefix === '' ? 'string' : 'number');
      assert.deepEqual(members, [{ app_pk: 0, group_id: id, user_id: 'ann', is_admin: false, created_at }]);
      assert.deepEqual((await send('GET', `${path}/${id}`)).body.user_group, created.body.user_group);

      const updated = await send('PUT', `${path}/${id}`, { body: { name: 'New' } });
      assert.equal(updated.body.user_group.name, 'New');
      assert.equal(updated.body.user_group.description, 'all hands');
      const added = await send('POST', `${path}/${id}/members`, { body: { member_ids: ['bob', 'cem'], as_admin: true, team_id: 'red' } });
      assert.deepEqual(
        added.body.user_group.members.map((member: Record<string, unknown>) => [member.user_id, member.is_admin]),
        [
          ['ann', false],
          ['bob', true],
          ['cem', true],
        ],
      );
      const left = await send('POST', `${path}/${id}/members/delete`, { body: { member_ids: ['bob', 'nobody'] } });
      assert.deepEqual(
        left.body.user_group.members.map(({ user_id }: { user_id: string }) => user_id),
        ['ann', 'cem'],
      );
      assert.deepEqual((await send('GET', path)).body.user_groups, [
        { id, name: 'New', description: 'all hands', team_id: 'red', created_at, updated_at: left.body.user_group.updated_at },
      ]);
      assert.equal((await send('DELETE', `${path}/${id}`)).status, 200);
      const gone = await send('GET', `${path}/${id}`);
      assertRefused(gone, 404, 16, undefined, /GetUserGroup failed/);
      assert.doesNotMatch(gone.text, /Not Found/);
    }
  });

  it('UG21 bodies as Go sends them: null for no members, empty texts for what is absent', async () => {
    const { send } = httpWorld();
    const { status, body } = await send('POST', '/api/v2/usergroups', { body: { name: 'Empty', member_ids: null } });
    assert.equal(status, 201);
    assert.deepEqual(body.user_group.members, []);
    assertRefused(
      await send('POST', `/api/v2/usergroups/${body.user_group.id}/members`, { body: { member_ids: null } }),
      400,
      4,
      'member_ids',
    );
  });

  it('UG22 lists and searches in pages', async () => {
    const { send } = httpWorld();
    for (const [id, name, team_id] of [
      ['g3', 'Crew', 'red'],
      ['g1', 'crew of the night', 'blue'],
      ['g2', 'Zoo', ''],
    ]) {
      assert.equal((await send('POST', '/usergroups', { body: { id, name, team_id } })).status, 201);
    }
    for (const prefix of PREFIXES) {
      const list = async (query: Record<string, string>) => (await send('GET', `${prefix}/usergroups`, { query })).body.user_groups;
      const search = async (query: Record<string, string>) =>
        (await send('GET', `${prefix}/usergroups/search`, { query })).body.user_groups;
      const all = await list({});
      assert.deepEqual(ids(all), ['g3', 'g1', 'g2']);
      assert.deepEqual(ids(await list({ limit: '1', id_gt: 'g3' })), ['g1']);
      assert.deepEqual(ids(await list({ created_at_gt: String(all[1].created_at) })), ['g2']);
      assert.deepEqual(ids(await list({ created_at_gt: String(all[1].created_at), id_gt: 'g0' })), ['g1', 'g2']);
      assert.deepEqual(ids(await list({ team_id: 'blue' })), ['g1']);
      assert.deepEqual(ids(await search({ query: 'cREW' })), ['g3', 'g1']);
      assert.deepEqual(ids(await search({ query: 'crew', name_gt: 'Crew', limit: '5' })), ['g1']);
      assert.deepEqual(ids(await search({ query: 'crew', team_id: 'red' })), ['g3']);
      assertRefused(await send('GET', `${prefix}/usergroups`, { query: { limit: '0x1' } }), 400, 4, 'limit');
      assertRefused(await send('GET', `${prefix}/usergroups`, { query: { created_at_gt: 'now' } }), 400, 4, 'created_at_gt');
      assertRefused(await send('GET', `${prefix}/usergroups/search`, { query: { id_gt: 'nobody' } }), 400, 4, 'id_gt');
    }
  });

  it('UG23 refusals name the field, and nothing is applied', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann', 'gone');
    await send('DELETE', '/users/gone');
    await send('POST', '/usergroups', { body: { id: 'crew', name: 'Crew', team_id: 'red', member_ids: ['ann'] } });
    const { seq } = backend.position;
    for (const prefix of PREFIXES) {
      const path = `${prefix}/usergroups`;
      assertRefused(await send('POST', path, { body: { id: 'crew', name: 'x' } }), 409, 4, 'id', /exists already/);
      assertRefused(await send('POST', path, { body: { name: 'x', member_ids: ['ann', 'gone', 'zoe'] } }), 404, 16, 'member_ids[zoe]');
      assertRefused(await send('POST', path, { body: { member_ids: ['ann'] } }), 400, 4, 'name');
      assertRefused(await send('POST', path, { body: { name: 'x', id: 'search' } }), 400, 4, 'id');
      assertRefused(await send('PUT', `${path}/crew`, { body: { team_id: 'blue' } }), 400, 4, 'team_id', /cannot be changed/);
      assertRefused(await send('GET', `${path}/crew`, { query: { team_id: 'blue' } }), 400, 4, 'team_id');
      assertRefused(await send('DELETE', `${path}/crew`, { query: { team_id: 'blue' } }), 400, 4, 'team_id');
      for (const call of ['members', 'members/delete']) {
        assertRefused(await send('POST', `${path}/crew/${call}`, { body: { member_ids: [] } }), 400, 4, 'member_ids');
        assertRefused(await send('POST', `${path}/crew/${call}`, { body: { member_ids: ['ann'], team_id: 'blue' } }), 400, 4, 'team_id');
        assertRefused(await send('POST', `${path}/nobody/${call}`, { body: { member_ids: ['ann'] } }), 404, 16);
      }
      assertRefused(await send('POST', `${path}/crew/members`, { body: { member_ids: ['zoe'] } }), 404, 16, 'member_ids[zoe]');
      assertRefused(await send('PUT', `${path}/nobody`, { body: {} }), 404, 16);
      assertRefused(await send('DELETE', `${path}/nobody`), 404, 16);
      assertRefused(await send('GET', path, { token: userToken('ann') }), 403, 17, undefined, /ListUserGroups/);
    }
    assert.equal(backend.position.seq, seq);
  });

  it('UG24 a member that is deleted disappears, and comes back with the user', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', 'bob');
    await send('POST', '/usergroups', { body: { id: 'crew', name: 'Crew', member_ids: ['ann', 'bob'] } });
    const members = async () => (await send('GET', '/usergroups/crew')).body.user_group.members.map(({ user_id }: Member) => user_id);
    await send('DELETE', '/users/ann');
    assert.deepEqual(await members(), ['bob']);
    await send('DELETE', '/users/bob', { query: { hard_delete: 'true' } });
    assert.deepEqual(await members(), []);
    await send('POST', '/users/restore', { body: { user_ids: ['ann'] } });
    assert.deepEqual(await members(), ['ann']);
  });
});
