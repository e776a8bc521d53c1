/**
 * The core of `rosterd watch`: passes on every event once and in order, over a link of the client library that stays connected.
 *
 * Each event has its own position, so after a cut it resumes exactly after the last event taken. Where that is
 * no longer possible it says so; it never continues as if nothing were missing. Unlike `RosterClient` it keeps no copy of the users.
 */
import { isObject } from '../../../protocol/base/json.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { Link, type LinkOwner, type LinkTokens } from '../../../protocol/client/link/link.ts';
import type { Frame, Hello } from '../../../protocol/client/link/requests.ts';
import type { After } from '../../../protocol/client/link/socket.ts';
import { Nodes, type NodeUrls } from '../../../protocol/client/nodes.ts';
import type { ConnectionEnd, ConnectionState } from '../../../protocol/client/types.ts';
import type { Sub } from '../../../protocol/live/client-frames.ts';
import { TOO_BIG } from './ending.ts';
import { plain } from './format.ts';
import { type HandOn, type HeldMax, Outflow } from './outflow.ts';
import { socketIoClass, type Transport } from './socket-io.ts';

export interface WatchOptions {
  /** URL of the daemon: `http://127.0.0.1:8800`, or behind a proxy `https://example.com/roster`. Several: the nodes of one directory. */
  readonly url: NodeUrls;
  readonly apiKey: string;
  /** Makes a new server token for every connection. */
  readonly token: () => string;
  readonly interest: Pick<Sub, 'all' | 'ids' | 'filter'>;
  /** Whether to receive presence too. */
  readonly presence?: boolean;
  /** By default WebSocket, and long polling where a WebSocket does not get through. */
  readonly transports?: readonly Transport[];
}

export interface WatchDeps {
  /** Replaced in tests, as is `heldMax`. */
  readonly after?: After;
  readonly heldMax?: HeldMax;
  /** 0 ≤ x < 1; spreads reconnects. */
  readonly random: () => number;
  /** Gets every event; with `presence` also `presence.state`. */
  readonly onEvent: HandOn;
  readonly onTalk: (text: string) => void;
  readonly stop: AbortSignal;
}

/** `stopped` by the signal, or ended for a reason that trying again would not change. */
export type WatchEnd = { readonly kind: 'stopped' } | { readonly kind: 'refused'; readonly reason: string };

/** Frames about the connection, not about users. */
const CHATTER: ReadonlySet<unknown> = new Set(['health.check', 'token.expiring']);

/** So often in a row, the daemon may end a subscription that it has accepted. */
const RESETS_MAX = 3;

export async function watch(options: WatchOptions, deps: WatchDeps): Promise<WatchEnd> {
  return await new Watcher(options, deps).run();
}

class Watcher implements LinkOwner {
  readonly #options: WatchOptions;
  readonly #deps: WatchDeps;
  readonly #outflow: Outflow;
  readonly #link: Link;
  readonly #tokens: LinkTokens;
  /** Position of the last event taken. */
  #position: Position | undefined;
  /** The reason why the link was closed here: `#pause`, after which it resumes; or `#refusal`, which trying again would not change. */
  #pause: string | undefined;
  #refusal: string | undefined;
  /** How often the daemon has ended the subscription since the last event. */
  #resets = 0;
  #closed: (ended: ConnectionEnd) => void = () => {};

  constructor(options: WatchOptions, deps: WatchDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#outflow = new Outflow(deps.onEvent, deps.stop, deps.heldMax);
    const { url, apiKey, token, transports = ['websocket', 'polling'] } = options;
    const { random, after } = deps;
    const webSocket = socketIoClass(transports);
    this.#link = new Link(
      { nodes: new Nodes(url, random), apiKey, webSocket, random, isPatient: true, ...(after === undefined ? {} : { after }) },
      this,
    );
    const anew = (): Promise<string> => Promise.resolve(token());
    this.#tokens = { canRenew: true, current: anew, renew: anew };
  }

  async run(): Promise<WatchEnd> {
    const { stop, onTalk } = this.#deps;
    const onStop = (): void => this.#link.close();
    stop.addEventListener('abort', onStop, { once: true });
    while (!stop.aborted) {
      const { error, reason } = await this.#connection();
      if (this.#pause !== undefined && !stop.aborted) onTalk(this.#pause);
      await this.#outflow.drained();
      if (stop.aborted) break;
      if (this.#pause === undefined) {
        stop.removeEventListener('abort', onStop);
        return { kind: 'refused', reason: this.#refusal ?? (error?.status === 413 ? TOO_BIG.reason : plain(error?.message ?? reason)) };
      }
      this.#pause = undefined;
    }
    return { kind: 'stopped' };
  }

  /** Stays connected, over cuts, until the link is closed. */
  #connection(): Promise<ConnectionEnd> {
    return new Promise((resolve) => {
      this.#closed = resolve;
      // The state holds the reason for a failed connection.
      this.#link.open(this.#tokens).catch(() => {});
    });
  }

  hello(): Hello {
    const { interest, presence } = this.#options;
    // The subscription is part of the connect: with two frames, an event between them could be missed.
    const subs = [{ sub: 'watch', ...interest, ...(presence ? { presence } : {}), snapshot: false }];
    return this.#position === undefined ? { subs } : { resume: this.#position, subs };
  }

  /** A connect without its subscription is useless. */
  retries(): boolean {
    return false;
  }

  became(state: ConnectionState): void {
    if (state.kind === 'closed') this.#closed(state);
    if (state.kind !== 'waiting') return;
    const reason = plain(state.error?.message ?? state.reason);
    this.#deps.onTalk(`not connected (${reason}); trying again in ${(state.delayMs / 1_000).toFixed(1)} s`);
  }

  opened({ epoch, seq, resumed }: Frame): void {
    const { onTalk } = this.#deps;
    if (typeof epoch !== 'string' || typeof seq !== 'number') {
      this.#refuse('the daemon does not tell its position');
      return;
    }
    if (this.#position === undefined) onTalk(`connected; events after #${seq} follow`);
    else if (resumed === true) onTalk(`connected again; resumed after #${this.#position.seq}`);
    else onTalk(`resync: the daemon no longer has what follows #${this.#position.seq}; changes up to #${seq} may be missing`);
    this.#position = { epoch, seq };
  }

  took(frame: Frame): void {
    const { type, error } = frame;
    // An error in the answer leaves the connection open, but it is useless without the subscription.
    if (isObject(error)) this.#refuse(plain(String(error.message)));
    // A frame without a type answers the subscription in the connect, and has the position of the connect.
    else if (type === undefined) return;
    else if (type === 'sub.reset') this.#subscribeAnew();
    else if (this.#isChatter(type)) this.#advance(frame);
    else if (this.#outflow.take(frame)) {
      this.#resets = 0;
      this.#advance(frame);
      // Events not taken come again after resuming.
    } else this.#disconnect('the output is read too slowly; disconnected until it has caught up');
  }

  /** The subscription ended. Another connection begins it after the last event, so nothing is missing; or the daemon refuses it. */
  #subscribeAnew(): void {
    this.#resets++;
    if (this.#resets > RESETS_MAX) this.#refuse('the daemon ends the subscription again and again');
    else this.#disconnect('the daemon ended the subscription; subscribing anew');
  }

  #disconnect(reason: string): void {
    this.#pause = reason;
    this.#link.close();
  }

  #refuse(reason: string): void {
    this.#refusal = reason;
    this.#link.close();
  }

  #isChatter(type: string): boolean {
    return type === 'presence.state' ? this.#options.presence !== true : CHATTER.has(type);
  }

  #advance({ seq, type }: Frame): void {
    // Presence has no position of its own: its seq is that of the moment of sending, maybe ahead of the event with that seq.
    if (type === 'user.presence.changed' || this.#position === undefined || typeof seq !== 'number' || seq <= this.#position.seq) return;
    this.#position = { epoch: this.#position.epoch, seq };
  }
}
