/** RL18, MX4: the connections that one of several nodes admits from one address. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { Admission } from '../../../daemon/edge/live/admission.ts';
import { LiveCounts } from '../../../daemon/edge/live/live-counts.ts';

const from = (remoteAddress: string) => ({ headers: {}, socket: { remoteAddress } }) as unknown as IncomingMessage;

test('RL18 each node admits its share of the connections of one address, and bears as many in all as alone', () => {
  let nodes = 3;
  const counts = new LiveCounts();
  const admission = new Admission({ origins: [], connectionsMax: 5, connectionsPerIpMax: 4, nodes: () => nodes, counts });
  const [first, second] = [admission.enter(from('192.0.2.1'), 'live'), admission.enter(from('192.0.2.1'), 'live')];
  assert.equal(admission.refusal(from('192.0.2.1')), '429 Too Many Requests');
  assert.equal(admission.refusal(from('192.0.2.2')), undefined);
  nodes = 1;
  assert.equal(admission.refusal(from('192.0.2.1')), undefined);
  nodes = 3;
  admission.leave(first, 1000);
  assert.equal(admission.refusal(from('192.0.2.1')), undefined);
  for (const host of [2, 3, 4, 5]) admission.enter(from(`192.0.2.${host}`), 'connect');
  assert.equal(admission.refusal(from('192.0.2.6')), '503 Service Unavailable');
  admission.leave(second, 1000);
  assert.equal(admission.refusal(from('192.0.2.6')), undefined);
});

test('MX4 connections are counted by their protocol, what refused them, and how they ended', () => {
  const counts = new LiveCounts();
  const admission = new Admission({ origins: [], connectionsMax: 2, connectionsPerIpMax: 1, nodes: () => 1, counts });
  const first = admission.enter(from('192.0.2.1'), 'live');
  assert.equal(admission.refusal(from('192.0.2.1')), '429 Too Many Requests');
  const second = admission.enter(from('192.0.2.2'), 'socket.io');
  assert.equal(admission.refusal(from('192.0.2.3')), '503 Service Unavailable');
  const foreign = { headers: { origin: 'https://elsewhere.example', host: 'here' }, socket: { remoteAddress: '192.0.2.4' } };
  assert.equal(admission.refusal(foreign as unknown as IncomingMessage), '403 Forbidden');
  assert.deepEqual([admission.connections, counts.opened], [2, { live: 1, connect: 0, 'socket.io': 1 }]);
  for (const code of [4013, 1000]) admission.leave(first, code);
  admission.leave(second, 3999);
  admission.pause();
  assert.equal(admission.refusal(from('192.0.2.5')), '503 Service Unavailable');
  assert.deepEqual(counts.refused, { origin: 1, connections_max: 1, connections_per_ip_max: 1, draining: 1 });
  const closed = [...counts.closed].filter(([, count]) => count > 0);
  assert.deepEqual(
    [admission.connections, closed],
    [
      0,
      [
        ['4013', 1],
        ['other', 1],
      ],
    ],
    'an end counts once',
  );
});
