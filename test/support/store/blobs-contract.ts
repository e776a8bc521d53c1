/** The suite of the `Blobs` contract (BL1–BL6), for every adapter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlobConflict, type Blobs } from '../../../store/blobs.ts';
import { eventually } from '../eventually.ts';

export interface BlobsAdapter {
  /** A storage without files. */
  open(): Promise<Blobs>;
  /** Makes the file look as if it was stored at this time, milliseconds since 1970. */
  age(blobs: Blobs, folder: string, name: string, storedMs: number): Promise<void>;
}

/** Bytes in which every part differs from the others. */
export function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32LE(Math.imul(at + 1, 2_654_435_761) >>> 0, at);
  return bytes;
}

export async function* inParts(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function contentOf(blobs: Blobs, folder: 'exports' | 'uploads', name: string): Promise<Buffer | undefined> {
  const found = await blobs.open(folder, name);
  if (found === undefined) return undefined;
  const parts: Buffer[] = [];
  for await (const part of found.stream) parts.push(part);
  const all = Buffer.concat(parts);
  assert.equal(all.length, found.bytes);
  return all;
}

/** Chunks that come when the test says so. */
export class Arriving implements AsyncIterable<Uint8Array> {
  readonly #waiting: (() => void)[] = [];
  readonly #chunks: (Uint8Array | Error | undefined)[] = [];
  /** How many chunks were taken. */
  taken = 0;

  send(chunk: Uint8Array): void {
    this.#put(chunk);
  }

  end(error?: Error): void {
    this.#put(error);
  }

  #put(chunk: Uint8Array | Error | undefined): void {
    this.#chunks.push(chunk);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#chunks.length === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
      const chunk = this.#chunks.shift();
      if (chunk === undefined) return;
      if (chunk instanceof Error) throw chunk;
      this.taken++;
      yield chunk;
    }
  }
}

export async function conflicts(work: Promise<unknown>, isArriving: boolean): Promise<void> {
  await assert.rejects(work, (error) => error instanceof BlobConflict && error.isArriving === isArriving);
}

const MIB = 1024 * 1024;

export function blobsContract({ open, age }: BlobsAdapter): void {
  test('BL2 a file comes back byte for byte, whatever its length and that of its chunks', async () => {
    const blobs = await open();
    for (const [length, size] of [
      [0, 1],
      [1, 1],
      [5_000, 7],
      [MIB - 1, 100_000],
      [MIB, MIB],
      [MIB + 1, 64 * 1024],
      [3 * MIB + 5, 2 * MIB + 3],
    ] as const) {
      const bytes = noise(length);
      const name = `${length}`;
      assert.equal(await blobs.put('uploads', name, inParts(bytes, size)), length);
      assert.ok((await contentOf(blobs, 'uploads', name))?.equals(bytes), name);
      assert.deepEqual([await blobs.has('uploads', name), await blobs.has('exports', name)], [true, false], 'a folder of its own');
    }
    assert.equal(await blobs.open('uploads', 'another'), undefined);
  });

  test('BL1 until its last byte is stored, nobody finds a file', async () => {
    const blobs = await open();
    const chunks = new Arriving();
    const putting = blobs.put('uploads', 'a', chunks);
    for (let n = 1; n <= 3; n++) {
      chunks.send(noise(MIB));
      await eventually(() => chunks.taken === n);
      assert.equal(await blobs.has('uploads', 'a'), false);
      assert.equal(await blobs.open('uploads', 'a'), undefined);
    }
    chunks.end();
    await putting;
    assert.equal((await contentOf(blobs, 'uploads', 'a'))?.length, 3 * MIB);
  });

  test('BL1 chunks that break off leave nothing, and the name is free again', async () => {
    const blobs = await open();
    for (const length of [0, 10, 2 * MIB]) {
      const chunks = new Arriving();
      const putting = blobs.put('uploads', 'a', chunks);
      if (length > 0) chunks.send(noise(length));
      chunks.end(new Error('broke off'));
      await assert.rejects(putting, /broke off/);
      assert.equal(await blobs.has('uploads', 'a'), false);
    }
    await blobs.put('uploads', 'a', inParts(noise(10), 3));
    assert.equal((await contentOf(blobs, 'uploads', 'a'))?.length, 10);
  });

  test('BL3 a name is taken once: while a file arrives, and when it is there', async () => {
    const blobs = await open();
    const chunks = new Arriving();
    const putting = blobs.put('uploads', 'a', chunks);
    const other = new Arriving();
    await conflicts(blobs.put('uploads', 'a', other), true);
    chunks.send(Buffer.from('first'));
    chunks.end();
    await putting;
    await conflicts(blobs.put('uploads', 'a', other), false);
    assert.equal(other.taken, 0, 'no chunk was taken of those that are refused');
    assert.equal(String(await contentOf(blobs, 'uploads', 'a')), 'first');
    await blobs.put('exports', 'a', inParts(Buffer.from('of another folder'), 5));
  });

  test('BL3 with `replaces` the last file stays, and the one before until then, also when nothing comes of it', async () => {
    const blobs = await open();
    for (const text of ['one', 'two']) {
      await blobs.put('exports', 'a', inParts(Buffer.from(text), 1), { replaces: true });
      assert.equal(String(await contentOf(blobs, 'exports', 'a')), text);
    }
    const chunks = new Arriving();
    const putting = blobs.put('exports', 'a', chunks, { replaces: true });
    chunks.send(noise(2 * MIB));
    await eventually(() => chunks.taken === 1);
    assert.equal(String(await contentOf(blobs, 'exports', 'a')), 'two');
    chunks.end(new Error('broke off'));
    await assert.rejects(putting, /broke off/);
    assert.equal(String(await contentOf(blobs, 'exports', 'a')), 'two');
  });

  test('BL6 old files go, but not those of exactly that age, of another folder, that are kept, or that arrive', async () => {
    const blobs = await open();
    const chunks = new Arriving();
    const putting = blobs.put('uploads', 'arriving', chunks);
    chunks.send(noise(2 * MIB));
    await eventually(() => chunks.taken === 1);
    for (const name of ['old', 'kept', 'young', 'exact']) await blobs.put('uploads', name, inParts(Buffer.from('x'), 1));
    await blobs.put('exports', 'old', inParts(Buffer.from('x'), 1));
    for (const name of ['old', 'kept']) await age(blobs, 'uploads', name, 4_999);
    await age(blobs, 'uploads', 'exact', 5_000);
    await age(blobs, 'exports', 'old', 4_999);
    assert.equal(await blobs.removeOld('uploads', 0, new Set()), 0);
    assert.equal(await blobs.removeOld('uploads', 5_000, new Set(['kept', 'unknown'])), 1);
    const left: string[] = [];
    for (const name of ['old', 'kept', 'young', 'exact']) if (await blobs.has('uploads', name)) left.push(name);
    assert.deepEqual(left, ['kept', 'young', 'exact']);
    assert.equal(await blobs.has('exports', 'old'), true);
    assert.equal(await blobs.removeOld('uploads', Date.now() + 3_600_000, new Set()), 3);
    chunks.end();
    assert.equal(await putting, 2 * MIB);
    assert.ok((await contentOf(blobs, 'uploads', 'arriving'))?.equals(noise(2 * MIB)));
  });

  test('BL4 a reader that has begun when the file is removed or replaced gets all of it, or an error', async () => {
    const blobs = await open();
    const bytes = noise(4 * MIB);
    for (const remove of [
      () => blobs.removeOld('exports', Date.now() + 3_600_000, new Set()),
      () => blobs.put('exports', 'a', inParts(Buffer.from('another'), 3), { replaces: true }),
    ]) {
      await blobs.put('exports', 'a', inParts(bytes, MIB), { replaces: true });
      const found = await blobs.open('exports', 'a');
      assert.ok(found !== undefined);
      const parts: Buffer[] = [];
      const reading = (async () => {
        for await (const part of found.stream) {
          if (parts.push(part) === 1) await remove();
        }
      })();
      const problem = await reading.then(
        () => undefined,
        (error: unknown) => error,
      );
      const all = Buffer.concat(parts);
      assert.ok(problem === undefined ? all.equals(bytes) : all.equals(bytes.subarray(0, all.length)), 'whole, or an error');
    }
  });

  test('BL5 a reader that does not read holds little', async () => {
    const blobs = await open();
    await blobs.put('uploads', 'a', inParts(noise(4 * MIB), MIB));
    const { stream } = (await blobs.open('uploads', 'a')) ?? assert.fail();
    await new Promise((resolve) => stream.once('readable', resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(stream.readableLength <= 128 * 1024, `${stream.readableLength}`);
    stream.destroy();
  });
}
