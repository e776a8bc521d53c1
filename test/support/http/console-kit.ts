/** The console over a directory in memory: requests as its page sends them. */
import { ConsoleDoor, type DoorOptions } from '../../../daemon/edge/console/door.ts';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import type { SignInRole } from '../../../protocol/access/sign-ins.ts';
import { API_KEY, API_SECRET, FakeBackend, type HttpWorld, NOW_MS } from './fake-backend.ts';
import { send } from './request.ts';

/** What a browser adds to the requests of the console's own page. */
export const OWN_PAGE = { 'x-rosterd-console': '1', 'sec-fetch-site': 'same-origin', origin: 'http://localhost' } as const;

export interface ConsoleAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** Of an answer in JSON; tests reach into every shape. */
  readonly body: ReturnType<typeof JSON.parse>;
  /** What a browser keeps of `Set-Cookie`. */
  readonly cookie: string;
}

interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly cookie?: string;
  readonly remoteAddress?: string;
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';

/** A request to the app, with exactly these headers and a host on this machine. */
export async function askConsole({ app }: HttpWorld, method: Method, url: string, asked: Asked = {}): Promise<ConsoleAnswer> {
  const { headers = {}, body, cookie, remoteAddress = '127.0.0.1' } = asked;
  const response = await app.inject({
    method,
    url,
    remoteAddress,
    headers: {
      host: 'localhost',
      ...(cookie === undefined ? undefined : { cookie }),
      ...(body === undefined ? undefined : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? undefined : { payload: JSON.stringify(body) }),
  });
  const isJson = String(response.headers['content-type']).startsWith('application/json');
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.payload,
    body: isJson && response.payload !== '' ? JSON.parse(response.payload) : undefined,
    cookie: String(response.headers['set-cookie'] ?? '').split(';')[0] ?? '',
  };
}

export const newCode = (role: SignInRole, nowMs = NOW_MS): string => new Seals(API_SECRET).newCode(role, nowMs);

/** A door and the time that it goes by. */
export interface DoorWorld {
  readonly door: ConsoleDoor;
  readonly backend: FakeBackend;
  nowMs: number;
}

export function doorAt(options: Partial<DoorOptions> = {}): DoorWorld {
  const backend = new FakeBackend();
  const world: DoorWorld = {
    backend,
    nowMs: NOW_MS,
    door: new ConsoleDoor({
      ...{ mode: 'on', apiKey: API_KEY, apiSecret: API_SECRET, publicUrl: undefined, hasTls: false, backend },
      nowMs: () => world.nowMs,
      ...options,
    }),
  };
  return world;
}

/** What a real daemon at `url` answers to a code, or with a cookie to the question who one is. */
export async function signInAt(url: string, { code, cookie }: { readonly code?: string; readonly cookie?: string }) {
  const { status, headers, text } = await send(new URL('/console/sign-in', url), {
    method: code === undefined ? 'GET' : 'POST',
    headers: { 'X-Rosterd-Console': '1', 'Content-Type': 'application/json', ...(cookie === undefined ? undefined : { Cookie: cookie }) },
    body: code === undefined ? undefined : JSON.stringify({ code }),
  });
  return { status, text, cookie: headers.get('set-cookie')?.split(';')[0] ?? '' };
}

/** The cookie of a browser that signed in. */
export async function signedIn(world: HttpWorld, role: SignInRole): Promise<string> {
  const { cookie } = await askConsole(world, 'POST', '/console/sign-in', { headers: OWN_PAGE, body: { code: newCode(role) } });
  return cookie;
}
