/**
 * Two directories in memory behind the same HTTP edge that differ only in what their clients may not see, and the comparison of their
 * answers. The position counts everything that is written, so both are brought to the same one wherever they are compared.
 */
import assert from 'node:assert/strict';
import { type HttpWorld, httpWorld, type Received, type Sent, userToken } from '../http/fake-backend.ts';
import {
  align,
  CALLER_FIELDS,
  type CallerId,
  type Curtain,
  difference,
  KEYED,
  must,
  prepare,
  type Side,
  VOLATILE,
} from './hidden-users.ts';
import { pick, type Random } from './random-value.ts';
import type { RandomRequest } from './requests.ts';

/** Headers that depend on the clock, and the length, which depends on the duration. */
const BY_CLOCK = new Set(['x-ratelimit-reset', 'date', 'content-length', 'x-request-id']);

/** The whole answer as one text. */
function shown({ status, headers, text }: Received): string {
  const kept = Object.entries(headers).filter(([name]) => !BY_CLOCK.has(name));
  return `${status} ${JSON.stringify(kept.sort())} ${text}`.replace(VOLATILE, '*');
}

function sideOf({ send, backend }: HttpWorld): Side {
  return {
    send,
    tokenOf: userToken,
    get seq() {
      return backend.directory.seq;
    },
    get now() {
      return backend.now;
    },
    set now(now) {
      backend.now = now;
    },
    comeOnline: (id) => backend.onlineIds.add(id),
  };
}

export class Pair {
  readonly #worlds: readonly [HttpWorld, HttpWorld];

  constructor(queryUnits: number) {
    const limited = (): HttpWorld => httpWorld({ rateLimits: { mode: 'off', queryUnits } });
    this.#worlds = [limited(), limited()];
  }

  /** `queryUnits`: the work that a query may take. */
  static async make(curtain: Curtain, random: Random, queryUnits: number): Promise<Pair> {
    const pair = new Pair(queryUnits);
    await prepare(pair.#worlds.map(sideOf), curtain, random);
    return pair;
  }

  /** A request that a client sent before users went out of its sight. */
  past(random: Random): RandomRequest & { readonly by: CallerId } {
    return pick(random, KEYED);
  }

  /** Sends the request in both worlds. Returns the status; throws when the answers differ. */
  async ask(caller: CallerId, { method, path, sent }: RandomRequest): Promise<number> {
    const request: Sent = { ...sent, token: userToken(caller) };
    const [one, other] = await Promise.all(this.#worlds.map(({ send }) => send(method, path, request)));
    assert.ok(one !== undefined && other !== undefined);
    const said = JSON.stringify({ caller, method, path, ...sent });
    const [left, right] = [shown(one), shown(other)];
    if (left !== right) throw new Error(`${said} is answered by what ${caller} may not see:\n${difference(left, right)}`);
    await this.#revive(caller);
    await align(this.#worlds.map(sideOf));
    return one.status;
  }

  /** A client may delete itself in the feeds dialect; the next request needs it again, as it was. */
  async #revive(caller: CallerId): Promise<void> {
    for (const { send, backend } of this.#worlds) {
      if (backend.directory.user(caller) !== undefined) continue;
      await must(send, 'POST', '/api/v1.0/user/', { body: { id: caller } });
      await must(send, 'POST', '/users', { body: { users: { [caller]: CALLER_FIELDS[caller] } } });
    }
  }
}
