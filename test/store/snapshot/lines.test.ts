/** LG11: lines of a snapshot are taken whole and exactly as they are. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import {
  encodeLines,
  LineReader,
  type LineReaderOptions,
  type Piece,
  parseLines,
  parsePiece,
  Sums,
} from '../../../store/snapshot/lines.ts';
import type { Rest } from '../../../store/snapshot.ts';

const parsed = (...lines: string[]): unknown => parseLines(Buffer.from(lines.map((line) => `${line}\n`).join('')));

test('LG11 each line is one JSON value; two in one line, half of one and an empty line are none', () => {
  assert.deepEqual(parsed('{"a":1}'), [{ a: 1 }]);
  assert.deepEqual(parsed('{"a":"ü"}', '{"b":[1,2]}', '{}'), [{ a: 'ü' }, { b: [1, 2] }, {}]);
  for (const wrong of [
    ['{"a":1},{"b":2}'],
    ['{"a":1}', '{"b":2},{"c":3}'],
    ['{"a":1', '"b":2}'],
    ['{"a":1}', '', '{"b":2}'],
    [''],
    ['{"a":1}]'],
    ['{"a":1}', '{"b"'],
    ['[', ']'],
  ]) {
    assert.equal(parsed(...wrong), undefined, JSON.stringify(wrong));
  }
});

/** How long a chunk is before it is handed out. */
const CHUNK_BYTES = 256 * 1024;

test('LG11 sums are those of all bytes in order; a SHA-256 is there only when it was asked for', () => {
  const bytes = Buffer.from('header and lines');
  for (const hasSha of [true, false]) {
    const sums = new Sums({ hasSha });
    for (const part of [bytes.subarray(0, 3), bytes.subarray(3, 3), bytes.subarray(3)]) sums.add(part);
    assert.deepEqual([sums.bytes, sums.crc], [bytes.length, crc32(bytes)]);
    assert.equal(sums.sha256(), hasSha ? createHash('sha256').update(bytes).digest('hex') : '');
  }
});

async function encoded(lines: readonly object[], reusesBuffer = false) {
  const sums = new Sums({ hasSha: false });
  const seen: object[] = [];
  const chunks: Buffer[] = [];
  const trailer = (count: number): string => `${count} lines of ${sums.bytes} bytes\n`;
  for await (const chunk of encodeLines({ header: 'head\n', lines, trailer, sums, reusesBuffer, onLine: (line) => void seen.push(line) }))
    chunks.push(reusesBuffer ? Buffer.from(chunk) : chunk);
  return { chunks, seen, sums };
}

test('LG11 the bytes are the header, a line for each object and the trailer; chunks that were kept stay as they are', async () => {
  const lines = [10, 200_000, 3, 100_000, 86_000, 90_000, 400_000, 5, 262_000].map((length, n) => ({
    n,
    text: (n % 2 ? 'ü' : 'x').repeat(length),
  }));
  const body = `head\n${lines.map((line) => `${JSON.stringify(line)}\n`).join('')}`;
  const whole = Buffer.from(`${body}9 lines of ${Buffer.byteLength(body)} bytes\n`);
  for (const reusesBuffer of [true, false]) {
    const { chunks, seen, sums } = await encoded(lines, reusesBuffer);
    assert.ok(Buffer.concat(chunks).equals(whole));
    assert.deepEqual([seen, sums.bytes, sums.crc], [lines, Buffer.byteLength(body), crc32(body)]);
    assert.ok(chunks.length > 2, `${chunks.length} chunks`);
  }
  const { chunks } = await encoded([]);
  assert.deepEqual(chunks.map(String), ['head\n0 lines of 5 bytes\n']);
});

test('LG11 a chunk is as full as is certain without counting bytes, and no larger than its longest line asks for', async () => {
  // A line of 1,000 units, with its end: it may take three bytes for each of them.
  const line = { t: 'x'.repeat(1_000 - '{"t":""}\n'.length) };
  const { chunks } = await encoded(Array.from({ length: 1_000 }, () => line));
  const [first, second] = chunks;
  assert.equal(first?.length, 5 + 260_000, 'the next line might not have had room');
  assert.equal(second?.length, 260_000);
  assert.ok(chunks.every(({ length }) => length <= CHUNK_BYTES));
});

test('LG11 encoding gives way every two milliseconds, at each sixteenth line', async (t) => {
  let nowMs = 1_000;
  t.mock.method(performance, 'now', () => nowMs);
  let turns = 0;
  const turn = (): void => {
    turns++;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  const turnsOf = async (lineMs: number, rest?: Rest): Promise<number[]> => {
    const at: number[] = [];
    let count = 0;
    let before = turns;
    const lines = {
      *[Symbol.iterator]() {
        for (; count < 64; count++) {
          if (turns !== before) at.push(count);
          before = turns;
          nowMs += lineMs;
          yield {};
        }
      },
    };
    const sums = new Sums({ hasSha: false });
    const made = encodeLines({ header: '', lines, trailer: () => '', sums, reusesBuffer: true, rest });
    for await (const _ of made);
    return at;
  };
  assert.deepEqual(await turnsOf(0.125), [16, 32, 48]);
  assert.deepEqual(await turnsOf(0.0625), [32]);
  assert.deepEqual(await turnsOf(0), []);
  clearImmediate(next);
  let rests = 0;
  const rest = async (): Promise<void> => void rests++;
  await turnsOf(0.125, rest);
  assert.equal(rests, 4, 'or as it is told to; the last one is after the last line');
});

function readerOf(damaged: LineReaderOptions['damaged'], hasBlocks = false): LineReader {
  return new LineReader({ sums: new Sums({ hasSha: false }), noHeader: 'no header', damaged, hasBlocks: () => hasBlocks });
}

const textOf = (pieces: readonly Piece[]): string => pieces.map(({ lines }) => lines.toString()).join('');

/** What a reader made of the text, in pieces of this size. */
function taken(text: string, size = text.length) {
  const damaged: [string, number][] = [];
  const reader = readerOf((reason, offset) => {
    damaged.push([reason, offset]);
    return new Error(reason);
  });
  const bytes = Buffer.from(text);
  let lines = '';
  try {
    for (let at = 0; at < bytes.length; at += size) lines += textOf(reader.push(bytes.subarray(at, at + size)));
  } catch {
    // It is in `damaged`.
  }
  const { header, trailer, sums } = reader;
  return { header, lines, trailer, before: sums.bytes, crc: sums.crc, all: reader.bytes, damaged };
}

test('LG11 the first line is the header, the last one the trailer, whatever the pieces; everything before the trailer is summed', () => {
  const text = 'head\n{"a":"ü"}\n{}\n\ntrail\n';
  const before = Buffer.from(text.slice(0, -'trail\n'.length));
  for (const size of [1, 2, 3, 7, 13, 100]) {
    assert.deepEqual(taken(text, size), {
      ...{ header: 'head\n', lines: '{"a":"ü"}\n{}\n\n', trailer: 'trail\n', damaged: [] },
      ...{ before: before.length, crc: crc32(before), all: Buffer.byteLength(text) },
    });
  }
  assert.deepEqual(
    [taken('').header, taken('').trailer, taken('head').trailer, taken('head\n').trailer],
    [undefined, '', 'head', 'head\n'],
  );
  const cut = taken('head\n{}\ntra');
  assert.deepEqual([cut.header, cut.lines, cut.trailer], ['head\n', '', '{}\ntra'], 'the last whole line may be the trailer');
  assert.deepEqual(taken('\n\n').header, '\n');
});

test('LG11 a file whose first line is longer than any header is none, however long it is', () => {
  const fits = `${'h'.repeat(4 * 1024 - 1)}\n{}\n{}\n`;
  for (const size of [1_000, fits.length]) assert.deepEqual([taken(fits, size).damaged, taken(fits, size).lines], [[], '{}\n']);
  const long = `${'h'.repeat(4 * 1024)}\n{}\n{}\n`;
  for (const size of [1_000, long.length]) assert.deepEqual(taken(long, size).damaged, [['no header', 0]]);
  assert.deepEqual(taken('h'.repeat(4 * 1024)).damaged, []);
  assert.deepEqual(taken('h'.repeat(4 * 1024 + 1)).damaged, [['no header', 0]]);
  const longLine = `head\n${'x'.repeat(10_000)}\n{}\n`;
  assert.deepEqual(taken(longLine).damaged, [], 'any other line may be longer');
});

test('LG11 a line without an end does not fill the memory, and its place is named', () => {
  const reader = readerOf((reason, offset) => new Error(`${reason} at ${offset}`));
  reader.push(Buffer.from('head\n{}\n{}\n'));
  const piece = Buffer.alloc(16 * 1024 * 1024, 'x');
  for (let n = 0; n < 4; n++) {
    // The last whole line, which may be the trailer, is held, too.
    reader.push(n === 3 ? piece.subarray(3) : piece);
  }
  assert.throws(() => reader.push(Buffer.from('x')), /^Error: a line is too long at 8$/);
});

/** A file with blocks, two of them empty, and all bytes in one that would end a line. */
const BLOCKS = [
  { n: 1 },
  { n: 2, bytes: Buffer.from(Array.from({ length: 256 }, (_, at) => at)) },
  { n: 3, bytes: Buffer.from('\n\n\n[5,{}]\n{}\n') },
  { n: 4, bytes: Buffer.alloc(0) },
  { n: 5, text: '\n' },
  { n: 6 },
  { bytes: Buffer.alloc(0) },
];

async function encodedBlocks(lines: readonly object[] = BLOCKS): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sums = new Sums({ hasSha: false });
  for await (const chunk of encodeLines({ header: 'head\n', lines, trailer: () => 'trail\n', sums, reusesBuffer: true, hasBlocks: true }))
    chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** What a reader of blocks gives for a file, in pieces of this size. */
function read(file: Buffer, size: number) {
  const lines: object[] = [];
  const reader = readerOf((reason, offset) => new Error(`${reason} at ${offset}`), true);
  for (let at = 0; at < file.length; at += size) {
    for (const piece of reader.push(file.subarray(at, at + size))) {
      for (const line of parsePiece(piece) ?? [{ wrong: piece }])
        lines.push('bytes' in line ? { ...line, bytes: Buffer.from(line.bytes as Buffer) } : line);
    }
  }
  return { lines, trailer: reader.trailer, sums: reader.sums };
}

test('LG11 the bytes of a line are a block after it, and come back as they were, whatever they are and whatever the pieces', async () => {
  const file = await encodedBlocks();
  assert.equal(
    file.toString('latin1').replace(/[^ -z{}\n]/g, ''),
    `head\n{"n":1}\n[256,{"n":2}]\n${BLOCKS[1]?.bytes?.toString('latin1').replace(/[^ -z{}\n]/g, '')}\n[13,{"n":3}]\n${BLOCKS[2]?.bytes}\n[0,{"n":4}]\n\n{"n":5,"text":"\\n"}\n{"n":6}\n[0,{}]\n\ntrail\n`,
  );
  for (const size of [1, 2, 3, 7, 100, 1_000]) {
    const { lines, trailer, sums } = read(file, size);
    assert.deepEqual([lines, trailer, sums.bytes, sums.crc], [BLOCKS, 'trail\n', file.length - 6, crc32(file.subarray(0, -6))], `${size}`);
  }
});

test('LG11 blocks of any size survive, also those longer than a chunk', async () => {
  const lines = [1, 32_768, 262_143, 262_144, 3_000_000, 5, 100_000, 100_000, 100_000].map((length, n) => ({
    n,
    bytes: Buffer.alloc(length, n),
  }));
  const file = await encodedBlocks(lines);
  for (const size of [70_000, file.length]) assert.deepEqual(read(file, size).lines, lines);
});

test('LG11 only a source of blocks has them: the bytes of any other line are JSON, and a list is a line like any other', async () => {
  const { chunks } = await encoded([{ bytes: new Uint8Array([7]) }]);
  assert.equal(Buffer.concat(chunks).toString(), 'head\n{"bytes":{"0":7}}\n1 lines of 23 bytes\n');
  assert.equal(taken('head\n[5,{}]\n{}\n').lines, '[5,{}]\n');
});

test('LG11 a file of blocks that is cut off anywhere has no trailer', async () => {
  const file = await encodedBlocks();
  for (let length = 0; length < file.length; length++) {
    const cut = file.subarray(0, length);
    for (const size of [17, 1_000]) assert.notEqual(read(cut, size).trailer, 'trail\n', `${length}`);
  }
});

test('LG11 a length that is none, that leads to another place, or that would fill the memory is refused, and its place is named', () => {
  const after =
    (text: string): (() => unknown) =>
    () =>
      read(Buffer.from(`head\n{}\n${text}`), 1_000);
  const noLength = /^Error: a line is no object, and says no length of a block at 8$/;
  for (const line of [
    '[]',
    '[,{}]',
    '[-1,{}]',
    '[1.5,{}]',
    '[1e3,{}]',
    '["1",{}]',
    '[ 1,{}]',
    '[1 ,{}]',
    '[1]',
    `[${'1'.repeat(10)},{}]`,
    '[[',
  ])
    assert.throws(after(`${line}\nx\n{}\n`), noLength, line);
  for (const length of [64 * 1024 * 1024 + 1, 999_999_999]) assert.throws(after(`[${length},{}]\n`), /^Error: a block is too long at 8$/);
  for (const length of [0, 2, 5])
    assert.throws(after(`[${length},{}]\nabc\ndef\n`), /^Error: a block does not end where its line says at 8$/);
  // Leading zeros, another value than an object, and more than one: they are no JSON, or no line of a block.
  for (const line of ['[01,{}]', '[1,{}', '[1,7]', '[1,{},{}]', '[1,[]]', '[1,null]']) {
    const { lines } = read(Buffer.from(`head\n${line}\nx\n{}\n`), 1_000);
    assert.ok(
      lines.some((one) => 'wrong' in one),
      line,
    );
  }
});

test('LG11 a reader holds a block that is longer than what comes at once, and nothing that is taken', () => {
  const reader = readerOf((reason, offset) => new Error(`${reason} at ${offset}`), true);
  const file = Buffer.from(`head\n[1000000,{}]\n${'\n'.repeat(1_000_000)}\n{}\ntrail\n`);
  const found: string[] = [];
  for (let at = 0; at < file.length; at += 200_000) {
    const chunk = Buffer.from(file.subarray(at, at + 200_000));
    for (const { lines, bytes } of reader.push(chunk)) found.push(`${lines} ${bytes?.length}`);
    // The reader has its own copy.
    chunk.fill(0);
  }
  assert.deepEqual([found, reader.trailer, reader.bytes], [['[1000000,{}]\n 1000000', '{}\n undefined'], 'trail\n', file.length]);
});
