/** OP3, ND4, ND5 on real processes: nodes on one PostgreSQL, on machines whose clocks are wrong. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { pgServe, refusedStart } from '../../support/nodes/pg-serve.ts';
import type { RosterdProcess } from '../../support/process.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { serverToken } from '../../support/world.ts';

const kit = PgKit.ofProcess();
const HOUR_MS = 3_600_000;
/** Less than a start is refused for. */
const LITTLE_MS = 4_000;
/** Two clocks are read a little apart. */
const APART_MS = 1_900;
const REASON =
  /^the clock of this machine is (\d+) ms (ahead of|behind) that of the storage, and 500 ms are allowed: synchronise both with the same time servers \(NTP\)$/;

interface Machine {
  readonly process: RosterdProcess;
  readonly url: string;
}

async function machine(t: TestContext, app: string, node: string, clockAheadMs: number): Promise<Machine> {
  const process = await pgServe(t, { url: kit.url(), app, node, clockAheadMs });
  return { process, url: await process.listening() };
}

async function ask(app: string, url: string, method: string, path: string, body?: unknown) {
  const answer = await fetch(`${url}${path}?api_key=${app}`, {
    method,
    headers: { authorization: serverToken(), 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: asserting on a wrong answer fails the test all the same
  return { status: answer.status, body: (await answer.json()) as any };
}

test('ND4 ND5 a node whose clock is a little off is not ready, says what to do, and stores the right times', pgOptions, async (t) => {
  const app = randomUUID();
  const right = await machine(t, app, 'right', 0);
  const machines = await Promise.all([LITTLE_MS, -LITTLE_MS].map(async (ms) => ({ ms, ...(await machine(t, app, `off${ms}`, ms)) })));
  for (const { ms, url, process } of machines) {
    const { status, body } = await ask(app, url, 'GET', '/readyz');
    assert.equal(status, 503);
    assert.ok(Math.abs(body.clock_ahead_ms - ms) < APART_MS, `${body.clock_ahead_ms} ms`);
    const [, off, way] = REASON.exec(body.reason) ?? assert.fail(body.reason);
    assert.deepEqual([Number(off), way], [Math.abs(body.clock_ahead_ms), ms > 0 ? 'ahead of' : 'behind']);
    const says = (line: string): boolean => line.includes('"level":50') && line.includes('synchronise both with the same time servers');
    await eventually(
      () => process.stderr.split('\n').some(says),
      () => `the log does not say it: ${process.stderr}`,
    );
    const id = `of${ms}`;
    const beforeMs = Date.now();
    const written = await ask(app, url, 'POST', '/api/v2/users', { users: { [id]: { id } } });
    assert.equal(written.status, 201);
    const atMs = written.body.users[id].created_at / 1e6;
    assert.ok(atMs > beforeMs - APART_MS && atMs < Date.now() + APART_MS, `${id} was created at ${new Date(atMs).toISOString()}`);
  }
  assert.equal((await ask(app, right.url, 'GET', '/readyz')).status, 200);
});

test('OP3 a node whose clock is an hour off does not start, and says what to do', pgOptions, async (t) => {
  const app = randomUUID();
  for (const [ms, way] of [
    [HOUR_MS, 'ahead of'],
    [-HOUR_MS, 'behind'],
  ] as const) {
    const { code, stdout, stderr } = await refusedStart(t, { url: kit.url(), app, clockAheadMs: ms });
    assert.deepEqual([code, stdout], [1, ''], stderr);
    assert.match(
      stderr,
      new RegExp(`rosterd: .*the clock of this machine is 3600 s ${way} that of the server, .*NTP\\), and start again\n`),
    );
  }
  // Nothing of it is left in the way of a right one.
  await machine(t, app, 'node', 0);
});
