/** `rosterd serve` on a PostgreSQL, as an operator starts it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Finished, RosterdProcess } from '../process.ts';
import { API_SECRET } from '../world.ts';

export interface PgServeOptions {
  readonly url: string;
  readonly app: string;
  readonly secret?: string;
  readonly node?: string;
  /** In place of `--log-require-sync false`. */
  readonly flags?: readonly string[];
  /** Of its machine against this one. */
  readonly clockAheadMs?: number;
}

/** Starts it. It is killed after the test. */
export async function pgServe(t: TestContext, options: PgServeOptions): Promise<RosterdProcess> {
  const { url, app, secret = API_SECRET, node = 'node', flags = ['--log-require-sync', 'false'], clockAheadMs = 0 } = options;
  const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
  const where = ['--listen', '127.0.0.1:0', '--data', data, '--node-name', node, '--public-url', 'http://127.0.0.1:1'];
  const env = { ROSTERD_LOG: url, ROSTERD_API_KEY: app, ROSTERD_API_SECRET: secret, NODE_OPTIONS: withClock(clockAheadMs) };
  const started = RosterdProcess.run(['serve', ...where, ...flags], { env });
  t.after(async () => {
    await started.kill('SIGKILL');
    await rm(data, { recursive: true, force: true });
  });
  return started;
}

/** What a start that fails says, after its exit. */
export async function refusedStart(t: TestContext, options: PgServeOptions): Promise<Finished> {
  return await (await pgServe(t, options)).finished;
}

/** Node's options under which the wall clock of a process is ahead, in all that it runs. */
function withClock(aheadMs: number): string {
  const before = process.env.NODE_OPTIONS ?? '';
  if (aheadMs === 0) return before;
  const script = `const Right = Date;
globalThis.Date = class Date extends Right {
  constructor(...of) { if (of.length === 0) super(Right.now() + ${aheadMs}); else super(...of); }
  static now() { return Right.now() + ${aheadMs}; }
};`;
  return `${before} --import=data:text/javascript,${encodeURIComponent(script)}`;
}
