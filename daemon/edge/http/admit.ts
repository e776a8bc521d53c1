/** Admission by HTTP: the caller of a request, and whether an endpoint admits it. */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { QueryFields } from '../../../protocol/base/reading.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import { notAllowed } from '../../core/problems.ts';
import type { Authenticator } from '../auth.ts';
import type { DirectoryReader } from './backend.ts';
import { allowOrigin } from './cors.ts';
import type { Access, Endpoint } from './endpoint.ts';
import { header } from './request-parts.ts';
import type { UrlSigner } from './signed-urls.ts';

type Request = Pick<FastifyRequest<{ Querystring: QueryFields }>, 'method' | 'headers' | 'query' | 'url'>;

export interface Doors {
  readonly authenticator: Authenticator;
  readonly urls: UrlSigner;
}

/** A way into the endpoints. */
export interface Gate {
  /** Where its endpoints are, before their own paths. */
  readonly prefix: string;
  /** Sets the headers that every answer through this gate has. */
  greet(request: FastifyRequest<{ Querystring: QueryFields }>, reply: FastifyReply): void;
  /** Throws RosterError for a caller that is not admitted. */
  admit(endpoint: Endpoint, request: FastifyRequest<{ Querystring: QueryFields }>): Caller;
  /** The sign-in by which the caller is admitted; undefined for a token. */
  signInOf(request: FastifyRequest<{ Querystring: QueryFields }>): string | undefined;
  /** How the caller describes itself, for the history of users. */
  clientOf(request: FastifyRequest<{ Querystring: QueryFields }>): string | undefined;
}

/** The gate for everyone with a token. `origins`: of web pages that may call (cors.ts). */
export function tokenGate(doors: Doors, origins: readonly string[]): Gate {
  return {
    prefix: '',
    greet: (request, reply) => void allowOrigin(request, reply, origins),
    admit: (endpoint, request) => admitRequest(endpoint, request, doors),
    signInOf: () => undefined,
    clientOf: ({ headers }) => header(headers['x-stream-client']),
  };
}

/** The caller of a request. The holder of a signed URL counts as anonymous. Throws RosterError as `authenticate` does. */
export function admitRequest(
  { access, dialect }: Pick<Endpoint, 'access' | 'dialect'>,
  { method, headers, query, url }: Request,
  { authenticator, urls }: Doors,
): Caller {
  if (access === 'open') return { kind: 'anonymous' };
  if (access === 'signed') {
    urls.check(method, url.split('?')[0] ?? '', query);
    return { kind: 'anonymous' };
  }
  const authType = header(headers['stream-auth-type']) ?? query['stream-auth-type'];
  const credentials = {
    apiKey: query.api_key,
    token: headers.authorization ?? query.authorization,
    authType,
    // A caller that says that it is anonymous is admitted as such, and then refused what anonymous callers may not do.
    mayBeAnonymous: access === 'guest' || authType?.toLowerCase() === 'anonymous',
    mayBeScoped: dialect === 'feeds',
  };
  try {
    return authenticator.authenticate(credentials);
  } catch (error) {
    // In feeds, "not found" is about the object of a request, never about its caller.
    if (dialect !== 'feeds' || !(error instanceof RosterError) || error.kind !== 'not_found') throw error;
    throw new RosterError('not_allowed', error.message);
  }
}

/** Throws RosterError `not_allowed` for a caller that may not call the endpoint at all; the handler decides what it may do there. */
export function refuseOutsider(
  { access, operation }: Pick<Endpoint, 'access' | 'operation'>,
  caller: Caller,
  directory: DirectoryReader,
): void {
  if (caller.kind === 'server' || mayCall(access, caller)) return;
  if (caller.kind === 'anonymous') throw new RosterError('not_allowed', `an anonymous user is not allowed to perform action ${operation}`);
  throw new RosterError('not_allowed', notAllowed(caller.id, directory.user(caller.id)?.role ?? 'user', operation));
}

function mayCall(access: Access, { kind }: Caller): boolean {
  return access !== 'server' && (access !== 'user' || kind !== 'anonymous');
}
