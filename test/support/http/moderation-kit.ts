/** Calls about bans, mutes, reports and blocks. */
import assert from 'node:assert/strict';
import { type HttpWorld, httpWorld, type Received, type Sent } from './fake-backend.ts';

export type Method = Parameters<HttpWorld['send']>[0];

export const payload = (value: object): Sent => ({ query: { payload: JSON.stringify(value) } });

export async function worldWith(...users: readonly { readonly id: string; readonly [key: string]: unknown }[]): Promise<HttpWorld> {
  const world = httpWorld();
  const all = [{ id: 'ann', name: 'Ann' }, { id: 'bob' }, { id: 'mod', role: 'moderator' }, ...users];
  const sent = Object.fromEntries(all.map((user) => [user.id, user]));
  assert.equal((await world.send('POST', '/users', { body: { users: sent } })).status, 201);
  return world;
}

export async function ok(
  world: HttpWorld,
  method: Method,
  path: string,
  sent: Sent = {},
  status = method === 'POST' ? 201 : 200,
): Promise<Received> {
  const received = await world.send(method, path, sent);
  assert.equal(received.status, status, received.text);
  assert.match(received.body.duration, /^\d+\.\d\dms$/);
  return received;
}

/** A request that must be refused, and change nothing. */
export async function refused(world: HttpWorld, method: Method, path: string, sent: Sent): Promise<Received> {
  const before = world.backend.position.seq;
  const received = await world.send(method, path, sent);
  assert.equal(world.backend.position.seq, before, 'something was applied');
  return received;
}

export async function users(world: HttpWorld, dialect: 'v1' | 'v2', id: string) {
  const path = dialect === 'v1' ? '/users' : '/api/v2/users';
  const { body } = await ok(world, 'GET', path, payload({ filter_conditions: { id } }));
  return body.users[0];
}
