/**
 * AP10: a plan is applied while its job and its daemon are killed with SIGKILL at random moments, and goes on with --resume.
 * At the end the directory holds what a run without kills leaves, everybody is in one count, and there is nothing left to do.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { DirectoryCopy } from '../../support/live/copy.ts';
import { isLong } from '../../support/long.ts';
import { RosterdProcess } from '../../support/process.ts';
import { seeded, testOption } from '../../support/random.ts';
import { ApplyWorld, accounted, beginSync, contentOf, type Ran, type SourceUser } from '../../support/sync/apply-kit.ts';
import { API_KEY, API_SECRET, serverToken } from '../../support/world.ts';

const ROUNDS = testOption('rounds', isLong ? 2 : 1);
const SEED = testOption('seed', Date.now() % 1_000_000);
const KILLS = isLong ? 3 : 2;
const SEEDED = isLong ? 4_000 : 1_200;
const NEW = isLong ? 1_500 : 500;
const MISSING = isLong ? 300 : 100;
/** Users per second: what is killed is in the middle of something. */
const RATE = isLong ? 2_500 : 1_000;
const CHANGED_EVERY = 3;
/** Each is one event. */
const CHANGES = Math.ceil((SEEDED - MISSING) / CHANGED_EVERY) + NEW + MISSING;
const PLAN_FLAGS = ['--missing', 'deactivate', '--out', 'plan.ndjson', '--json', '--quiet'];

const person = (n: number, version: number): SourceUser => ({
  id: `user-${n}`,
  name: `User ${n}`,
  role: n % 50 === 0 ? 'admin' : 'user',
  teams: [n % 2 === 0 ? 'red' : 'blue'],
  version,
  notes: { text: 'x'.repeat(n % 40) },
});
const before = Array.from({ length: SEEDED }, (_, n) => person(n, 1));
const after = Array.from({ length: SEEDED + NEW }, (_, n) => person(n, n % CHANGED_EVERY === 0 || n >= SEEDED ? 2 : 1)).filter(
  (_, n) => n < SEEDED - MISSING || n >= SEEDED,
);

/** What a run that nobody disturbs leaves behind. */
async function undisturbed(t: TestContext): Promise<Map<string, unknown>> {
  const world = await ApplyWorld.start(t);
  world.write('seed.ndjson', before);
  assert.equal((await world.run('seed.ndjson', '--quiet')).code, 0);
  world.write('users.ndjson', after);
  assert.equal((await world.run('plan', 'users.ndjson', ...PLAN_FLAGS)).code, 2);
  const ran = await world.run('apply', 'plan.ndjson', '--json');
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(ran.json.total, CHANGES);
  return contents((await world.users()).values());
}

function contents(users: Iterable<Parameters<typeof contentOf>[0]>): Map<string, unknown> {
  const sorted = [...users].sort((a, b) => (a.id < b.id ? -1 : 1));
  return new Map(sorted.map((user) => [user.id, { ...contentOf(user), deactivated_at: user.deactivated_at !== undefined }]));
}

/** A daemon and commands as processes of their own, which can be killed. */
class Box {
  readonly folder: string;
  url = '';
  #listen: string | undefined;
  #daemon: RosterdProcess | undefined;
  readonly #processes: RosterdProcess[] = [];
  readonly #env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET, ROSTERD_LOG_LEVEL: 'error' };

  constructor(folder: string) {
    this.folder = folder;
  }

  async startDaemon(): Promise<void> {
    this.#listen ??= `127.0.0.1:${await freePort()}`;
    this.#daemon = this.#run('serve', '--listen', this.#listen, '--data', join(this.folder, 'data'));
    this.url = await this.#daemon.listening();
  }

  async killDaemon(): Promise<void> {
    await this.#daemon?.kill('SIGKILL');
  }

  /** A command that nobody kills needs no process. */
  sync(...args: readonly string[]): Promise<Ran> {
    return beginSync(this.folder, this.url, args).done;
  }

  apply(...args: readonly string[]): RosterdProcess {
    return this.#run(
      'sync',
      'apply',
      'plan.ndjson',
      '--json',
      '--rate',
      String(RATE),
      '--report',
      'report.ndjson',
      '--concurrency',
      '3',
      '--url',
      this.url,
      ...args,
    );
  }

  end(): void {
    for (const { child } of this.#processes) child.kill('SIGKILL');
  }

  #run(...args: readonly string[]): RosterdProcess {
    const started = RosterdProcess.run(args, { cwd: this.folder, env: this.#env });
    this.#processes.push(started);
    return started;
  }
}

test(`AP10 killed at random moments and resumed, a plan ends as if nobody had disturbed it (--seed ${SEED})`, {
  timeout: 600_000,
}, async (t) => {
  const expected = await undisturbed(t);
  for (let round = 0; round < ROUNDS; round++) await disturbed(t, seeded(SEED + round), expected);
});

async function disturbed(t: TestContext, random: () => number, expected: ReadonlyMap<string, unknown>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-kill-'));
  const box = new Box(folder);
  t.after(async () => {
    box.end();
    await rm(folder, { recursive: true, force: true });
  });
  await box.startDaemon();
  await writeUsers(join(folder, 'seed.ndjson'), before);
  await writeUsers(join(folder, 'users.ndjson'), after);
  assert.equal((await box.sync('seed.ndjson', '--quiet')).code, 0);
  const planned = await box.sync('plan', 'users.ndjson', ...PLAN_FLAGS);
  assert.equal(planned.code, 2, planned.stderr);
  const copy = new DirectoryCopy(() => box.url.replace(/^http/, 'ws'), { api_key: API_KEY, token: serverToken() });
  await copy.connect();

  let job = box.apply();
  const moments = Array.from({ length: KILLS }, () => 1 + Math.floor(random() * CHANGES * 0.8)).sort((a, b) => a - b);
  const first = random();
  for (const [index, moment] of moments.entries()) {
    await Promise.race([copy.until(() => copy.seqs.length >= moment), failedEarly(job)]);
    // At the small size the one and then the other, in either order.
    const what = isLong ? random() : Math.abs(index - Math.round(first));
    t.diagnostic(`after ${copy.seqs.length} events: ${what < 0.7 ? 'job ' : ''}${what > 0.3 ? 'daemon' : ''}`);
    if (what > 0.3) {
      await box.killDaemon();
      await copy.closed;
    }
    if (what < 0.7) await job.kill('SIGKILL');
    if (what > 0.3) {
      await box.startDaemon();
      await copy.connect();
    }
    if (what < 0.7) job = box.apply('--resume');
  }
  const ended = await job.finished;
  assert.equal(ended.code, 0, ended.stderr);
  const counts = JSON.parse(ended.stdout);
  assert.equal(accounted(counts), CHANGES, ended.stdout);
  assert.equal(counts.failed + counts.changed_meanwhile, 0);
  await copy.until(() => copy.seqs.length >= CHANGES);
  assert.equal(copy.seqs.length, CHANGES, 'everybody was changed once');
  assert.deepEqual(contents(copy.users.values()), expected);

  const report = (await readFile(join(folder, 'report.ndjson'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).id);
  assert.equal(new Set(report).size, report.length, 'nobody is in the report twice');
  assert.equal(report.length, CHANGES - counts.unchanged);

  const settled = await positionOf(box.url);
  const again = await box.sync('plan', 'users.ndjson', ...PLAN_FLAGS);
  assert.equal(again.code, 0, `there is nothing left to do: ${again.stdout}`);
  const nothing = await box.sync('apply', 'users.ndjson', '--missing', 'deactivate', '--json');
  assert.deepEqual([nothing.code, nothing.json.total], [0, 0], nothing.stderr);
  assert.deepEqual(await positionOf(box.url), settled, 'and nothing was written');
  assert.equal(copy.seqs.length, CHANGES, 'and no event was sent');
  copy.cut();
  box.end();
}

/** A job that ends before its time would be waited for in vain. */
async function failedEarly(job: RosterdProcess): Promise<void> {
  const { code, stderr } = await job.finished;
  if (code !== 0) throw new Error(`the job ended with ${code}: ${stderr}`);
  await new Promise(() => {});
}

async function positionOf(url: string): Promise<unknown> {
  const answer = await fetch(`${url}/sync/position?api_key=${API_KEY}`, {
    headers: { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt' },
  });
  const { epoch, seq } = (await answer.json()) as { epoch: string; seq: number };
  return { epoch, seq };
}

async function writeUsers(path: string, users: readonly SourceUser[]): Promise<void> {
  await writeFile(path, users.map((user) => `${JSON.stringify(user)}\n`).join(''));
}
