/** CO8: for whom the console is there. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { type ConsoleMode, isConsoleServed } from '../../../daemon/edge/console/served.ts';
import { askConsole, doorAt } from '../../support/http/console-kit.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

function isServed(mode: ConsoleMode, remoteAddress: string, headers: Record<string, string>): boolean {
  return isConsoleServed(mode, { socket: { remoteAddress }, headers } as unknown as IncomingMessage);
}

test('CO8 on loopback, the console is for browsers on this machine that nobody passes on', () => {
  for (const host of ['localhost:8800', 'localhost', '127.0.0.1:8800', '127.0.0.9', '[::1]:8800', 'LOCALHOST', 'roster.localhost:1'])
    for (const from of ['127.0.0.1', '127.3.2.1', '::1', '::ffff:127.0.0.1'])
      assert.ok(isServed('loopback', from, { host }), `${from} asks for ${host}`);
  for (const from of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::1', '10.0.0.1', ''])
    assert.ok(!isServed('loopback', from, { host: 'localhost' }), from);
  for (const host of ['users.example.com', '192.0.2.1:8800', 'localhost.example.com', '[2001:db8::1]:80', ''])
    assert.ok(!isServed('loopback', '127.0.0.1', { host }), `a page elsewhere, or a proxy, asks for ${host}`);
  for (const name of ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'via', 'x-real-ip'])
    assert.ok(!isServed('loopback', '127.0.0.1', { host: 'localhost', [name]: '127.0.0.1' }), name);
  assert.ok(isServed('on', '192.0.2.1', { host: 'users.example.com', 'x-forwarded-for': '198.51.100.7' }));
  assert.ok(!isServed('off', '127.0.0.1', { host: 'localhost' }));
});

test('CO8 where the console is not served, all its paths are as unknown as any other', async () => {
  const { door } = doorAt({ mode: 'off' });
  const off = httpWorld();
  const { assets } = { assets: { answer: () => Promise.reject(new Error('asked for')) } };
  const world = httpWorld({ console: { door, assets: assets as never } });
  const shape = async (from: typeof world, path: string, remoteAddress: string) => {
    const { status, body, headers } = await askConsole(from, 'GET', path, { remoteAddress, headers: { 'x-rosterd-console': '1' } });
    const names = Object.keys(headers).filter((name) => !['x-ratelimit-reset', 'date'].includes(name));
    return { status, names: names.sort(), message: body?.message };
  };
  const unknown = await shape(world, '/nothing/at/all', '127.0.0.1');
  assert.equal(unknown.status, 404);
  for (const path of ['/console', '/console/', '/console/app.js', '/console/sign-in', '/console/api/users', '/console/api/nothing']) {
    assert.deepEqual(await shape(world, path, '127.0.0.1'), unknown, path);
    assert.deepEqual(await shape(off, path, '192.0.2.1'), unknown, `${path} from elsewhere`);
  }
});
