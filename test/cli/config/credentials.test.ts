/** CR: the API key and secret. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  assertSafeToListen,
  CredentialsError,
  findCredentials,
  resolveCredentials,
  SAMPLE_SECRET,
} from '../../../daemon/cli/config/credentials.ts';

interface Place {
  readonly data: string;
  readonly file: string;
}

function place(t: TestContext): Place {
  const parent = mkdtempSync(join(tmpdir(), 'rosterd-cred-'));
  t.after(() => rmSync(parent, { recursive: true, force: true }));
  const data = join(parent, 'data');
  return { data, file: join(data, 'credentials.json') };
}

const none = { apiKey: undefined, apiSecret: undefined };

test('CR1 the first start makes a pair, stores it for the owner only, and later starts find it', (t) => {
  const { data, file } = place(t);
  const made = resolveCredentials({ ...none, data });
  assert.equal(made.origin, 'generated');
  assert.match(made.apiKey, /^[\w-]{12,}$/);
  assert.match(made.apiSecret, /^[0-9a-f]{64}$/);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(data).mode & 0o077, 0);
  assert.deepEqual(readdirSync(data), ['credentials.json']);
  assert.deepEqual(resolveCredentials({ ...none, data }), { ...made, origin: 'stored' });
  assert.deepEqual(findCredentials({ ...none, data }), { ...made, origin: 'stored' });
});

test('CR2 configured ones go first and store nothing', (t) => {
  const { data } = place(t);
  const config = { apiKey: 'key', apiSecret: 'hush', data };
  assert.deepEqual(resolveCredentials(config), { apiKey: 'key', apiSecret: 'hush', origin: 'configured' });
  assert.ok(!existsSync(data));
});

test('CR3 half a pair is refused', (t) => {
  const { data } = place(t);
  assert.throws(() => resolveCredentials({ apiKey: 'key', apiSecret: undefined, data }), /api_key is set, but api_secret is not/);
  assert.throws(() => findCredentials({ apiKey: undefined, apiSecret: 'hush', data }), /api_secret is set, but api_key is not/);
});

test('CR4 a command that only talks to a daemon makes none and says what to do', (t) => {
  const { data } = place(t);
  assert.throws(() => findCredentials({ ...none, data }), {
    name: 'CredentialsError',
    message: /no daemon was started here yet\. Start one first \(npm start, or rosterd serve\)/,
  });
  assert.ok(!existsSync(data));
});

test('CR5 a file that others can read is closed, with a warning', (t) => {
  const { data, file } = place(t);
  const made = resolveCredentials({ ...none, data });
  chmodSync(file, 0o644);
  const warnings: string[] = [];
  assert.equal(resolveCredentials({ ...none, data }, (text) => warnings.push(text)).apiSecret, made.apiSecret);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(warnings.join(), /could be read by other users \(mode 0644\); it is now 0600/);
});

test('CR6 a damaged file is refused, never replaced', (t) => {
  const { data, file } = place(t);
  resolveCredentials({ ...none, data });
  for (const text of ['', '{', '[]', '{"api_key":"a"}', '{"api_key":"a","api_secret":""}', '{"api_key":1,"api_secret":"b"}']) {
    writeFileSync(file, text);
    assert.throws(() => resolveCredentials({ ...none, data }), { name: 'CredentialsError', message: /is damaged/ }, text);
    assert.equal(readFileSync(file, 'utf8'), text);
  }
});

test('CR7 a data directory that cannot be made is told', (t) => {
  const { data } = place(t);
  writeFileSync(data, 'a file');
  assert.throws(() => resolveCredentials({ ...none, data }), CredentialsError);
});

test('CR8 a weak secret does not listen beyond loopback', () => {
  const weak = [
    '',
    'secret',
    'SECRET',
    'change-me',
    SAMPLE_SECRET,
    'short but fine?',
    'a'.repeat(64),
    '1234'.repeat(16),
    'secret'.repeat(10),
    'Your_API_Secret',
  ];
  for (const apiSecret of weak) {
    for (const host of ['0.0.0.0', '::', '192.168.1.5', 'roster.example.com']) {
      assert.throws(
        () => assertSafeToListen(host, { apiSecret, origin: 'configured' }),
        (error: unknown) =>
          error instanceof CredentialsError &&
          error.message.includes(host) &&
          (apiSecret === '' || !error.message.includes(`"${apiSecret}"`)),
        `${apiSecret} on ${host}`,
      );
    }
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost', '::ffff:127.0.0.1'])
      assertSafeToListen(host, { apiSecret, origin: 'configured' });
  }
});

test('CR9 a made secret, or a long one of your own, listens anywhere', (t) => {
  const { data } = place(t);
  assertSafeToListen('0.0.0.0', resolveCredentials({ ...none, data }));
  assertSafeToListen('::', { apiSecret: 'correct-horse-battery-staple-and-more', origin: 'configured' });
});
