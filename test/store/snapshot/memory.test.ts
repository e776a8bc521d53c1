/** LG11: the reference store of snapshots gives what was last saved, as it was saved, and counts it as a file would. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeSnapshot } from '../../../store/snapshot/codec.ts';
import { MemorySnapshots } from '../../../store/snapshot/memory.ts';

test('LG11 what was saved comes back through the format of files, in one chunk or none, and is measured in lines and bytes', async () => {
  const store = new MemorySnapshots();
  const position = { epoch: 'e', seq: 7 };
  const line = { text: 'ü', gone: undefined };
  const file = async (lines: readonly object[]): Promise<number> => {
    let bytes = 0;
    for await (const { length } of encodeSnapshot({ position, lines: () => lines }, () => {})) bytes += length;
    return bytes;
  };
  const bytes = await file([line, {}]);
  assert.deepEqual(await store.save({ position, lines: () => [line, {}] }), { bytes, lines: 2 });
  const loaded = await store.load();
  line.text = 'changed';
  const chunks: unknown[] = [];
  for await (const chunk of loaded?.chunks() ?? []) chunks.push(chunk);
  assert.deepEqual([loaded?.position, chunks], [position, [[{ text: 'ü' }, {}]]]);
  assert.deepEqual(await store.save({ position, lines: () => [] }), { bytes: await file([]), lines: 0 });
  for await (const _ of (await store.load())?.chunks() ?? []) assert.fail('there is no line');
});

test('LG11 a save that fails on request fails once, and leaves the one before it', async () => {
  const store = new MemorySnapshots();
  const save = (seq: number) => store.save({ position: { epoch: 'e', seq }, lines: () => [] });
  await save(1);
  store.failNext(new Error('asked for'));
  await assert.rejects(save(2), /asked for/);
  assert.equal((await store.load())?.position.seq, 1);
  await save(3);
  assert.equal((await store.load())?.position.seq, 3);
});
