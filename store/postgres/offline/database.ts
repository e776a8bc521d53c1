/**
 * The database of a log as a command sees it, without a daemon and without making anything in it: one connection to the server that takes
 * writes, and the application that is meant.
 */
import { errorText } from '../../../protocol/base/errors.ts';
import { PgConnection, rowOf } from '../link/connection.ts';
import { checkedServer } from '../link/link.ts';
import { type PostgresTarget, PostgresUnusable, postgresTargets } from '../link/target.ts';
import { knownFormat } from '../schema.ts';
import { SCHEMA_STEPS } from '../tables.ts';

export interface OpenDatabase {
  readonly connection: PgConnection;
  /** Host and database, for messages. */
  readonly name: string;
}

/** How good a server is: one that takes writes is taken at once. */
interface Found extends OpenDatabase {
  readonly isStandby: boolean;
}

const IS_STANDBY = { text: 'select pg_is_in_recovery() as is_standby' };

/**
 * Runs `work` on the first server of the address that is a primary, or, if there is none, on a standby. The server is only looked at: what
 * rosterd could not run on is no error. Rejects with PostgresUnusable when none can be reached.
 */
export async function withServer<T>(address: string, work: (database: OpenDatabase) => Promise<T>): Promise<T> {
  const found: Found[] = [];
  let problem: unknown;
  for (const target of postgresTargets(address)) {
    if (found.some(({ isStandby }) => !isStandby)) break;
    try {
      found.push(await opened(target));
    } catch (error) {
      problem ??= new PostgresUnusable(target.name, errorText(error), { cause: error });
    }
  }
  const best = found.find(({ isStandby }) => !isStandby) ?? found[0];
  try {
    if (best === undefined) throw problem;
    return await work(best);
  } finally {
    await Promise.all(found.map(({ connection }) => connection.close()));
  }
}

async function opened(target: PostgresTarget): Promise<Found> {
  const connection = await PgConnection.open(target, 'command');
  try {
    return { connection, name: target.name, isStandby: rowOf(await connection.ask(IS_STANDBY)).is_standby === true };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** Like `withServer`, on a server that a daemon could run on: it takes writes, and nothing stands between. Rejects with PostgresUnusable or NotWritable. */
export async function withPrimary<T>(address: string, work: (database: OpenDatabase) => Promise<T>): Promise<T> {
  return await withServer(address, async (database) => {
    await checkedServer(database.connection, database);
    return await work(database);
  });
}

/** Rejects with PostgresUnusable unless the tables are there in the format of this version. */
export async function checkTables({ connection, name }: OpenDatabase): Promise<void> {
  const format = await knownFormat(connection, name, SCHEMA_STEPS.length);
  if (format === undefined) throw new PostgresUnusable(name, 'it holds no tables of rosterd: is it the right database?');
  if (format < SCHEMA_STEPS.length)
    throw new PostgresUnusable(
      name,
      `its tables have format ${format}, and this rosterd works with ${SCHEMA_STEPS.length}: run the version that made them, or start this one, which brings them up to date`,
    );
}

/** The application that is asked for, or the only one that there is. Rejects with PostgresUnusable when it is not clear which, or not there. */
export async function applicationOf({ connection, name }: OpenDatabase, asked: string | undefined): Promise<string> {
  const { rows } = await connection.ask({ text: 'select app from rosterd.head order by app' });
  const apps = rows.map(({ app }) => String(app));
  const known = apps.length === 0 ? 'none' : apps.join(', ');
  if (asked !== undefined && !apps.includes(asked)) throw new PostgresUnusable(name, `it holds no log of ${asked} (there are: ${known})`);
  const app = asked ?? (apps.length === 1 ? apps[0] : undefined);
  if (app !== undefined) return app;
  if (apps.length === 0) throw new PostgresUnusable(name, 'it holds no log yet: no daemon has run on it');
  throw new PostgresUnusable(name, `it holds the logs of several applications (${known}): choose one with --api-key`);
}
