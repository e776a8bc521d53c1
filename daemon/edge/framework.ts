/** The framework under the HTTP edge, and what of it is switched off: the edge reads bodies, checks them and answers errors by itself. */
import type { Socket } from 'node:net';
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { refuseWhatNodeWould } from './http/errors.ts';
import { type HttpTimeouts, TIMEOUTS } from './http/long-uploads.ts';
import { type MakeServer, nodeServer, type TlsFiles } from './http/open-connections.ts';
import { flatQuery, originForm, rememberingLast } from './http/request-parts.ts';
import { PATH_RULES } from './router.ts';

/** How often Node looks for requests that took too long. */
const TIMEOUT_CHECK_MS = 1_000;
/** All headers together, including the request line with its query: a query payload of some kilobytes fits. */
const HEADER_BYTES_MAX = 32 * 1024;

export interface FrameworkOptions {
  /** Certificate chain and private key, PEM. Without them the server speaks plain HTTP. */
  readonly tls?: TlsFiles;
  /** Time limits for slow clients, milliseconds. */
  readonly timeouts?: Partial<HttpTimeouts>;
  /** Default: Node's server, with TLS where there are files for it. */
  readonly createServer?: MakeServer;
}

/** Answer what Node or the framework could not read. */
export interface UnreadableHandlers {
  clientError(error: Error, socket: Socket): void;
  badPath(request: FastifyRequest, reply: FastifyReply): void;
}

export function newFramework(
  { tls, timeouts, createServer = nodeServer(tls) }: FrameworkOptions,
  { clientError, badPath }: UnreadableHandlers,
): FastifyInstance {
  const { headersMs, requestMs, keepAliveMs } = { ...TIMEOUTS, ...timeouts };
  const serverOptions = {
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS, headersMs),
    maxHeaderSize: HEADER_BYTES_MAX,
    // Node would answer in a form of its own: see `checkHost`.
    requireHostHeader: false,
  };
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    rewriteUrl: ({ url = '' }) => originForm(url),
    routerOptions: { ...PATH_RULES, querystringParser: rememberingLast(flatQuery) },
    serverFactory: (handler) => createServer(serverOptions, handler),
    clientErrorHandler: clientError,
    frameworkErrors: (_error, request, reply) => badPath(request, reply),
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
  });
  // Handlers read the body themselves, after admission, so that no body is read for a caller without a token.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null, undefined));
  refuseWhatNodeWould(app.server);
  // Node would drop all beyond a thousand without a word, even the length of a body; their bytes are bounded above.
  app.server.maxHeadersCount = 0;
  return app;
}

/** Endpoints check by themselves, so that no route has a schema of fastify's. Its compilers would be loaded all the same, at every start. */
function noSchemas(): never {
  throw new Error('a route has a schema of its own');
}
