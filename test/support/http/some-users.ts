/** Users for tests over HTTP, and what every user in an answer has. */
import assert from 'node:assert/strict';
import type { Send } from './fake-backend.ts';

export const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

/** Fields that a user in the second dialect always has. */
export const V2_USER = [
  'id role language banned shadow_banned invisible online created_at updated_at teams blocked_user_ids custom',
  'devices mutes channel_mutes total_unread_count unread_count unread_channels unread_threads',
].flatMap((line) => line.split(' '));

/** Creates users that are called by their ids. */
export async function create(send: Send, ...ids: string[]): Promise<void> {
  const { status } = await send('POST', '/users', { body: { users: Object.fromEntries(ids.map((id) => [id, { id, name: id }])) } });
  assert.equal(status, 201);
}
