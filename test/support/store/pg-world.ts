/** Daemons that share a PostgreSQL, each behind a proxy of its own, as on machines of their own. */
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { packageVersion } from '../../../daemon/cli/version.ts';
import { openPostgresStore, type PostgresNodeOptions } from '../../../store/postgres/store.ts';
import { World, type WorldOptions } from '../world.ts';
import type { PgKit } from './pg-kit.ts';
import { PgProxy } from './pg-proxy.ts';

export interface PgWorld {
  readonly world: World;
  readonly proxy: PgProxy;
}

export interface PgWorldOptions extends WorldOptions {
  /** Its name. Default: any. */
  readonly node?: string;
  readonly store?: Partial<PostgresNodeOptions>;
}

/** One more daemon of the application `app`. */
export async function pgWorld(
  t: TestContext,
  kit: PgKit,
  app: string,
  { node = randomUUID(), store, ...options }: PgWorldOptions = {},
): Promise<PgWorld> {
  const proxy = await PgProxy.open(kit.postgres.port);
  const starting = World.start(t, {
    ...options,
    flags: { 'rate-limits': 'off', ...options.flags },
    openStore: (_, onEvent, { apiSecret }) =>
      openPostgresStore({
        ...{ url: kit.url(proxy.port), app, secret: apiSecret, requiresSync: false, node, version: packageVersion(), onEvent },
        ...store,
      }),
  });
  const world = await starting.catch(async (error: unknown) => {
    await proxy.close();
    throw error;
  });
  // After the world has stopped, which registers itself first.
  t.after(() => proxy.close());
  return { world, proxy };
}
