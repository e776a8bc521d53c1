/** Why a live connection received an event, or did not: one answer for each of its subscriptions. */
import type { Interest } from '../../../../pipeline/tell/interest.ts';
import type { Subscriber } from '../../../../pipeline/tell/subscriber.ts';
import type { AnyEvent } from '../../../../pipeline/tell/user-event.ts';

/** Why an event was sent under one subscription of a connection, or was not. */
export interface Explanation {
  /** `(self)`: the interest in the own user. `(watched)`: users found by a query with presence. */
  readonly sub: string;
  readonly want: Interest['want']['kind'];
  readonly result: string;
}

/** Empty for a connection that is not open. */
export function explainInterests(subscriber: Subscriber | undefined, event: AnyEvent): readonly Explanation[] {
  if (subscriber === undefined) return [];
  const { interests, state } = subscriber;
  const result = (interest: Interest): string =>
    state.kind === 'behind' && event.seq > state.position
      ? `not yet: the connection is behind, at position ${state.position}`
      : interest.explain(event);
  return [...interests].map(([key, interest]) => ({
    sub: typeof key === 'symbol' ? `(${key.description})` : key,
    want: interest.want.kind,
    result: result(interest),
  }));
}
