/** CR10: which hosts are this machine alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, isLoopbackAddress } from '../../daemon/base/loopback.ts';

const ADDRESSES = ['127.0.0.1', '127.8.8.8', '::1', '0:0:0:0:0:0:0:1', '::1%lo', '::ffff:127.0.0.1', '::FFFF:7f00:1'];

test('CR10 loopback is what is loopback by definition', () => {
  for (const address of ADDRESSES) assert.ok(isLoopbackAddress(address) && isLoopback(address), address);
  for (const name of ['localhost', 'LocalHost']) assert.ok(isLoopback(name) && !isLoopbackAddress(name), name);
  for (const host of [
    '0.0.0.0',
    '::',
    '::2',
    '::ffff:10.0.0.1',
    '127.0.0.1.example.com',
    '127.1',
    '1270.0.1',
    '10.0.0.1',
    'localhost.example.com',
    'a.localhost',
    '',
  ])
    assert.ok(!isLoopback(host) && !isLoopbackAddress(host), host);
});
