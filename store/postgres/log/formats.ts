/**
 * The formats of entries, while nodes of two versions share a log (PL11). A version that brings a new format reads it and the one before, and writes
 * the older one until every living node reads the new one. Then the head says the new one, and nothing older is written any more.
 */
import { ENTRY_VERSION } from '../../../protocol/log/entry.ts';
import { NODE_GONE_MS } from '../../peers.ts';
import { type PgConnection, rowOf } from '../link/connection.ts';

/** What a version reads, from the oldest to the newest. */
export interface EntryFormats {
  readonly oldest: number;
  readonly newest: number;
}

/** Its entries are those of the format before it; nodes that read it load snapshots with records in blocks. The next one of entries is beyond it. */
export const PACKED_FORMAT = 4;

export const ENTRY_FORMATS: EntryFormats = { oldest: ENTRY_VERSION, newest: PACKED_FORMAT };

/** Why a log whose entries have this format cannot be used; undefined when it can. */
export function formatProblem(format: number, { oldest, newest }: EntryFormats): string | undefined {
  if (format > newest) return `has format ${format}, and this rosterd knows ${newest}: start the version that wrote it`;
  if (format < oldest) return `has format ${format}, and this rosterd knows ${oldest} and later: upgrade it with the version between them`;
  return undefined;
}

/** In one step with the question who lives. A node that joins at the same moment finds the new format in its first commit, or at its start. */
const RAISE = `
  update rosterd.head set format = $2 where app = $1 and format < $2 and not exists (
    select from rosterd.node where app = $1 and reads < $2 and seen > clock_timestamp() - $3 * interval '1 millisecond')`;

/** Raises the format that is written to the newest one, if all living nodes read it. True when it is written, by whomever it was raised. */
export async function raisedFormat(connection: PgConnection, app: string, { newest }: EntryFormats): Promise<boolean> {
  await connection.ask({ name: 'rosterd-raise-format', text: RAISE, values: [app, newest, NODE_GONE_MS] });
  const answer = await connection.ask({ text: 'select format >= $2 as is_raised from rosterd.head where app = $1', values: [app, newest] });
  return rowOf(answer).is_raised === true;
}
