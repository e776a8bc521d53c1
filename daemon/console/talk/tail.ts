/** The live tail: every event of the directory, over the connection of the client library, with the cookie in place of a token. */
import { isObject } from '../../../protocol/base/json.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { Link, type LinkOwner, type LinkTokens } from '../../../protocol/client/link/link.ts';
import type { Frame, Hello } from '../../../protocol/client/link/requests.ts';
import { Nodes } from '../../../protocol/client/nodes.ts';
import type { ConnectionState } from '../../../protocol/client/types.ts';

export interface TailListener {
  /** An event, as it came. */
  event(frame: Frame): void;
  /** The connection, in words. `isOpen`: events come. */
  state(text: string, isOpen: boolean): void;
  /** The connection was refused or cut: the sign-in may have ended. */
  cut(): void;
}

/** The daemon looks at the cookie; a token is part of the frame all the same. */
const TOKENS: LinkTokens = { canRenew: false, current: async () => 'cookie', renew: async () => 'cookie' };
/** Frames about the connection, not about users. */
const CHATTER: ReadonlySet<unknown> = new Set([undefined, 'health.check', 'token.expiring', 'presence.state', 'server.drain']);

/** Follows everything that happens until it is closed, and continues after a cut where it was. Unlike `RosterClient` it keeps no users. */
export class Tail implements LinkOwner {
  readonly #listener: TailListener;
  readonly #link: Link;
  #position: Position | undefined;

  /** `address`: of the daemon. */
  constructor(address: string, apiKey: string, listener: TailListener) {
    this.#listener = listener;
    this.#link = new Link({ nodes: new Nodes(`${address}/console`), apiKey, random: Math.random, isPatient: true }, this);
  }

  open(): void {
    // The states say how it goes on.
    this.#link.open(TOKENS).catch(() => {});
  }

  close(): void {
    this.#link.close();
  }

  hello(): Hello {
    const subs = [{ sub: 'tail', all: true as const, presence: true, snapshot: false }];
    return this.#position === undefined ? { subs } : { subs, resume: this.#position };
  }

  retries(): boolean {
    return false;
  }

  opened({ epoch, seq, resumed }: Frame): void {
    const hasGap = this.#position !== undefined && resumed !== true;
    this.#listener.state(hasGap ? 'Connected again; events in between are missing.' : 'Connected.', true);
    if (typeof epoch === 'string' && typeof seq === 'number') this.#position = { epoch, seq };
  }

  took(frame: Frame): void {
    const { type, seq, error } = frame;
    if (isObject(error)) this.#listener.state(String(error.message), false);
    if (type === 'sub.reset') {
      // It begins anew after the last event.
      this.#link.close();
      this.open();
    }
    if (CHATTER.has(type) || type === 'sub.reset') return;
    this.#listener.event(frame);
    if (type !== 'user.presence.changed' && this.#position !== undefined && typeof seq === 'number' && seq > this.#position.seq) {
      this.#position = { epoch: this.#position.epoch, seq };
    }
  }

  became(state: ConnectionState): void {
    if (state.kind === 'connecting') this.#listener.state('Connecting…', false);
    if (state.kind === 'waiting') {
      this.#listener.state(`Not connected; trying again in ${(state.delayMs / 1_000).toFixed(1)} s.`, false);
      this.#listener.cut();
    }
    if (state.kind === 'closed' && state.error !== undefined) {
      this.#listener.state(`Closed: ${state.error.message}`, false);
      this.#listener.cut();
    }
  }
}
