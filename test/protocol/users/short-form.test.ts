/** BU16: users that stand in an answer beside what it lists. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Embedded, shortForm } from '../../../protocol/users/short-form.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

const user = (id: string, more: Partial<StoredUser> = {}): StoredUser => ({
  ...{
    id,
    rev: 1,
    role: 'user',
    teams: ['red'],
    custom: { bio: 'x'.repeat(500) },
    created_at: 1,
    updated_at: 2,
    name: `The ${id}`,
    image: 'i',
  },
  ...more,
});

test('BU16 users are in full until the first that does not fit, then in short form; each is rendered once', () => {
  const rendered: string[] = [];
  const shown = new Embedded((one: StoredUser) => {
    rendered.push(`${one.id} ${'bio' in one.custom ? 'full' : 'short'}`);
    return one;
  }, 2_000);
  const [ann, bob] = [user('ann'), user('bob')];
  assert.equal(shown.show(ann), ann);
  assert.equal(shown.show(bob), bob);
  assert.equal(shown.show(ann), ann);
  const last = [shown.show(bob), shown.show(user('tiny', { custom: {} })), shown.show(bob)];
  assert.deepEqual(
    last.map(({ id, custom, teams, name }) => [id, custom, teams, name]),
    [
      ['bob', {}, [], 'The bob'],
      ['tiny', {}, [], 'The tiny'],
      ['bob', {}, [], 'The bob'],
    ],
  );
  assert.deepEqual(rendered, ['ann full', 'bob full', 'bob short', 'tiny short']);
});

test('BU16 the short form keeps state and times, and nothing that can be long', () => {
  const times = { last_active: 3, deactivated_at: 4, deleted_at: 5 };
  const bans = [{ created_at: 1 }];
  const long = user('ann', { ...times, bans, name: 'x'.repeat(256), blocks: [{ id: 'bob', created_at: 1 }], teams_role: { red: 'admin' } });
  assert.deepEqual(shortForm(long), {
    id: 'ann',
    rev: 1,
    role: 'user',
    teams: [],
    custom: {},
    created_at: 1,
    updated_at: 2,
    bans,
    ...times,
  });
});
