/** The actions of HTTP requests on live connections: watch users, explain events, and remove durable consumers. */
import { fieldErrors, RosterError } from '../../../../protocol/base/errors.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { RequestWrites } from '../../http/backend.ts';
import type { LiveControl, Why } from '../../http/services.ts';
import type { LiveContext } from './context.ts';
import type { Explanation } from './explain.ts';

export class LiveConnections implements LiveControl {
  readonly #context: Pick<LiveContext, 'roster' | 'sessions' | 'consumers'>;

  constructor(context: Pick<LiveContext, 'roster' | 'sessions' | 'consumers'>) {
    this.#context = context;
  }

  watch(connectionId: string, caller: Caller, ids: readonly string[]): void {
    this.#context.sessions.watch(connectionId, caller, ids);
  }

  async why(connectionId: string, seq: number): Promise<Why> {
    const session = this.#context.sessions.find(connectionId);
    if (session === undefined) throw fieldErrors('input', [{ path: 'connection', message: 'there is no such live connection' }]);
    const event = await this.#context.roster.eventAt(seq);
    if (event === undefined) {
      throw new RosterError(
        'not_found',
        `there is no event at position ${seq}: no event was sent for that change, or it is no longer kept`,
      );
    }
    return {
      event: { seq, type: event.type, user_id: event.after?.id ?? null, audience: event.audience },
      connection: { connection_id: connectionId, user_id: session.userId ?? null },
      subscriptions: this.#explain(session.explain(event)),
    };
  }

  /** A connection without subscriptions is itself a reason. */
  #explain(found: readonly Explanation[]): Why['subscriptions'] {
    return found.length > 0 ? found : [{ sub: '(none)', want: 'nothing', result: 'not sent: the connection has no subscription' }];
  }

  removeConsumer(name: string, call: Pick<RequestWrites, 'submit' | 'isRepeat'>): Promise<number> {
    return this.#context.consumers.remove(name, call);
  }
}
