/** DR3: the secret. */
import assert from 'node:assert/strict';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../../daemon/cli/config/config.ts';
import { CREDENTIALS_FILE, resolveCredentials, SAMPLE_SECRET } from '../../../daemon/cli/config/credentials.ts';
import { secretFinding } from '../../../daemon/cli/doctor/secret.ts';
import { folder } from '../../support/cli-run.ts';

const GOOD = '0123456789abcdef'.repeat(4);
const look = async (cwd: string, env: Record<string, string> = {}, flags: Record<string, string> = {}) => {
  const found = await secretFinding(loadConfig({ flags: { data: cwd, ...flags }, env, cwd }));
  assert.ok(!JSON.stringify(found).includes(GOOD), 'the secret is not printed');
  return found;
};

test('DR3 without a secret, the first start makes one, and none is made by looking', async (t) => {
  const cwd = folder(t);
  assert.match((await look(cwd)).found, /there is none yet/);
  assert.match((await look(cwd)).found, /there is none yet/);
});

test('DR3 a stored secret that others can read is a warning, and stays as it is', async (t) => {
  const cwd = folder(t);
  resolveCredentials({ data: cwd, apiKey: undefined, apiSecret: undefined });
  const file = join(cwd, CREDENTIALS_FILE);
  assert.equal((await look(cwd)).health, 'ok');
  chmodSync(file, 0o644);
  const found = await look(cwd);
  assert.deepEqual([found.health, /chmod 600/.test(found.advice ?? '')], ['warn', true]);
  assert.equal(statSync(file).mode & 0o777, 0o644);
  writeFileSync(file, '{');
  assert.match((await look(cwd)).advice ?? '', /is damaged/);
  assert.equal((await look(cwd)).health, 'fail');
});

test('DR3 a secret that can be guessed is a warning on loopback and fails beyond it', async (t) => {
  const cwd = folder(t);
  for (const [secret, reason] of [
    [SAMPLE_SECRET, /well-known sample/],
    ['short', /shorter than 32/],
    ['ab'.repeat(20), /fewer than 10 different/],
  ] as const) {
    const env = { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: secret };
    const near = await look(cwd, env);
    assert.deepEqual([near.health, reason.test(near.found)], ['warn', true], secret);
    assert.equal((await look(cwd, env, { listen: '0.0.0.0:0' })).health, 'fail');
  }
});

test('DR3 a good secret from a variable is ok; on the command line, or in a file that all can read, it is a warning', async (t) => {
  const cwd = folder(t);
  assert.equal((await look(cwd, { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: GOOD })).health, 'ok');
  assert.match((await look(cwd, {}, { 'api-key': 'key', 'api-secret': GOOD })).advice ?? '', /ROSTERD_API_SECRET/);
  const file = join(cwd, 'rosterd.json');
  writeFileSync(file, JSON.stringify({ api_key: 'key', api_secret: GOOD }), { mode: 0o640 });
  chmodSync(file, 0o640);
  assert.equal((await look(cwd)).health, 'ok');
  chmodSync(file, 0o644);
  assert.match((await look(cwd)).advice ?? '', /^chmod 640 it/);
});
