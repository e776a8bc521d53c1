/**
 * The door of the console: lets a browser in by a link, and says who it is at each request. A sign-in is a document of the directory, so every
 * node knows it, and its end; the cookie is sealed and holds only its id and when it was last used.
 *
 * It keeps CO1–CO7 (daemon/RULES.md).
 */
import type { IncomingMessage } from 'node:http';
import { isSignInOpen, SIGN_IN_IDLE_MS, type SignIn } from '../../../protocol/access/sign-ins.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import type { Authenticator } from '../auth.ts';
import type { Backend } from '../http/backend.ts';
import { isAllowedOrigin } from '../http/cors.ts';
import type { Endpoint } from '../http/endpoint.ts';
import { header } from '../http/request-parts.ts';
import { effectOf } from './effects.ts';
import { Seals } from './seals.ts';
import { type ConsoleMode, isConsoleServed } from './served.ts';

/** The page sends it with every request. No page of another origin can, unless it is asked for by CORS, which the console never grants. */
const OWN_HEADER = 'x-rosterd-console';
const COOKIE = 'rosterd_console';
/** A cookie that was last used this long ago is renewed, milliseconds. */
const RENEW_MS = 60_000;

export interface DoorOptions {
  readonly mode: ConsoleMode;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** Where browsers reach the daemon, `https://example.com/roster`; undefined where that is where it listens. */
  readonly publicUrl: string | undefined;
  readonly hasTls: boolean;
  readonly backend: Pick<Backend, 'directory' | 'position' | 'submit' | 'current'>;
  /** Wall clock, milliseconds. */
  readonly nowMs: () => number;
}

type Request = Pick<IncomingMessage, 'headers' | 'socket'>;

/** A sign-in, and the `Set-Cookie` for it. */
export interface Welcome {
  readonly signIn: SignIn;
  readonly cookie: string;
  /** What every node needs to know it. */
  readonly position: Position;
}

/** The answer to a live connection: the authenticator of its session, or the HTTP status that refuses it. */
export type LiveWelcome = { readonly authenticator: Authenticator } | { readonly refusal: string };

export class ConsoleDoor {
  readonly #options: DoorOptions;
  readonly #seals: Seals;
  readonly #attributes: string;

  constructor(options: DoorOptions) {
    this.#options = options;
    this.#seals = new Seals(options.apiSecret);
    const { publicUrl, hasTls } = options;
    const path = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '');
    const isSecure = hasTls || publicUrl?.startsWith('https:') === true;
    this.#attributes = `Path=${path}/console; HttpOnly; SameSite=Strict${isSecure ? '; Secure' : ''}`;
  }

  get apiKey(): string {
    return this.#options.apiKey;
  }

  isServedTo(request: Request): boolean {
    return isConsoleServed(this.#options.mode, request);
  }

  /**
   * Refuses what comes from another page than the console's own: a browser says where a request comes from, and the header cannot be sent from
   * elsewhere. Throws RosterError `not_allowed`.
   */
  checkOrigin({ headers }: Pick<Request, 'headers'>): void {
    const site = header(headers['sec-fetch-site']);
    const isOwn = (site === undefined || site === 'same-origin') && isAllowedOrigin(headers.origin, headers.host, []);
    if (!isOwn) throw new RosterError('not_allowed', 'only the page of the console itself may do this');
    if (headers[OWN_HEADER] === undefined) throw new RosterError('not_allowed', `the header ${OWN_HEADER} is missing`);
  }

  /** Lets a browser in, once for each code. Rejects with RosterError: `auth` for a code that is not good, `conflict` for one that was used. */
  async signIn(code: string): Promise<Welcome> {
    const { id, role } = this.#seals.openCode(code, this.#options.nowMs());
    const origin = { source: 'server' as const, client: clientName(id) };
    const { backend } = this.#options;
    const outcome = await backend.submit({ kind: 'sign-in', id, role }, 'live', origin);
    const change = outcome.docs?.at(-1);
    if (change?.kind !== 'sign_in' || change.doc === null) throw new RosterError('internal', 'no sign-in came of a code');
    return { signIn: change.doc, cookie: this.#cookieOf(change.doc), position: { epoch: backend.position.epoch, seq: outcome.seq } };
  }

  /** The sign-in of a browser that comes back. Its node may know less than the one that let it in. Rejects as `signedIn` throws. */
  async comeBack(request: Request): Promise<Welcome> {
    const sealed = this.#sealed(request);
    if (sealed !== undefined && this.#open(sealed.id) === undefined) await this.#options.backend.current();
    const signIn = this.signedIn(request);
    return { signIn, cookie: this.#cookieOf(signIn), position: this.#options.backend.position };
  }

  /** Throws RosterError: `auth` without a cookie, or with one that is not good; `token_expired` for a sign-in that has ended. */
  signedIn(request: Pick<Request, 'headers'>): SignIn {
    const sealed = this.#sealed(request);
    if (sealed === undefined) throw new RosterError('auth', 'not signed in: "rosterd console" prints a link');
    const signIn = this.#open(sealed.id);
    if (signIn === undefined) throw new RosterError('token_expired', 'the sign-in has ended: "rosterd console" prints a new link');
    return signIn;
  }

  /** Ends the sign-in, and returns the `Set-Cookie` that removes its cookie. Without one there is nothing to end. */
  async signOut(request: Pick<Request, 'headers'>): Promise<string> {
    const sealed = this.#sealed(request);
    if (sealed !== undefined) await this.#options.backend.submit({ kind: 'sign-out', id: sealed.id }, 'live', { source: 'server' });
    return `${COOKIE}=; Max-Age=0; ${this.#attributes}`;
  }

  /**
   * The caller of an endpoint: a server, as far as the role of the sign-in allows. Throws RosterError as `checkOrigin` and `signedIn` do, and
   * `not_allowed` for what the role may not do.
   */
  admit(endpoint: Pick<Endpoint, 'method' | 'operation'>, request: Pick<Request, 'headers'>): Caller {
    this.checkOrigin(request);
    const { role } = this.signedIn(request);
    if (role === 'read' && effectOf(endpoint) === 'writes') {
      throw new RosterError(
        'not_allowed',
        `a sign-in with the role "read" may not do ${endpoint.operation}: "rosterd console --role operate"`,
      );
    }
    return { kind: 'server' };
  }

  /** How the history of users names the sign-in; undefined without one. */
  nameOf(request: Pick<Request, 'headers'>): string | undefined {
    const sealed = this.#sealed(request);
    return sealed === undefined ? undefined : clientName(sealed.id);
  }

  /** The `Set-Cookie` by which a sign-in that is used stays; undefined while the cookie is new enough. */
  renewal(request: Pick<Request, 'headers'>): string | undefined {
    const sealed = this.#sealed(request);
    if (sealed === undefined || this.#options.nowMs() < sealed.seenMs + RENEW_MS) return undefined;
    const signIn = this.#open(sealed.id);
    return signIn === undefined ? undefined : this.#cookieOf(signIn);
  }

  /** A live connection of the console's page. It is admitted by the cookie alone, and ends with the sign-in. */
  admitLive(request: Request): LiveWelcome {
    const { headers } = request;
    if (!this.isServedTo(request)) return { refusal: '404 Not Found' };
    if (headers.origin === undefined || !isAllowedOrigin(headers.origin, headers.host, [])) return { refusal: '403 Forbidden' };
    const sealed = this.#sealed(request);
    if (sealed === undefined || this.#open(sealed.id) === undefined) return { refusal: '401 Unauthorized' };
    const endOf = (): number => this.#endOf(sealed.id, sealed.seenMs);
    // Read anew each time: sessions compare it with the clock every second, so one whose sign-in was ended ends, too.
    const caller: Caller = {
      kind: 'server',
      get exp() {
        return endOf();
      },
    };
    return { authenticator: { authenticate: () => caller, recheck: () => {}, failures: new Map() } };
  }

  /** Seconds since 1970; 0 when it has ended. */
  #endOf(id: string, seenMs: number): number {
    const signIn = this.#open(id);
    return signIn === undefined ? 0 : Math.min(seenMs + SIGN_IN_IDLE_MS, signIn.ends_at / 1_000) / 1_000;
  }

  #sealed({ headers }: Pick<Request, 'headers'>) {
    const text = cookieNamed(COOKIE, headers.cookie);
    return text === undefined ? undefined : this.#seals.openCookie(text, this.#options.nowMs());
  }

  #open(id: string): SignIn | undefined {
    const { backend, nowMs } = this.#options;
    const signIn = backend.directory.docs.get('sign_in', id);
    return signIn !== undefined && isSignInOpen(signIn, nowMs()) ? signIn : undefined;
  }

  #cookieOf({ id }: SignIn): string {
    return `${COOKIE}=${this.#seals.cookie({ id, seenMs: this.#options.nowMs() })}; ${this.#attributes}`;
  }
}

function clientName(id: string): string {
  return `rosterd console, sign-in ${id}`;
}

function cookieNamed(name: string, cookies: string | undefined): string | undefined {
  for (const pair of cookies?.split(';') ?? []) {
    const [key, value] = pair.trim().split('=', 2);
    if (key === name) return value;
  }
  return undefined;
}
