/**
 * Makes the tables and brings those of an older version up to date (PL1). Nodes that start together wait for one another; the first does the
 * work. What another version or somebody else made is refused and left as it is.
 */
import { type PgConnection, rowOf, sqlState } from './link/connection.ts';
import { PostgresUnusable } from './link/target.ts';
import { SCHEMA_STEPS } from './tables.ts';

const NO_RIGHT = '42501';
const NO_COLUMN = '42703';

/** Rejects with PostgresUnusable, or with the error of a lost connection. */
export async function prepareSchema(connection: PgConnection, target: string, steps = SCHEMA_STEPS): Promise<void> {
  const format = await knownFormat(connection, target, steps.length).catch(async (error: unknown) => {
    if (sqlState(error) !== NO_RIGHT) throw error;
    const reason = `the role ${await loginOf(connection)} may not use its schema "rosterd": let an administrator give it to that role (alter schema rosterd owner to …), or use another database`;
    throw new PostgresUnusable(target, reason, { cause: error });
  });
  if (format === steps.length) return;
  try {
    // Before the transaction: within it, the server would go on believing that what it once looked for is not there.
    await connection.ask({ text: "select pg_advisory_lock(hashtextextended('rosterd schema', 0))" });
    await connection.ask({ text: 'begin' });
    await migrate(connection, target, steps);
    await connection.ask({ text: 'commit' });
  } catch (error) {
    await connection.ask({ text: 'rollback' }).catch(() => {});
    if (sqlState(error) !== NO_RIGHT) throw error;
    const login = await loginOf(connection);
    throw new PostgresUnusable(
      target,
      `the role ${login} may not make the tables; let an administrator run: create schema rosterd authorization ${login}`,
      { cause: error },
    );
  } finally {
    await connection.ask({ text: "select pg_advisory_unlock(hashtextextended('rosterd schema', 0))" }).catch(() => {});
  }
}

async function loginOf(connection: PgConnection): Promise<string> {
  return String(rowOf(await connection.ask({ text: 'select quote_ident(current_user) as name' })).name);
}

async function migrate(connection: PgConnection, target: string, steps: readonly string[]): Promise<void> {
  const format = (await knownFormat(connection, target, steps.length)) ?? (await begun(connection, target));
  for (const step of steps.slice(format)) await connection.ask({ text: step });
  await connection.ask({ text: 'update rosterd.schema_format set format = $1', values: [steps.length] });
}

/** An empty schema of ours. */
async function begun(connection: PgConnection, target: string): Promise<number> {
  const { rows } = await connection.ask({
    text: `select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = 'rosterd' and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') order by 1 limit 5`,
  });
  if (rows.length > 0) throw foreign(target, rows.map(({ name }) => String(name)).join(', '));
  const { exists } = rowOf(await connection.ask({ text: "select to_regnamespace('rosterd') is not null as exists" }));
  if (exists !== true) await connection.ask({ text: 'create schema rosterd' });
  await connection.ask({
    text: `create table rosterd.schema_format (one boolean primary key default true check (one), format int not null);
           insert into rosterd.schema_format (format) values (0)`,
  });
  return 0;
}

/** Undefined when there are no tables. Rejects with PostgresUnusable when they are not ours, or newer than `newest`. */
export async function knownFormat(connection: PgConnection, target: string, newest: number): Promise<number | undefined> {
  const { exists } = rowOf(await connection.ask({ text: "select to_regclass('rosterd.schema_format') is not null as exists" }));
  if (exists !== true) return undefined;
  const { rows } = await connection.ask({ text: 'select format from rosterd.schema_format where one' }).catch((error: unknown) => {
    throw sqlState(error) === NO_COLUMN ? foreign(target, 'schema_format') : error;
  });
  const format = rows[0]?.format;
  if (typeof format !== 'number') throw foreign(target, 'schema_format');
  if (format > newest) {
    throw new PostgresUnusable(
      target,
      `its tables have format ${format}, and this rosterd knows formats up to ${newest}: start the version that made them`,
    );
  }
  return format;
}

function foreign(target: string, tables: string): PostgresUnusable {
  return new PostgresUnusable(
    target,
    `its schema "rosterd" holds tables that rosterd did not make (${tables}): use another database, or rename that schema`,
  );
}
