/**
 * Texts that hold something and prove that a node of this directory wrote them: the code in a link to the console, and the cookie of a
 * sign-in. Nothing has to be kept for them, and every node reads what another one wrote.
 *
 * It keeps CO1 and CO3 (daemon/RULES.md).
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { LINK_MS, SIGN_IN_IDLE_MS, type SignInRole } from '../../../protocol/access/sign-ins.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { parseObject } from '../../../protocol/base/json.ts';

const NONCE_BYTES = 32;
/** Of the id of a sign-in, in base64url: 132 bits, and short enough for the history of a user. */
const ID_CHARS = 22;
/** Nothing sealed here is longer. */
const SEALED_CHARS_MAX = 1_024;

/** What a code admits to. */
export interface CodeContent {
  /** Of the sign-in that it makes, the same each time. */
  readonly id: string;
  readonly role: SignInRole;
}

export interface CookieContent {
  /** Of the sign-in. */
  readonly id: string;
  /** When it was last used, milliseconds. */
  readonly seenMs: number;
}

export class Seals {
  readonly #key: Buffer;

  /** `secret`: the API secret. */
  constructor(secret: string) {
    // A key of its own, so that what is sealed here can never pass for a token, or the other way round.
    this.#key = createHmac('sha256', secret).update('rosterd console').digest();
  }

  /** The code of a link, with 256 bits of its own. It is good for `LINK_MS`. */
  newCode(role: SignInRole, nowMs: number): string {
    return this.#seal('code', { role, exp: nowMs + LINK_MS, nonce: randomBytes(NONCE_BYTES).toString('base64url') });
  }

  /** Throws RosterError `auth` for a text that is no code of this directory, or is too old. */
  openCode(text: string, nowMs: number): CodeContent {
    const { role, exp } = this.#open('code', text) ?? {};
    if ((role !== 'read' && role !== 'operate') || typeof exp !== 'number') {
      throw new RosterError('auth', 'this link was not made for this directory: print one with "rosterd console"');
    }
    if (nowMs >= exp) throw new RosterError('auth', 'this link is too old: "rosterd console" prints a new one, good for 5 minutes');
    return { id: createHash('sha256').update(text).digest('base64url').slice(0, ID_CHARS), role };
  }

  cookie(content: CookieContent): string {
    return this.#seal('cookie', content);
  }

  /** Undefined for a text that is no cookie of this directory, or was not used for `SIGN_IN_IDLE_MS`. */
  openCookie(text: string, nowMs: number): CookieContent | undefined {
    const { id, seenMs } = this.#open('cookie', text) ?? {};
    if (typeof id !== 'string' || typeof seenMs !== 'number' || nowMs >= seenMs + SIGN_IN_IDLE_MS) return undefined;
    return { id, seenMs };
  }

  #seal(kind: string, content: object): string {
    const body = Buffer.from(JSON.stringify(content)).toString('base64url');
    return `${body}.${this.#mac(kind, body).toString('base64url')}`;
  }

  #open(kind: string, text: string): Readonly<Record<string, unknown>> | undefined {
    if (text.length > SEALED_CHARS_MAX) return undefined;
    const [body = '', mac = '', ...rest] = text.split('.');
    const [expected, given] = [this.#mac(kind, body), Buffer.from(mac, 'base64url')];
    // Each text has one spelling only: another one would be another code.
    const isWhole = rest.length === 0 && given.length === expected.length && given.toString('base64url') === mac;
    if (!isWhole || !timingSafeEqual(given, expected)) return undefined;
    return parseObject(Buffer.from(body, 'base64url').toString('utf8'));
  }

  #mac(kind: string, body: string): Buffer {
    return createHmac('sha256', this.#key).update(`${kind} ${body}`).digest();
  }
}
