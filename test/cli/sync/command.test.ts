/** SY: `rosterd sync` as it is called. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { formatDuration, parseDuration } from '../../../daemon/base/duration.ts';
import { daemonUrl } from '../../../daemon/cli/client-options.ts';
import { runCli } from '../../../daemon/cli/commands.ts';
import { ConfigError, loadConfig } from '../../../daemon/cli/config/config.ts';
import { createProgressView } from '../../../daemon/cli/sync/progress.ts';
import { type FakeIo, FakeServer, fakeIo } from '../../support/sync/fake-server.ts';

const env = { ROSTERD_API_KEY: 'key', ROSTERD_API_SECRET: 'hush' };

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rosterd-sync-cli-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const UNREADABLE = '/proc/self/mem';

const ndjson = (count: number) => Array.from({ length: count }, (_, i) => `{"id":"u${i}"}\n`).join('');

async function sync(io: FakeIo, ...args: readonly string[]): Promise<number> {
  return runCli(['sync', ...args], io, { serve: () => assert.fail('serve was called') });
}

test('SY1 the counts go to stdout, everything else to stderr, and the exit code is 0', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), ndjson(1_234));
  const io = fakeIo({ cwd, env });
  assert.equal(await sync(io, 'users.ndjson', '--url', server.url), 0, io.stderr.text);
  assert.equal(io.stdout.text, 'created    1,234\nupdated        0\nunchanged      0\nfailed         0\n');
  assert.match(io.stderr.text, /^1,234 users in .*\/s\)\n$/);
  assert.ok(!existsSync(join(cwd, 'users.ndjson.report.ndjson')));
  assert.match(String(server.requests[0]?.headers['x-stream-client']), /^rosterd-sync\/\d+\.\d+\.\d+$/);
  assert.equal(String(server.requests[0]?.headers.authorization).split('.').length, 3);
});

test('SY2 failed users: exit code 1 and a report beside the source, named on stdout', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), `${ndjson(3)}nonsense\n`);
  const io = fakeIo({ cwd, env });
  assert.equal(await sync(io, 'users.ndjson', '--url', server.url), 1);
  const report = join(cwd, 'users.ndjson.report.ndjson');
  assert.match(io.stdout.text, /^failed +1$/m);
  assert.ok(io.stdout.text.endsWith(`report     ${report}\n`));
  assert.deepEqual(
    readFileSync(report, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => [JSON.parse(line).line, JSON.parse(line).code]),
    [[4, 'invalid_json']],
  );
});

const REASON = `the line is not JSON: Unexpected token 'o', "nonsense" is not valid JSON`;

test('SY3 --json prints one object, --report says where the report goes', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), `${ndjson(3)}nonsense\n`);
  const io = fakeIo({ cwd, env });
  assert.equal(await sync(io, 'users.ndjson', '--url', server.url, '--json', '--quiet', '--report', 'failed.txt'), 1);
  assert.equal(io.stderr.text, '');
  const { seconds, ...printed } = JSON.parse(io.stdout.text);
  assert.ok(seconds >= 0);
  const counts = {
    created: 3,
    updated: 0,
    reactivated: 0,
    restored: 0,
    unchanged: 0,
    sent: 0,
    failed: 1,
    error_groups: [{ reason: REASON, count: 1, lines: [4] }],
    not_sent: 0,
    outcome_unknown: 0,
    not_read_from_line: null,
  };
  assert.deepEqual(printed, {
    status: 'done',
    ...counts,
    taken_out: { count: 0, first: [] },
    report: join(cwd, 'failed.txt'),
    reason: null,
  });
});

test('SY15 below the number of failed users stand the reasons, of rows and of users that the daemon refuses', async (t) => {
  const server = await FakeServer.start(t);
  server.problemsOf = (users) =>
    Object.keys(users).flatMap((id) =>
      /[13]/.test(id) ? [{ path: `users[${id}].role`, code: 4, message: 'role "boss" does not exist' }] : [],
    );
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), `${ndjson(4)}{"id":"u0"}\n${'nonsense\n'.repeat(6)}`);
  const io = fakeIo({ cwd, env });
  assert.equal(await sync(io, 'users.ndjson', '--url', server.url, '--quiet'), 1);
  const [table] = io.stdout.text.split('report ');
  assert.equal(
    table,
    [
      'created    2',
      'updated    0',
      'unchanged  0',
      'failed     9',
      `    6 × ${REASON} (line 6, 7, 8, 9, 10, …)`,
      '    2 × role: role "boss" does not exist (line 2, 4)',
      '    1 × line 5 names the same user as line 1; line 1 counts (line 5)',
      '',
    ].join('\n'),
  );
});

test('RN17 SY3 a run that gives up says which lines it has not read, on stderr and in --json', async (t) => {
  const server = await FakeServer.start(t);
  for (let i = 0; i < 8; i++) server.misbehaviours.push({ kind: 'status', status: 401, body: '{}' });
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), ndjson(5_000));
  const io = fakeIo({ cwd, env });
  assert.equal(await sync(io, 'users.ndjson', '--url', server.url, '--json'), 1);
  const { not_sent: notSent, not_read_from_line: line } = JSON.parse(io.stdout.text);
  assert.equal(line, notSent + 1);
  assert.match(
    io.stderr.text,
    new RegExp(`users.ndjson was not read from line ${line} on; those users are not sent either, and not counted\n`),
  );
});

test('RN13 SY3 users that may be stored have a count, a sentence and a line in the report', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), ndjson(3));
  const args = ['users.ndjson', '--url', server.url, '--retry-for', '0s', '--quiet'];
  const body = { code: -1, message: 'away', outcome: 'unknown' };
  server.misbehaviours.push({ kind: 'status', status: 503, body }, { kind: 'status', status: 503, body });
  const io = fakeIo({ cwd, env });
  assert.equal(await sync(io, ...args), 1);
  assert.match(io.stdout.text, /^outcome unknown +3$/m);
  assert.doesNotMatch(io.stdout.text, /not sent/);
  assert.match(
    io.stderr.text,
    /^rosterd: the outcome of 3 users is unknown: they were sent, and no answer says what became of them; the report names them$/m,
  );
  const report = readFileSync(join(cwd, 'users.ndjson.report.ndjson'), 'utf8');
  assert.equal(report.match(/"outcome_unknown"/g)?.length, 3);
  const json = fakeIo({ cwd, env });
  assert.equal(await sync(json, ...args, '--json'), 1);
  const { not_sent, outcome_unknown } = JSON.parse(json.stdout.text);
  assert.deepEqual([not_sent, outcome_unknown], [0, 3]);
});

test('SY4 - reads stdin', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  const io = fakeIo({ cwd, env, stdin: Readable.from([Buffer.from(ndjson(2)), Buffer.from('x\n')]) });
  assert.equal(await sync(io, '-', '--url', server.url), 1);
  assert.equal(server.directory.size, 2);
  assert.ok(existsSync(join(cwd, 'rosterd-sync.report.ndjson')));
});

for (const [name, text] of [
  ['users.csv', 'id,name,custom.age:number,created_at\nu0,Ann,30,now\nu1,Bob,,now\n'],
  ['users.json', '[{"id":"u0","name":"Ann","age":30},\n{"id":"u1","name":"Bob","created_at":"now"}]'],
  ['users.ndjson', '{"id":"u0","name":"Ann","age":30}\n{"id":"u1","name":"Bob","created_at":"now"}\n'],
] as const) {
  test(`SY12 ${name} is read as what it is`, async (t) => {
    const server = await FakeServer.start(t);
    const cwd = folder(t);
    writeFileSync(join(cwd, name), text);
    const io = fakeIo({ cwd, env });
    assert.equal(await sync(io, name, '--url', server.url), 0, io.stderr.text);
    const stored = [...server.directory.values()].map((user) => JSON.parse(user));
    assert.deepEqual(stored, [
      { id: 'u0', name: 'Ann', age: 30 },
      { id: 'u1', name: 'Bob' },
    ]);
  });
}

test('SY12 a header without id, and a compressed file, say so before anything is sent', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.csv'), 'no,name\n1,Ann\n');
  const header = fakeIo({ cwd, env });
  assert.equal(await sync(header, 'users.csv', '--url', server.url), 2);
  assert.match(header.stderr.text, /there is no column "id"/);
  writeFileSync(join(cwd, 'users.gz'), gzipSync(ndjson(1)));
  const compressed = fakeIo({ cwd, env });
  assert.equal(await sync(compressed, 'users.gz', '--url', server.url), 1);
  assert.match(
    compressed.stderr.text,
    /gave up: the source cannot be read: it is compressed[^\n]*\nrosterd: when that is mended, run it again to finish\n/,
  );
  assert.equal(server.requests.length, 0);
});

test('SY5 what cannot work ends with 2 before anything is sent', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), ndjson(1));
  mkdirSync(join(cwd, 'dir'));
  const cases: [string[], RegExp][] = [
    [['missing.ndjson', '--url', server.url], /missing\.ndjson cannot be read/],
    [['dir', '--url', server.url], /it is a directory/],
    // A file that can be opened and not read, where there is one.
    ...(existsSync(UNREADABLE) ? [[[UNREADABLE, '--url', server.url], /mem cannot be read: EIO/] satisfies [string[], RegExp]] : []),
    [['users.ndjson', '--url', server.url, '--report', 'users.ndjson'], /would overwrite the source/],
    [['users.ndjson', '--url', server.url, '--report', 'no/where.txt'], /the report cannot be written/],
    [['users.ndjson', '--url', 'ftp://x'], /--url/],
    [['users.ndjson', '--url', 'http://x/?a=b'], /--url/],
    [['users.ndjson', '--retry-for', 'long'], /--retry-for/],
  ];
  for (const [args, reason] of cases) {
    const io = fakeIo({ cwd, env });
    assert.equal(await sync(io, ...args), 2, args.join(' '));
    assert.match(io.stderr.text, reason);
    assert.equal(io.stdout.text, '');
  }
  const noKey = fakeIo({ cwd });
  assert.equal(await sync(noKey, 'users.ndjson', '--url', server.url), 2);
  assert.equal(server.requests.length, 0);
});

test('SO10 a plan, a report and a backup are no sources, and the users that they name stay as they are', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  const cases = [
    ['{"rosterd_plan":1}\n{"do":"update","line":1,"id":"u0","rev":1,"user":{"id":"u0"}}\n', /is a plan, no source: rosterd sync apply/],
    ['\ufeff\n{"id":"u0","result":"failed","line":1,"code":4,"reason":"no"}\n', /is the report of a run, no source/],
    ['{"format":"rosterd-backup","version":1}\n{"user":{"id":"u0"}}\n', /is a backup, no source: rosterd restore/],
  ] as const;
  for (const [text, reason] of cases) {
    writeFileSync(join(cwd, 'file.ndjson'), text);
    for (const args of [['file.ndjson'], ['plan', 'file.ndjson'], ['-']]) {
      const bytes = [...Buffer.from(text)].map((byte) => Buffer.of(byte));
      const io = fakeIo({ cwd, env, stdin: Readable.from(bytes) });
      assert.equal(await sync(io, ...args, '--url', server.url), args[0] === 'plan' ? 1 : 2);
      assert.match(io.stderr.text, reason);
      assert.equal(io.stdout.text, '');
    }
  }
  assert.equal(server.requests.length, 0);
});

test('SY16 a report replaces a report, but no other file', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), `${ndjson(2)}nonsense\n`);
  writeFileSync(join(cwd, 'precious.txt'), 'precious\n');
  symlinkSync('users.ndjson', join(cwd, 'link'));
  for (const path of ['precious.txt', 'link']) {
    const before = readFileSync(join(cwd, path), 'utf8');
    const io = fakeIo({ cwd, env });
    assert.equal(await sync(io, 'users.ndjson', '--url', server.url, '--report', path), 2);
    assert.match(io.stderr.text, new RegExp(`${path} is there already and is no report; it is not overwritten`));
    assert.equal(readFileSync(join(cwd, path), 'utf8'), before);
  }
  assert.equal(server.requests.length, 0);
  writeFileSync(join(cwd, 'failed.ndjson'), '');
  for (const code of ['the first', 'the second']) {
    const io = fakeIo({ cwd, env });
    assert.equal(await sync(io, 'users.ndjson', '--url', server.url, '--report', 'failed.ndjson'), 1, code);
    assert.equal(readFileSync(join(cwd, 'failed.ndjson'), 'utf8').split('\n').length, 2, code);
  }
});

test('SY6 Ctrl-C: exit code 130, the counts, and how to go on', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  writeFileSync(join(cwd, 'users.ndjson'), ndjson(3_000));
  const io = fakeIo({ cwd, env });
  server.beforeAnswer = () => {
    if (server.requests.length === 2) io.interrupt();
  };
  assert.equal(await sync(io, 'users.ndjson', '--url', server.url), 130);
  assert.match(io.stderr.text, /stopping; requests on their way may finish/);
  assert.match(io.stderr.text, /interrupted; run it again to finish\n$/);
  assert.match(io.stdout.text, new RegExp(`^created +${server.directory.size.toLocaleString('en-US')}$`, 'm'));
});

test('SY7 the second Ctrl-C does not wait for the answer', async (t) => {
  const server = await FakeServer.start(t);
  const cwd = folder(t);
  const io = fakeIo({ cwd, env, stdin: Readable.from([Buffer.from(ndjson(1))]) });
  server.misbehaviours.push({ kind: 'hang' });
  server.beforeAnswer = () => {
    io.interrupt();
    io.interrupt();
  };
  assert.equal(await sync(io, '-', '--url', server.url), 130);
});

test('SY8 a run that gives up says why and ends with 1', async (t) => {
  const server = await FakeServer.start(t);
  server.misbehaviours.push({ kind: 'status', status: 401, body: { code: 43, message: 'the token signature is invalid' } });
  const io = fakeIo({ cwd: folder(t), env, stdin: Readable.from([Buffer.from(ndjson(1))]) });
  assert.equal(await sync(io, '-', '--url', server.url), 1);
  assert.match(
    io.stderr.text,
    /gave up: the daemon answers 401: the token signature is invalid[^\n]*\nrosterd: when that is mended, run it again to finish\n/,
  );
});

test('SY9 the address of the daemon follows from its settings', () => {
  const url = (flags: Record<string, string>, env: Record<string, string> = {}) =>
    daemonUrl(loadConfig({ flags, env, cwd: '/' }).config, env);
  assert.equal(url({}), 'http://127.0.0.1:8800');
  assert.equal(url({ listen: '0.0.0.0:80' }), 'http://127.0.0.1:80');
  assert.equal(url({ listen: '[::]:81' }), 'http://[::1]:81');
  assert.equal(url({ listen: 'roster.example.com:443', 'tls-cert': 'c', 'tls-key': 'k' }), 'https://roster.example.com:443');
  assert.throws(() => url({ listen: '127.0.0.1:0' }), ConfigError);
  assert.equal(url({ listen: '127.0.0.1:0' }, { ROSTERD_URL: 'http://127.0.0.1:9000' }), 'http://127.0.0.1:9000');
  assert.throws(() => url({}, { ROSTERD_URL: 'here' }), { message: /^ROSTERD_URL is "here": It must be an address/ });
});

test('SY10 without a terminal, progress is a line every few seconds', () => {
  let nowMs = 0;
  const io = fakeIo({ cwd: '/' });
  const view = createProgressView({ stderr: io.stderr, totalBytes: 1_000, quiet: false, now: () => nowMs });
  const at = (ms: number, users: number, bytes: number, failed = 0) => {
    nowMs = ms;
    view.update({ failed, users, bytes });
  };
  at(1_000, 50, 50);
  at(5_000, 250_000, 250);
  at(5_100, 250_100, 251);
  at(10_000, 500_000, 500, 3);
  assert.equal(io.stderr.text, '25%, 250,000 users, 50,000/s, 15 s left\n50%, 500,000 users (3 failed), 50,000/s, 10 s left\n');
  const quiet = fakeIo({ cwd: '/' });
  const silent = createProgressView({ stderr: quiet.stderr, totalBytes: undefined, quiet: true, now: () => nowMs });
  nowMs = 60_000;
  silent.update({ failed: 0, users: 1, bytes: 1 });
  silent.end();
  assert.equal(quiet.stderr.text, '');
});

test('SY11 durations are read and written', () => {
  assert.deepEqual(['500ms', '90s', '1.5h', '30d', '0s'].map(parseDuration), [500, 90_000, 5_400_000, 2_592_000_000, 0]);
  for (const text of ['', '5', 's', '-1s', '1 h', '1w', '1e3s']) assert.equal(parseDuration(text), undefined, text);
  assert.deepEqual([850, 12_000, 200_000, 300_000, 7_500_000].map(formatDuration), ['850 ms', '12 s', '3 min 20 s', '5 min', '2 h 5 min']);
});
