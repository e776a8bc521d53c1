/** CM10: what a daemon says that cannot listen, or cannot use its credentials. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs, { mkdirSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveCredentials } from '../../../daemon/cli/config/credentials.ts';
import { cannotListen } from '../../../daemon/cli/serve/listen-error.ts';
import { folder } from '../../support/cli-run.ts';
import { RosterdProcess } from '../../support/process.ts';

const failure = (code: string): Error => Object.assign(new Error(`${code}: listen`), { code });

test('CM10 a port that is taken or not allowed is named, with what to do', async (t) => {
  for (const [code, host, port, text] of [
    [
      'EADDRINUSE',
      '127.0.0.1',
      8800,
      /^Error: cannot listen on 127\.0\.0\.1:8800: EADDRINUSE; another program listens there.* --listen 127\.0\.0\.1:8810 /,
    ],
    ['EACCES', '::', 80, /^Error: cannot listen on \[::\]:80: EACCES; ports below 1024 need a right.* higher one with --listen/],
    ['EACCES', '127.0.0.1', 8800, /another port with --listen/],
    ['EADDRNOTAVAIL', '10.9.9.9', 8800, /this machine has no address 10\.9\.9\.9: .*--listen/],
    ['ENOTFOUND', 'nowhere', 8800, /there is no host nowhere: .*--listen/],
    ['EIO', '127.0.0.1', 8800, /^Error: cannot listen on 127\.0\.0\.1:8800: EIO; EIO: listen$/],
  ] as const) {
    assert.throws(() => cannotListen({ host, port })(failure(code)), text);
  }
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await RosterdProcess.run(['serve', '--listen', `127.0.0.1:${port}`, '--data', join(folder(t), 'data')]).finished;
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`rosterd: cannot listen on 127.0.0.1:${port}: EADDRINUSE; another program listens there`));
});

test('CM10 credentials that belong to another user are named, with what to do', (t) => {
  const data = join(folder(t), 'data');
  mkdirSync(data);
  writeFileSync(join(data, 'credentials.json'), '{"api_key":"k","api_secret":"s"}', { mode: 0o600 });
  t.mock.method(fs, 'readFileSync', () => {
    throw failure('EACCES');
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  assert.throws(
    () => resolveCredentials({ data, apiKey: undefined, apiSecret: undefined }, () => {}),
    /credentials\.json cannot be read: EACCES.* may not use .*credentials\.json: .*chown -R .* run rosterd as its owner/,
  );
});
