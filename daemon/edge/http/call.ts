/** Turns a request into the call that its handler gets. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { overfull } from '../../../protocol/base/explain.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { QueryFields } from '../../../protocol/base/reading.ts';
import type { ConditionHeaders } from '../../../protocol/users/conditions.ts';
import { originOf } from './acting.ts';
import type { Backend } from './backend.ts';
import { readJsonBody } from './body.ts';
import { bodyLaneOf } from './body-lane.ts';
import type { Call, Endpoint, Routed } from './endpoint.ts';
import type { Trace } from './errors.ts';
import { Writes } from './idempotency.ts';
import { header } from './request-parts.ts';

/** The parts that all calls share. */
export type SharedOfCalls = Pick<Call, 'services' | 'rateLimits' | 'endpoints' | 'live'> & { readonly backend: Backend };

/** Throws RosterError `input` for a malformed header. */
export function callOf(
  { endpoint, params }: Routed,
  {
    caller,
    stranger,
    signIn,
    client,
    trace,
  }: Pick<Call, 'caller' | 'stranger' | 'signIn' | 'client'> & { readonly trace: Pick<Trace, 'hasStored'> },
  { query, raw, headers }: FastifyRequest<{ Querystring: QueryFields }>,
  reply: FastifyReply,
  shared: SharedOfCalls,
): Call {
  const { backend, services, rateLimits, endpoints, live } = shared;
  const writes = new Writes({ endpoint, params, query, caller, key: header(headers['idempotency-key']) });
  const origin = originOf(caller, client);
  // Field by field: with a spread of the shared ones, V8 would look every field up, and a request would take a tenth more.
  return {
    backend,
    services,
    rateLimits,
    endpoints,
    live,
    caller,
    stranger,
    id: params.id ?? '',
    params,
    query,
    signIn,
    client,
    address: raw.socket.remoteAddress ?? '',
    isMinimal: header(headers.prefer)?.includes('return=minimal') === true,
    conditions: conditionsOf(endpoint, headers),
    submit: async (command, lane) => {
      const outcome = await backend.submit(writes.wrapped(command), lane, origin);
      trace.hasStored = true;
      if (outcome.isReplay === true) reply.header('Idempotency-Replayed', 'true');
      return outcome;
    },
    current: () => backend.current(),
    newId: () => writes.newId(),
    isRepeat: () => writes.isRepeat(backend.directory),
    body: async () => {
      const body = await readJsonBody(raw, {
        bytesMax: caller.kind === 'anonymous' ? LIMITS.anonymousBodyBytes : LIMITS.bodyBytes,
        valuesMax: caller.kind === 'server' ? LIMITS.bodyValues : LIMITS.clientBodyValues,
        onBytes: (bytes) => writes.noteBody(bytes),
        lane: bodyLaneOf(caller),
      });
      // Before anything looks at the items: there may be a hundred thousand.
      const tooMany = endpoint.body === undefined ? [] : overfull(endpoint.body, body, '');
      if (tooMany.length > 0) throw fieldErrors('input', tooMany);
      return body;
    },
    isGone: () => raw.socket.destroyed,
    rawBody: raw,
  };
}

/**
 * Refuses a condition on a write that ignores conditions, because the client would believe that it was checked. Throws RosterError `input`.
 */
function conditionsOf({ method, isConditional }: Endpoint, headers: FastifyRequest['headers']): ConditionHeaders {
  if (method === 'GET') return {};
  const [ifMatch, ifNoneMatch] = [header(headers['if-match']), header(headers['if-none-match'])];
  const path = ifMatch !== undefined ? 'if-match' : 'if-none-match';
  if (isConditional === undefined && (ifMatch !== undefined || ifNoneMatch !== undefined)) {
    throw fieldErrors('input', [{ path, message: 'is not supported here' }]);
  }
  return { ifMatch, ifNoneMatch };
}
