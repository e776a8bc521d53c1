/**
 * Brings batches of users to the daemon: paced, retried, and with those that the daemon refuses taken out one by one.
 *
 * A request whose answer was lost is sent again. That is safe: an upsert that changes nothing is a no-op for the daemon.
 * Every user of a batch comes back exactly once: counted, as a failure, or as not sent.
 */
import { isObject, parseObject } from '../../protocol/base/json.ts';
import { carry } from './carry.ts';
import { Exchanger, type ExchangerOptions } from './exchanger.ts';
import { Pacer } from './pacer.ts';
import { messageOf } from './refusal.ts';
import type { Failure, SourceUser } from './source.ts';
import type { Throttle } from './throttle.ts';
import type { Answer, Send } from './transport.ts';

/** What became of users, by id. */
export interface Delivery {
  readonly created: string[];
  readonly updated: string[];
  readonly unchanged: string[];
  /** Accepted by a server that does not say what became of them. */
  readonly sent: string[];
  readonly failures: Failure[];
  readonly notSent: SourceUser[];
}

export interface DelivererOptions extends ExchangerOptions {
  readonly send: Send;
  /** Shared with others whose requests count against the same limit, and whose trouble is the same. */
  readonly exchanger?: Exchanger;
  readonly pacer?: Pacer;
  readonly throttle?: Throttle;
}

const CHANGES = ['created', 'updated', 'unchanged'] as const;

export class Deliverer {
  readonly #options: DelivererOptions;
  readonly #exchanger: Exchanger;
  readonly #pacer: Pacer;

  constructor(options: DelivererOptions) {
    this.#options = options;
    this.#exchanger = options.exchanger ?? new Exchanger(options);
    this.#pacer = options.pacer ?? new Pacer(options.clock);
  }

  /** Never rejects because of the network or the server; that ends in `failures` or `notSent`. */
  async deliver(users: readonly SourceUser[]): Promise<Delivery> {
    const delivery: Delivery = { created: [], updated: [], unchanged: [], sent: [], failures: [], notSent: [] };
    const journey = {
      exchange: (batch: readonly SourceUser[]) => this.#exchange(batch),
      accept: (batch: readonly SourceUser[], answer: Answer) => this.#note(delivery, batch, answer),
      onFatal: this.#options.onFatal,
    };
    await carry(users, journey, delivery);
    return delivery;
  }

  #note(delivery: Delivery, batch: readonly SourceUser[], answer: Answer): boolean {
    const body = parseObject(answer.body);
    if (body === undefined || !isObject(body.users)) {
      this.#options.onFatal(`the answer is not that of a user directory (status ${answer.status}): ${messageOf(answer).slice(0, 200)}`);
      return false;
    }
    let told = 0;
    for (const change of CHANGES) {
      const ids: unknown = body[change];
      if (!Array.isArray(ids)) continue;
      delivery[change].push(...ids);
      told += ids.length;
    }
    if (told >= batch.length) return true;
    const named = new Set(CHANGES.flatMap((change) => delivery[change]));
    delivery.sent.push(...batch.flatMap(({ id }) => (named.has(id) ? [] : [id])));
    return true;
  }

  async #exchange(batch: readonly SourceUser[]): Promise<Answer | undefined> {
    const { send, stopping, throttle } = this.#options;
    if (throttle !== undefined && !(await throttle.take(batch.length, stopping))) return undefined;
    const body = upsertBody(batch);
    return await this.#exchanger.exchange((leaving) => send(body, leaving), this.#pacer);
  }
}

/** Body of `POST /users`, with the revisions that users must have where they are known. */
export function upsertBody(batch: readonly SourceUser[]): string {
  const users = batch.map(({ id, json }) => `"${id}":${json}`).join(',');
  const revs = batch.flatMap(({ id, rev }) => (rev === undefined ? [] : [`"${id}":${rev}`]));
  return revs.length === 0 ? `{"users":{${users}}}` : `{"users":{${users}},"if_rev":{${revs.join(',')}}}`;
}
