/**
 * The users at one position, as a file that is made while it is read: only as fast as its reader takes it, and in slices between other
 * work.
 *
 * It keeps UL1 and UL2 (daemon/RULES.md).
 */
import { Readable } from 'node:stream';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { inSlices } from '../../base/slices.ts';
import type { RecordsView } from '../../core/directory/frozen-view.ts';
import { isTombstone } from '../../core/directory/record.ts';

/** Characters of one piece. */
const PIECE_CHARS = 64 * 1024;
/** Users examined between two checks of the clock. */
const STEP_USERS = 256;
/** A reader that takes nothing for this long counts as gone, whatever its connection says. */
const STALL_MS = 60_000;

export interface UserListOptions {
  readonly view: RecordsView;
  /** Only these users. Default: all. */
  readonly isListed?: ((user: StoredUser) => boolean) | undefined;
  /** Milliseconds. */
  readonly stallMs?: number;
}

/** NDJSON: a line with position and count, one for each user, and one that marks the end. It takes over the view and releases it. */
export function userList({ view, isListed, stallMs = STALL_MS }: UserListOptions): Readable {
  let stalled: NodeJS.Timeout | undefined;
  const stall: Stall = {
    begin: () => {
      stalled = setTimeout(() => stream.destroy(), stallMs).unref();
    },
    end: () => clearTimeout(stalled),
  };
  const stream = Readable.from(watched(pieces(view, isListed), stall), { objectMode: false });
  // Also when nothing was ever read, in which case the generator never ran.
  return stream.once('close', () => {
    stall.end();
    view.release();
  });
}

interface Stall {
  begin(): void;
  end(): void;
}

/** A generator stays at its `yield` until the reader wants more. */
async function* watched(texts: AsyncIterable<string>, stall: Stall): AsyncGenerator<Buffer> {
  for await (const text of texts) {
    stall.begin();
    yield Buffer.from(text);
    stall.end();
  }
}

async function* pieces(view: RecordsView, isListed: UserListOptions['isListed']): AsyncGenerator<string> {
  const { epoch, seq } = view.position;
  const count = isListed === undefined ? view.size : await inSlices(counted(view, isListed));
  yield piece({ epoch, seq, count });
  const records = view.scan()[Symbol.iterator]();
  for (;;) {
    const text = await inSlices(filled(records, isListed));
    if (text === '') break;
    yield text;
    // Otherwise a reader as fast as memory would block all other work.
    await new Promise((resolve) => setImmediate(resolve));
  }
  yield piece({ end: true, count });
}

function piece(line: object): string {
  return `${JSON.stringify(line)}\n`;
}

type Entry = ReturnType<RecordsView['scan']> extends Iterable<infer Found> ? Found : never;

function isWanted(record: Entry, isListed: UserListOptions['isListed']): record is StoredUser {
  return !isTombstone(record) && isAlive(record) && isListed?.(record) !== false;
}

function* counted(view: RecordsView, isListed: (user: StoredUser) => boolean): Generator<undefined, number> {
  let count = 0;
  let looked = 0;
  for (const record of view.scan()) {
    if (isWanted(record, isListed)) count++;
    if (++looked % STEP_USERS === 0) yield;
  }
  return count;
}

/** The next lines; empty at the end. */
function* filled(records: Iterator<Entry>, isListed: UserListOptions['isListed']): Generator<undefined, string> {
  let text = '';
  for (let looked = 1; text.length < PIECE_CHARS; looked++) {
    const next = records.next();
    if (next.done === true) break;
    if (isWanted(next.value, isListed)) text += lineOf(next.value);
    if (looked % STEP_USERS === 0) yield;
  }
  return text;
}

/** Ids have no character that JSON would escape. */
function lineOf({ id, rev, deactivated_at }: StoredUser): string {
  return `{"id":"${id}","rev":${rev}${deactivated_at === undefined ? '' : ',"deactivated":true'}}\n`;
}
