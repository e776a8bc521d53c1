/**
 * The head of an application's log: made when the application is new, checked whenever a server is connected to. A history that is not the
 * one this process knows is never continued (PL7).
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Position } from '../../../protocol/base/position.ts';
import type { OnStoreEvent } from '../../events.ts';
import { LogEpochChanged } from '../../log.ts';
import { NODE_GONE_MS } from '../../peers.ts';
import { type PgConnection, type PgRow, rowOf } from '../link/connection.ts';
import { PostgresUnusable } from '../link/target.ts';
import { type EntryFormats, formatProblem } from './formats.ts';
import { entriesOfRows } from './wire.ts';

export interface Application {
  readonly app: string;
  readonly secret: string;
  readonly requiresSync: boolean;
  readonly begin: Position | undefined;
  readonly onEvent: OnStoreEvent;
  readonly formats: EntryFormats;
}

/** The end of the log: the entry there is named by its id, since after a failover another one may have its number. */
export interface KnownEnd extends Position {
  /** Undefined where the log begins. */
  readonly id: string | undefined;
}

const HEAD = `
  select h.epoch, h.seq, h.fence, h.tail, h.tail_id, h.timeline, h.format, h.is_synced, h.secret_mac,
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as server_timeline,
    case when h.tail = $2 then h.tail_id else (select e.id from rosterd.entry e where e.app = $1 and e.last = $2) end as known_id
  from rosterd.head h where h.app = $1`;

const OTHER_SECRET = 'was made with another API secret: start with that secret, or with another API key for another application';

/** Makes the head when there is none, and refuses what this process may not write to. Rejects with PostgresUnusable. */
export async function openHead(connection: PgConnection, target: string, application: Application): Promise<void> {
  const { app, secret, requiresSync, begin, onEvent, formats } = application;
  const mac = secretMac(app, secret);
  const { epoch, seq } = begin ?? { epoch: newEpoch(), seq: 0 };
  const refuse = (reason: string): never => {
    throw new PostgresUnusable(target, `the log of ${app} ${reason}`);
  };
  // Before anything is made: a start that is refused leaves nothing behind.
  const { standbys } = rowOf(await connection.ask({ text: "select current_setting('synchronous_standby_names') as standbys" }));
  if (requiresSync && standbys === '')
    refuse(
      'asks for a synchronous standby, and the server names none: set synchronous_standby_names, or turn log.require_sync off and accept that a failover loses acknowledged changes',
    );
  const made = await connection.ask({
    text: `insert into rosterd.head (app, epoch, seq, fence, tail, total, format, timeline, is_synced, secret_mac)
           values ($1, $2, $3, 0, $3, 0, $4, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), $5, $6) on conflict do nothing returning app`,
    values: [app, epoch, seq, formats.newest, requiresSync, mac],
  });
  if (made.rows.length > 0) onEvent({ type: 'epoch-started', epoch, after: seq });
  const head = rowOf(await connection.ask({ text: HEAD, values: [app, 0] }));
  if (head.secret_mac !== mac) {
    if (await takeUnused(connection, head, { app, formats, mac, epoch }))
      onEvent({ type: 'epoch-started', epoch, after: Number(head.seq) });
    else refuse(OTHER_SECRET);
  }
  const problem = formatProblem(Number(head.format), formats);
  if (problem !== undefined) refuse(problem);
}

interface Taking {
  readonly app: string;
  readonly formats: EntryFormats;
  readonly mac: string;
  /** The one that begins. */
  readonly epoch: string;
}

/** A start that fails writes hardly more than leases of jobs. */
const UNUSED_ENTRIES_MAX = 100;

/**
 * Whether a log that was made with another secret is this one's now: only one that holds nothing yet and that no living node uses, as a start that
 * failed leaves it. The new epoch ends whoever is about to use it with the other secret.
 */
async function takeUnused(connection: PgConnection, head: PgRow, { app, formats, mac, epoch }: Taking): Promise<boolean> {
  const [seq, tail, format] = [Number(head.seq), Number(head.tail), Number(head.format)];
  if (tail !== 0 || formatProblem(format, formats) !== undefined) return false;
  const { rows } = await connection.ask({
    text: `select last, first, version, crc, convert_from(payload, 'UTF8') as payload from rosterd.entry where app = $1 order by last limit $2`,
    values: [app, UNUSED_ENTRIES_MAX + 1],
  });
  if (rows.length > UNUSED_ENTRIES_MAX) return false;
  const facts = entriesOfRows(app, rows, formats).flatMap(({ entry }) => entry.facts);
  if (facts.some((fact) => fact.t !== 'doc' || fact.kind !== 'lease')) return false;
  const taken = await connection.ask({
    text: `update rosterd.head set secret_mac = $2, epoch = $3, fence = fence + 1 where app = $1 and secret_mac = $4 and epoch = $5 and seq = $6
           and not exists (select from rosterd.snapshot s where s.app = $1)
           and not exists (select from rosterd.node n where n.app = $1 and n.seen > clock_timestamp() - $7 * interval '1 ms') returning app`,
    values: [app, mac, epoch, head.secret_mac, head.epoch, seq, NODE_GONE_MS],
  });
  return taken.rows.length > 0;
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

/** By which another secret is noticed. */
export function secretMac(app: string, secret: string): string {
  return createHmac('sha256', secret).update(`rosterd ${app}`).digest('hex');
}

export function newEpoch(): string {
  return randomBytes(12).toString('hex');
}
