/** CO11: the size of the console's page, as npm ships it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

const BYTES_MAX = 100_000;
const root = resolve(import.meta.dirname, '../../..');

test('CO11 the page is at most 100 kB, packed, in all', (t) => {
  execFileSync(process.execPath, ['build.js'], { cwd: root });
  const folder = join(root, 'dist/console');
  const sizes = readdirSync(folder).map((name) => [name, gzipSync(readFileSync(join(folder, name)), { level: 9 }).length] as const);
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  t.diagnostic(`packed: ${sizes.map(([name, bytes]) => `${name} ${bytes}`).join(', ')}; ${total} of ${BYTES_MAX} bytes`);
  assert.deepEqual(sizes.map(([name]) => name).sort(), ['app.css', 'app.js', 'index.html', 'plot.js']);
  assert.ok(total <= BYTES_MAX, `${total} bytes`);
  const html = readFileSync(join(folder, 'index.html'), 'utf8');
  assert.doesNotMatch(html, /<style|style=| on\w+=|<script(?![^>]* src=)/, 'CO9 no script and no style in the HTML');
});
