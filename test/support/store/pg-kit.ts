/** Logs on a PostgreSQL of the process's own, each behind its own proxy, as nodes on machines of their own would be. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, beforeEach } from 'node:test';
import { findPostgres } from '../../../daemon/cli/cluster/programs.ts';
import type { PostgresStoreOptions } from '../../../store/postgres/defaults.ts';
import { PostgresLog } from '../../../store/postgres/log/log.ts';
import { PostgresSnapshots } from '../../../store/postgres/snapshots.ts';
import { PG_PASSWORD, type Postgres, startPostgres } from '../sync/postgres.ts';
import { PgProxy } from './pg-proxy.ts';

const bin = await findPostgres();
const server = bin === undefined ? undefined : await startPostgres(bin);
if (server !== undefined) {
  process.env.PGPASSWORD = PG_PASSWORD;
  await server.sql('grant create on database postgres to reader');
}

/** For every test that needs the server. */
export const pgOptions =
  bin === undefined ? { skip: 'THERE IS NO POSTGRESQL ON THIS MACHINE (initdb was not found)' } : { timeout: 120_000 };

export interface PgNode {
  readonly log: PostgresLog;
  readonly proxy: PgProxy;
  readonly snapshots: PostgresSnapshots;
}

export class PgKit {
  static #ofProcess: PgKit | undefined;
  readonly #nodes: PgNode[] = [];

  /** Of all test files in this process: one server, which is there before the first test and goes after the last. A test's nodes go with it. */
  static ofProcess(): PgKit {
    if (PgKit.#ofProcess !== undefined) return PgKit.#ofProcess;
    const kit = new PgKit();
    PgKit.#ofProcess = kit;
    // A server has a hundred connections, and a node several.
    beforeEach(() => kit.closeNodes());
    after(async () => {
      await kit.closeNodes();
      await server?.stop();
    });
    return kit;
  }

  get postgres(): Postgres {
    assert.ok(server, 'tests that need it are skipped without it');
    return server;
  }

  /** One log of the application `app`. No standby is asked for unless the options say so. */
  async node(app: string = randomUUID(), options: Partial<PostgresStoreOptions> = {}): Promise<PgNode> {
    const proxy = await PgProxy.open(this.postgres.port);
    try {
      const log = await PostgresLog.open({ url: this.url(proxy.port), app, secret: 'secret', requiresSync: false, ...options });
      const snapshots = new PostgresSnapshots({ app, links: log.links, format: () => log.format, onEvent: options.onEvent ?? (() => {}) });
      const node = { log, proxy, snapshots };
      this.#nodes.push(node);
      return node;
    } catch (error) {
      await proxy.close();
      throw error;
    }
  }

  url(port = this.postgres.port, database = 'postgres'): string {
    return this.postgres.url.replace(/:\d+\/\w+$/, `:${port}/${database}`);
  }

  async closeNodes(): Promise<void> {
    for (const { log, proxy } of this.#nodes.splice(0)) {
      proxy.cutAll();
      await log.close();
      await proxy.close();
    }
  }
}
