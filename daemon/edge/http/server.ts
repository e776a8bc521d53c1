/**
 * The HTTP edge. Every request takes the same steps: admitted, counted, read, decoded into a command, answered. Every refusal is one of the
 * closed list, written by one renderer. Neither the query nor the body of a request is ever logged.
 */

import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { RosterError } from '../../../protocol/base/errors.ts';
import { positionText } from '../../../protocol/base/position-text.ts';
import type { QueryFields } from '../../../protocol/base/reading.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import { sendFile, sendText, textOf, textOfDescription } from '../answers/answer-text.ts';
import type { AnswerText } from '../answers/pieces.ts';
import { WaitingAnswers } from '../answers/waiting.ts';
import { admittedRequest, askedPosition } from '../nodes/asked-position.ts';
import { type Condition, type Readiness, readiness } from '../nodes/readiness.ts';
import { rateHeaders } from '../rate-headers.ts';
import { platformOf, type RateLimitOptions, RateLimits, refuseOver } from '../rate-limits.ts';
import { ROUTES } from '../routes.ts';
import type { Stranger } from '../strangers.ts';
import { admitRequest, type Doors, refuseOutsider } from './admit.ts';
import type { Backend } from './backend.ts';
import { callOf, type SharedOfCalls } from './call.ts';
import { allowOrigin, preflightHeaders } from './cors.ts';
import type { Endpoint, EndpointAnswer } from './endpoint.ts';
import {
  answerClientError,
  asRosterError,
  duration,
  errorAnswer,
  isUnrouted,
  newTrace,
  noteRequest,
  REQUEST,
  type Refusable,
  type RequestBook,
  refuseWhatNodeWould,
  type Trace,
} from './errors.ts';
import { type HttpTimeouts, LongUploads, TIMEOUTS } from './long-uploads.ts';
import { type MakeServer, nodeServer, type TlsFiles } from './open-connections.ts';
import { checkHost, dialectOfPath, flatQuery, header, methodsOf, originForm, rememberingLast } from './request-parts.ts';
import type { LiveControl, Services } from './services.ts';
import { TurnTaking } from './turn-taking.ts';

export interface HttpServerOptions extends Doors, RequestBook {
  readonly backend: Backend;
  readonly condition: Condition;
  /** Origins of web pages that may call: see cors.ts. */
  readonly origins: readonly string[];
  /** Counters that are shared with other servers, or the options to create new ones from. */
  readonly rateLimits: RateLimits | RateLimitOptions;
  readonly live: LiveControl;
  readonly services: Services;
  /** Certificate chain and private key, PEM. Without them the server speaks plain HTTP. */
  readonly tls?: TlsFiles;
  /** Time limits for slow clients, milliseconds. */
  readonly timeouts?: Partial<HttpTimeouts>;
  /** Default: Node's server, with TLS where there are files for it. */
  readonly createServer?: MakeServer;
}

/** When to try again what cannot be done at the moment. */
const UNAVAILABLE_S = 5;
/** How often Node looks for requests that took too long. */
const TIMEOUT_CHECK_MS = 1_000;
/** All headers together, including the request line with its query: a query payload of some kilobytes fits. */
const HEADER_BYTES_MAX = 32 * 1024;
/** Longer than any id, even when every byte of it is escaped. */
const PARAM_CHARS_MAX = 4_096;

type Query = { Querystring: QueryFields };
type Request = FastifyRequest<Query>;

/** The server, not yet listening. It does not handle upgrades: attach to `server` for these. */
export function createHttp(options: HttpServerOptions): FastifyInstance {
  const { headersMs, requestMs, keepAliveMs } = { ...TIMEOUTS, ...options.timeouts };
  const serverOptions = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, headersMs),
    maxHeaderSize: HEADER_BYTES_MAX,
    // Node would answer in a form of its own: see `checkHost`.
    requireHostHeader: false,
  };
  const endpoints = ROUTES.filter(({ isStub }) => isStub !== true || options.services.compatStubs);
  const edge = new HttpEdge(options, endpoints);
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    rewriteUrl: ({ url = '' }) => originForm(url),
    routerOptions: {
      ignoreDuplicateSlashes: true,
      ignoreTrailingSlash: true,
      maxParamLength: PARAM_CHARS_MAX,
      querystringParser: rememberingLast(flatQuery),
    },
    serverFactory: (handler) => (options.createServer ?? nodeServer(options.tls))(serverOptions, handler),
    clientErrorHandler: (error, socket) => {
      if (!edge.uploads.excuses(error, socket)) answerClientError(error, socket, options.logger);
    },
    frameworkErrors: (_error, request, reply) => edge.badPath(request, reply),
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
  });
  // Handlers read the body themselves, after admission, so that no body is read for a caller without a token.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
  for (const endpoint of endpoints) {
    app.route<Query>({
      method: endpoint.method,
      url: endpoint.path,
      handler: (request, reply) => edge.serve(endpoint, request, reply),
    });
  }
  const health = (url: string, of: (need?: string) => Readiness | Promise<Readiness>) =>
    app.route<Query>({
      method: ['GET', 'HEAD'],
      url,
      handler: async (request, reply) => edge.health(request, reply, await of(request.query.need)),
    });
  health('/healthz', () => ({ isWell: true, details: {} }));
  health('/readyz', (need) => readiness(options.backend, options.condition, need));
  app.route<Query>({ method: 'OPTIONS', url: '*', handler: (request, reply) => edge.preflight(request, reply) });
  const turns = new TurnTaking();
  app.addHook('onRequest', (_request, _reply, done) => turns.enter(done));
  app.addHook('onRequest', async ({ raw }) => checkHost(raw));
  app.setNotFoundHandler<Query>((request, reply) => edge.notFound(request, reply));
  app.setErrorHandler<Error, Query>((error, request, reply) => {
    if (isUnrouted(error)) return edge.notFound(request, reply);
    const endpoint = endpoints.find(({ method, path }) => method === request.method && path === request.routeOptions.url);
    return edge.refuse(newTrace(request, endpoint?.operation ?? REQUEST, dialectOfPath(request.url)), request, reply, error);
  });
  refuseWhatNodeWould(app.server);
  // Node would drop all beyond a thousand without a word, even the length of a body; their bytes are bounded above.
  app.server.maxHeadersCount = 0;
  return app;
}

/** Endpoints check by themselves, so that no route has a schema of fastify's. Its compilers would be loaded all the same, at every start. */
function noSchemas(): never {
  throw new Error('a route has a schema of its own');
}

class HttpEdge {
  readonly uploads = new LongUploads();
  readonly #options: HttpServerOptions;
  readonly #limits: RateLimits;
  readonly #endpoints: readonly Endpoint[];
  readonly #shared: SharedOfCalls;
  readonly #waiting: WaitingAnswers;

  constructor(options: HttpServerOptions, endpoints: readonly Endpoint[]) {
    this.#options = options;
    this.#endpoints = endpoints;
    const { backend, services, live } = options;
    const rateLimits = options.rateLimits instanceof RateLimits ? options.rateLimits : new RateLimits(options.rateLimits);
    this.#limits = rateLimits;
    this.#waiting = new WaitingAnswers((bytes) => options.logger.info({ bytes }, 'connection cut: the peer took nothing of its answer'));
    this.#shared = { backend, services, live, rateLimits, endpoints };
  }

  async serve(endpoint: Endpoint, request: Request, reply: FastifyReply): Promise<FastifyReply> {
    const { backend, condition } = this.#options;
    const trace = newTrace(request, endpoint.operation, endpoint.dialect);
    try {
      allowOrigin(request, reply, this.#options.origins);
      const caller = await this.#admit(endpoint, request, reply, trace);
      refuseOutsider(endpoint, caller, backend.directory);
      if (!backend.ready) throw new RosterError('unavailable', 'the directory is not ready');
      if (condition.isTooStale) throw new RosterError('unavailable', 'what this node knows is too old: its storage is away');
      if (endpoint.uploads !== undefined) this.uploads.expect(request.raw);
      const stranger = this.#strangerOf(endpoint, caller, request);
      trace.place = this.#waiting.enter(caller, stranger, reply.raw, request.raw.socket);
      const answer = await endpoint.handle(callOf(endpoint, { caller, stranger, trace }, request, reply, this.#shared));
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
    return textOf({ body: { ...body, duration: duration(trace) }, isSmall }, { caller, isRead: method === 'GET', place: trace.place });
  }

  #admit(endpoint: Endpoint, request: Request, reply: FastifyReply, trace: Trace): Promise<Caller> {
    const admit = (): Caller => {
      const caller = admitRequest(endpoint, request, this.#options);
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

  badPath(request: Refusable & Pick<FastifyRequest, 'url'>, reply: FastifyReply): void {
    const error = new RosterError('input', 'the path is not valid: a % is not followed by two hex digits, or a part is too long');
    void this.refuse(newTrace(request, REQUEST, dialectOfPath(request.url)), request, reply, error);
  }

  /**
   * Unknown path, or a known one with another method. There is no 405 in the closed list; `Allow` lists the methods that exist. The feeds
   * dialect has many endpoints that rosterd does not serve: their callers are admitted first, so that a wrong key is reported as such.
   */
  async notFound(request: Request, reply: FastifyReply): Promise<FastifyReply> {
    const dialect = dialectOfPath(request.url);
    const trace = newTrace(request, REQUEST, dialect);
    try {
      allowOrigin(request, reply, this.#options.origins);
      if (dialect === 'feeds') trace.caller = admitRequest({ access: 'user', dialect }, request, this.#options).kind;
    } catch (error) {
      return await this.refuse(trace, request, reply, error);
    }
    const methods = methodsOf(this.#endpoints, request.url);
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
