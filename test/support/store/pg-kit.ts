/** Logs on a PostgreSQL of the test file's own, each behind its own proxy, as nodes on machines of their own would be. */
import { randomUUID } from 'node:crypto';
import { after, before } from 'node:test';
import { findPostgres } from '../../../daemon/cli/cluster/programs.ts';
import type { PostgresStoreOptions } from '../../../store/postgres/defaults.ts';
import { PostgresLog } from '../../../store/postgres/log/log.ts';
import { PostgresSnapshots } from '../../../store/postgres/snapshots.ts';
import { PG_PASSWORD, type Postgres, startPostgres } from '../sync/postgres.ts';
import { PgProxy } from './pg-proxy.ts';

const bin = await findPostgres();
/** For every test that needs the server. */
export const pgOptions =
  bin === undefined ? { skip: 'THERE IS NO POSTGRESQL ON THIS MACHINE (initdb was not found)' } : { timeout: 120_000 };

export interface PgNode {
  readonly log: PostgresLog;
  readonly proxy: PgProxy;
  readonly snapshots: PostgresSnapshots;
}

export class PgKit {
  readonly #nodes: PgNode[] = [];
  #postgres: Postgres | undefined;

  /** Starts the server before the tests of the file and ends everything after them. */
  static ofFile(): PgKit {
    const kit = new PgKit();
    before(async () => {
      if (bin === undefined) return;
      kit.#postgres = await startPostgres(bin);
      process.env.PGPASSWORD = PG_PASSWORD;
      await kit.postgres.sql('grant create on database postgres to reader');
    });
    after(async () => {
      await kit.closeNodes();
      delete process.env.PGPASSWORD;
      await kit.#postgres?.stop();
    });
    return kit;
  }

  get postgres(): Postgres {
    if (this.#postgres === undefined) throw new Error('the server is started before the tests');
    return this.#postgres;
  }

  /** One log of the application `app`. No standby is asked for unless the options say so. */
  async node(app: string = randomUUID(), options: Partial<PostgresStoreOptions> = {}): Promise<PgNode> {
    const proxy = await PgProxy.open(this.postgres.port);
    try {
      const log = await PostgresLog.open({ url: this.url(proxy.port), app, secret: 'secret', requiresSync: false, ...options });
      const snapshots = new PostgresSnapshots({ app, links: log.links, onEvent: options.onEvent ?? (() => {}) });
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
