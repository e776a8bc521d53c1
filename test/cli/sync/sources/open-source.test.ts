/** SO: from files and stdin to rows. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openFileSource } from '../../../../daemon/cli/sync/sources/open-source.ts';
import { jsonList } from '../../../../daemon/sync/json-rows.ts';
import { BrokenSource, type SourceChunk } from '../../../../daemon/sync/rows.ts';
import { openCsv } from '../../../../daemon/sync/sources/csv-source.ts';
import type { Format } from '../../../../daemon/sync/sources/opened-source.ts';
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
  ['bars', 'id|name\na|A,B\n', ['id', 'name'], [[2, ['a', 'A,B']]]],
  [
    'CR alone',
    'id,name\ra,"x\ry"\rb,B\r',
    ['id', 'name'],
    [
      [2, ['a', 'x\ry']],
      [4, ['b', 'B']],
    ],
  ],
  ['separators in a header with quotes and line breaks', '"i,d";"n\na,m,e"\na;A\n', ['i,d', 'n\na,m,e'], [[3, ['a', 'A']]]],
  ['a line that names the separator', 'sep=;\r\nid;name,x\r\na;A\r\n', ['id', 'name,x'], [[3, ['a', 'A']]]],
  ['the same in quotes, with padding and a byte order mark', '\uFEFF"sep=|"|||\nid|name\na|A\n', ['id', 'name'], [[3, ['a', 'A']]]],
  ['a separator that is no common one', 'sep=§\nid§name\na§A\n', ['id', 'name'], [[3, ['a', 'A']]]],
  ['a tab as the separator', 'SEP=\t\nid\tname\na\tA,;\n', ['id', 'name'], [[3, ['a', 'A,;']]]],
  ['white space of any kind around names', '\u00a0id\u200b,\tname \na,A\n', ['id', 'name'], [[2, ['a', 'A']]]],
  [
    'empty cells behind the last column',
    'id,name\na,A,, \nb,B,C\n',
    ['id', 'name'],
    [
      [2, ['a', 'A', '', ' ']],
      [3, 'wrong_columns'],
    ],
  ],
  [
    'columns without names, and rows that leave them out',
    'id,name,,\na,A\nb\nc,C,,x\n',
    ['id', 'name', '', ''],
    [
      [2, ['a', 'A']],
      [3, 'wrong_columns'],
      [4, ['c', 'C', '', 'x']],
    ],
  ],
];
for (const [what, text, columns, rows] of tables) {
  test(`SO1 CSV with ${what}, however the bytes are cut`, async () => {
    for (const size of [1, 2, 7, 1_000]) assert.deepEqual(await csv(text, size), { columns, rows }, `chunks of ${size}`);
  });
}

const blank: readonly [string, string, [number, unknown][]][] = [
  [
    'separators alone, at the end',
    'id,name,x\r\nu1,U,S\r\n,,\r\n,,\r\nu2,V,T\r\n,,\r\n',
    [
      [2, ['u1', 'U', 'S']],
      [5, ['u2', 'V', 'T']],
    ],
  ],
  ['quotes and white space', 'id;name;x\nu1;U;S\n"";"";""\n ;\t;\u00a0\n""\n;;;;;\n', [[2, ['u1', 'U', 'S']]]],
  ['before the header', ';;\n\n ; ;\nid;name;x\nu1;U;S\n', [[5, ['u1', 'U', 'S']]]],
];
for (const [what, text, rows] of blank) {
  test(`SO7 blank rows of CSV are no rows, but count as lines: ${what}`, async () => {
    for (const size of [1, 7, 1_000]) assert.deepEqual((await csv(text, size)).rows, rows);
  });
}

test('SO8 the lines of CSV are those of an editor, whatever the line breaks in quotes', async () => {
  for (const end of ['\r\n', '\n', '\r']) {
    for (const inner of ['\r\n', '\n', '\r']) {
      const text = ['id,name', `a1,"1 Main St${inner}${inner}Delft"`, 'bad id,Bob', ''].join(end);
      for (const size of [1, 2, 3, 1_000]) {
        const { rows } = await csv(text, size);
        assert.deepEqual(
          rows.map(([line]) => line),
          [2, 5],
          JSON.stringify([end, inner, size]),
        );
      }
    }
  }
});

test('SO9 a NUL character in CSV is an error of its row', async () => {
  assert.deepEqual((await csv('id,name\na,A\nb,"B\0"\nc,C\n', 4)).rows, [
    [2, ['a', 'A']],
    [3, 'invalid_text'],
    [4, ['c', 'C']],
  ]);
});

const broken: readonly [string, string | Buffer, RegExp][] = [
  ['nothing', '', /it is empty: it has not even a header/],
  ['a quote that is not closed', 'id,name\na,A\nb,"B\nc,C\n', /a quote that is opened on line 3 is not closed/],
  [
    'a quote that is not closed, after others with line breaks',
    'id,name,x\r\na,"A\r\nB","C\r\nd',
    /a quote that is opened on line 3 is not closed/,
  ],
  ['a quote in the middle of a cell', 'id,name\na,x"y"\n', /line 2 is no CSV: a cell that holds a quote must be quoted/],
  ['text behind a quote', 'id,name\r\na,"x\r\nz"\r\nb,"x"y\r\n', /line 4 is no CSV: something follows the closing quote/],
  ['only a byte order mark', '\uFEFF', /it is empty: it has not even a header/],
  ['only a line that names the separator', 'sep=;\n', /it is empty: it has not even a header/],
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

for (const [what, end] of [
  ['a quote that stays open', 'c,"C'],
  ['a cut last line', 'c'],
  ['text behind a quote', 'c,"C"x\nd,D\n'],
  ['a row without end', `c,"${'x'.repeat(300_000)}`],
] as const) {
  test(`RN24 the rows of CSV before ${what} are handed out`, async () => {
    for (const size of [7, 1_000_000]) {
      const { chunks } = await openCsv(chunksOf(Buffer.from(`id,name\na,A\nb,B\n${end}`), size));
      const read: unknown[] = [];
      const reading = async () => {
        for await (const { rows } of chunks) for (const row of rows) read.push('value' in row ? row.value : row.code);
      };
      await assert.rejects(reading(), BrokenSource);
      assert.deepEqual(
        read,
        [
          ['a', 'A'],
          ['b', 'B'],
        ],
        `chunks of ${size}`,
      );
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
  ['users.json', '{"id":"a"}\n', undefined, { id: 'a' }],
  ['users.JSON', '\uFEFF\r\n{"id":"a"}\n', undefined, { id: 'a' }],
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
  const little = Buffer.from('id,name\r\na,A\r\n', 'utf16le');
  const big = Buffer.from(little).swap16();
  for (const bytes of [little, big, Buffer.concat([Buffer.from([0xfe, 0xff]), big]), Buffer.from('[{"id":"a"}]', 'utf16le')]) {
    for (const size of [1, 3, 1_000]) {
      const stdin = Readable.from(chunksOf(bytes, size));
      await assert.rejects(openFileSource('-', undefined, fakeIo({ cwd, stdin }), never), /it is UTF-16: save it as UTF-8/);
    }
  }
});

test('SO6 progress adds up to the length of the source', async () => {
  const text = `id,name\n${Array.from({ length: 5_000 }, (_, i) => `u${i},U ${i}\n`).join('')}`;
  let bytes = 0;
  for await (const chunk of (await openCsv(chunksOf(Buffer.from(text), 1_000))).chunks) bytes += chunk.bytes;
  assert.equal(bytes, text.length);
});
