/** HS6, HS14, HS15, HS19: documents that are made from the code, list what is in it, or name its files, stay equal to it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { renderSettingsMarkdown } from '../../daemon/cli/config/settings-markdown.ts';
import type { RouteDialect } from '../../daemon/edge/http/endpoint.ts';
import { ROUTES } from '../../daemon/edge/routes.ts';
import { renderMetricsMarkdown } from '../../daemon/metrics/all-metrics.ts';
import { ERRORS } from '../../protocol/base/errors.ts';
import { CLIENT_FRAMES } from '../../protocol/live/client-frames.ts';
import { CLOSE } from '../../protocol/live/close-codes.ts';
import { linksLead, namedFilesExist, tableUnder, wordsOnce } from '../support/house/docs.ts';
import { finds, holds } from '../support/house/tree.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

test('HS6 the settings in daemon/README.md are those of the code', () => {
  const found = /<!-- settings -->\n([\s\S]*?)<!-- \/settings -->/.exec(read('daemon/README.md'))?.[1];
  assert.equal(
    found?.trim(),
    renderSettingsMarkdown().trim(),
    'replace the table in daemon/README.md by the one that renderSettingsMarkdown gives',
  );
});

test('HS6 MX5 the metrics in daemon/metrics/README.md are those of the code', () => {
  const found = /<!-- metrics -->\n([\s\S]*?)<!-- \/metrics -->/.exec(read('daemon/metrics/README.md'))?.[1];
  assert.equal(
    found?.trim(),
    renderMetricsMarkdown(),
    'replace the table in daemon/metrics/README.md by the one that renderMetricsMarkdown gives',
  );
});

function rowsUnder(heading: string): string[][] {
  const rows = tableUnder(heading, read('protocol/README.md'));
  assert.ok(rows !== undefined, `protocol/README.md has no heading "${heading}"`);
  return rows;
}

test('HS6 every error is documented, and every documented error exists', () => {
  const documented = rowsUnder('## Errors').map(([kind, code, status, retry]) => [kind, code, status, retry]);
  const actual = Object.entries(ERRORS).map(([kind, spec]) => [kind, String(spec.code), String(spec.status), spec.retry]);
  assert.deepEqual(documented, actual);
});

test('HS6 every close code is documented, and every documented one exists', () => {
  const documented = rowsUnder('### Close codes').map(([code, name, reconnect]) => [code, name, reconnect]);
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
    rowsUnder('## HTTP').map((cells) => cells.slice(0, 4)),
    actual,
  );
});

test('HS6 every client frame is documented, and every documented one exists', () => {
  assert.deepEqual(
    rowsUnder('### What a client sends').map(([op]) => op),
    Object.keys(CLIENT_FRAMES),
  );
});

test('HS14 the glossary says what each word means, once', () => holds(wordsOnce));

test('HS14 a missing glossary, a word that is in it twice and a word without a meaning are found', () => {
  finds(wordsOnce, { 'CONTRIBUTING.md': '# Contributing' }, ['CONTRIBUTING.md has no table of words under "## Words"']);
  const rows = ['| **entry** | what one append stores |', '| fact, change | a part of an entry |', '| Entry | the way in |', '| plan | |'];
  finds(wordsOnce, { 'CONTRIBUTING.md': ['## Words', '', '| Word | Meaning |', '|---|---|', ...rows, '', 'The end.'].join('\n') }, [
    '"entry" is in the glossary twice',
    'a row of the glossary lacks its word or its meaning: "plan"',
  ]);
});

test('HS15 every file and folder that documents and comments name is there', () => holds(namedFilesExist));

test('HS15 a file that is gone, a name that fits several files and a folder that is gone are found', () => {
  finds(
    namedFilesExist,
    {
      'store/README.md': [
        '`log.ts`, `snapshot/codec.ts`, ../test/a.test.ts, [here](../store/log.ts)',
        '`codec.ts` is one of two, `gone.ts` none',
        'store/journal/, store/snapshot/, `store/`, https://example.com/store/other.ts, store/*.ts',
      ].join('\n'),
      'store/log.ts': "/** See codec.ts, and\n * log.ts. */\nexport const text = 'nothing.ts';",
      'store/snapshot/codec.ts': '// codec.ts, moderation/bans.ts',
      'store/backup/codec.ts': '',
      'daemon/bans.ts': '// bans.ts, edge/moderation/bans.ts, a.test.ts',
      'daemon/core/moderation/bans.ts': '',
      'test/a.test.ts': '',
    },
    [
      'store/README.md:2 names codec.ts, which may be any of 2 files',
      'store/README.md:2 names gone.ts, which is no file',
      'store/README.md:3 names store/journal/, which is no folder',
      'store/log.ts:1 names codec.ts, which may be any of 2 files',
      'daemon/bans.ts:1 names edge/moderation/bans.ts, which is no file',
    ],
  );
});

test('HS19 every relative link of a document leads somewhere, and its anchor to a heading', () => holds(linksLead));

test('HS19 a link to what is not there, and an anchor without a heading, are found', () => {
  finds(
    linksLead,
    {
      'a.md': [
        '# A `b`: c & d',
        '## Twice',
        '## Twice',
        '[1](#a-b-c--d) [2](#twice-1) [3](sub/b.md#übrig) [4](sub/) [5](https://example.com/x.md#y) [6](picture.png) `[7](gone.md)`',
        '[1](#twice-2), ![2](gone.md)',
        '```',
        '# Shown',
        '[x](gone.md)',
        '```',
        '[3](sub/b.md#shown)',
      ].join('\n'),
      'sub/b.md': '# Übrig\n[up](../a.md#twice) [down](c/)\n```sh\n# Shown\n```\n',
    },
    [
      'a.md:5 links to #twice-2, and there is no such heading',
      'a.md:5 links to gone.md, which is not there',
      'a.md:10 links to sub/b.md#shown, and there is no such heading',
      'sub/b.md:2 links to c/, which is not there',
    ],
  );
});
