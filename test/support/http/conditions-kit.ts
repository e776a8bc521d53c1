/** Users whose revisions are known. */
import assert from 'node:assert/strict';
import { type HttpWorld, httpWorld } from './fake-backend.ts';

export async function worldOf(...ids: string[]): Promise<HttpWorld> {
  const world = httpWorld();
  for (const id of ids) {
    const { status } = await world.send('POST', '/users', { body: { users: { [id]: { name: id } } } });
    assert.equal(status, 201);
  }
  return world;
}
