/** The daemon's endpoints as the server of a sync: what `rosterd sync` asks by HTTP, a sync plan asks inside the process. */
import type { Origin } from '../../../protocol/log/entry.ts';
import type { SyncPlan } from '../../../protocol/transfer/plans.ts';
import type { SharedOfCalls } from '../../edge/http/call.ts';
import { callInside, type InsideAnswer } from '../../edge/inside.ts';
import { type AskRequest, replyOf, type SyncServer, TransportError } from '../../sync/transport.ts';

/** Work that goes on from before a restart begins before the endpoints are there; it then asks again. */
export class InsideServer {
  #calls: SharedOfCalls | undefined;

  open(calls: SharedOfCalls): void {
    this.#calls = calls;
  }

  /** The changes of one plan name it in the history of their users, and who answers for it. */
  forPlan(plan: SyncPlan): SyncServer {
    const origin: Origin = { source: 'plan', job: plan.id, client: whoAnswers(plan) };
    return {
      ask: async (request) => {
        const { status, headers, text } = await this.#call(request, origin);
        return replyOf(status, text, (name) => headers[name]);
      },
      stream: async (request) => {
        const { status, text, stream } = await this.#call(request, origin);
        return { status, chunks: stream ?? oneChunk(text) };
      },
    };
  }

  async #call(request: AskRequest, origin: Origin): Promise<InsideAnswer> {
    // Nothing inside counts requests, so there are no limits to keep to.
    if (request.path === '/rate_limits') return { status: 404, headers: {}, text: '{}' };
    if (this.#calls === undefined) throw new TransportError('the daemon is starting');
    return await callInside(this.#calls, request, origin);
  }
}

/** At most `LIMITS.clientNameChars`. */
function whoAnswers({ proposed, approved }: SyncPlan): string {
  return `proposed ${proposed.sign_in ?? 'by a server'}, approved ${approved?.sign_in ?? 'by nobody'}`;
}

async function* oneChunk(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
