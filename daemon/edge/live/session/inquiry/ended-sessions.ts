/** Sessions that ended lately, for an operator who asks why one of them was not sent an event. Bounded in number, age and size. */
import { withFields } from '../../../../../protocol/base/json.ts';
import type { Interests } from '../../../../pipeline/tell/subscriber.ts';
import { heldBy } from '../subscriptions/holdings.ts';
import type { SessionTrace, TracedSession } from './explain.ts';

const KEPT_MAX = 500;
const KEPT_MS = 60 * 60_000;
/** Of a session that asked for more ids, or for more conditions, only the end is kept. */
const IDS_MAX = 200;

export interface TracedOwner {
  readonly connection: string;
  readonly userId: string | undefined;
  readonly openedMs: number;
}

/** An open session. */
export function tracedOpen(owner: TracedOwner, { subscriber, outlet, since, isResumed, durable }: SessionTrace): TracedSession {
  const { state, interests, conflates } = subscriber;
  const position = state.kind === 'behind' ? state.position : undefined;
  return withFields(owner, {
    interests,
    since,
    isResumed,
    conflates,
    durable,
    position,
    queuedBytes: outlet.queuedBytes,
    ended: undefined,
  });
}

export interface EndedSessionsOptions {
  /** Everything up to there was handed to every session that is not behind. */
  readonly handedSeq: () => number;
  /** Milliseconds. */
  readonly nowMs: () => number;
}

export class EndedSessions {
  /** Oldest first. */
  readonly #kept = new Map<string, TracedSession>();
  readonly #options: EndedSessionsOptions;

  constructor(options: EndedSessionsOptions) {
    this.#options = options;
  }

  /** Call this when a session ends, before it leaves the hub. */
  note(owner: TracedOwner, trace: SessionTrace): void {
    const atMs = this.#options.nowMs();
    const open = tracedOpen(owner, trace);
    const kept = withFields(open, {
      interests: keptInterests(trace.subscriber.interests),
      position: open.position ?? this.#options.handedSeq(),
    });
    const { outlet } = trace;
    const keep = (): void => void this.#kept.set(owner.connection, withFields(kept, { ended: { atMs, code: outlet.goodbye } }));
    this.#kept.delete(owner.connection);
    keep();
    this.#forget();
    // What ends a session says goodbye to it just afterwards. When very many end at once, it may be forgotten by then.
    setImmediate(() => this.#kept.has(owner.connection) && keep());
  }

  #forget(): void {
    const oldestMs = this.#options.nowMs() - KEPT_MS;
    for (const [connection, { ended }] of this.#kept) {
      if (this.#kept.size <= KEPT_MAX && (ended?.atMs ?? 0) > oldestMs) return;
      this.#kept.delete(connection);
    }
  }

  find(connection: string): TracedSession | undefined {
    this.#forget();
    return this.#kept.get(connection);
  }

  /** The newest first. `userId`: undefined for those of servers. */
  of(userId: string | undefined): readonly TracedSession[] {
    this.#forget();
    return [...this.#kept.values()].filter((session) => session.userId === userId).reverse();
  }
}

function keptInterests(interests: Interests): Interests | undefined {
  const { names, conditions } = heldBy(
    [...interests.values()].map(({ want }) => want),
    0,
  );
  return names > IDS_MAX || conditions > IDS_MAX ? undefined : new Map(interests);
}
