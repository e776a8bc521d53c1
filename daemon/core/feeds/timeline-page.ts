/**
 * A page of a feed: its own activities, and those of the feeds that it follows. Nothing is copied when an activity is added, because its feed
 * may have any number of followers; a read merges the feeds in order of time, and takes only as much of each as the page needs. Pure.
 *
 * It keeps FD30 to FD33 (daemon/RULES.md).
 */

import type { Activity } from '../../../protocol/feeds/activities.ts';
import type { Follow } from '../../../protocol/feeds/follows.ts';
import { followKeys } from '../../../protocol/log/documents.ts';
import type { DocLibrary } from '../directory/documents.ts';
import { Heap } from '../directory/heap.ts';
import { type Bound, comparePlaces, type TimelinePage } from '../directory/timeline.ts';

/** An activity in a feed. `from`: the followed feed that it came from; null: the feed has it of its own. */
export interface FeedItem {
  readonly activity: Activity;
  readonly from: string | null;
}

/** Feeds, or activities, looked at between two yields. */
const STEP = 32;
/** The work of one of them, in the unit of walks: two searches in a feed, and a place in the heap. */
const UNITS = 500;
/** Activities read at once from one feed: few at first, since most feeds have none on the page. */
const CHUNK_MIN = 2;
const CHUNK_MAX = 64;

/** The activities of the page, newest first, each once. `isSeen`: whether the reader may see a followed feed. Yields its work. */
export function* timelinePage(
  docs: DocLibrary,
  feed: string,
  { offset = 0, limit, ...bounds }: TimelinePage,
  isSeen: (feed: string) => boolean,
): Generator<{ readonly units: number; readonly unseen: number }, FeedItem[]> {
  const keys = [followKeys.from(feed), followKeys.kept(feed)].filter((key) => docs.countUnder('follow', key) > 0);
  // The index counts what is skipped, and a merge would have to walk it.
  if (keys.length === 0) return docs.newest('activity', feed, { ...bounds, offset, limit }).map((activity) => ({ activity, from: null }));
  const heap = new Heap<Reader>((a, b) => a.isBefore(b));
  let rank = 0;
  let looked = 0;
  /** Followed feeds that show nothing: one of a user out of sight costs the reader what an empty one of nobody does. */
  let hidden = 0;
  const done = (): { units: number; unseen: number } => {
    const work = { units: looked * UNITS, unseen: hidden * UNITS };
    looked = 0;
    hidden = 0;
    return work;
  };
  const add = (reader: Reader): boolean => {
    if (reader.head === undefined) return false;
    heap.push(reader);
    return true;
  };
  add(new Reader(docs, { feed, from: null, rank: 0, ...bounds }));
  for (const key of keys) {
    for (const follow of docs.under('follow', key)) {
      if (looked + hidden >= STEP) yield done();
      rank++;
      const options = { feed: follow.target, from: follow.target, rank, ...within(follow, bounds) };
      if (isSeen(follow.target) && add(new Reader(docs, options))) looked++;
      else hidden++;
    }
  }
  const items: FeedItem[] = [];
  let last: string | undefined;
  let passed = 0;
  for (let reader = heap.pop(); reader !== undefined && items.length < limit; reader = heap.pop()) {
    const activity = reader.take();
    // An activity in several feeds comes from each of them, one after the other.
    if (activity !== undefined && activity.id !== last) {
      last = activity.id;
      if (passed++ >= offset) items.push({ activity, from: reader.from });
    }
    add(reader);
    if (++looked + hidden >= STEP) yield done();
  }
  yield done();
  return items;
}

/** The part of a followed feed that belongs to its follower. */
function within({ since, ended_at }: Follow, { after = [], before = [] }: Pick<TimelinePage, 'after' | 'before'>) {
  return {
    after: since === undefined ? after : [...after, { ...since, inclusive: false }],
    before: ended_at === undefined ? before : [...before, { time: ended_at, id: '', inclusive: false }],
  };
}

interface ReaderOptions {
  readonly feed: string;
  readonly from: string | null;
  /** Decides from which of several feeds an activity is taken. */
  readonly rank: number;
  readonly after?: readonly Bound[];
  readonly before?: readonly Bound[];
}

/** Reads one feed, newest first. It continues by place, so that the feed may change between two steps. */
class Reader {
  readonly from: string | null;
  readonly #docs: DocLibrary;
  readonly #options: ReaderOptions;
  #chunk: readonly Activity[];
  #at = 0;
  #size = CHUNK_MIN;

  constructor(docs: DocLibrary, options: ReaderOptions) {
    this.from = options.from;
    this.#docs = docs;
    this.#options = options;
    this.#chunk = this.#read(options.before);
  }

  get head(): Activity | undefined {
    return this.#chunk[this.#at];
  }

  isBefore(other: Reader): boolean {
    if (this.head === undefined || other.head === undefined) return this.head !== undefined;
    const order = comparePlaces(other.head, this.head);
    return order === 0 ? this.#options.rank < other.#options.rank : order < 0;
  }

  take(): Activity | undefined {
    const taken = this.head;
    this.#at++;
    if (taken === undefined || this.#at < this.#chunk.length || this.#chunk.length < this.#size) return taken;
    this.#size = Math.min(CHUNK_MAX, this.#size * 2);
    this.#chunk = this.#read([...(this.#options.before ?? []), { time: taken.time, id: taken.id, inclusive: false }]);
    this.#at = 0;
    return taken;
  }

  #read(before: readonly Bound[] = []): Activity[] {
    const { feed, after = [] } = this.#options;
    return this.#docs.newest('activity', feed, { after, before, limit: this.#size });
  }
}
