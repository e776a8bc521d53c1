/** IM4, IM6, SO2, SO6, SS3, SS5: rows of JSON, in lines or in a list. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonItems, jsonLines, jsonList } from '../../daemon/sync/json-rows.ts';
import { BrokenSource, type SourceChunk, type SourceRow } from '../../daemon/sync/rows.ts';

async function* chunksOf(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

type Reader = (source: AsyncIterable<Buffer>) => AsyncGenerator<SourceChunk>;

async function read(reader: Reader, text: string | Buffer, size = 5): Promise<{ rows: SourceRow[]; bytes: number }> {
  const rows: SourceRow[] = [];
  let bytes = 0;
  for await (const chunk of reader(chunksOf(Buffer.from(text), size))) {
    rows.push(...chunk.rows);
    bytes += chunk.bytes;
  }
  return { rows, bytes };
}

const brief = ({ rows }: { readonly rows: readonly SourceRow[] }): string[] =>
  rows.map((row) => `${row.line} ${'code' in row ? row.code : JSON.stringify(row.value)}`);

test('IM6 lines and a list give the same items, however the bytes are cut', async () => {
  const lines = '\ufeff{"id":"a"}\n\n{"id":"b"}\r\n{"id":"c"}';
  const list = '\ufeff\n [{"id":"a"},{"id":"b"} ,\n{"id":"c"}]\n';
  for (const size of [1, 2, 3, 7, 1_000]) {
    assert.deepEqual(brief(await read(jsonItems, lines, size)), ['1 {"id":"a"}', '3 {"id":"b"}', '4 {"id":"c"}'], `${size}`);
    assert.deepEqual(brief(await read(jsonItems, list, size)), ['1 {"id":"a"}', '2 {"id":"b"}', '3 {"id":"c"}'], `${size}`);
    assert.deepEqual(brief(await read(jsonList, list, size)), ['1 {"id":"a"}', '2 {"id":"b"}', '3 {"id":"c"}'], `${size}`);
  }
  for (const nothing of ['', ' \n']) assert.deepEqual((await read(jsonItems, nothing)).rows, []);
});

test('IM4 an import goes on behind the items that are done', async () => {
  for (const text of ['{"n":1}\n{"n":2}\n{"n":3}', '[{"n":1},{"n":2},{"n":3}]']) {
    for (const [after, left] of [
      [0, ['1 {"n":1}', '2 {"n":2}', '3 {"n":3}']],
      [1, ['2 {"n":2}', '3 {"n":3}']],
      [2, ['3 {"n":3}']],
      [3, []],
    ] as const) {
      for (const size of [4, 1_000]) assert.deepEqual(brief(await read((source) => jsonItems(source, after), text, size)), left);
    }
  }
});

test('IM6 a list whose beginning does not come is none: white space is read up to 64 KiB', async () => {
  const before = (bytes: number): Promise<unknown> => read(jsonItems, `${' '.repeat(bytes)}[{"a":1}]`, 1_024).then(brief);
  assert.deepEqual(await before(63 * 1_024), ['1 {"a":1}']);
  assert.deepEqual(await before(64 * 1_024), ['1 line_too_long']);
});

test('SO2 a last line that is cut off is no row: the source is not whole', async () => {
  await assert.rejects(
    read(jsonLines, '{"id":"a"}\n{"id":"b'),
    (error) => error instanceof BrokenSource && error.message === 'it breaks off in its last line, 2',
  );
  assert.deepEqual(brief(await read(jsonLines, '{"id":"a"}\n{"id":"b"}')), ['1 {"id":"a"}', '2 {"id":"b"}']);
  await assert.rejects(read(jsonList, '[{"id":"a"}'), BrokenSource);
});

test('SO6 the bytes of the rows are those of the source, with blank and skipped ones', async () => {
  const text = '{"id":"a"}\r\n\n  \n{"id":"b"}\n';
  for (const size of [1, 3, 1_000]) {
    assert.equal((await read(jsonLines, text, size)).bytes, text.length);
    assert.equal((await read((source) => jsonItems(source, 3), text, size)).bytes, text.length);
  }
});

test('SS3 SS5 an error says what is wrong with the line, or with the item', async () => {
  const long = `{"a":"${'x'.repeat(64 * 1_024)}"}`;
  const reasons = ({ rows }: { readonly rows: readonly SourceRow[] }): string[] =>
    rows.map((row) => ('code' in row ? `${row.code}: ${row.reason.slice(0, 39)}` : 'fine'));
  const bad = (separator: string): Buffer =>
    Buffer.concat([Buffer.from(`${long}${separator}"`), Buffer.from([0xff]), Buffer.from(`"${separator}nope${separator}{}`)]);
  const list = Buffer.concat([Buffer.from('['), bad(','), Buffer.from(']')]);
  for (const [what, reader, text] of [
    ['line', jsonLines, bad('\n')],
    ['item', jsonItems, list],
  ] as const) {
    assert.deepEqual(reasons(await read(reader, text, 1_000)), [
      `line_too_long: the ${what} is longer than 65536 bytes`,
      `invalid_utf8: the ${what} is not valid UTF-8`,
      `invalid_json: the ${what} is not JSON: Unexpected token `,
      'fine',
    ]);
  }
});

test('SS16 a row knows whether a number in it is exact, its text where it is a line, and its bytes where it is an item', async () => {
  const [exact, inexact] = (await read(jsonLines, '{"n":1}\n{"n":9007199254740993}\n')).rows;
  assert.deepEqual(exact, { line: 1, value: { n: 1 }, text: '{"n":1}' });
  assert.ok(inexact !== undefined && 'isInexact' in inexact && inexact.isInexact === true);
  assert.deepEqual((await read(jsonItems, '[{"n":1}]')).rows, [{ line: 1, value: { n: 1 }, bytes: 7 }]);
});
