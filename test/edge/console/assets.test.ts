/** CO9: the files of the console's page. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { Assets } from '../../../daemon/edge/console/assets.ts';
import { refusedFor } from '../../support/http/refusal.ts';

test('CO9 a file is sent packed where that is understood, and not again while it is the same', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-assets-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const assets = new Assets((name) => readFileSync(join(folder, name)));
  await assert.rejects(assets.answer('app.js', undefined, undefined), refusedFor('not_found', /npm run build/));
  writeFileSync(join(folder, 'app.js'), 'let a = 1;');
  const plain = await assets.answer('app.js', undefined, undefined);
  assert.equal(plain.status, 200, 'it was built meanwhile');
  assert.equal(plain.body?.toString(), 'let a = 1;');
  assert.equal(plain.headers['Content-Type'], 'text/javascript; charset=utf-8');
  assert.equal(plain.headers['Cache-Control'], 'no-cache');
  const packed = await assets.answer('app.js', 'br, gzip;q=0.8', undefined);
  assert.equal(packed.headers['Content-Encoding'], 'gzip');
  assert.equal(gunzipSync(packed.body ?? '').toString(), 'let a = 1;');
  assert.notEqual(packed.headers.ETag, plain.headers.ETag);
  assert.equal((await assets.answer('app.js', 'gzip;q=0', undefined)).headers['Content-Encoding'], undefined);
  const again = await assets.answer('app.js', 'gzip', `"x", ${packed.headers.ETag}`);
  assert.deepEqual([again.status, again.body], [304, undefined]);
  assert.equal((await assets.answer('app.js', undefined, packed.headers.ETag)).status, 200);
});
