/** What is held in memory, without what only waits for the collector. */
import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose_gc');
const collect: unknown = runInNewContext('gc');

/** Bytes on the heap and in buffers. */
export function heldBytes(): number {
  assert.ok(typeof collect === 'function');
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
