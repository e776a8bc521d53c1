/** Random tables, written as CSV in every way that programs write it, are read back as the same rows at the same lines. A failure prints its seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bare, isEmptyCell } from '../../daemon/sync/plan/cell-types.ts';
import { openCsv } from '../../daemon/sync/sources/csv-source.ts';
import { sized } from '../support/long.ts';

const COMMON = [',', ';', '\t', '|'] as const;
const unit = fc.constantFrom(
  'a',
  'b',
  ' ',
  'é',
  '🎈',
  '"',
  '""',
  '\n',
  '\r',
  '\r\n',
  ',',
  ';',
  '\t',
  '|',
  '§',
  '0',
  '\u00a0',
  '\u200b',
  '\ufeff',
  'sep=',
);
const cell = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit, maxLength: 6 }) },
  { weight: 1, arbitrary: fc.constantFrom('', ' ', '""') },
);

const table = fc.record({
  width: fc.integer({ min: 1, max: 4 }),
  rows: fc.array(fc.array(cell, { minLength: 4, maxLength: 4 }), { maxLength: 6 }),
  names: fc.array(
    fc.string({ unit, minLength: 1, maxLength: 5 }).filter((name) => bare(name) !== '' && !/^\W*sep=/.test(name)),
    { minLength: 4, maxLength: 4 },
  ),
  /** Named in a first line; otherwise it has to be found out. */
  named: fc.option(fc.constantFrom(...COMMON, '§', ':', '^', '🎈')),
  common: fc.constantFrom(...COMMON),
  end: fc.constantFrom('\n', '\r\n', '\r'),
  hasMark: fc.boolean(),
  hasLastEnd: fc.boolean(),
  /** Whether a cell is quoted without need, and blank lines before rows, in turns. */
  quoted: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
  blanks: fc.array(fc.constantFrom('none', 'none', 'empty', 'cells'), { minLength: 1, maxLength: 5 }),
  trailing: fc.boolean(),
  size: fc.constantFrom(1, 2, 3, 5, 64, 100_000),
});

interface Written {
  readonly text: string;
  readonly rows: readonly (readonly [line: number, cells: readonly string[]])[];
  readonly columns: readonly string[];
}

function written(spec: typeof table extends fc.Arbitrary<infer Spec> ? Spec : never): Written {
  const { width, named, end, quoted, blanks } = spec;
  const delimiter = named ?? spec.common;
  let turn = 0;
  const writtenCell = (text: string): string => {
    const isQuoted = quoted[turn++ % quoted.length] === true;
    // In a table of one column nothing shows the delimiter.
    const isOpen = width === 1 && named === null ? /[,;\t|]/.test(text) : text.includes(delimiter);
    const mustBe = isOpen || /["\r\n]/.test(text);
    return isQuoted || mustBe ? `"${text.replaceAll('"', '""')}"` : text;
  };
  // Where the delimiter is not named, the header shows it: other candidates stand in quotes.
  const writtenName = (text: string): string => (/[,;\t|"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : writtenCell(text));
  let text = spec.hasMark ? '\ufeff' : '';
  if (named !== null) text += `sep=${named}${end}`;
  const columns = spec.names.slice(0, width);
  text += `${columns.map(writtenName).join(delimiter)}${end}`;
  const rows: [number, string[]][] = [];
  for (const [index, all] of spec.rows.entries()) {
    const blank = blanks[index % blanks.length];
    if (blank === 'empty') text += end;
    if (blank === 'cells') text += `${Array.from({ length: width }, () => '').join(delimiter)}${end}`;
    const cells = all.slice(0, width);
    // Counted anew for each row, so that the count shares nothing with the one that it checks.
    const line = text.split(/\r\n|\n|\r/).length;
    if (!cells.every(isEmptyCell)) rows.push([line, cells]);
    text += `${cells.map(writtenCell).join(delimiter)}${spec.trailing && width > 1 ? delimiter : ''}${end}`;
  }
  return { text: spec.hasLastEnd ? text : text.slice(0, -end.length), rows, columns: columns.map(bare) };
}

async function* cut(data: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

test('SO1 SO7 SO8 random tables are read back as the same rows at the lines of an editor', async () => {
  await fc.assert(
    fc.asyncProperty(table, async (spec) => {
      const { text, rows, columns } = written(spec);
      const read = await openCsv(cut(Buffer.from(text), spec.size));
      assert.deepEqual(read.columns, columns, JSON.stringify(text));
      const found: unknown[] = [];
      for await (const chunk of read.chunks) {
        for (const row of chunk.rows)
          found.push('value' in row && Array.isArray(row.value) ? [row.line, row.value.slice(0, spec.width)] : row);
      }
      assert.deepEqual(found, rows, JSON.stringify(text));
    }),
    { numRuns: sized(600, 20_000) },
  );
});
