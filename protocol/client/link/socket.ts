/** The parts of a WebSocket and of a timer that the client uses, and its subprotocol. */
import { isObject, parseObject } from '../../base/json.ts';
import { unanswered } from '../client-error.ts';

/** Equal to LIVE_SUBPROTOCOL and LIMITS.frameBytes; importing their modules would add all schemas to a bundle. */
export const SUBPROTOCOL = 'roster.v1';
export const FRAME_BYTES = 64 * 1024;

/**
 * The part of the browser's WebSocket that the client uses; the class of the `ws` package has it too. `data` is the text of a frame,
 * or the object from a transport that parses frames itself. `close` without a code gives up a connection that seems dead.
 */
export interface SocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
}

export type SocketClass = new (url: string, protocols: string[]) => SocketLike;

/** Calls `work` once, after `ms`. Returns a function that cancels the call. */
export type After = (ms: number, work: () => void) => () => void;

export const after: After = (ms, work) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

/** Opens a live connection to `url`, as in the options of the client. Throws RosterClientError when that is impossible. */
export function socketTo(url: string, given: SocketClass | undefined): SocketLike {
  const WebSocketClass = given ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
  if (WebSocketClass === undefined) throw unanswered('there is no WebSocket here: give the option webSocket');
  const address = `${url.replace(/^http/, 'ws').replace(/\/+$/, '')}/live`;
  try {
    return new WebSocketClass(address, [SUBPROTOCOL]);
  } catch (error) {
    throw unanswered(`no connection can be made to ${address}`, error);
  }
}

/** The frame in the `data` of a socket; undefined when it is none. */
export function frameOf(data: unknown): Record<string, unknown> | undefined {
  if (typeof data === 'string') return parseObject(data);
  return isObject(data) && Object.getPrototypeOf(data) === Object.prototype ? data : undefined;
}
