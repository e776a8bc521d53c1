/** LG11, AF2: reading and writing files as a whole, on a disk that does as it is told. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileChunks, nodeFileSystem } from '../../store/file-system.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

test('LG11 the chunks of a file are its bytes, and those that are kept stay as they are', async () => {
  const path = join(await temporaryDirectory(), 'file');
  const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, n) => (n * 7 + (n >> 16)) & 255));
  await writeFile(path, bytes);
  const kept: Buffer[] = [];
  for await (const chunk of fileChunks(path, nodeFileSystem)) kept.push(chunk);
  assert.ok(kept.length > 1);
  assert.ok(Buffer.concat(kept).equals(bytes));
  const copied: Buffer[] = [];
  for await (const chunk of fileChunks(path, nodeFileSystem, { reusesBuffer: true })) copied.push(Buffer.from(chunk));
  assert.ok(Buffer.concat(copied).equals(bytes));
});
