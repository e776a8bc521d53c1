/** CL40: the client stays small, and a page gets nothing that it does not ask for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bundleClient } from '../../support/live/client-bundle.ts';

const BYTES_MAX = 15_000;

test('CL40 the whole client with eventemitter3 is less than 15 kB gzipped', async (t) => {
  const { code, files } = await bundleClient('*');
  const bytes = gzipSync(code, { level: 9 }).length;
  t.diagnostic(`${code.length} bytes minified, ${bytes} gzipped`);
  assert.ok(bytes < BYTES_MAX, `${bytes} bytes`);
  assert.ok(files.some((path) => path.includes('eventemitter3')) && files.some((path) => path.endsWith('roster-client.ts')));
  assert.deepEqual(
    files.filter((path) => /typebox|node:|protocol\/(frames|limits|tokens)\.ts/.test(path)),
    [],
  );
  assert.doesNotMatch(code, /require\("/);
});

test('CL40 a page that imports the client has neither the signing of tokens nor the feeds in its bundle', async () => {
  const { code, files } = await bundleClient('{ RosterClient }');
  assert.deepEqual(
    files.filter((path) => /secret\.ts|feeds\.ts/.test(path)),
    [],
  );
  assert.doesNotMatch(code, /HMAC/);
  assert.match((await bundleClient('{ apiSecret }')).code, /HMAC/);
});
