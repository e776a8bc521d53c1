/** EM1, EM25–EM28: `rosterd emulator` as a process of its own, and the commands of its documentation. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Typing } from '../../support/clone.ts';
import { eventually } from '../../support/eventually.ts';
import { RosterdProcess } from '../../support/process.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const SCRIPT = join(import.meta.dirname, '../../support/emulator/client-script.mjs');
/** The built command, as a package has it. */
const BUILT = `${JSON.stringify(process.execPath)} ${JSON.stringify(join(ROOT, 'daemon/rosterd.js'))}`;
const TEMPORARY = /^rosterd-emulator-/;

interface Place {
  /** Where the command is typed. */
  readonly cwd: string;
  /** Where temporary folders are made, by nobody else. */
  readonly temporary: string;
  readonly env: Record<string, string>;
}

function place(t: TestContext): Place {
  const folder = mkdtempSync(join(tmpdir(), 'rosterd-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [cwd, temporary] = [join(folder, 'here'), join(folder, 'temporary')];
  for (const made of [cwd, temporary]) mkdirSync(made);
  return { cwd, temporary, env: { TMPDIR: temporary } };
}

function emulator(t: TestContext, { cwd, env }: Place, ...args: readonly string[]): RosterdProcess {
  const started = RosterdProcess.run(['emulator', ...args], { cwd, env });
  t.after(() => started.kill('SIGKILL'));
  return started;
}

/** Types a command line in a shell, with the built rosterd. */
async function typed(t: TestContext, command: string, { cwd, env }: Place) {
  execFileSync(process.execPath, [join(ROOT, 'build.js')], { stdio: 'ignore' });
  const typing = new Typing(command.replaceAll('npx rosterd', BUILT), cwd, { ...process.env, ...env });
  t.after(() => typing.killAll('SIGKILL'));
  return await typing.finished;
}

test('EM1 EM25 a script with the client library runs against the built emulator, and nothing is left behind', {
  timeout: 300_000,
}, async (t) => {
  const here = place(t);
  const { code, stdout, stderr } = await typed(t, `npx rosterd emulator --exec 'node ${SCRIPT}'`, here);
  assert.equal(code, 0, stderr + stdout);
  assert.equal(stdout, '1 event after an hour, 2 users\n', 'stdout is of the command');
  assert.match(stderr, /rosterd emulator: http:\/\/127\.0\.0\.1:\d+ .*all in memory\n {2}ROSTERD_URL=/);
  assert.deepEqual([readdirSync(here.cwd), readdirSync(here.temporary).filter((name) => TEMPORARY.test(name))], [[], []]);
});

test('EM1 while it runs, it keeps what needs files in a temporary folder, and Ctrl-C removes it', async (t) => {
  const here = place(t);
  const running = emulator(t, here, '--listen', '127.0.0.1:0');
  const url = await running.listening();
  assert.equal((await fetch(`${url}/emulator`)).status, 200);
  assert.match(running.stdout, /export ROSTERD_API_SECRET=\S{20,}\n/);
  const { code } = await running.kill('SIGINT');
  assert.equal(code, 0);
  assert.deepEqual([readdirSync(here.cwd), readdirSync(here.temporary)], [[], []]);
});

test('EM25 the exit code is that of the command, or says which signal ended it', async (t) => {
  const here = place(t);
  const codes = ['exit 0', 'exit 7', 'kill -TERM $$', 'no-such-command-of-rosterd'].map(async (command) => {
    const { code, stderr } = await emulator(t, here, '--exec', command).finished;
    return [command, code, /running: /.test(stderr)];
  });
  assert.deepEqual(await Promise.all(codes), [
    ['exit 0', 0, true],
    ['exit 7', 7, true],
    ['kill -TERM $$', 143, true],
    ['no-such-command-of-rosterd', 127, true],
  ]);
});

test('EM25 the command finds the variables, and keys that were set before stay', async (t) => {
  const here = place(t);
  const env = { ...here.env, ROSTERD_API_KEY: 'my-key', ROSTERD_API_SECRET: 'one-that-was-chosen-before', ROSTERD_URL: 'http://elsewhere' };
  const { stdout } = await emulator(t, { ...here, env }, '--exec', 'env | grep ^ROSTERD_ | grep -v TEST | sort').finished;
  const [key, secret, emulatorUrl, url] = stdout.split('\n');
  assert.deepEqual([key, secret], ['ROSTERD_API_KEY=my-key', 'ROSTERD_API_SECRET=one-that-was-chosen-before']);
  assert.match(url ?? '', /^ROSTERD_URL=http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(emulatorUrl, `ROSTERD_EMULATOR_URL=${url?.slice('ROSTERD_URL='.length)}/emulator`);
});

test('EM26 a signal reaches the command and what it has started, once, and the emulator ends after it', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const here = place(t);
    const inner = `trap "echo inner; exit 0" ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
    const outer = `trap "echo outer" ${signal.slice(3)}; sh -c '${inner}'; exit 5`;
    const running = emulator(t, here, '--exec', outer);
    await eventually(
      () => running.stdout.includes('ready'),
      () => running.stderr,
    );
    const { code, stdout } = await running.kill(signal);
    assert.deepEqual([code, stdout.split('\n').sort()], [5, ['', 'inner', 'outer', 'ready']], signal);
    assert.deepEqual(readdirSync(here.temporary), []);
  }
});

test('EM27 users to begin with come from a file, and one that is refused ends it before the command begins', async (t) => {
  const here = place(t);
  writeFileSync(join(here.cwd, 'users.csv'), 'id,name\nann,Ann\nbob,Bob\n');
  const ask = 'curl -sS "$ROSTERD_EMULATOR_URL/apps"';
  const good = await emulator(t, here, '--seed', 'users.csv', '--exec', ask).finished;
  assert.deepEqual([good.code, JSON.parse(good.stdout).apps[0].users], [0, 2], good.stderr);
  writeFileSync(join(here.cwd, 'wrong.ndjson'), '{"id":"ann"}\n{"id":"b b"}\n');
  const wrong = await emulator(t, here, '--seed', 'wrong.ndjson', '--exec', 'echo begun').finished;
  assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
  assert.match(
    wrong.stderr,
    /rosterd: wrong\.ndjson: line 2: id: may contain only letters.*\nrosterd: 1 users of wrong\.ndjson were refused/,
  );
  const gone = await emulator(t, here, '--seed', 'gone.csv').finished;
  assert.deepEqual([gone.code, /gone\.csv cannot be read: ENOENT/.test(gone.stderr)], [2, true], gone.stderr);
  assert.deepEqual(readdirSync(here.temporary), []);
});

test('EM28 it listens on loopback alone, says what to do about a port that is taken, and takes a free one by itself', async (t) => {
  const here = place(t);
  for (const listen of ['0.0.0.0:0', '192.168.7.7:80', 'example.com:80', '[::]:0']) {
    const { code, stderr } = await emulator(t, here, '--listen', listen).finished;
    assert.deepEqual(
      [code, /so it listens on a loopback address only, such as 127\.0\.0\.1:8800; for other machines/.test(stderr)],
      [2, true],
      stderr,
    );
  }
  const malformed = await emulator(t, here, '--listen', '8800').finished;
  assert.deepEqual([malformed.code, /must be host:port/i.test(malformed.stderr)], [2, true], malformed.stderr);
  const first = emulator(t, here, '--listen', 'localhost:0');
  const { host } = new URL(await first.listening());
  const taken = await emulator(t, here, '--listen', host).finished;
  assert.deepEqual([taken.code, /EADDRINUSE; another program listens there/.test(taken.stderr)], [1, true], taken.stderr);
  const beside = await emulator(t, here, '--exec', 'echo "$ROSTERD_URL"').finished;
  assert.match(beside.stdout, /^http:\/\/127\.0\.0\.1:\d+\n$/);
  const wrong = await emulator(t, { ...here, env: { ...here.env, ROSTERD_CONNECT_ROLE: 'maybe' } }, '--exec', 'true').finished;
  assert.deepEqual([wrong.code, /connect\.role \(from ROSTERD_CONNECT_ROLE\) is "maybe"/.test(wrong.stderr)], [2, true], wrong.stderr);
});

test('EM9 the examples of the documentation work in their order', { timeout: 300_000 }, async (t) => {
  const here = place(t);
  const readme = readFileSync(join(ROOT, 'daemon/emulator/README.md'), 'utf8');
  const [, examples = ''] = /<!-- examples -->\n```sh\n([\s\S]*?)```\n<!-- \/examples -->/.exec(readme) ?? [];
  assert.ok(examples.split('\n').length > 25, 'the README has an example for each endpoint');
  writeFileSync(join(here.cwd, 'examples.sh'), `set -e\n${examples}`);
  const { code, stdout, stderr } = await emulator(t, here, '--exec', 'sh examples.sh').finished;
  assert.equal(code, 0, stderr + stdout);
  const { endpoints } = JSON.parse(stdout.slice(0, stdout.indexOf('\n}\n') + 2)) as { endpoints: { endpoint: string }[] };
  const shown = (endpoint: string): boolean => {
    const [method = '', path = ''] = endpoint.replace(/\?.*/, '').split(' ');
    const pattern = path.replace('/emulator', '').replaceAll(/\{\w+\}/g, '[\\w-]+');
    return (
      new RegExp(`^ask ${method} '?${pattern}['?]?(\\s|$|\\w)`, 'm').test(examples) || examples.includes(path.replace('/emulator', ''))
    );
  };
  assert.deepEqual(
    endpoints.map(({ endpoint }) => endpoint).filter((endpoint) => !shown(endpoint)),
    [],
  );
});

test('EM25 the lines for a CI file in the README run the tests of a package', { timeout: 300_000 }, async (t) => {
  const here = place(t);
  const [command] = /^.*npx rosterd emulator --exec .*$/m.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? [''];
  const line = command.replace(/^[\s-]*(run: *)?/, '');
  assert.match(line, /^npx rosterd emulator --exec "npm test"$/);
  const scripts = { test: 'node -e "fetch(process.env.ROSTERD_URL + \'/readyz\').then(({ status }) => console.log(status))"' };
  writeFileSync(join(here.cwd, 'package.json'), JSON.stringify({ name: 'an-application', scripts }));
  const { code, stdout, stderr } = await typed(t, line, here);
  assert.deepEqual([code, /^200$/m.test(stdout)], [0, true], stderr + stdout);
});
