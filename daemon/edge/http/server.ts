/**
 * The HTTP edge. Every request takes the same steps: admitted, counted, read, decoded into a command, answered. Every refusal is one of the
 * closed list, written by one renderer. Neither the query nor the body of a request is ever logged.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RosterError } from '../../../protocol/base/errors.ts';
import { withFields } from '../../../protocol/base/json.ts';
import { positionText } from '../../../protocol/base/position-text.ts';
import type { QueryFields } from '../../../protocol/base/reading.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import { sendFile, sendText, textOf, textOfDescription } from '../answers/answer-text.ts';
import type { AnswerText } from '../answers/pieces.ts';
import { WaitingAnswers } from '../answers/waiting.ts';
import type { Assets } from '../console/assets.ts';
import type { ConsoleDoor } from '../console/door.ts';
import { addConsole, type ConsoleEdge, type Shown } from '../console/routes.ts';
import { type FrameworkOptions, newFramework } from '../framework.ts';
import { admittedRequest, askedPosition } from '../nodes/asked-position.ts';
import { type Condition, type Readiness, readiness } from '../nodes/readiness.ts';
import { rateHeaders } from '../rate-headers.ts';
import { platformOf, type RateLimitOptions, RateLimits, refuseOver } from '../rate-limits.ts';
import { isBadPath, routed } from '../router.ts';
import { ROUTES } from '../routes.ts';
import type { Stranger } from '../strangers.ts';
import { admitRequest, type Doors, type Gate, refuseOutsider, tokenGate } from './admit.ts';
import type { Backend } from './backend.ts';
import { callOf, type SharedOfCalls } from './call.ts';
import { allowOrigin, preflightHeaders } from './cors.ts';
import { type Endpoint, type EndpointAnswer, METHODS, type Routed } from './endpoint.ts';
import {
  answerClientError,
  asRosterError,
  duration,
  errorAnswer,
  isUnrouted,
  NO_ROUTE,
  newTrace,
  noteRequest,
  REQUEST,
  type Refusable,
  type RequestBook,
  type Trace,
} from './errors.ts';
import { LongUploads } from './long-uploads.ts';
import { checkHost, dialectOfPath, header } from './request-parts.ts';
import type { LiveControl, Services } from './services.ts';
import { TurnTaking } from './turn-taking.ts';

export interface HttpServerOptions extends Doors, RequestBook, FrameworkOptions {
  readonly backend: Backend;
  readonly condition: Condition;
  /** Origins of web pages that may call: see cors.ts. */
  readonly origins: readonly string[];
  /** Counters that are shared with other servers, or the options to create new ones from. */
  readonly rateLimits: RateLimits | RateLimitOptions;
  readonly live: LiveControl;
  readonly services: Services;
  /** The operator's console: who may come in, and the files of its page. */
  readonly console: { readonly door: ConsoleDoor; readonly assets: Assets };
}

/** When to try again what cannot be done at the moment. */
const UNAVAILABLE_S = 5;

type Query = { Querystring: QueryFields };
type Request = FastifyRequest<Query>;

/** The server, not yet listening. It does not handle upgrades: attach to `server` for these. */
export function createHttp(options: HttpServerOptions): FastifyInstance {
  const edge = new HttpEdge(options);
  const app = newFramework(options, {
    clientError: (error, socket) => {
      if (!edge.uploads.excuses(error, socket)) answerClientError(error, socket, options.logger);
    },
    badPath: (request, reply) => void edge.badPath(request, reply),
  });
  const gate = tokenGate(options, options.origins);
  app.route<Query>({
    method: [...METHODS],
    url: '/*',
    handler: (request, reply) => {
      const found = edge.served(request);
      if (found !== undefined) return edge.serve(found, request, reply, gate);
      return isBadPath(request.method, request.url) ? edge.badPath(request, reply) : edge.notFound(request, reply);
    },
  });
  const health = (url: string, of: (need?: string) => Readiness | Promise<Readiness>) =>
    app.route<Query>({
      method: ['GET', 'HEAD'],
      url,
      handler: async (request, reply) => edge.health(request, reply, await of(request.query.need)),
    });
  health('/healthz', () => ({ isWell: true, details: {} }));
  health('/readyz', (need) => readiness(options.backend, options.condition, need));
  addConsole(app, edge, options.console);
  app.route<Query>({ method: 'OPTIONS', url: '*', handler: (request, reply) => edge.preflight(request, reply) });
  const turns = new TurnTaking();
  app.addHook('onRequest', (_request, _reply, done) => turns.enter(done));
  app.addHook('onRequest', async ({ raw }) => checkHost(raw));
  app.setNotFoundHandler<Query>((request, reply) => edge.notFound(request, reply));
  app.setErrorHandler<Error, Query>((error, request, reply) => {
    if (isUnrouted(error)) return edge.notFound(request, reply);
    return edge.refuse(edge.traceOf(request), request, reply, error);
  });
  return app;
}

class HttpEdge implements ConsoleEdge {
  readonly uploads = new LongUploads();
  readonly #options: HttpServerOptions;
  readonly #limits: RateLimits;
  readonly #shared: SharedOfCalls;
  readonly #waiting: WaitingAnswers;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const { backend, services, live } = options;
    const rateLimits = options.rateLimits instanceof RateLimits ? options.rateLimits : new RateLimits(options.rateLimits);
    this.#limits = rateLimits;
    this.#waiting = new WaitingAnswers((bytes) => options.logger.info({ bytes }, 'connection cut: the peer took nothing of its answer'));
    this.#shared = { backend, services, live, rateLimits, endpoints: ROUTES.filter(this.#isServed) };
  }

  readonly #isServed = ({ isStub }: Endpoint): boolean => isStub !== true || this.#options.services.compatStubs;

  /** What `routed` finds, without the endpoints that are switched off. */
  served({ method, url }: Pick<FastifyRequest, 'method' | 'url'>): Routed | undefined {
    const found = routed(method, url);
    return found !== undefined && this.#isServed(found.endpoint) ? found : undefined;
  }

  /** Of a request that failed before its endpoint had it. */
  traceOf(request: Request): Trace {
    const found = this.served(request);
    const dialect = dialectOfPath(request.url);
    if (found === undefined) return newTrace(request, REQUEST, dialect);
    return newTrace(request, found.endpoint.operation, dialect, found.endpoint.path);
  }

  async serve(routed: Routed, request: Request, reply: FastifyReply, gate: Gate): Promise<FastifyReply> {
    const { endpoint } = routed;
    const { backend, condition } = this.#options;
    const trace = newTrace(request, endpoint.operation, endpoint.dialect, gate.prefix + endpoint.path);
    try {
      gate.greet(request, reply);
      const caller = await this.#admit(endpoint, request, reply, trace, gate);
      refuseOutsider(endpoint, caller, backend.directory);
      if (!backend.ready) throw new RosterError('unavailable', 'the directory is not ready');
      if (condition.isTooStale) throw new RosterError('unavailable', 'what this node knows is too old: its storage is away');
      if (endpoint.uploads !== undefined) this.uploads.expect(request.raw);
      const stranger = this.#strangerOf(endpoint, caller, request);
      const [signIn, client] = [gate.signInOf(request), gate.clientOf(request)];
      trace.place = this.#waiting.enter(caller, stranger, reply.raw, request.raw.socket);
      const answer = await endpoint.handle(callOf(routed, { caller, stranger, signIn, client, trace }, request, reply, this.#shared));
      const text = this.#textOf(trace, caller, endpoint, answer);
      return this.#answer(trace, reply, answer, endpoint, text instanceof Promise ? await text : text);
    } catch (error) {
      return await this.refuse(trace, request, reply, error);
    }
  }

  #textOf(
    trace: Trace,
    caller: Caller,
    { isPlain, method }: Endpoint,
    { body, isSmall = false, file }: EndpointAnswer,
  ): AnswerText | Promise<AnswerText> {
    if (file !== undefined) return '';
    if (isPlain === true) return textOfDescription(body);
    return textOf(
      { body: withFields(body ?? {}, { duration: duration(trace) }), isSmall },
      { caller, isRead: method === 'GET', place: trace.place },
    );
  }

  #admit(endpoint: Endpoint, request: Request, reply: FastifyReply, trace: Trace, gate: Gate): Promise<Caller> {
    const admit = (): Caller => {
      const caller = gate.admit(endpoint, request);
      trace.caller = caller.kind;
      return caller;
    };
    const count = (caller: Caller): Promise<void> =>
      this.#count(endpoint.operation, caller, this.#strangerOf(endpoint, caller, request), request, reply);
    return admittedRequest(askedPosition(endpoint, request.headers), this.#options.backend, admit, count);
  }

  /** Whoever holds a signed URL was given it. */
  #strangerOf({ access }: Endpoint, caller: Caller, { raw }: Request): Stranger | undefined {
    return access === 'signed' ? undefined : this.#limits.strangerOf(caller, raw.socket.remoteAddress, this.#options.backend.directory);
  }

  #answer(
    trace: Trace,
    reply: FastifyReply,
    { status = 200, seq, headers = {}, file }: EndpointAnswer,
    { method }: Endpoint,
    text: AnswerText,
  ): FastifyReply {
    reply.headers(headers);
    const { backend, condition } = this.#options;
    if (seq !== undefined) reply.header('X-Rosterd-Position', positionText({ epoch: backend.position.epoch, seq }));
    if ((seq === undefined || method === 'GET') && condition.staleMs !== undefined)
      reply.header('X-Rosterd-Stale', String(condition.staleMs));
    if (file === undefined) return this.#send(trace, reply, status, text);
    noteRequest(this.#options, trace, status, undefined);
    return sendFile(reply.code(status), file, trace.caller === 'server' ? undefined : trace.place);
  }

  /** Sends the error in the form of the dialect. Everything that is not a RosterError is an internal error. */
  async refuse(trace: Trace, request: Refusable, reply: FastifyReply, thrown: unknown): Promise<FastifyReply> {
    const error = asRosterError(thrown, trace);
    if (error.kind === 'internal') {
      this.#options.logger.error({ err: thrown, id: trace.id, operation: trace.operation }, 'unexpected error');
    }
    const { status, text } = errorAnswer(error, trace, duration(trace));
    if (status >= 500) reply.header('X-Request-Id', trace.id);
    if (error.kind === 'unavailable') reply.header('Retry-After', String(UNAVAILABLE_S));
    await this.#showLimit(trace.operation, request, reply);
    return this.#send(trace, reply, status, text, error);
  }

  badPath(request: Refusable & Pick<FastifyRequest, 'url'>, reply: FastifyReply): Promise<FastifyReply> {
    const error = new RosterError('input', 'the path is not valid: a % is not followed by two hex digits, or a part is too long');
    return this.refuse(newTrace(request, REQUEST, dialectOfPath(request.url), NO_ROUTE), request, reply, error);
  }

  /**
   * Unknown path, or a known one with another method. There is no 405 in the closed list; `Allow` lists the methods that exist. The feeds
   * dialect has many endpoints that rosterd does not serve: their callers are admitted first, so that a wrong key is reported as such.
   */
  async notFound(request: Request, reply: FastifyReply): Promise<FastifyReply> {
    const dialect = dialectOfPath(request.url);
    const trace = newTrace(request, REQUEST, dialect, NO_ROUTE);
    try {
      allowOrigin(request, reply, this.#options.origins);
      if (dialect === 'feeds') trace.caller = admitRequest({ access: 'user', dialect }, request, this.#options).kind;
    } catch (error) {
      return await this.refuse(trace, request, reply, error);
    }
    const methods = METHODS.filter((method) => this.served({ method, url: request.url }) !== undefined);
    if (methods.length > 0) reply.header('Allow', methods.join(', '));
    const absent = dialect === 'feeds' ? 'this endpoint is not supported by rosterd' : `there is no such endpoint for ${request.method}`;
    const reason = methods.length > 0 ? `${request.method} is not supported here; there are ${methods.join(', ')}` : absent;
    return await this.refuse(trace, request, reply, new RosterError('not_found', reason));
  }

  async preflight(request: Request, reply: FastifyReply): Promise<FastifyReply> {
    const trace = newTrace(request, 'Preflight');
    if (!allowOrigin(request, reply, this.#options.origins)) {
      return await this.refuse(trace, request, reply, new RosterError('not_allowed', 'this origin is not allowed'));
    }
    reply.headers(preflightHeaders());
    await this.#showLimit(trace.operation, request, reply);
    return this.#send(trace, reply, 204, '');
  }

  /** Answers with what no endpoint does: pages, their files, sign-ins. */
  async show(request: Refusable, reply: FastifyReply, operation: string, { status, headers, body }: Shown): Promise<FastifyReply> {
    await this.#showLimit(operation, request, reply);
    noteRequest(this.#options, newTrace(request, operation), status, undefined);
    return reply.code(status).headers(headers).send(body);
  }

  async health(request: Request, reply: FastifyReply, { isWell, details }: Readiness): Promise<FastifyReply> {
    await this.#showLimit('Health', request, reply);
    const trace = { ...newTrace(request, 'Health'), isRoutine: true };
    return this.#send(trace, reply, isWell ? 200 : 503, JSON.stringify({ status: isWell ? 'ok' : 'not ready', ...details }));
  }

  #send(trace: Trace, reply: FastifyReply, status: number, text: AnswerText, error?: RosterError): FastifyReply {
    noteRequest(this.#options, trace, status, error);
    return sendText(reply.code(status), text, trace.place);
  }

  async #count(operation: string, caller: Caller, stranger: Stranger | undefined, request: Request, reply: FastifyReply): Promise<void> {
    const platform = platformOf(header(request.headers['x-stream-client']), caller);
    const counted = await this.#limits.take(operation, platform, caller.kind === 'user' ? caller.id : undefined, stranger);
    reply.headers(rateHeaders(counted));
    refuseOver(counted);
  }

  /** Every answer shows a limit, even to a request that was refused before it was counted. */
  async #showLimit(operation: string, request: Refusable, reply: FastifyReply): Promise<void> {
    if (reply.hasHeader('X-RateLimit-Limit')) return;
    const platform = platformOf(header(request.headers['x-stream-client']), undefined);
    reply.headers(rateHeaders(await this.#limits.peek(operation, platform)));
  }
}
