/** CF: settings and where they come from. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { ConfigError, type ConfigSources, loadConfig, readSettings } from '../../../daemon/cli/config/config.ts';
import { describeConfig } from '../../../daemon/cli/config/describe.ts';
import { envName, flagName } from '../../../daemon/cli/config/setting.ts';
import { ALL_SETTINGS } from '../../../daemon/cli/config/settings.ts';
import { renderSettingsMarkdown } from '../../../daemon/cli/config/settings-markdown.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-config-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function load(sources: Partial<ConfigSources>) {
  return loadConfig({ flags: {}, env: {}, cwd: '/nowhere', ...sources });
}

function problems(sources: Partial<ConfigSources>): readonly string[] {
  try {
    load(sources);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return assert.fail('the settings were accepted');
}

/** The one problem there is. */
function problem(sources: Partial<ConfigSources>): string {
  const [only, ...others] = problems(sources);
  assert.deepEqual(others, []);
  return only ?? '';
}

describe('precedence', () => {
  test('CF1 without anything, every setting has its default', () => {
    const { config, origins } = load({});
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8800 });
    assert.equal(config.data, '/nowhere/rosterd-data');
    assert.equal(config.apiKey, undefined);
    assert.equal(config.connectRole, 'refuse');
    assert.equal(config.rateLimits, 'clients');
    assert.deepEqual(config.origins, []);
    assert.equal(config.retentionAgeMs, 7 * 24 * 3_600_000);
    assert.deepEqual(
      Object.keys(config),
      ALL_SETTINGS.map(([field]) => field),
    );
    assert.ok(Object.values(origins).every(({ from }) => from === 'default'));
  });

  test('CF2 flags go before variables, variables before the file, the file before defaults', (t) => {
    const cwd = folder(t);
    const file = join(cwd, 'rosterd.json');
    writeFileSync(file, JSON.stringify({ listen: 'file:1', log_level: 'warn', drain_ms: 1, connect: { role: 'keep' } }));
    const { config, origins } = load({
      cwd,
      env: { ROSTERD_LISTEN: 'env:2', ROSTERD_LOG_LEVEL: 'error' },
      flags: { listen: 'flag:3' },
    });
    assert.deepEqual(config.listen, { host: 'flag', port: 3 });
    assert.equal(config.logLevel, 'error');
    assert.equal(config.drainMs, 1);
    assert.equal(config.connectRole, 'keep');
    assert.deepEqual(origins.listen, { from: 'flag', name: 'listen' });
    assert.deepEqual(origins.logLevel, { from: 'env', name: 'ROSTERD_LOG_LEVEL' });
    assert.deepEqual(origins.drainMs, { from: 'file', path: file });
    assert.deepEqual(origins.connectGuard, { from: 'default' });
  });

  test('CF3 the file is ./rosterd.json when there is one, or what --config or ROSTERD_CONFIG names', (t) => {
    const cwd = folder(t);
    writeFileSync(join(cwd, 'other.json'), '\uFEFF{"log_level": "debug"}');
    assert.equal(load({ cwd }).config.logLevel, 'info');
    assert.equal(load({ cwd, flags: { config: 'other.json' } }).config.logLevel, 'debug');
    assert.equal(load({ cwd, env: { ROSTERD_CONFIG: join(cwd, 'other.json') } }).config.logLevel, 'debug');
    assert.match(problem({ cwd, flags: { config: 'missing.json' } }), /missing\.json cannot be read/);
  });

  test('CF4 relative paths start in the working directory, those of the file beside the file', (t) => {
    const cwd = folder(t);
    mkdirSync(join(cwd, 'etc'));
    writeFileSync(join(cwd, 'etc/rosterd.json'), JSON.stringify({ data: 'd', tls_cert: '/abs/c.pem', tls_key: 'k.pem' }));
    const { config } = load({ cwd, flags: { config: 'etc/rosterd.json' } });
    assert.equal(config.data, join(cwd, 'etc/d'));
    assert.equal(config.tlsCert, '/abs/c.pem');
    assert.equal(config.tlsKey, join(cwd, 'etc/k.pem'));
    assert.equal(load({ cwd, flags: { config: 'etc/rosterd.json', data: 'x' } }).config.data, join(cwd, 'x'));
  });

  test('CF5 an empty variable counts as not set', () => {
    assert.equal(load({ env: { ROSTERD_API_SECRET: '', ROSTERD_LISTEN: '' } }).config.apiSecret, undefined);
  });
});

describe('unknown names', () => {
  test('CF6 an unknown key of the file is an error that names it and its neighbour', (t) => {
    const cwd = folder(t);
    writeFileSync(join(cwd, 'rosterd.json'), JSON.stringify({ lsiten: 'x', connect: { rolle: 'keep' }, conect: { role: 'keep' } }));
    const [first, second, third] = problems({ cwd });
    assert.match(first ?? '', /unknown setting "lsiten" in .*rosterd\.json \(did you mean listen\?\)/);
    assert.match(second ?? '', /"connect\.rolle".*did you mean connect\.role\?/);
    assert.match(third ?? '', /"conect"/);
  });

  test('CF7 an unknown ROSTERD_ variable is an error, other variables are not ours', () => {
    assert.match(
      problem({ env: { ROSTERD_LISTN: ':1', PATH: '/bin', NOT_ROSTERD_X: '1' } }),
      /ROSTERD_LISTN \(did you mean ROSTERD_LISTEN\?\)/,
    );
    assert.match(problem({ env: { ROSTERD_PORT: '8800' } }), /ROSTERD_PORT/);
  });

  test('CF8 variables that Kubernetes makes for a service called rosterd are not taken for settings', () => {
    load({
      env: {
        ROSTERD_SERVICE_HOST: '10.0.0.1',
        ROSTERD_SERVICE_PORT: '8800',
        ROSTERD_SERVICE_PORT_HTTP: '8800',
        ROSTERD_PORT: 'tcp://10.0.0.1:8800',
        ROSTERD_PORT_8800_TCP_ADDR: '10.0.0.1',
        ROSTERD_TEST_ARGS: '',
      },
    });
  });

  test('CF9 an unknown flag is an error', () => {
    assert.match(problem({ flags: { 'api-kei': 'x' } }), /--api-kei \(did you mean --?api-key\?\)/);
  });

  test('CF10 a setting given nested and dotted in one file is an error', (t) => {
    const cwd = folder(t);
    writeFileSync(join(cwd, 'rosterd.json'), '{"connect": {"role": "keep"}, "connect.role": "refuse"}');
    assert.match(problem({ cwd }), /connect\.role is set twice/);
  });

  test('CF11 a file that is not an object, or not JSON, is named', (t) => {
    const cwd = folder(t);
    writeFileSync(join(cwd, 'rosterd.json'), '[]');
    assert.match(problem({ cwd }), /rosterd\.json must contain one JSON object/);
    writeFileSync(join(cwd, 'rosterd.json'), '{"a":');
    assert.match(problem({ cwd }), /rosterd\.json cannot be read: /);
  });
});

describe('values', () => {
  test('CF12 a wrong value is told with setting, origin, value and what is allowed; all at once', (t) => {
    const cwd = folder(t);
    writeFileSync(join(cwd, 'rosterd.json'), '{"drain_ms": -1, "ids": {"reuse_hard_deleted": "yes"}}');
    const found = problems({ cwd, env: { ROSTERD_LISTEN: '8800' }, flags: { 'connect-role': 'ignore' } });
    assert.deepEqual(found, [
      'listen (from ROSTERD_LISTEN) is "8800", but must be host:port with a port from 0 to 65535, such as 127.0.0.1:8800, 0.0.0.0:8800 or [::1]:0',
      'connect.role (from --connect-role) is "ignore", but must be one of refuse, keep',
      `drain_ms (from ${cwd}/rosterd.json) is -1, but must be a whole number of milliseconds from 0 to 600,000`,
      `ids.reuse_hard_deleted (from ${cwd}/rosterd.json) is "yes", but must be true or false`,
    ]);
  });

  test('CF13 a wrong secret is not repeated', () => {
    const text = problem({ flags: { 'api-secret': 'hush hush' } });
    assert.match(text, /^api_secret \(from --api-secret\) is not usable/);
    assert.ok(!text.includes('hush'));
  });

  const addresses: [string, unknown][] = [
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['[::1]:0', { host: '::1', port: 0 }],
    ['[fe80::1%eth0]:80', { host: 'fe80::1%eth0', port: 80 }],
    ['roster.example.com:65535', { host: 'roster.example.com', port: 65_535 }],
    ...['::1:80', 'host', ':80', 'host:65536', 'host:-1', 'http://host:80', 'host:80/x', ''].map((text): [string, unknown] => [
      text,
      undefined,
    ]),
  ];
  for (const [text, expected] of addresses) {
    test(`CF14 listen ${JSON.stringify(text)} is ${expected === undefined ? 'refused' : 'read'}`, () => {
      if (expected === undefined) assert.match(problem({ flags: { listen: text } }), /^listen /);
      else assert.deepEqual(load({ flags: { listen: text } }).config.listen, expected);
    });
  }

  test('CF15 sizes take units, hours become milliseconds, 0 means no limit where it may', (t) => {
    const { config } = load({
      flags: { 'history-bytes': '2MiB', 'retention-bytes': '0', 'retention-age-h': '1.5', 'outbox-bytes-max': '65536' },
    });
    assert.equal(config.historyBytes, 2 * 1024 * 1024);
    assert.equal(config.retentionBytes, 0);
    assert.equal(config.retentionAgeMs, 5_400_000);
    assert.equal(config.outboxBytesMax, 65_536);
    for (const text of ['1', '2MB', '1e6', '-5', '0x10', '2TiB'])
      assert.match(problem({ flags: { 'history-bytes': text } }), /^history_bytes /);
    const cwd = folder(t);
    writeFileSync(join(cwd, 'rosterd.json'), '{"history_bytes": "1GiB", "retention_age_h": 0}');
    assert.equal(load({ cwd }).config.historyBytes, 1024 ** 3);
    assert.equal(load({ cwd }).config.retentionAgeMs, 0);
  });

  test('CF16 origins are exact browser origins or *', () => {
    const origins = (text: string) => load({ flags: { origins: text } }).config.origins;
    assert.deepEqual(origins('https://a.example, http://localhost:3000,https://a.example'), ['https://a.example', 'http://localhost:3000']);
    assert.deepEqual(origins('*'), ['*']);
    assert.deepEqual(origins(''), []);
    for (const text of ['a.example', 'https://a.example/', 'https://A.example', 'https://*.example', 'ws://a', 'null']) {
      assert.match(problem({ flags: { origins: text } }), /^origins /, text);
    }
  });

  test('CF17 rate limits of endpoints: text and object, no name twice', (t) => {
    assert.deepEqual(load({ env: { ROSTERD_RATE_LIMIT: 'UpdateUsers=300, QueryUsers=1000' } }).config.rateLimitOverrides, {
      UpdateUsers: 300,
      QueryUsers: 1000,
    });
    for (const text of ['UpdateUsers', 'UpdateUsers=0', 'UpdateUsers=1.5', 'UpdateUsers=1,UpdateUsers=2', '__proto__=1', 'updateUsers=1']) {
      assert.match(problem({ env: { ROSTERD_RATE_LIMIT: text } }), /^rate_limit /, text);
    }
    const cwd = folder(t);
    writeFileSync(join(cwd, 'rosterd.json'), '{"rate_limit": {"UpdateUsers": 5}, "rate_limits": "all"}');
    assert.deepEqual(load({ cwd }).config.rateLimitOverrides, { UpdateUsers: 5 });
    writeFileSync(join(cwd, 'rosterd.json'), '{"rate_limit": {"__proto__": 5}}');
    assert.match(problem({ cwd }), /^rate_limit /);
  });

  test('CF18 TLS needs both files or none', () => {
    assert.match(problem({ flags: { 'tls-cert': 'c.pem' } }), /^tls_cert is set \(from --tls-cert\), but tls_key is not/);
    assert.match(problem({ env: { ROSTERD_TLS_KEY: 'k.pem' } }), /^tls_key is set \(from ROSTERD_TLS_KEY\), but tls_cert is not/);
  });

  test('CF18 daemons that share a database need their credentials and their address from the operator', () => {
    const flags = { log: 'postgres://db/roster', 'api-key': 'key', 'api-secret': 'secret', 'public-url': 'https://users.example.com' };
    assert.equal(load({ flags }).config.log, 'postgres://db/roster');
    assert.equal(load({ flags }).config.logRequireSync, true);
    for (const missing of ['api-key', 'api-secret', 'public-url'] as const) {
      const key = missing.replace('-', '_');
      const { [missing]: _, ...rest } = flags;
      assert.match(
        problem({ flags: rest }),
        new RegExp(`^log is set \\(from --log\\), but ${key} is not: all daemons on one database need the same`),
      );
    }
    assert.match(problem({ flags: { ...flags, log: 'mysql://db' } }), /^log \(from --log\) is not usable, but must be a postgres:\/\/ URL/);
  });

  test('MX2 metrics beyond loopback need a token of 32 characters, which no message repeats', () => {
    for (const listen of ['0.0.0.0:8801', '[::]:9', '10.0.0.1:0', 'metrics.example:80']) {
      const told = problem({ flags: { 'metrics-listen': listen } });
      assert.ok(
        told.startsWith(`metrics.listen is ${listen} (from --metrics-listen), where others can read them, but metrics.token is not set`),
        told,
      );
      assert.match(told, /at least 32 characters \(openssl rand -hex 32\), or listen on 127\.0\.0\.1$/);
      const flags = { 'metrics-listen': listen, 'metrics-token': 'x'.repeat(32) };
      assert.equal(load({ flags }).config.metricsToken, flags['metrics-token']);
      const rows = new Map(describeConfig({ ...load({ flags }), faults: new Map() }).map((row) => [row.key, row.value]));
      assert.deepEqual([rows.get('metrics.listen'), rows.get('metrics.token')], [listen, '********']);
    }
    for (const listen of ['127.0.0.1:8801', '[::1]:0', 'localhost:1', 'off'])
      assert.ok(load({ flags: { 'metrics-listen': listen } }).config);
    const short = problem({ flags: { 'metrics-token': 'short-secret' } });
    assert.match(short, /^metrics\.token \(from --metrics-token\) is not usable, but must be 32 to 512 printable ASCII characters/);
    assert.doesNotMatch(short, /short-secret/);
    assert.match(problem({ flags: { 'metrics-listen': '8801' } }), /^metrics\.listen .* must be host:port .*, or off$/);
    assert.equal(load({ env: { ROSTERD_METRICS_LISTEN: 'off' } }).config.metricsListen, 'off');
  });

  test('MX2 metrics and the API have different addresses', () => {
    const flags = { listen: '127.0.0.1:9000', 'metrics-listen': '127.0.0.1:9000' };
    assert.equal(
      problem({ flags }),
      'metrics.listen is 127.0.0.1:9000 (from --metrics-listen), and so is listen: give the metrics another port',
    );
    for (const other of ['127.0.0.1:9001', '[::1]:9000']) assert.ok(load({ flags: { ...flags, 'metrics-listen': other } }).config);
    assert.ok(load({ flags: { listen: '127.0.0.1:0', 'metrics-listen': '127.0.0.1:0' } }).config);
  });

  test('MX2 a command that is no daemon asks for no token', () => {
    const sources = { cwd: '/nowhere', env: { ROSTERD_METRICS_LISTEN: '0.0.0.0:8801' }, flags: {}, isDaemon: false };
    assert.deepEqual(loadConfig(sources).config.metricsListen, { host: '0.0.0.0', port: 8801 });
  });

  test('CF19 a switch may stand alone', () => {
    assert.equal(load({ flags: { 'ids-reuse-hard-deleted': true } }).config.idsReuseHardDeleted, true);
    assert.equal(load({ flags: { 'ids-reuse-hard-deleted': 'false' } }).config.idsReuseHardDeleted, false);
  });
});

describe('documentation', () => {
  test('CF20 names follow from the key', () => {
    const role = ALL_SETTINGS.find(([field]) => field === 'connectRole')?.[1];
    assert.ok(role);
    assert.equal(envName(role), 'ROSTERD_CONNECT_ROLE');
    assert.equal(flagName(role), 'connect-role');
  });

  test('CF21 every printed value can be given again, by any way', () => {
    for (const [field, setting] of ALL_SETTINGS) {
      if (setting.fallback === undefined) continue;
      const text = setting.kind.toText(setting.fallback);
      if (text === '' && field === 'rateLimitOverrides') continue;
      assert.deepEqual(setting.kind.fromText(text), setting.fallback, `${field}: ${text}`);
      assert.deepEqual(setting.kind.fromJson(/^(\d+|true|false)$/.test(text) ? JSON.parse(text) : text), setting.fallback, field);
    }
  });

  test('CF22 config print shows value and origin and hides the secret', () => {
    const { config, origins } = load({ env: { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' }, flags: { listen: '[::1]:1' } });
    const rows = new Map(describeConfig({ config, origins, faults: new Map() }).map((row) => [row.key, row]));
    assert.deepEqual(rows.get('api_secret'), { key: 'api_secret', value: '********', origin: 'ROSTERD_API_SECRET' });
    assert.deepEqual(rows.get('api_key'), { key: 'api_key', value: 'key', origin: 'ROSTERD_API_KEY' });
    assert.deepEqual(rows.get('listen'), { key: 'listen', value: '[::1]:1', origin: '--listen' });
    assert.deepEqual(rows.get('tls_cert'), { key: 'tls_cert', value: '(no TLS)', origin: 'default' });
    assert.equal(rows.size, ALL_SETTINGS.length);
  });

  test('CF24 settings are read as far as they can be, with every fault by its setting', () => {
    const faultsOf = (env: Record<string, string>) => readSettings({ flags: {}, env, cwd: '/nowhere' });
    const wrong = faultsOf({ ROSTERD_DRAIN_MS: 'long', ROSTERD_API_SECRET: 'with space', ROSTERD_LISTEN: '[::1]:1', ROSTERD_LISTENN: 'x' });
    assert.deepEqual([...wrong.faults].sort(), [
      ['apiSecret', 'not usable'],
      ['drainMs', 'not usable'],
    ]);
    assert.deepEqual([wrong.problems.length, wrong.config.listen.port, wrong.config.drainMs], [3, 1, 5_000]);
    const rows = new Map(describeConfig(wrong).map((row) => [row.key, row]));
    assert.deepEqual(rows.get('drain_ms'), { key: 'drain_ms', value: '(not usable)', origin: 'ROSTERD_DRAIN_MS' });
    assert.equal(rows.get('api_secret')?.value, '(not usable)');
    const half = faultsOf({ ROSTERD_TLS_CERT: 'a', ROSTERD_LOG: 'postgres://u@h/d', ROSTERD_API_KEY: 'k' });
    assert.deepEqual(
      [...half.faults],
      ['apiSecret', 'publicUrl', 'tlsKey'].map((field) => [field, 'missing']),
    );
    assert.deepEqual([...faultsOf({ ROSTERD_TLS_KEY: 'a' }).faults], [['tlsCert', 'missing']]);
    assert.deepEqual([...faultsOf({}).faults, ...faultsOf({}).problems], []);
  });

  test('CF23 the table for the README names every setting in every form', () => {
    const lines = renderSettingsMarkdown().trimEnd().split('\n');
    assert.equal(lines.length, ALL_SETTINGS.length + 2);
    for (const [index, [, setting]] of ALL_SETTINGS.entries()) {
      const line = lines[index + 2] ?? '';
      for (const name of [setting.key, envName(setting), `--${flagName(setting)}`])
        assert.ok(line.includes(`\`${name}\``), `${line} lacks ${name}`);
      // Escaped bars stay inside their cell.
      assert.equal(line.split(/(?<!\\)\|/).length, 8, line);
    }
  });
});
