/**
 * The HTTP edge. Every request goes the same way: admitted, counted, read,
 * decoded into a command, answered; every refusal is one of the closed list and
 * is written by one renderer. Neither the query nor the body of a request is ever logged.
 */
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { parse as parseQueryString } from 'node:querystring';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import type { QueryFields } from '../../../protocol/base/reading.ts';
import type { ConditionHeaders } from '../../../protocol/users/conditions.ts';
import type { EdgeLogger } from '../../base/logger.ts';
import type { Authenticator, Caller } from '../auth.ts';
import { platformOf, type RateLimitOptions, RateLimits, rateHeaders, refuseOver, type Verdict } from '../rate-limits.ts';
import { ROUTES } from '../routes.ts';
import type { Backend } from './backend.ts';
import { readJsonBody } from './body.ts';
import { allowOrigin, preflightHeaders } from './cors.ts';
import type { Access, Answer, Call, Endpoint, LiveControl, RouteDialect, Services } from './endpoint.ts';
import { answerClientError, asRosterError, errorAnswer, REQUEST, type Trace, writeLog } from './errors.ts';
import { Writes } from './idempotency.ts';
import { LongUploads } from './long-uploads.ts';
import { originOf, RequestBackend } from './request-backend.ts';
import type { UrlSigner } from './signed-urls.ts';

export interface HttpOptions {
  readonly backend: Backend;
  readonly authenticator: Authenticator;
  readonly logger: EdgeLogger;
  /** Web pages that may call: see origins.ts. */
  readonly origins: readonly string[];
  /** Counters that are shared with others, or what to make own ones from. */
  readonly rateLimits: RateLimits | RateLimitOptions;
  readonly live: LiveControl;
  readonly services: Services;
  readonly urls: UrlSigner;
  /** Certificate chain and private key, PEM. Without them the server speaks plain HTTP. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** Times against slow clients, milliseconds. */
  readonly timeouts?: Partial<HttpTimeouts>;
}

export interface HttpTimeouts {
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** From the first byte of a request to its last. */
  readonly requestMs: number;
  /** A connection without a request is closed after this. Longer than load balancers keep theirs, so that they close first. */
  readonly keepAliveMs: number;
}

const TIMEOUTS: HttpTimeouts = { headersMs: 10_000, requestMs: 60_000, keepAliveMs: 75_000 };
/** How often Node looks for requests that took too long. */
const TIMEOUT_CHECK_MS = 1_000;
/** All headers together, the request line with its query included: a query payload of some kilobytes fits. */
const HEADER_BYTES_MAX = 32 * 1024;
/** Longer than any id, even when every byte of it is escaped. */
const PARAM_CHARS_MAX = 4_096;
/** Parameters beyond these are ignored. */
const QUERY_KEYS_MAX = 100;

type Query = { Querystring: QueryFields };
type Request = FastifyRequest<Query>;
/** As much of a request as a refusal needs: there is no more of it where the path could not even be read. */
type Refusable = Pick<FastifyRequest, 'id' | 'method' | 'headers' | 'routeOptions'>;

/** The server, not yet listening. Upgrades are nobody's business here: attach to `server`. */
export function createHttp(options: HttpOptions): FastifyInstance {
  const { headersMs, requestMs, keepAliveMs } = { ...TIMEOUTS, ...options.timeouts };
  const serverOptions = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, headersMs),
    maxHeaderSize: HEADER_BYTES_MAX,
  };
  const endpoints = ROUTES.filter(({ isStub }) => isStub !== true || options.services.compatStubs);
  const edge = new HttpEdge(options, endpoints);
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    routerOptions: {
      ignoreDuplicateSlashes: true,
      ignoreTrailingSlash: true,
      maxParamLength: PARAM_CHARS_MAX,
      querystringParser: rememberingLast(flatQuery),
    },
    serverFactory: (handler) =>
      options.tls === undefined ? createServer(serverOptions, handler) : createTlsServer({ ...options.tls, ...serverOptions }, handler),
    clientErrorHandler: (error, socket) => {
      if (!edge.uploads.excuses(error, socket)) answerClientError(error, socket, options.logger);
    },
    frameworkErrors: (_error, request, reply) => edge.badPath(request, reply),
  });
  // Handlers read the body themselves, after admission, so that nobody without a token has one read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
  for (const endpoint of endpoints) {
    app.route<Query>({
      method: endpoint.method,
      url: endpoint.path,
      handler: (request, reply) => edge.serve(endpoint, request, reply),
    });
  }
  app.get<Query>('/healthz', (request, reply) => edge.health(request, reply, true));
  app.get<Query>('/readyz', (request, reply) => edge.health(request, reply, options.backend.ready));
  app.route<Query>({ method: 'OPTIONS', url: '*', handler: (request, reply) => edge.preflight(request, reply) });
  app.setNotFoundHandler<Query>((request, reply) => edge.notFound(request, reply));
  app.setErrorHandler<Error>((error, request, reply) => {
    const endpoint = endpoints.find(({ method, path }) => method === request.method && path === request.routeOptions.url);
    return edge.refuse(newTrace(request, endpoint?.operation ?? REQUEST, dialectOfPath(request.url)), request, reply, error);
  });
  return app;
}

type QueryParser = (text: string) => Record<string, string>;

/** A client sends the same query again and again: its API key. Whoever gets the answer must leave it as it is. */
function rememberingLast(parse: QueryParser): QueryParser {
  let last = { text: '', query: Object.freeze(parse('')) };
  return (text) => {
    if (text !== last.text) last = { text, query: Object.freeze(parse(text)) };
    return last.query;
  };
}

/** One value per key: the first. */
function flatQuery(text: string): Record<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(parseQueryString(text, '&', '=', { maxKeys: QUERY_KEYS_MAX }))) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) flat.set(key, first);
  }
  return Object.fromEntries(flat);
}

function newTrace(request: Refusable, operation: string, dialect: RouteDialect = 'v1'): Trace {
  return {
    operation,
    dialect,
    id: request.id,
    method: request.method,
    // The pattern, not the path: whatever a caller puts into a path stays out of the log.
    route: request.routeOptions.url ?? '(none)',
    startedMs: performance.now(),
    caller: 'none',
  };
}

function duration({ startedMs }: Trace): string {
  return `${(performance.now() - startedMs).toFixed(2)}ms`;
}

function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

class HttpEdge {
  readonly uploads = new LongUploads();
  readonly #options: HttpOptions;
  readonly #limits: RateLimits;
  readonly #endpoints: readonly Endpoint[];

  constructor(options: HttpOptions, endpoints: readonly Endpoint[]) {
    this.#options = options;
    this.#endpoints = endpoints;
    this.#limits = options.rateLimits instanceof RateLimits ? options.rateLimits : new RateLimits(options.rateLimits);
  }

  async serve(endpoint: Endpoint, request: Request, reply: FastifyReply): Promise<FastifyReply> {
    const trace = newTrace(request, endpoint.operation, endpoint.dialect);
    try {
      allowOrigin(request, reply, this.#options.origins);
      const caller = this.#admit(endpoint, request);
      trace.caller = caller.kind;
      await this.#count(endpoint.operation, caller, request, reply);
      if (caller.kind !== 'server' && !mayCall(endpoint.access, caller)) throw this.#forbidden(endpoint.operation, caller);
      if (!this.#options.backend.ready) throw new RosterError('unavailable', 'the directory is not ready');
      if (endpoint.isBinary === true) this.uploads.expect(request.raw);
      return this.#answer(trace, reply, await endpoint.handle(this.#call(endpoint, caller, request, reply)), endpoint.isPlain === true);
    } catch (error) {
      return await this.refuse(trace, request, reply, error);
    }
  }

  #call(endpoint: Endpoint, caller: Caller, { query, raw, params, headers }: Request, reply: FastifyReply): Call {
    const { backend, services, live } = this.#options;
    const named = textParameters(params);
    const client = header(headers['x-stream-client']);
    const writes = new Writes({ endpoint, params: named, query, caller, key: header(headers['idempotency-key']) });
    return {
      backend: new RequestBackend(backend, originOf(caller, client), writes, () => reply.header('Idempotency-Replayed', 'true')),
      services,
      caller,
      id: named.id ?? '',
      params: named,
      query,
      client,
      rateLimits: this.#limits,
      endpoints: this.#endpoints,
      live,
      isMinimal: header(headers.prefer)?.includes('return=minimal') === true,
      conditions: conditionsOf(endpoint, headers),
      newId: () => writes.newId(),
      isRepeat: () => writes.isRepeat(backend.directory),
      body: () => readJsonBody(raw, (bytes) => writes.noteBody(bytes)),
      rawBody: raw,
    };
  }

  #answer(trace: Trace, reply: FastifyReply, answer: Answer, isPlain: boolean): FastifyReply {
    const { status = 200, body, seq, headers = {}, file } = answer;
    reply.headers(headers);
    if (seq !== undefined) reply.header('X-Rosterd-Position', `${this.#options.backend.position.epoch}:${seq}`);
    if (file === undefined) {
      return this.#send(trace, reply, status, JSON.stringify(isPlain ? body : { ...body, duration: duration(trace) }));
    }
    writeLog(this.#options.logger, trace, status, undefined);
    return reply
      .code(status)
      .headers({
        'Content-Type': file.type,
        ...(file.bytes === undefined ? undefined : { 'Content-Length': String(file.bytes) }),
        'Content-Disposition': `attachment; filename="${file.name}"`,
      })
      .send(file.stream);
  }

  /** Writes the error down in the form of the dialect. Whatever is not a RosterError is a mistake of ours. */
  async refuse(trace: Trace, request: Refusable, reply: FastifyReply, thrown: unknown): Promise<FastifyReply> {
    const error = asRosterError(thrown);
    if (error.kind === 'internal') {
      this.#options.logger.error({ err: thrown, id: trace.id, operation: trace.operation }, 'unexpected error');
    }
    const { status, text } = errorAnswer(error, trace, duration(trace));
    if (status >= 500) reply.header('X-Request-Id', trace.id);
    await this.#showLimit(trace.operation, request, reply);
    return this.#send(trace, reply, status, text, error);
  }

  badPath(request: Refusable & Pick<FastifyRequest, 'url'>, reply: FastifyReply): void {
    const error = new RosterError('input', 'the path is not valid: a % is not followed by two hex digits, or a part is too long');
    void this.refuse(newTrace(request, REQUEST, dialectOfPath(request.url)), request, reply, error);
  }

  /**
   * Unknown path, or a known one with another method. There is no 405 in the closed list; `Allow` says what there is. The feeds
   * dialect has many endpoints that are not here: who asks for one is admitted first, so that a wrong key is told as such.
   */
  async notFound(request: Request, reply: FastifyReply): Promise<FastifyReply> {
    const dialect = dialectOfPath(request.url);
    const trace = newTrace(request, REQUEST, dialect);
    try {
      allowOrigin(request, reply, this.#options.origins);
      if (dialect === 'feeds') trace.caller = this.#admit({ access: 'user', dialect }, request).kind;
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

  async health(request: Request, reply: FastifyReply, isWell: boolean): Promise<FastifyReply> {
    await this.#showLimit('Health', request, reply);
    const trace = { ...newTrace(request, 'Health'), isRoutine: true };
    return this.#send(trace, reply, isWell ? 200 : 503, JSON.stringify({ status: isWell ? 'ok' : 'not ready' }));
  }

  #send(trace: Trace, reply: FastifyReply, status: number, text: string, error?: RosterError): FastifyReply {
    writeLog(this.#options.logger, trace, status, error);
    reply.code(status);
    return text === '' ? reply.send() : reply.header('Content-Type', 'application/json; charset=utf-8').send(text);
  }

  /** Who asks. Where a URL speaks for itself, whoever has it counts as anonymous. */
  #admit({ access, dialect }: Pick<Endpoint, 'access' | 'dialect'>, { method, headers, query, url }: Request): Caller {
    const { authenticator, urls } = this.#options;
    if (access === 'open') return { kind: 'anonymous' };
    if (access === 'signed') {
      urls.check(method, url.split('?')[0] ?? '', query);
      return { kind: 'anonymous' };
    }
    const authType = header(headers['stream-auth-type']) ?? query['stream-auth-type'];
    return authenticator.authenticate({
      apiKey: query.api_key,
      token: headers.authorization ?? query.authorization,
      authType,
      // Who says that it is anonymous is believed, and then told what it may not do.
      mayBeAnonymous: access === 'guest' || authType?.toLowerCase() === 'anonymous',
      mayBeScoped: dialect === 'feeds',
    });
  }

  async #count(operation: string, caller: Caller, request: Request, reply: FastifyReply): Promise<void> {
    const platform = platformOf(header(request.headers['x-stream-client']), caller);
    const verdict: Verdict = await this.#limits.take(operation, platform, caller.kind === 'user' ? caller.id : undefined);
    reply.headers(rateHeaders(verdict));
    refuseOver(verdict);
  }

  /** Every answer shows a limit, also one to a request that was refused before it was counted. */
  async #showLimit(operation: string, request: Refusable, reply: FastifyReply): Promise<void> {
    if (reply.hasHeader('X-RateLimit-Limit')) return;
    const platform = platformOf(header(request.headers['x-stream-client']), undefined);
    reply.headers(rateHeaders(await this.#limits.peek(operation, platform)));
  }

  #forbidden(operation: string, caller: Exclude<Caller, { kind: 'server' }>): RosterError {
    if (caller.kind === 'anonymous')
      return new RosterError('not_allowed', `an anonymous user is not allowed to perform action ${operation}`);
    const role = this.#options.backend.directory.user(caller.id)?.role ?? 'user';
    return new RosterError('not_allowed', `User '${caller.id}' with role '${role}' is not allowed to perform action ${operation}`);
  }
}

/** Who puts a condition on a write that looks at none would take it for kept. Throws RosterError `input`. */
function conditionsOf({ method, isConditional }: Endpoint, headers: FastifyRequest['headers']): ConditionHeaders {
  if (method === 'GET') return {};
  const [ifMatch, ifNoneMatch] = [header(headers['if-match']), header(headers['if-none-match'])];
  const path = ifMatch !== undefined ? 'if-match' : 'if-none-match';
  if (isConditional !== true && (ifMatch !== undefined || ifNoneMatch !== undefined)) {
    throw fieldErrors('input', [{ path, message: 'is not supported here' }]);
  }
  return { ifMatch, ifNoneMatch };
}

/** Whether a caller that is no server may call at all; what it may do there is for the handler to say. */
function mayCall(access: Access, { kind }: Caller): boolean {
  return access !== 'server' && (access !== 'user' || kind !== 'anonymous');
}

function textParameters(params: unknown): Readonly<Record<string, string>> {
  if (typeof params !== 'object' || params === null) return {};
  return Object.fromEntries(Object.entries(params).filter(([, value]) => typeof value === 'string'));
}

/** Paths below this prefix are of the feeds dialect, also where there is no endpoint. */
function dialectOfPath(url: string): RouteDialect {
  if (/^\/+api\/+v1\.0(\/|\?|$)/.test(url)) return 'feeds';
  return /^\/+api\/+v2(\/|\?|$)/.test(url) ? 'v2' : 'v1';
}

/** Methods of the endpoints whose pattern matches the path of `url`. */
function methodsOf(endpoints: readonly Endpoint[], url: string): string[] {
  const path = (url.split('?')[0] ?? '').replaceAll(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  const matching = endpoints.filter((route) =>
    new RegExp(`^${route.path.replaceAll('.', '\\.').replaceAll(/:[a-z_]+/g, '[^/]+')}$`).test(path),
  );
  return [...new Set(matching.map((route) => route.method))];
}
