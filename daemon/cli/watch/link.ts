/**
 * One Socket.IO connection to the daemon: by WebSocket, and where that does not get through, by long polling.
 *
 * It does not come back by itself. When to do so, and from which position, is decided by its owner.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { io, type Socket } from 'socket.io-client';
import { isObject } from '../../../protocol/base/json.ts';
import { type Ending, type Failure, failedEnding, refusedEnding, UNREADABLE } from './ending.ts';

export type Transport = 'websocket' | 'polling';

export interface LinkOptions {
  /** Of the daemon, with the path that a proxy has put before it. */
  readonly url: string;
  /** Tried in this order. */
  readonly transports: readonly Transport[];
  /** What is sent to be let in. */
  readonly auth: Readonly<Record<string, unknown>>;
}

export interface LinkEvents {
  /** Whatever the daemon tells, unchecked. */
  onFrame(frame: unknown): void;
  /** Anything came, if only a heartbeat. */
  onSign(): void;
  /** The connection is gone, or there will be none. May be called more than once. */
  onEnd(ending: Ending): void;
}

/** For one transport. */
const HANDSHAKE_MS = 15_000;

export class Link {
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #wires: Wires;
  #socket: Socket;

  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#wires = new Wires(options.url.startsWith('https:'));
    this.#socket = this.#open(options.transports);
  }

  /** Says goodbye; nothing is reported any more. Resolves when the network connections are closed, which takes a peer that answers. */
  async leave(): Promise<void> {
    this.#socket.off();
    this.#socket.io.engine.off('packet');
    this.#socket.disconnect();
    await this.#wires.allClosed();
  }

  /** Cuts the network connections, answered or not. */
  kill(): void {
    this.#wires.destroy();
  }

  #open([transport = 'websocket', ...others]: readonly Transport[]): Socket {
    const { url, auth } = this.#options;
    const { origin, pathname } = new URL(url);
    const { agent } = this.#wires;
    const socket = io(origin, {
      // What follows the host in an address given to Socket.IO is a namespace, not a path.
      path: `${pathname.replace(/\/+$/, '')}/socket.io`,
      transports: [transport],
      transportOptions: { websocket: { agent }, polling: { agent } },
      auth,
      timeout: HANDSHAKE_MS,
      reconnection: false,
      forceNew: true,
    });
    let hadAnswer = false;
    const failed = (what: unknown): void => {
      const failure = failureOf(what, hadAnswer);
      if (others.length === 0 || !mayTryAnother(failure)) {
        this.#events.onEnd(isGarbage(what) ? UNREADABLE : failedEnding(failure));
        return;
      }
      socket.off();
      socket.disconnect();
      this.#socket = this.#open(others);
    };
    socket.io.on('open', () => {
      hadAnswer = true;
    });
    socket.io.engine.on('packet', () => this.#events.onSign());
    socket.on('event', (frame: unknown) => this.#events.onFrame(frame));
    socket.on('connect_error', (error: Error & { readonly data?: unknown }) => {
      if (isObject(error.data)) this.#events.onEnd(refusedEnding(error.data));
      else failed(error);
    });
    socket.on('disconnect', (reason, details) => {
      if (reason === 'io server disconnect') this.#events.onEnd({ reason: 'the daemon ended the connection', isFinal: false });
      else if (reason === 'ping timeout') this.#events.onEnd({ reason: 'no sign of life', isFinal: false });
      else if (reason === 'parse error' || isGarbage(details)) this.#events.onEnd(UNREADABLE);
      else this.#events.onEnd(brokenEnding(details));
    });
    return socket;
  }
}

/** Whoever redirects would do so again; everyone else may let long polling through where it does not let a WebSocket. */
function mayTryAnother({ status, hadAnswer }: Failure): boolean {
  return !hadAnswer && (status === undefined || status < 300 || status >= 400);
}

/** Engine.IO's word for a packet that is none. */
function isGarbage(what: unknown): boolean {
  return isObject(what) && what.message === 'server error';
}

/** A connection that broke after it had been made. */
function brokenEnding(details: unknown): Ending {
  const { status, closeCode } = failureOf(details, true);
  const text = 'the connection broke';
  // The status says that the daemon has forgotten the connection, for instance because it was started anew.
  return failedEnding({ text, hadAnswer: true, ...(closeCode === undefined ? {} : { closeCode }), ...(status === 413 ? { status } : {}) });
}

/** Reads what the transports of Socket.IO report: each puts something else into `description` and `context`. */
function failureOf(what: unknown, hadAnswer: boolean): Failure {
  const { description, context, message } = isObject(what) ? what : {};
  const closeCode = isObject(context) && typeof context.code === 'number' ? { closeCode: context.code } : {};
  if (typeof description === 'number' && description > 0) {
    const body = isObject(context) && typeof context.responseText === 'string' ? { body: context.responseText } : {};
    return { status: description, ...body, text: String(message), hadAnswer };
  }
  const cause = isObject(description) ? (description.error ?? description) : isObject(context) ? context.statusText : undefined;
  const text = textOf(cause) ?? (message === 'timeout' ? 'no answer in time' : textOf(what)) ?? 'the connection broke';
  const status = /^Unexpected server response: (\d{3})$/.exec(text)?.[1];
  return { ...(status === undefined ? {} : { status: Number(status) }), ...closeCode, text, hadAnswer };
}

function textOf(error: unknown): string | undefined {
  if (!isObject(error)) return undefined;
  // The error of a host with several addresses, none of which answers, has no message of its own.
  const texts = [error.message, error.code, error.name];
  return texts.find((text) => typeof text === 'string' && text !== '')?.toString();
}

/** The network connections below one Socket.IO connection, which keeps them to itself: to see that they are closed, or to cut them. */
class Wires {
  readonly agent: HttpAgent;
  readonly #open = new Set<Duplex>();
  #onAllClosed: (() => void) | undefined;

  constructor(isSecure: boolean) {
    this.agent = isSecure ? new HttpsAgent() : new HttpAgent();
    const connect = this.agent.createConnection.bind(this.agent);
    this.agent.createConnection = (options, callback) => {
      const wire = connect(options, callback);
      if (wire) this.#add(wire);
      return wire;
    };
  }

  #add(wire: Duplex): void {
    this.#open.add(wire);
    wire.once('close', () => {
      this.#open.delete(wire);
      if (this.#open.size === 0) this.#onAllClosed?.();
    });
  }

  async allClosed(): Promise<void> {
    if (this.#open.size > 0) await new Promise<void>((resolve) => (this.#onAllClosed = resolve));
  }

  destroy(): void {
    for (const wire of this.#open) wire.destroy();
  }
}
