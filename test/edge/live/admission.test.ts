/** RL18: the connections that one of several nodes admits from one address. */
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { Admission } from '../../../daemon/edge/live/admission.ts';

const from = (remoteAddress: string) => ({ headers: {}, socket: { remoteAddress } }) as unknown as IncomingMessage;

test('RL18 each node admits its share of the connections of one address, and bears as many in all as alone', () => {
  let nodes = 3;
  const admission = new Admission({ origins: [], connectionsMax: 5, connectionsPerIpMax: 4, nodes: () => nodes });
  const [first, second] = [admission.enter(from('192.0.2.1')), admission.enter(from('192.0.2.1'))];
  assert.equal(admission.refusal(from('192.0.2.1')), '429 Too Many Requests');
  assert.equal(admission.refusal(from('192.0.2.2')), undefined);
  nodes = 1;
  assert.equal(admission.refusal(from('192.0.2.1')), undefined);
  nodes = 3;
  first();
  assert.equal(admission.refusal(from('192.0.2.1')), undefined);
  for (const host of [2, 3, 4, 5]) admission.enter(from(`192.0.2.${host}`));
  assert.equal(admission.refusal(from('192.0.2.6')), '503 Service Unavailable');
  second();
  assert.equal(admission.refusal(from('192.0.2.6')), undefined);
});
