/** DR1, DR4, DR8: the command as a whole. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { folder, run } from '../../support/cli-run.ts';
import { World } from '../../support/world.ts';

/** A server that is no rosterd, on a port of its own. */
async function stranger(t: TestContext): Promise<string> {
  const server = createServer((_, response) => response.writeHead(200).end('hello'));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('DR1 each check is one line of text, or an object of the list, and warnings are no failure', async (t) => {
  const cwd = join(folder(t), 'new');
  const args = '--listen 127.0.0.1:0 --connections-max 10000000';
  const text = await run(folder(t), `doctor ${args} --data ${cwd}`);
  assert.equal(text.code, 0, text.out);
  const lines = text.out.trim().split('\n');
  assert.deepEqual(
    lines.map((line) => /^(?:ok|warn|fail) +(\w+) {2,}\S/.exec(line)?.[1]),
    ['node', 'files', 'memory', 'data', 'disk', 'secret', 'port'],
  );
  const json = await run(folder(t), `doctor --json ${args} --data ${cwd}`);
  const { ok, checks } = JSON.parse(json.out);
  assert.deepEqual([json.code, ok, checks.length], [0, true, 7]);
  assert.deepEqual(Object.keys(checks[0]), ['check', 'health', 'found']);
});

test('DR1 settings are read as serve reads them, and wrong ones end with 2', async (t) => {
  const wrong = await run(folder(t), 'doctor', { ROSTERD_DRAIN_MS: 'long' });
  assert.deepEqual([wrong.code, wrong.out], [2, '']);
  assert.match(wrong.err, /drain_ms \(from ROSTERD_DRAIN_MS\)/);
  for (const args of ['doctor --wait 1s', 'doctor --hold 1s', 'doctor --url nowhere', 'doctor extra'])
    assert.equal((await run(folder(t), args)).code, 2, args);
});

test('DR4 a port that a rosterd holds is ok, one that another program holds fails with advice and exit code 1', async (t) => {
  const cwd = folder(t);
  const world = await World.start(t);
  const own = new URL(world.daemon.url).host;
  const held = await run(cwd, `doctor --listen ${own} --json`);
  const port = ({ out }: { out: string }) => JSON.parse(out).checks.find(({ check }: { check: string }) => check === 'port');
  assert.deepEqual([held.code, port(held).found], [0, `a rosterd listens on ${own}`]);
  const other = await stranger(t);
  const taken = await run(cwd, `doctor --listen ${other} --json`);
  assert.deepEqual([taken.code, port(taken).health], [1, 'fail']);
  assert.match(port(taken).advice, /another program listens there/);
});

test('DR8 --ready asks the daemon of the settings, or of --url, and waits as long as it may', async (t) => {
  const cwd = folder(t);
  const world = await World.start(t);
  const { host } = new URL(world.daemon.url);
  assert.deepEqual((await run(cwd, `doctor --ready --listen ${host}`)).out, 'ok    ready  the daemon takes requests\n');
  assert.equal((await run(cwd, `doctor --ready --wait 1m --url ${world.daemon.url}/`)).code, 0);
  const other = await run(cwd, `doctor --ready --wait 50ms --listen ${await stranger(t)}`);
  assert.deepEqual([other.code, other.out.split('  ')[0]], [1, 'fail']);
  const none = await run(cwd, 'doctor --ready --url http://127.0.0.1:1');
  assert.equal(none.code, 1);
  assert.match(none.out, /cannot be reached/);
});
