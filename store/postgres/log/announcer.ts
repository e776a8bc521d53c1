/**
 * Says and hears what is confirmed (PL4). An announcement follows the acknowledgement instead of being a part of the commit: a NOTIFY
 * inside would make every commit of the whole server wait for its turn while it waits for the standby.
 */
import { createHash } from 'node:crypto';
import type { ServerLink } from '../link/link.ts';
import type { Confirmed } from './confirmed.ts';
import type { KnownEnd } from './head.ts';

export class Announcer {
  readonly #channel: string;
  readonly #confirmed: () => Confirmed | undefined;
  #isSaying = false;
  #toSay: KnownEnd | undefined;

  constructor(app: string, confirmed: () => Confirmed | undefined) {
    // A name may have 63 bytes, an application's key any number.
    this.#channel = `rosterd_${createHash('sha256').update(app).digest('hex').slice(0, 32)}`;
    this.#confirmed = confirmed;
  }

  /** Hears what other nodes say on this link. */
  async listen(link: ServerLink): Promise<void> {
    link.listener.onNotification = (payload) => {
      const { 1: epoch, 2: seq, 3: id } = /^(\S+) (\d+) (.+)$/s.exec(payload) ?? [];
      const confirmed = this.#confirmed();
      if (!link.isOver && epoch !== undefined && epoch === confirmed?.end.epoch) confirmed.raise(Number(seq), id);
    };
    await link.listener.ask({ text: `listen ${this.#channel}` });
  }

  /** Says that everything up to `end` may be read. Those that come while another is being said share one. */
  say(link: ServerLink, end: KnownEnd): void {
    this.#toSay = end;
    if (!this.#isSaying) void this.#sayAll(link);
  }

  /** One that is lost is no harm: the next one, or a heartbeat of the reader, says the same. */
  async #sayAll(link: ServerLink): Promise<void> {
    this.#isSaying = true;
    for (let end = this.#toSay; end !== undefined; end = this.#toSay) {
      this.#toSay = undefined;
      const payload = `${end.epoch} ${end.seq} ${end.id}`;
      await link.listener.ask({ name: 'rosterd-say', text: 'select pg_notify($1, $2)', values: [this.#channel, payload] }).catch(() => {});
    }
    this.#isSaying = false;
  }
}
