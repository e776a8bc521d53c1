/**
 * The connections to one server, made and given up together (PL6). Each has one kind of work, so that none waits behind another: `writer`
 * appends, `pulse` makes commits that prove something, `reader` reads entries, `listener` hears and makes announcements.
 * What one connection learns may be combined with what another reads only because all of them reach the same server in the same life of it:
 * behind one address, an old primary may still answer while a new one does.
 */
import { errorText } from '../../../protocol/base/errors.ts';
import { PgConnection, rowOf, sqlState } from './connection.ts';
import { type PostgresTarget, PostgresUnusable } from './target.ts';

/** Log-ins, databases and rights do not come back by themselves. */
const HOPELESS = new Set(['28P01', '28000', '3D000', '42501']);
const VERSION_MIN = 130_000;

const IDENTITY = `
  select concat_ws(' ', (select system_identifier from pg_control_system()), pg_postmaster_start_time(),
      case when pg_is_in_recovery() then null else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end) as server,
    pg_is_in_recovery() as is_standby, current_setting('transaction_read_only') = 'on' as is_read_only, pg_backend_pid() as pid,
    current_setting('server_encoding') as encoding, current_setting('server_version_num')::int as version`;

/** The server cannot be written to at present; after a failover it may. */
export class NotWritable extends Error {}

export class ServerLink {
  readonly target: PostgresTarget;
  readonly writer: PgConnection;
  readonly pulse: PgConnection;
  readonly reader: PgConnection;
  readonly listener: PgConnection;
  readonly #server: string;
  readonly #sides = new Set<PgConnection>();
  #isOver = false;
  #onLost: (error: Error) => void = () => {};

  /** Rejects with PostgresUnusable when another attempt would not help, otherwise with another error. */
  static async open(target: PostgresTarget, turnMs: number): Promise<ServerLink> {
    const opened: PgConnection[] = [];
    const servers: string[] = [];
    try {
      const connect = async (purpose: string): Promise<PgConnection> => {
        const connection = await PgConnection.open(target, purpose, turnMs, async (greeted) => {
          servers.push(await checkedServer(greeted, target));
        });
        opened.push(connection);
        return connection;
      };
      // The first one finds out whether the server is of use; the others then cost no further time.
      const writer = await connect('writer');
      const others = await Promise.allSettled(['pulse', 'reader', 'listener'].map(connect));
      const [pulse, reader, listener] = others.map((other) => {
        if (other.status === 'rejected') throw other.reason;
        return other.value;
      });
      const [server = ''] = servers;
      if (servers.some((other) => other !== server)) throw new NotWritable(`${target.name} leads to several servers`);
      if (pulse === undefined || reader === undefined || listener === undefined) throw new Error('four were opened');
      return new ServerLink(target, server, { writer, pulse, reader, listener });
    } catch (error) {
      await Promise.all(opened.map((connection) => connection.close()));
      throw HOPELESS.has(sqlState(error) ?? '') ? new PostgresUnusable(target.name, errorText(error), { cause: error }) : error;
    }
  }

  private constructor(target: PostgresTarget, server: string, connections: Pick<ServerLink, 'writer' | 'pulse' | 'reader' | 'listener'>) {
    this.target = target;
    this.#server = server;
    this.writer = connections.writer;
    this.pulse = connections.pulse;
    this.reader = connections.reader;
    this.listener = connections.listener;
    for (const connection of this.#all) connection.onLost = (error) => this.giveUp(error);
  }

  get #all(): readonly PgConnection[] {
    return [this.writer, this.pulse, this.reader, this.listener];
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Called once, also when the link is over already. */
  set onLost(listener: (error: Error) => void) {
    this.#onLost = listener;
  }

  /** A connection for other work, to the same server. The caller closes it; it is lost with the link. */
  async side(purpose: string): Promise<PgConnection> {
    const connection = await PgConnection.open(this.target, purpose, 0, async (greeted) => {
      const server = await checkedServer(greeted, this.target).catch(() => '');
      if (server !== this.#server) throw new NotWritable(`${this.target.name} leads to several servers`);
    });
    if (this.#isOver) {
      await connection.close();
      throw new NotWritable(`the connection to ${this.target.name} was lost`);
    }
    this.#sides.add(connection);
    connection.onLost = () => this.#sides.delete(connection);
    return connection;
  }

  /** Closes all connections: what one of them lost, the others must not go on with. */
  giveUp(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    void this.close();
    this.#onLost(error);
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#all, ...this.#sides].map((connection) => connection.close()));
  }
}

/** The name of this life of the server. Rejects with NotWritable or PostgresUnusable when no log can run on it. */
export async function checkedServer(connection: PgConnection, { name }: Pick<PostgresTarget, 'name'>): Promise<string> {
  const row = rowOf(await connection.ask({ text: IDENTITY }));
  if (row.is_standby === true) throw new NotWritable(`${name} is a standby: name the primary, or all servers of the cluster (host1,host2)`);
  if (row.is_read_only === true)
    throw new NotWritable(`${name} is read-only: set default_transaction_read_only to off for the role and the database`);
  if (row.pid !== connection.announcedPid)
    throw new PostgresUnusable(name, 'a pooler such as PgBouncer stands between, which loses announcements: connect to PostgreSQL itself');
  if (row.encoding !== 'UTF8')
    throw new PostgresUnusable(name, `the database has the encoding ${row.encoding}: make it with the encoding UTF8`);
  if (Number(row.version) < VERSION_MIN) throw new PostgresUnusable(name, `PostgreSQL 13 or later is needed, this is ${row.version}`);
  return String(row.server);
}
