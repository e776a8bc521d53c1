/** CM: the command line as a whole, run in process. */
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SAMPLE_SECRET } from '../../daemon/cli/config/credentials.ts';
import { flagName } from '../../daemon/cli/config/setting.ts';
import { ALL_SETTINGS } from '../../daemon/cli/config/settings.ts';
import { folder, run } from '../support/cli-run.ts';

test('CM1 serve hands settings and credentials to the daemon and ends with its code', async (t) => {
  const cwd = folder(t);
  const { code, served, err } = await run(
    cwd,
    'serve --listen 127.0.0.1:0 --connect-role keep --ids-reuse-hard-deleted',
    {},
    async () => 7,
  );
  assert.equal(code, 7);
  assert.equal(err, '');
  assert.equal(served.length, 1);
  assert.deepEqual(served[0]?.config.listen, { host: '127.0.0.1', port: 0 });
  assert.equal(served[0]?.config.connectRole, 'keep');
  assert.equal(served[0]?.config.idsReuseHardDeleted, true);
  assert.equal(served[0]?.credentials.origin, 'generated');
  assert.equal(statSync(join(cwd, 'rosterd-data/credentials.json')).mode & 0o777, 0o600);
});

test('CM2 serve has a flag for every setting, with its default in the help', async (t) => {
  const { code, out } = await run(folder(t), 'serve --help');
  assert.equal(code, 0);
  for (const [, setting] of ALL_SETTINGS) assert.ok(out.includes(`--${flagName(setting)} `), flagName(setting));
  assert.match(out, /--listen <host:port>[\s\S]*Default: 127\.0\.0\.1:8800/);
});

test('CM3 a well-known secret does not serve beyond loopback', async (t) => {
  const env = { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: SAMPLE_SECRET };
  const refused = await run(folder(t), 'serve --listen 0.0.0.0:0', env);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /^rosterd: refusing to listen on 0\.0\.0\.0: the API secret is a well-known sample/);
  assert.deepEqual(refused.served, []);
  assert.equal((await run(folder(t), 'serve', env)).code, 0);
  assert.equal((await run(folder(t), 'serve --listen 0.0.0.0:0')).code, 0);
});

test('CM4 wrong settings end with 2 and name each problem on a line of its own', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'rosterd.json'), '{"dta": "x"}');
  const { code, out, err, served } = await run(cwd, 'serve --listen nowhere', { ROSTERD_LOG_LEVEL: 'loud' });
  assert.equal(code, 2);
  assert.equal(out, '');
  assert.match(err, /^rosterd: unknown setting "dta" in .* \(did you mean data\?\)\nrosterd: listen .*\nrosterd: log_level .*\n$/);
  assert.deepEqual(served, []);
});

test('CM5 wrong usage ends with 2 and talks on stderr only', async (t) => {
  const cwd = folder(t);
  for (const args of [
    '',
    'serv',
    'serve --lisen x',
    'serve extra',
    'token',
    'token ann --server',
    'token a/b',
    'token ann --exp soon',
    'sync',
    'sync a --concurrency 0',
    'watch --filter [',
    'config',
  ]) {
    const { code, out, err } = await run(cwd, args);
    assert.equal(code, 2, args);
    assert.equal(out, '', args);
    assert.notEqual(err, '', args);
  }
  assert.match((await run(cwd, 'serve --lisen x')).err, /unknown option '--lisen'\s+\(Did you mean --listen\?\)/);
  assert.match((await run(cwd, 'serv')).err, /Did you mean serve\?/);
});

test('CM6 --version and --help go to stdout and end with 0', async (t) => {
  const cwd = folder(t);
  const version = await run(cwd, '--version');
  assert.deepEqual([version.code, version.err], [0, '']);
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/);
  const help = await run(cwd, '--help');
  assert.equal(help.code, 0);
  for (const command of ['serve', 'token', 'sync', 'watch', 'config']) assert.match(help.out, new RegExp(`^  ${command} `, 'm'));
  assert.match(help.out, /Examples:[\s\S]*Exit codes:/);
});

test('CM9 config print shows value and origin, as text and as JSON', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'rosterd.json'), '{"drain_ms": 10}');
  const env = { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' };
  const text = await run(cwd, 'config print --listen [::1]:0', env);
  assert.equal(text.code, 0);
  assert.match(text.out, /^listen +\[::1\]:0 +--listen$/m);
  assert.match(text.out, /^drain_ms +10 +.*rosterd\.json$/m);
  assert.match(text.out, /^log_level +info +default$/m);
  assert.match(text.out, /^api_secret +\*{8} +ROSTERD_API_SECRET$/m);
  assert.ok(!text.out.includes('hush'));
  const json = JSON.parse((await run(cwd, 'config print --json', env)).out);
  assert.deepEqual(json.drain_ms, { value: '10', origin: join(cwd, 'rosterd.json') });
});

test('CM9 CF24 config print shows everything, and then what is wrong or missing, with exit code 2', async (t) => {
  const cwd = folder(t);
  const env = { ROSTERD_LOG: 'postgres://roster:hush@db/roster', ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 's'.repeat(40) };
  const missing = await run(cwd, 'config print', env);
  assert.equal(missing.code, 2);
  assert.match(missing.out, /^api_key +key +ROSTERD_API_KEY$/m);
  assert.match(missing.out, /^public_url +\(missing\) +default$/m);
  assert.match(missing.err, /log is set \(from ROSTERD_LOG\), but public_url is not/);
  assert.ok(!`${missing.out}${missing.err}`.includes('hush'));
  const wrong = await run(cwd, 'config print --json', { ROSTERD_DRAIN_MS: 'long' });
  assert.equal(wrong.code, 2);
  const json = JSON.parse(wrong.out);
  assert.deepEqual([json.drain_ms, json.log_level.value], [{ value: '(not usable)', origin: 'ROSTERD_DRAIN_MS' }, 'info']);
  assert.match(wrong.err, /drain_ms \(from ROSTERD_DRAIN_MS\) is "long", but must be/);
});

test('CM10 a daemon that fails ends with 1 and its reason', async (t) => {
  const { code, err } = await run(folder(t), 'serve', {}, () => Promise.reject(new Error('the data directory is in use')));
  assert.equal(code, 1);
  assert.equal(err, 'rosterd: the data directory is in use\n');
});
