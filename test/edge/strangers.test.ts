/** BU10: who is a stranger, and which addresses are one caller's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkOf, strangerOf } from '../../daemon/edge/strangers.ts';
import { Bench } from '../support/decide-bench.ts';

test('BU10 a network is an IPv4 address or the /64 of an IPv6 address, however it is written; loopback is none', () => {
  for (const [address, network] of [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64'],
    ['2001::5:6:192.0.2.1', '2001:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['', ''],
    ['127.0.0.1', undefined],
    ['127.255.0.9', undefined],
    ['::ffff:127.0.0.1', undefined],
    ['::1', undefined],
  ] as const) {
    assert.equal(networkOf(address), network, address);
  }
});

test('BU10 anonymous callers and guests are strangers; users, users to be and servers are not', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann' }, { id: 'guest', role: 'guest' }]);
  const of = (caller: Parameters<typeof strangerOf>[0]) => strangerOf(caller, '192.0.2.1', bench.directory);
  assert.deepEqual(of({ kind: 'anonymous' }), { network: '192.0.2.1' });
  assert.deepEqual(of({ kind: 'user', id: 'guest' }), { network: '192.0.2.1' });
  for (const id of ['ann', 'nobody']) assert.equal(of({ kind: 'user', id }), undefined);
  assert.equal(of({ kind: 'server' }), undefined);
  assert.deepEqual(strangerOf({ kind: 'anonymous' }, undefined, bench.directory), { network: '' });
});
