/** SO: from files and stdin to rows. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openCsv } from '../../../../daemon/cli/sync/sources/csv-source.ts';
import { openFileSource } from '../../../../daemon/cli/sync/sources/open-source.ts';
import type { Format } from '../../../../daemon/cli/sync/sources/opened-source.ts';
import { jsonList } from '../../../../daemon/sync/json-rows.ts';
import { BrokenSource, type SourceChunk } from '../../../../daemon/sync/rows.ts';
import { fakeIo } from '../../../support/sync/fake-server.ts';

async function* chunksOf(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

/** Rows as `[line, value]` or `[line, code]`. */
async function rowsOf(chunks: AsyncIterable<SourceChunk>): Promise<[number, unknown][]> {
  const rows: [number, unknown][] = [];
  for await (const chunk of chunks) for (const row of chunk.rows) rows.push([row.line, 'value' in row ? row.value : row.code]);
  return rows;
}

async function csv(text: string | Buffer, size = 7): Promise<{ columns: readonly string[]; rows: [number, unknown][] }> {
  const table = await openCsv(chunksOf(Buffer.from(text), size));
  return { columns: table.columns, rows: await rowsOf(table.chunks) };
}

const tables: readonly [string, string, readonly string[], [number, unknown][]][] = [
  [
    'plain rows',
    'id,name\na,A\nb,B\n',
    ['id', 'name'],
    [
      [2, ['a', 'A']],
      [3, ['b', 'B']],
    ],
  ],
  ['no last line end', 'id,name\na,A', ['id', 'name'], [[2, ['a', 'A']]]],
  [
    'CRLF, a byte order mark, blank lines, spaces around names',
    '\uFEFFid, name\r\n\r\na,A\r\n\r\nb,B\r\n',
    ['id', 'name'],
    [
      [3, ['a', 'A']],
      [5, ['b', 'B']],
    ],
  ],
  [
    'quotes, with separators, quotes and line breaks in them',
    'id,"na""me"\na,"x, ""y""\nz"\nb,B\n',
    ['id', 'na"me'],
    [
      [2, ['a', 'x, "y"\nz']],
      [4, ['b', 'B']],
    ],
  ],
  [
    'empty cells',
    'id,name\na,\nb,""\n',
    ['id', 'name'],
    [
      [2, ['a', '']],
      [3, ['b', '']],
    ],
  ],
  ['semicolons', 'id;name;x\na;1,5;"b;c"\n', ['id', 'name', 'x'], [[2, ['a', '1,5', 'b;c']]]],
  ['tabs', 'id\tname\na\tA\n', ['id', 'name'], [[2, ['a', 'A']]]],
  [
    'one column',
    'id\na\nb\n',
    ['id'],
    [
      [2, ['a']],
      [3, ['b']],
    ],
  ],
  [
    'more and fewer cells than columns',
    'id,name\na\nb,B,C\nc,C\n',
    ['id', 'name'],
    [
      [2, 'wrong_columns'],
      [3, 'wrong_columns'],
      [4, ['c', 'C']],
    ],
  ],
  ['a header alone', 'id,name\n', ['id', 'name'], []],
  ['other letters', 'id,name\na,Zoë 🎈\n', ['id', 'name'], [[2, ['a', 'Zoë 🎈']]]],
];
for (const [what, text, columns, rows] of tables) {
  test(`SO1 CSV with ${what}, however the bytes are cut`, async () => {
    for (const size of [1, 2, 7, 1_000]) assert.deepEqual(await csv(text, size), { columns, rows }, `chunks of ${size}`);
  });
}

const broken: readonly [string, string | Buffer, RegExp][] = [
  ['nothing', '', /it is empty: it has not even a header/],
  ['a quote that is not closed', 'id,name\na,A\nb,"B\nc,C\n', /a quote that is opened on line \d+ is not closed/],
  ['a quote in the middle of a cell', 'id,name\na,x"y"\n', /line 2 is no CSV/],
  ['text behind a quote', 'id,name\na,"x"y\n', /line 2 is no CSV/],
  ['a row without end', `id,name\na,"${'x'.repeat(300_000)}`, /longer than 262144 characters; is a quote not closed\?|is not closed/],
  ['a last line that is cut', 'id,name,team\na,A,red\nb,B', /it breaks off in its last line, 3/],
  ['another encoding', Buffer.from('id,name\na,Zo\xeb\n', 'latin1'), /it is not UTF-8 \(on line \d or soon after\); save it as UTF-8/],
  ['half a letter at its end', Buffer.from('id,name\na,Zoë').subarray(0, -1), /it is not UTF-8/],
];
for (const [what, text, reason] of broken) {
  test(`SO2 CSV with ${what} is not whole`, async () => {
    for (const size of text.length > 10_000 ? [10_000, 1_000_000] : [1, 7, 1_000_000]) {
      await assert.rejects(csv(text, size), (error) => error instanceof BrokenSource && reason.test(error.message), `chunks of ${size}`);
    }
  });
}

test('SO3 a JSON list: numbered items, errors of single items, and an end', async () => {
  const rows = (text: string) => rowsOf(jsonList(chunksOf(Buffer.from(text), 3)));
  assert.deepEqual(await rows(' [ {"id":"a"} ,\n{"id": } , {"id":"c"}] '), [
    [1, { id: 'a' }],
    [2, 'invalid_json'],
    [3, { id: 'c' }],
  ]);
  assert.deepEqual(await rows('[]'), []);
  for (const text of ['[{"id":"a"}', '[{"id":"a"},', '[{"id":"a"}] x', '{"id":"a"}']) await assert.rejects(rows(text), BrokenSource, text);
});

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-sources-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const never = new AbortController().signal;

const formats: readonly [string, string, Format | undefined, unknown][] = [
  ['users.ndjson', '{"id":"a"}\n', undefined, { id: 'a' }],
  ['users.jsonl', '{"id":"a"}\n', undefined, { id: 'a' }],
  ['users.json', '[{"id":"a"}]', undefined, { id: 'a' }],
  ['users.ndjson', ' [{"id":"a"}]', undefined, { id: 'a' }],
  ['users.CSV', 'id\na\n', undefined, ['a']],
  ['users.txt', 'id,name\na,A\n', undefined, ['a', 'A']],
  ['users', '\uFEFF{"id":"a"}', undefined, { id: 'a' }],
  ['users.txt', 'id\na\n', 'csv', ['a']],
  ['users.csv', '{"id":"a"}\n', 'ndjson', { id: 'a' }],
];
for (const [name, text, format, value] of formats) {
  test(`SO4 ${name} with ${JSON.stringify(text)}${format === undefined ? '' : ` as ${format}`} is read as what it is`, async (t) => {
    const cwd = folder(t);
    writeFileSync(join(cwd, name), text);
    const source = await openFileSource(name, format, fakeIo({ cwd }), never);
    assert.deepEqual(
      (await rowsOf(source.chunks)).map(([, found]) => found),
      [value],
    );
    assert.equal(source.totalBytes, Buffer.byteLength(text));
    await source.close();
    const stdin = await openFileSource(
      '-',
      format ?? (name === 'users.CSV' ? 'csv' : undefined),
      fakeIo({ cwd, stdin: Readable.from([Buffer.from(text)]) }),
      never,
    );
    assert.deepEqual(
      (await rowsOf(stdin.chunks)).map(([, found]) => found),
      [value],
    );
  });
}

test('SO5 what is no text says what to do', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.csv.gz'), gzipSync('id\na\n'));
  writeFileSync(join(cwd, 'excel.csv'), Buffer.from('\uFEFFid\na\n', 'utf16le'));
  await assert.rejects(openFileSource('users.csv.gz', undefined, fakeIo({ cwd }), never), /it is compressed: unpack it first/);
  await assert.rejects(openFileSource('excel.csv', undefined, fakeIo({ cwd }), never), /it is UTF-16: save it as UTF-8/);
});

test('SO6 progress adds up to the length of the source', async () => {
  const text = `id,name\n${Array.from({ length: 5_000 }, (_, i) => `u${i},U ${i}\n`).join('')}`;
  let bytes = 0;
  for await (const chunk of (await openCsv(chunksOf(Buffer.from(text), 1_000))).chunks) bytes += chunk.bytes;
  assert.equal(bytes, text.length);
});
