/**
 * The paths of the console: its page and files, its sign-in, and every endpoint under `/console/api`, where the cookie takes the place of the
 * token. And the first page of the daemon.
 *
 * It keeps CO5, CO8 and CO9 (daemon/RULES.md).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { SignIn } from '../../../protocol/access/sign-ins.ts';
import { says } from '../../../protocol/base/explain.ts';
import { positionText } from '../../../protocol/base/position-text.ts';
import { bodyObject, checked, type QueryFields } from '../../../protocol/base/reading.ts';
import type { Gate } from '../http/admit.ts';
import { readJsonBody } from '../http/body.ts';
import { type Endpoint, METHODS, type Routed } from '../http/endpoint.ts';
import { newTrace, type Refusable, type Trace } from '../http/errors.ts';
import { header } from '../http/request-parts.ts';
import { isBadPath, routed } from '../router.ts';
import type { AssetName, Assets } from './assets.ts';
import type { ConsoleDoor, Welcome } from './door.ts';
import { isForConsole } from './effects.ts';
import { frontJson, frontPage, wantsPage } from './front.ts';

/** On every answer below `/console`, and on the first page: nothing but this host's own files and calls, and images of users. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
};

/** A code is a few hundred bytes. */
const SIGN_IN_BYTES_MAX = 4_096;
const SIGN_IN = 'ConsoleSignIn';
const PAGE = 'ConsolePage';
const API = '/console/api';
/** Doubled slashes are one, as everywhere. */
const API_START = /^\/+console\/+api/;

const SignInBody = Compile(Type.Object({ code: Type.String({ minLength: 1, ...says('must be the code of a link') }) }));

/** An answer that is no endpoint's. */
export interface Shown {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | undefined;
}

type Request = FastifyRequest<{ Querystring: QueryFields }>;

/** The parts of the HTTP edge that the console uses. */
export interface ConsoleEdge {
  serve(routed: Routed, request: Request, reply: FastifyReply, gate: Gate): Promise<FastifyReply>;
  show(request: Refusable, reply: FastifyReply, operation: string, shown: Shown): Promise<FastifyReply>;
  refuse(trace: Trace, request: Refusable, reply: FastifyReply, thrown: unknown): Promise<FastifyReply>;
  notFound(request: Request, reply: FastifyReply): Promise<FastifyReply>;
  badPath(request: Request, reply: FastifyReply): Promise<FastifyReply>;
}

export interface ConsoleParts {
  readonly door: ConsoleDoor;
  readonly assets: Assets;
}

export function addConsole(app: FastifyInstance, edge: ConsoleEdge, { door, assets }: ConsoleParts): void {
  /** Where the console is not served, nothing of it is there. */
  const add = (
    method: Endpoint['method'],
    path: string,
    handle: (request: Request, reply: FastifyReply) => Promise<FastifyReply>,
  ): void => {
    app.route<{ Querystring: QueryFields }>({
      method,
      url: `/console${path}`,
      handler: async (request, reply) => {
        if (!door.isServedTo(request.raw)) return await edge.notFound(request, reply);
        reply.headers(PAGE_HEADERS);
        return await handle(request, reply);
      },
    });
  };
  addFiles(add, edge, assets);
  addSignIn(add, edge, door);
  const gate = consoleGate(door);
  app.route<{ Querystring: QueryFields }>({
    method: [...METHODS],
    url: `${API}/*`,
    handler: async (request, reply) => {
      if (!door.isServedTo(request.raw)) return await edge.notFound(request, reply);
      const target = request.url.replace(API_START, '');
      const found = routed(request.method, target);
      if (found === undefined && isBadPath(request.method, target)) return await edge.badPath(request, reply);
      if (found === undefined || !isForConsole(found.endpoint)) return await edge.notFound(request, reply);
      reply.headers(PAGE_HEADERS);
      return await edge.serve(found, request, reply, gate);
    },
  });
  app.route<{ Querystring: QueryFields }>({
    method: 'GET',
    url: '/',
    handler: (request, reply) => {
      // The framework takes a target of an asterisk for this path.
      if (!request.url.startsWith('/')) return edge.notFound(request, reply);
      const front = { hasConsole: door.isServedTo(request.raw) };
      const isPage = wantsPage(request.headers.accept);
      const type = isPage ? 'text/html; charset=utf-8' : 'application/json; charset=utf-8';
      const headers = { ...PAGE_HEADERS, 'Content-Type': type, 'Cache-Control': 'no-store', Vary: 'Accept' };
      return edge.show(request, reply, 'Front', { status: 200, headers, body: isPage ? frontPage(front) : frontJson(front) });
    },
  });
}

type Add = (method: Endpoint['method'], path: string, handle: (request: Request, reply: FastifyReply) => Promise<FastifyReply>) => void;

function addFiles(add: Add, edge: ConsoleEdge, assets: Assets): void {
  const file = (path: string, name: AssetName): void =>
    add('GET', path, async (request, reply) => {
      // Everything in the page is named from its folder, so that it also works behind a path of a proxy.
      if (path === '' && !request.url.split('?')[0]?.endsWith('/')) {
        return await edge.show(request, reply, PAGE, { status: 308, headers: { Location: 'console/', 'Cache-Control': 'no-cache' } });
      }
      const { headers } = request;
      try {
        const answer = await assets.answer(name, header(headers['accept-encoding']), header(headers['if-none-match']));
        return await edge.show(request, reply, PAGE, answer);
      } catch (error) {
        return await edge.refuse(newTrace(request, PAGE), request, reply, error);
      }
    });
  file('', 'index.html');
  file('/app.js', 'app.js');
  file('/plot.js', 'plot.js');
  file('/app.css', 'app.css');
}

function addSignIn(add: Add, edge: ConsoleEdge, door: ConsoleDoor): void {
  const signIn = (method: 'GET' | 'POST' | 'DELETE', handle: (request: Request) => Promise<Pick<Shown, 'headers' | 'body'>>): void =>
    add(method, '/sign-in', async (request, reply) => {
      try {
        door.checkOrigin(request.raw);
        const { headers, body } = await handle(request);
        return await edge.show(request, reply, SIGN_IN, {
          status: 200,
          headers: { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store', ...headers },
          body: body ?? '{}',
        });
      } catch (error) {
        return await edge.refuse(newTrace(request, SIGN_IN), request, reply, error);
      }
    });
  const welcomed = ({ signIn: found, cookie, position }: Welcome): Pick<Shown, 'headers' | 'body'> => ({
    headers: {
      'Set-Cookie': cookie,
      'X-Rosterd-Position': positionText(position),
    },
    body: JSON.stringify(signInAnswer(found, door.apiKey)),
  });
  signIn('POST', async ({ raw }) => {
    const { code } = checked(SignInBody, bodyObject(await readJsonBody(raw, { bytesMax: SIGN_IN_BYTES_MAX })));
    return welcomed(await door.signIn(code));
  });
  signIn('GET', async ({ raw }) => welcomed(await door.comeBack(raw)));
  signIn('DELETE', async ({ raw }) => ({ headers: { 'Set-Cookie': await door.signOut(raw) } }));
}

/** `ends_at`: milliseconds since 1970. The API key is public, and part of every command that the page shows. */
function signInAnswer({ id, role, ends_at }: SignIn, apiKey: string): Readonly<Record<string, unknown>> {
  return { id, role, ends_at: ends_at / 1_000, api_key: apiKey };
}

/** Admits by the cookie. It never allows another origin. */
function consoleGate(door: ConsoleDoor): Gate {
  return {
    prefix: API,
    greet: ({ raw }, reply) => {
      reply.header('Cache-Control', 'no-store');
      const renewal = door.renewal(raw);
      if (renewal !== undefined) reply.header('Set-Cookie', renewal);
    },
    admit: (endpoint, { raw }) => door.admit(endpoint, raw),
    signInOf: ({ raw }) => door.signedIn(raw).id,
    clientOf: ({ raw }) => door.nameOf(raw),
  };
}
