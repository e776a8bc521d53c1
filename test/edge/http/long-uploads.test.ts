/** IM13: uploads may take long, and nothing else may. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createUrlSigner } from '../../../daemon/edge/http/signed-urls.ts';
import { Files } from '../../../daemon/jobs/transfer/files.ts';
import { BlobFiles } from '../../../store/blob-files.ts';
import { fakeServices, httpWorld, NOW_MS } from '../../support/http/fake-backend.ts';
import { directory } from '../../support/http/import-kit.ts';

test('IM13 an upload may take longer than other requests; one that falls silent may not, and neither may a stranger', async (t) => {
  const data = await directory(t);
  const urls = createUrlSigner({ secret: 's', baseUrl: () => '', now: () => NOW_MS });
  const services = { ...fakeServices(), files: new Files(await BlobFiles.open(data), { silenceMs: 1_500 }) };
  const { app } = httpWorld({ timeouts: { headersMs: 300, requestMs: 300 }, urls, services });
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  const trickle = (path: string, pieces: number) =>
    new Promise<number | string>((resolve) => {
      const sending = request({ port, host: '127.0.0.1', path, method: 'PUT', agent: false }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      sending.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
      let sent = 0;
      const timer = setInterval(() => {
        if (sent === 25) {
          clearInterval(timer);
          sending.end();
        } else if (sent++ < pieces) sending.write('x');
      }, 100);
      t.after(() => clearInterval(timer));
    });
  const path = (n: number) => `/imports/uploads/1111111${n}-2222-3333-4444-555555555555/users.jsonl`;
  const signed = (n: number) => urls.sign(path(n), NOW_MS / 1_000 + 60);
  const [patient, silent, stranger] = await Promise.all([trickle(signed(1), 100), trickle(signed(2), 3), trickle(path(3), 100)]);
  assert.equal(patient, 200);
  assert.equal(await services.files.hasUpload(path(1).slice('/imports/uploads/'.length)), true);
  assert.equal(silent, 'ECONNRESET');
  assert.equal(stranger, 403);
  assert.equal((await readdir(join(data, 'uploads'))).length, 1);
});
