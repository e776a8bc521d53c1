/** CO13: an edited record becomes the smallest update. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editedOf, isEmptyPatch, parseEdited, patchBetween } from '../../../daemon/console/user/changes.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

const BEFORE = { name: 'Ann', role: 'user', teams: ['red'], invisible: false, custom: { seat: 7, deep: { a: 1, b: 2 }, 'a.b': 'dotted' } };

test('CO13 only what differs is in the update', () => {
  const patch = (after: unknown) => patchBetween('ann', BEFORE, parseEdited(JSON.stringify(after)));
  assert.ok(isEmptyPatch(patch({ ...BEFORE, custom: { ...BEFORE.custom, deep: { b: 2, a: 1 } } })), 'the order of keys is no change');
  assert.deepEqual(patch({ ...BEFORE, name: 'Anne', teams: ['red', 'blue'] }), {
    id: 'ann',
    set: { name: 'Anne', teams: ['red', 'blue'] },
    unset: [],
  });
  const { name: _, ...nameless } = BEFORE;
  assert.deepEqual(patch({ ...nameless, custom: { deep: { a: 1 }, 'a.b': 'dotted', mood: null } }), {
    id: 'ann',
    set: { 'custom.deep': { a: 1 }, 'custom.mood': null },
    unset: ['name', 'custom.seat'],
  });
});

test('CO13 a text that is no record is refused with its reason', () => {
  for (const [text, reason] of [
    ['{', /not JSON/],
    ['[]', /JSON object/],
    ['{"custom":[]}', /"custom" must/],
    ['{"colour":"red"}', /"colour" cannot be edited here/],
    ['{"id":"bob"}', /"id" cannot/],
  ] as const)
    assert.throws(() => parseEdited(text), reason);
});

test('CO13 the update does to a record of the daemon what was edited', async () => {
  const world = httpWorld();
  const sent = {
    id: 'ann',
    name: 'Ann',
    image: 'https://example.com/a.png',
    teams: ['red'],
    custom: { seat: 7, 'a.b': 'dotted', old: [1] },
  };
  await world.send('POST', '/api/v2/users', { body: { users: { ann: sent } } });
  const read = async () =>
    (await world.send('GET', '/api/v2/users', { query: { payload: '{"filter_conditions":{"id":"ann"}}' } })).body.users[0];
  const before = editedOf(await read());
  const after = { name: 'Anne', role: 'admin', teams: [], invisible: true, custom: { seat: '8', 'a.b': 'changed', new: { x: [] } } };
  const patch = patchBetween('ann', before, parseEdited(JSON.stringify(after)));
  const { status, body } = await world.send('PATCH', '/api/v2/users', { body: { users: [patch] } });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(editedOf(await read()), after);
});
