/** HT45: pages that may call. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { httpWorld } from '../../support/http/fake-backend.ts';

test('HT45 CORS: headers for allowed origins only, on errors too, and the preflight', async () => {
  const { send } = httpWorld({ origins: ['https://app.example'] });
  const from = (origin: string) => ({ headers: { origin } });
  const good = await send('OPTIONS', '/api/v2/users', { ...from('https://app.example'), token: null });
  assert.equal(good.status, 204);
  assert.equal(good.headers['access-control-allow-origin'], 'https://app.example');
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    assert.ok(good.headers['access-control-allow-methods']?.split(', ').includes(method), method);
  }
  assert.match(good.headers['access-control-allow-headers'] ?? '', /authorization/);
  assert.equal((await send('OPTIONS', '/users', { ...from('https://evil.example'), token: null })).status, 403);
  const refused = await send('GET', '/users', { ...from('https://app.example'), token: 'x' });
  assert.equal(refused.headers['access-control-allow-origin'], 'https://app.example');
  assert.match(refused.headers['access-control-expose-headers'] ?? '', /X-RateLimit-Remaining/);
  const other = await send('GET', '/users', from('https://evil.example'));
  assert.equal(other.headers['access-control-allow-origin'], undefined);
  assert.equal(other.headers.vary, 'Origin');
});
