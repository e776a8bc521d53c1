/** CO34: the settings in force, and that none of their secrets is shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadConfig } from '../../../daemon/cli/config/config.ts';
import { effectiveSettings } from '../../../daemon/cli/config/describe.ts';
import { envName, flagName } from '../../../daemon/cli/config/setting.ts';
import { ALL_SETTINGS } from '../../../daemon/cli/config/settings.ts';
import { fakeServices, httpWorld } from '../../support/http/fake-backend.ts';

const SECRET = 'Zq7-never-to-be-shown-0123456789-abcdef';
/** Values of settings that may hold a secret; every setting that says so must be here. */
const HOLDING: Readonly<Record<string, string>> = {
  api_secret: SECRET,
  'metrics.token': SECRET,
  log: `postgres://rosterd:${SECRET}@127.0.0.1/rosterd`,
  public_url: `https://me:${SECRET}@example.com/roster`,
};

function settingsOf(flags: Record<string, string>, env: Record<string, string> = {}) {
  return effectiveSettings(loadConfig({ flags, env, cwd: '/srv' }));
}

test('CO34 no setting of the daemon that holds a secret shows it, wherever it came from', async () => {
  const secret = ALL_SETTINGS.map(([, setting]) => setting).filter((setting) => setting.secret === true);
  assert.deepEqual(
    secret.map(({ key }) => key).filter((key) => !(key in HOLDING)),
    [],
    'a new secret needs a value here',
  );
  const holding = ALL_SETTINGS.map(([, setting]) => setting).filter(({ key }) => key in HOLDING);
  const named = (name: (setting: (typeof holding)[number]) => string) =>
    Object.fromEntries([...holding.map((setting) => [name(setting), HOLDING[setting.key] ?? ''])]);
  for (const settings of [settingsOf({ ...named(flagName), 'api-key': 'k' }), settingsOf({ 'api-key': 'k' }, named(envName))]) {
    const { send } = httpWorld({ services: { ...fakeServices(), settings } });
    for (const path of ['/settings', '/api/v2/settings']) {
      const { status, text, body } = await send('GET', path);
      assert.equal(status, 200);
      assert.ok(!text.includes(SECRET), text);
      for (const { key, value } of body.daemon.filter(({ secret: isSecret }: { secret: boolean }) => isSecret))
        assert.equal(value, '********', key);
    }
  }
});

test('CO34 each setting of the daemon has its value, its default and where it came from', async () => {
  const settings = settingsOf({ 'connections-max': '5' }, { ROSTERD_CONSOLE: 'on' });
  const { send } = httpWorld({ services: { ...fakeServices(), settings } });
  const { body } = await send('GET', '/settings');
  const of = (key: string) => body.daemon.find((one: { key: string }) => one.key === key);
  const { value, origin, from, default: initial, env, flag } = of('connections_max');
  assert.deepEqual({ value, origin, from, initial }, { value: '5', origin: 'flag', from: '--connections-max', initial: '100000' });
  assert.deepEqual({ env, flag }, { env: 'ROSTERD_CONNECTIONS_MAX', flag: '--connections-max' });
  assert.deepEqual([of('console').value, of('console').origin, of('console').from], ['on', 'env', 'ROSTERD_CONSOLE']);
  assert.deepEqual([of('drain_ms').origin, of('drain_ms').from], ['default', 'default']);
  assert.equal(body.daemon.length, ALL_SETTINGS.length);
});

test('CO34 no setting of the application that holds a secret shows it, and what was changed says so', async () => {
  const { send } = httpWorld();
  await send('PATCH', '/app', {
    body: {
      ...{ name: 'Acme', sqs_key: SECRET, sqs_secret: SECRET, sns_key: SECRET, sns_secret: SECRET },
      ...{ datadog_info: { api_key: SECRET }, push_config: { nested: [{ password: SECRET }] }, my_token: SECRET },
      event_hooks: [
        { hook_type: 'sqs', sqs_queue_url: `https://u:${SECRET}@sqs.example.com/q`, sqs_key: SECRET, sqs_secret: SECRET },
        { hook_type: 'webhook', webhook_url: `https://u:${SECRET}@example.com/hook` },
      ],
    },
  });
  assert.ok((await send('GET', '/app')).text.includes(SECRET), 'the settings hold it');
  const { text, body } = await send('GET', '/settings');
  assert.ok(!text.includes(SECRET), text);
  const of = (name: string) => body.app.find((one: { name: string }) => one.name === name);
  assert.deepEqual(of('name'), { name: 'name', value: 'Acme', default: 'rosterd', origin: 'api', used: true });
  assert.equal(of('organization').origin, 'default');
  assert.equal(of('enforce_unique_usernames').origin, 'default');
  assert.equal(of('sqs_secret').value, '********');
  assert.equal(of('sqs_secret').used, false);
});
