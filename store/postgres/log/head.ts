/**
 * The head of an application's log: made when the application is new, checked whenever a server is connected to. A history that is not the
 * one this process knows is never continued (PL7).
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Position } from '../../../protocol/base/position.ts';
import { ENTRY_VERSION } from '../../../protocol/log/entry.ts';
import type { OnStoreEvent } from '../../events.ts';
import { LogEpochChanged } from '../../log.ts';
import { type PgConnection, type PgRow, rowOf } from '../link/connection.ts';
import { PostgresUnusable } from '../link/target.ts';

export interface Application {
  readonly app: string;
  readonly secret: string;
  readonly requiresSync: boolean;
  readonly begin: Position | undefined;
  readonly onEvent: OnStoreEvent;
}

/** The end of the log: the entry there is named by its id, since after a failover another one may have its number. */
export interface KnownEnd extends Position {
  /** Undefined where the log begins. */
  readonly id: string | undefined;
}

const HEAD = `
  select h.epoch, h.seq, h.fence, h.tail, h.tail_id, h.timeline, h.format, h.is_synced, h.secret_mac,
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as server_timeline,
    current_setting('synchronous_standby_names') as standbys,
    case when h.tail = $2 then h.tail_id else (select e.id from rosterd.entry e where e.app = $1 and e.last = $2) end as known_id
  from rosterd.head h where h.app = $1`;

/** Makes the head when there is none, and refuses what this process may not write to. Rejects with PostgresUnusable. */
export async function openHead(connection: PgConnection, target: string, application: Application): Promise<void> {
  const { app, secret, requiresSync, begin, onEvent } = application;
  const mac = createHmac('sha256', secret).update(`rosterd ${app}`).digest('hex');
  const { epoch, seq } = begin ?? { epoch: newEpoch(), seq: 0 };
  const made = await connection.ask({
    text: `insert into rosterd.head (app, epoch, seq, fence, tail, total, format, timeline, is_synced, secret_mac)
           values ($1, $2, $3, 0, $3, 0, $4, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), $5, $6) on conflict do nothing returning app`,
    values: [app, epoch, seq, ENTRY_VERSION, requiresSync, mac],
  });
  if (made.rows.length > 0) onEvent({ type: 'epoch-started', epoch, after: seq });
  const head = rowOf(await connection.ask({ text: HEAD, values: [app, 0] }));
  const refuse = (reason: string): never => {
    throw new PostgresUnusable(target, `the log of ${app} ${reason}`);
  };
  if (head.secret_mac !== mac)
    refuse('was made with another API secret: start with that secret, or with another API key for another application');
  if (Number(head.format) > ENTRY_VERSION)
    refuse(`has format ${head.format}, and this rosterd knows ${ENTRY_VERSION}: start the version that wrote it`);
  if (Number(head.format) < ENTRY_VERSION)
    refuse(`has format ${head.format}, and this rosterd writes ${ENTRY_VERSION}: upgrade it with the version between them`);
  if (requiresSync && head.standbys === '')
    refuse(
      'asks for a synchronous standby, and the server names none: set synchronous_standby_names, or turn log.require_sync off and accept that a failover loses acknowledged changes',
    );
}

/**
 * Says whether commits must be synchronous from now on. Only after the history was verified: whether it has everything rests on what was
 * required before.
 */
export async function requireSync(
  connection: PgConnection,
  { app, requiresSync }: Pick<Application, 'app' | 'requiresSync'>,
): Promise<void> {
  await connection.ask({
    text: 'update rosterd.head set is_synced = $2 where app = $1 and is_synced <> $2',
    values: [app, requiresSync],
  });
}

/**
 * Whether the history on this server is the one that ends, as far as this process knows, at `known`. If entries are missing that were
 * confirmed, the epoch is changed, so that no position of before is resumed. Rejects with LogEpochChanged.
 * Without `known`, the process has just started and continues whatever it finds; `is_new` says that it had to change the epoch.
 */
export async function verifyHead(connection: PgConnection, app: string, known: KnownEnd | undefined): Promise<PgRow> {
  const read = async (): Promise<PgRow> => {
    const { rows } = await connection.ask({ text: HEAD, values: [app, known?.seq ?? 0] });
    if (rows[0] === undefined) throw new LogEpochChanged('', `the database no longer holds the log of ${app}`);
    return rows[0];
  };
  const head = await read();
  if (known !== undefined && head.epoch !== known.epoch) throw new LogEpochChanged(String(head.epoch), 'another node has noticed it');
  const reason = lossOf(head, known) ?? brokenTimeline(head);
  if (reason === undefined) {
    if (head.timeline !== head.server_timeline)
      await connection.ask({
        text: 'update rosterd.head set timeline = $3 where app = $1 and epoch = $2',
        values: [app, head.epoch, head.server_timeline],
      });
    return head;
  }
  await connection.ask({
    text: 'update rosterd.head set epoch = $3, fence = fence + 1, timeline = $4 where app = $1 and epoch = $2',
    values: [app, head.epoch, newEpoch(), head.server_timeline],
  });
  const changed = await read();
  if (known !== undefined) throw new LogEpochChanged(String(changed.epoch), reason);
  return { ...changed, is_new: true };
}

/** Entries that were confirmed and are gone, or have been replaced by others. */
function lossOf(head: PgRow, known: KnownEnd | undefined): string | undefined {
  if (known === undefined || known.seq < Number(head.tail)) return undefined;
  if (known.seq > Number(head.seq)) return `it ends at ${head.seq}, and ${known.seq} was confirmed`;
  const id = head.known_id ?? undefined;
  return known.id === undefined || id === known.id ? undefined : `at ${known.seq} there is another entry than the one that was confirmed`;
}

/** After a failover, only synchronous commits are surely there: the loss may lie in what no process remembers. */
function brokenTimeline(head: PgRow): string | undefined {
  if (head.timeline === head.server_timeline || head.is_synced === true) return undefined;
  return 'another server took over, and nothing guarantees that it has everything';
}

function newEpoch(): string {
  return randomBytes(12).toString('hex');
}
