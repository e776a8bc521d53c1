/** CE6: custom events that are refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, httpWorld, userToken as tokenFor } from '../../support/http/fake-backend.ts';

test('CE6 custom events are refused without a user, with a built-in type, without a type, or with too much data', async () => {
  const { send, backend } = httpWorld();
  await send('POST', '/users', { body: { users: { ann: { id: 'ann' } } } });
  const { seq } = backend.directory;
  for (const path of ['/users/ann/event', '/api/v2/chat/users/ann/event']) {
    assertRefused(await send('POST', path.replace('ann', 'nobody'), { body: { event: { type: 'wave' } } }), 404, 16);
    for (const type of ['user.updated', 'a.b', '', null, 7]) {
      assertRefused(await send('POST', path, { body: { event: { type } } }), 400, 4, 'event.type');
    }
    assertRefused(await send('POST', path, { body: {} }), 400, 4, 'event');
    assertRefused(await send('POST', path, { body: { event: { type: 'wave', custom: 'x' } } }), 400, 4, 'event.custom');
    assertRefused(await send('POST', path, { body: { event: { type: 'wave', custom: { a: 'x'.repeat(5_121) } } } }), 400, 4, 'event');
    assertRefused(await send('POST', path, { token: tokenFor('ann'), body: { event: { type: 'wave' } } }), 403, 17);
  }
  assert.equal(backend.directory.seq, seq);
});
