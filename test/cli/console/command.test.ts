/** CO1, CO4: `rosterd console`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import { LINK_MS } from '../../../protocol/access/sign-ins.ts';
import { folder, NOW_MS, run } from '../../support/cli-run.ts';
import { signInAt } from '../../support/http/console-kit.ts';
import { API_KEY, API_SECRET, World } from '../../support/world.ts';

const CREDENTIALS = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };
const codeIn = (out: string): string => /#code=([\w.-]+)\n$/.exec(out)?.[1] ?? '';

test('CO1 console prints a link with a code, and nothing else; the secret is not in it', async (t) => {
  const cwd = folder(t);
  const { code, out, err } = await run(cwd, 'console', CREDENTIALS);
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^http:\/\/127\.0\.0\.1:8800\/console\/#code=[\w-]+\.[\w-]+\n$/);
  const seals = new Seals(API_SECRET);
  assert.equal(seals.openCode(codeIn(out), NOW_MS + LINK_MS - 1).role, 'operate');
  assert.ok(!Buffer.from(codeIn(out).split('.')[0] ?? '', 'base64url').includes(API_SECRET));
  const read = await run(cwd, 'console --role read --url https://example.com/roster/', CREDENTIALS);
  assert.match(read.out, /^https:\/\/example\.com\/roster\/console\/#code=/);
  assert.equal(seals.openCode(codeIn(read.out), NOW_MS).role, 'read');
  const behind = await run(cwd, 'console', { ...CREDENTIALS, ROSTERD_PUBLIC_URL: 'https://users.example.com' });
  assert.match(behind.out, /^https:\/\/users\.example\.com\/console\/#code=/);
  const wrong = await run(cwd, 'console --role admin', CREDENTIALS);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /read, operate/);
});

test('CO4 console --sign-out-all ends every sign-in, of the page too', async (t) => {
  const cwd = folder(t);
  const world = await World.start(t);
  const { url } = world.daemon;
  const { status, cookie } = await signInAt(url, { code: new Seals(API_SECRET).newCode('read', Date.now()) });
  assert.equal(status, 200);
  const ask = async () => (await signInAt(url, { cookie })).status;
  assert.equal(await ask(), 200);
  const ended = await run(cwd, `console --sign-out-all --url ${world.daemon.url}`, CREDENTIALS);
  assert.deepEqual([ended.code, ended.out], [0, 'ended 1\n']);
  assert.equal(await ask(), 401);
  const refused = await run(cwd, `console --sign-out-all --url ${world.daemon.url}`, { ...CREDENTIALS, ROSTERD_API_SECRET: 'another' });
  assert.equal(refused.code, 1);
  assert.match(refused.err, /token signature/);
});
