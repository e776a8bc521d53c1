/** HS6: documents that are made from the code, or list what is in it, stay equal to it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { renderSettingsMarkdown } from '../../daemon/cli/config/settings.ts';
import type { RouteDialect } from '../../daemon/edge/http/endpoint.ts';
import { ROUTES } from '../../daemon/edge/routes.ts';
import { ERRORS } from '../../protocol/base/errors.ts';
import { CLIENT_FRAMES } from '../../protocol/live/client-frames.ts';
import { CLOSE } from '../../protocol/live/close-codes.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

test('HS6 the settings in the README are those of the code', () => {
  const found = /<!-- settings -->\n([\s\S]*?)<!-- \/settings -->/.exec(read('README.md'))?.[1];
  assert.equal(
    found?.trim(),
    renderSettingsMarkdown().trim(),
    'replace the table in README.md by the one that renderSettingsMarkdown gives',
  );
});

/** The rows of the Markdown table below a heading, as lists of cells. */
function tableUnder(heading: string, file = 'protocol/README.md'): string[][] {
  const text = read(file);
  const start = text.indexOf(`\n${heading}\n`);
  assert.ok(start >= 0, `${file} has no heading "${heading}"`);
  const lines = text.slice(start + heading.length + 2).split('\n');
  const first = lines.findIndex((line) => line.startsWith('|'));
  const rows = lines.slice(first);
  const end = rows.findIndex((line) => !line.startsWith('|'));
  return rows.slice(2, end === -1 ? undefined : end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

test('HS6 every error is documented, and every documented error exists', () => {
  const documented = tableUnder('## Errors').map(([kind, code, status, retry]) => [kind, code, status, retry]);
  const actual = Object.entries(ERRORS).map(([kind, spec]) => [kind, String(spec.code), String(spec.status), spec.retry]);
  assert.deepEqual(documented, actual);
});

test('HS6 every close code is documented, and every documented one exists', () => {
  const documented = tableUnder('### Close codes').map(([code, name, reconnect]) => [code, name, reconnect]);
  const actual = Object.entries(CLOSE).map(([name, spec]) => [String(spec.code), name, spec.reconnect ? 'yes' : 'no']);
  assert.deepEqual(documented, actual);
});

test('HS6 every operation is documented with its paths, and every documented one exists', () => {
  const paths = new Map<string, Record<RouteDialect, string[]>>();
  for (const { operation, dialect, method, path } of ROUTES) {
    const row = paths.get(operation) ?? { v1: [], v2: [], feeds: [] };
    row[dialect].push(`${method} ${path.replaceAll(/:([a-z_]+)/g, '{$1}')}`);
    paths.set(operation, row);
  }
  const actual = [...paths].map(([operation, { v1, v2, feeds }]) => [operation, v1.join(', '), v2.join(', '), feeds.join(', ')]);
  assert.deepEqual(
    tableUnder('## HTTP').map((cells) => cells.slice(0, 4)),
    actual,
  );
});

test('HS6 every client frame is documented, and every documented one exists', () => {
  assert.deepEqual(
    tableUnder('### What a client sends').map(([op]) => op),
    Object.keys(CLIENT_FRAMES),
  );
});
