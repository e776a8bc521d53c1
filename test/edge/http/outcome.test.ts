/** SQ11: what a refused write says about whether it may be stored. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutcomeUnknown, RosterError } from '../../../protocol/base/errors.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

const WRITES = [
  ['POST', '/users', { users: { ann: { id: 'ann' } } }],
  ['POST', '/api/v2/users', { users: { ann: { id: 'ann' } } }],
  ['POST', '/api/v1.0/user', { id: 'ann', data: {} }],
] as const;

test('SQ11 every dialect says whether a change may be stored', async () => {
  for (const [method, path, body] of WRITES) {
    const world = httpWorld();
    const refused = async (failure?: unknown) => {
      world.backend.failure = failure;
      const { status, body: answer } = await world.send(method, path, { body });
      return [status, answer.outcome];
    };
    assert.deepEqual(await refused(new RosterError('unavailable')), [503, 'not_stored'], path);
    assert.deepEqual(await refused(new OutcomeUnknown('lost')), [503, 'unknown'], path);
    assert.deepEqual(await refused(new RosterError('input')), [400, undefined], path);
    assert.deepEqual(await refused(new Error('unexpected')), [500, undefined], path);
    world.backend.ready = false;
    assert.deepEqual(await refused(), [503, 'not_stored'], path);
  }
});

test('SQ11 where something is stored and the rest of the request fails, the outcome is not known', async () => {
  const world = httpWorld();
  world.backend.online = () => {
    throw new RosterError('unavailable');
  };
  const { status, body } = await world.send('POST', '/users', { body: { users: { ann: { id: 'ann' } } } });
  assert.deepEqual([status, body.outcome, world.backend.commands.length], [503, 'unknown', 1]);
});
