/** Daemons that share a PostgreSQL, as processes of their own: started from the sources, killed without mercy. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { RosterdProcess } from '../process.ts';
import { API_SECRET } from '../world.ts';

export interface PgProcess {
  readonly process: RosterdProcess;
  readonly url: string;
}

export class PgProcesses {
  readonly #t: TestContext;
  /** The data of each node is in the folder of its name. */
  readonly data: string;
  readonly env: { readonly ROSTERD_LOG: string; readonly ROSTERD_API_KEY: string; readonly ROSTERD_API_SECRET: string };

  private constructor(t: TestContext, data: string, log: string) {
    this.#t = t;
    this.data = data;
    this.env = { ROSTERD_LOG: log, ROSTERD_API_KEY: randomUUID(), ROSTERD_API_SECRET: API_SECRET };
  }

  /** `log`: the URL of the database. */
  static async open(t: TestContext, log: string): Promise<PgProcesses> {
    const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
    t.after(() => rm(data, { recursive: true, force: true }));
    return new PgProcesses(t, data, log);
  }

  get apiKey(): string {
    return this.env.ROSTERD_API_KEY;
  }

  /** Resolves when it listens. */
  async start(name: string, { listen = '127.0.0.1:0' } = {}): Promise<PgProcess> {
    const flags = ['--listen', listen, '--data', join(this.data, name), '--node-name', name, '--public-url', 'http://127.0.0.1:1'];
    const process = RosterdProcess.run(['serve', '--log-require-sync', 'false', ...flags], { env: this.env });
    this.#t.after(() => process.kill('SIGKILL'));
    return { process, url: await process.listening() };
  }
}
