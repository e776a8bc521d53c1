/**
 * Calls of endpoints from inside the daemon, for work that does what a client of it would do: the same handlers, without a connection, a token
 * or a rate limit.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { RosterError } from '../../protocol/base/errors.ts';
import { positionText } from '../../protocol/base/position-text.ts';
import type { Origin } from '../../protocol/log/entry.ts';
import type { SharedOfCalls } from './http/call.ts';
import type { Call, Endpoint } from './http/endpoint.ts';
import { errorAnswer } from './http/errors.ts';
import { routed } from './router.ts';

export interface InsideRequest {
  readonly method: Endpoint['method'];
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** JSON. */
  readonly body?: string;
  /** The revision that it requires, as a header has it. */
  readonly ifMatch?: string;
}

/** `stream`: in place of the text, where the answer is a file. */
export interface InsideAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly stream?: Readable;
}

/** The answer to a server. `origin`: of the changes. Rejects for a mistake of the daemon only. */
export async function callInside(shared: SharedOfCalls, request: InsideRequest, origin: Origin): Promise<InsideAnswer> {
  const found = routed(request.method, request.path);
  // Whoever asks inside knows the endpoints.
  if (found === undefined) throw new Error(`there is no endpoint ${request.method} ${request.path}`);
  const { endpoint, params } = found;
  try {
    const { status = 200, body, seq, file } = await endpoint.handle(insideCall(shared, request, params, origin));
    const headers = seq === undefined ? {} : { 'x-rosterd-position': positionText({ epoch: shared.backend.position.epoch, seq }) };
    if (file !== undefined) return { status, headers, text: '', stream: file.stream };
    return { status, headers, text: JSON.stringify(body) };
  } catch (error) {
    if (!(error instanceof RosterError) || error.kind === 'internal') throw error;
    return { ...errorAnswer(error, endpoint, '0.00ms'), headers: {} };
  }
}

function insideCall(
  { backend, services, rateLimits, endpoints, live }: SharedOfCalls,
  { query = {}, body, ifMatch }: InsideRequest,
  params: Readonly<Record<string, string>>,
  origin: Origin,
): Call {
  return {
    ...{ backend, services, rateLimits, endpoints, live, params, query },
    caller: { kind: 'server' },
    stranger: undefined,
    signIn: undefined,
    client: undefined,
    id: params.id ?? '',
    address: '',
    // Nobody looks at the users themselves.
    isMinimal: true,
    conditions: { ifMatch },
    submit: (command, lane) => backend.submit(command, lane, origin),
    current: () => backend.current(),
    newId: () => randomUUID(),
    isRepeat: () => false,
    body: async () => (body === undefined ? undefined : JSON.parse(body)),
    isGone: () => false,
    rawBody: Readable.from([]),
  };
}
