/** CO30: the list of nodes, where some do not answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AllNodes } from '../../../daemon/edge/nodes/all-nodes.ts';
import type { NodeMail } from '../../../daemon/edge/nodes/node-mail.ts';
import { NodeSilent } from '../../../daemon/edge/nodes/node-mail.ts';
import type { NodeState } from '../../../daemon/edge/nodes/node-state.ts';

const STATE = { version: '1' } as NodeState;

test('CO30 this node comes first, and one that does not answer is listed with the reason', async () => {
  const asked: string[] = [];
  const mail = {
    node: 'm',
    ask: async (node: string, question: { after?: number }) => {
      asked.push(`${node} after ${question.after}`);
      if (node === 'c') throw new NodeSilent('the node "c" did not answer within 2000 ms');
      return { version: '2' };
    },
  } as unknown as NodeMail;
  const nodes = new AllNodes({ state: async () => STATE, mail, otherNodes: () => ['z', 'c'] });
  assert.deepEqual(await nodes.list(7), [
    { name: 'm', isHere: true, state: STATE },
    { name: 'c', isHere: false, error: 'the node "c" did not answer within 2000 ms' },
    { name: 'z', isHere: false, state: { version: '2' } },
  ]);
  assert.deepEqual(asked, ['c after 7', 'z after 7']);
});

test('CO30 a daemon alone lists itself, without a name', async () => {
  const nodes = new AllNodes({ state: async () => STATE, mail: undefined, otherNodes: () => ['z'] });
  assert.deepEqual(await nodes.list(0), [{ name: undefined, isHere: true, state: STATE }]);
});
