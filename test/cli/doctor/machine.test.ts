/** DR5: what the machine gives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesMaxIn, type Machine, machineFindings, thisMachine } from '../../../daemon/cli/doctor/machine.ts';

const MIB = 1024 * 1024;
const GOOD: Machine = { node: '20.19.0', filesMax: 100_500, memoryBytes: 8192 * MIB, isCgroup: false, heapBytes: 4144 * MIB };

const healths = (machine: Partial<Machine>): readonly string[] =>
  machineFindings({ ...GOOD, ...machine }, { connectionsMax: 100_000 }).map(({ health }) => health);
const advice = (machine: Partial<Machine>, at: number): string =>
  machineFindings({ ...GOOD, ...machine }, { connectionsMax: 100_000 })[at]?.advice ?? '';

test('DR5 a Node that is too old fails, and the oldest that will do is ok', () => {
  assert.deepEqual(healths({}), ['ok', 'ok', 'ok']);
  for (const node of ['18.20.4', '20.18.3']) assert.equal(healths({ node })[0], 'fail', node);
  for (const node of ['20.19.0', '22.0.0', '24.1.0']) assert.equal(healths({ node })[0], 'ok', node);
});

test('DR5 open files are held against connections_max, with the limit to set', () => {
  assert.equal(healths({ filesMax: 100_499 })[1], 'warn');
  assert.match(advice({ filesMax: 1_024 }, 1), /raise the limit to 100500 \(LimitNOFILE/);
  assert.equal(healths({ filesMax: undefined })[1], 'ok');
});

test('DR5 a heap that does not fit into the memory is a warning with the flag that makes it fit; too little memory fails', () => {
  assert.equal(healths({ memoryBytes: 2048 * MIB, isCgroup: true })[2], 'warn');
  assert.match(advice({ memoryBytes: 2048 * MIB, isCgroup: true }, 2), /--max-old-space-size=1856$/);
  assert.equal(healths({ memoryBytes: 2048 * MIB, heapBytes: 1856 * MIB })[2], 'ok');
  assert.equal(healths({ memoryBytes: 255 * MIB })[2], 'fail');
});

test('DR5 the limits of this process can be read', async () => {
  assert.equal(
    filesMaxIn('Limit  Soft  Hard  Units\nMax open files            1024                 524288               files     \n'),
    524_288,
  );
  assert.equal(filesMaxIn('Max open files            1024                 unlimited            files'), Number.MAX_SAFE_INTEGER);
  assert.equal(filesMaxIn(''), undefined);
  const { node, memoryBytes, heapBytes } = await thisMachine();
  assert.equal(node, process.versions.node);
  assert.ok(memoryBytes > 0 && heapBytes > 0);
});
