/** CM7 and CM8: `rosterd token`. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveCredentials } from '../../daemon/cli/config/credentials.ts';
import { parseToken } from '../../protocol/base/tokens.ts';
import { folder, NOW_MS, run } from '../support/cli-run.ts';

/** Claims of a token after its signature was computed anew. */
function claimsOf(token: string, secret: string): unknown {
  const { signed, signature } = parseToken(token);
  assert.equal(signature, createHmac('sha256', secret).update(signed).digest('base64url'));
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

test('CM7 token prints a token of the stored secret and nothing else', async (t) => {
  const cwd = folder(t);
  const { apiSecret } = resolveCredentials({ apiKey: undefined, apiSecret: undefined, data: join(cwd, 'rosterd-data') });
  const { code, out, err } = await run(cwd, 'token ann');
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const iat = NOW_MS / 1_000;
  assert.deepEqual(claimsOf(out.trim(), apiSecret), { user_id: 'ann', iat, exp: iat + 86_400 });
  const long = await run(cwd, 'token @bob_1 --exp 90s');
  assert.deepEqual(claimsOf(long.out.trim(), apiSecret), { user_id: '@bob_1', iat, exp: iat + 90 });
  const endless = await run(cwd, 'token ann --exp never');
  assert.deepEqual(claimsOf(endless.out.trim(), apiSecret), { user_id: 'ann', iat });
  const server = await run(cwd, 'token --server --exp 1h');
  assert.deepEqual(claimsOf(server.out.trim(), apiSecret), { server: true, iat, exp: iat + 3_600 });
});

test('CM8 token takes key and secret from flags or variables, and data from --data', async (t) => {
  const cwd = folder(t);
  const flags = await run(cwd, 'token ann --api-key key --api-secret hush');
  assert.ok(claimsOf(flags.out.trim(), 'hush'));
  const env = await run(cwd, 'token ann', { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' });
  assert.equal(env.out, flags.out);
  const missing = await run(cwd, 'token ann --data elsewhere');
  assert.equal(missing.code, 2);
  assert.match(missing.err, /there is no .*elsewhere\/credentials\.json/);
});

test('CM8 commands that talk to a daemon need nothing of what daemons on a database share but key and secret', async (t) => {
  const cwd = folder(t);
  const env = { ROSTERD_LOG: 'postgres://127.0.0.1:1/none', ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' };
  assert.equal((await run(cwd, 'token ann', env)).code, 0);
  for (const line of [
    'sync - --url http://127.0.0.1:1 --retry-for 0s',
    'backup b.gz --url http://127.0.0.1:1',
    'watch --url ftp://x',
    'nodes',
  ]) {
    const { err } = await run(cwd, line, env);
    assert.doesNotMatch(err, /log is set|public_url/, line);
  }
});
