/** Logs on a PostgreSQL of the process's own, each behind its own proxy, as nodes on machines of their own would be. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, beforeEach } from 'node:test';
import { findPostgres } from '../../../daemon/cli/cluster/programs.ts';
import type { PostgresStoreOptions } from '../../../store/postgres/defaults.ts';
import { PostgresLog } from '../../../store/postgres/log/log.ts';
import { PostgresSnapshots } from '../../../store/postgres/snapshots.ts';
import { eventually } from '../eventually.ts';
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

/** A commit that changes nothing, and the number of those that wait for the standby, whose wait it ends. */
const COMMIT = "set application_name = 'commit-of-test'; select pg_logical_emit_message(true, 'test', '')";
const CANCELLED = `set synchronous_commit = local;
  select count(pg_cancel_backend(pid)) from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'commit-of-test'`;

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

  /**
   * Commits wait for the standby of that name, which need not exist, once this resolves; '' for none. The setting shows some time before they
   * do, since another process of the server tells them.
   */
  async standby(name: string): Promise<void> {
    await this.postgres.sql(`alter system set synchronous_standby_names = '${name}'`);
    await this.postgres.sql('set synchronous_commit = local; select pg_reload_conf()');
    if (name === '') await this.postgres.sql(COMMIT);
    else await eventually(() => this.#isWaitedFor(), `commits wait for ${name}`);
  }

  async #isWaitedFor(): Promise<boolean> {
    let isOver = false;
    let hasWaited = false;
    const commit = this.postgres.sql(COMMIT).finally(() => {
      isOver = true;
    });
    while (!isOver) hasWaited = (await this.postgres.sql(CANCELLED)) !== '0\n' || hasWaited;
    await commit;
    return hasWaited;
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
