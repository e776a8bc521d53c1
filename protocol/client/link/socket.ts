/** What the client needs of a WebSocket and of time, and what it says over the one. */
import { isObject, parseObject } from '../../base/json.ts';
import { unanswered } from '../client-error.ts';

/** What LIVE_SUBPROTOCOL and LIMITS.frameBytes are; their modules would bring the whole of the schemas into a bundle. */
export const SUBPROTOCOL = 'roster.v1';
export const FRAME_BYTES = 64 * 1024;

/**
 * The part of the browser's WebSocket that is used; the one of the `ws` package has it too. `data` is the text of a frame; another
 * transport, which has read the frame already, gives the object. `close` without a code gives a connection up that seems dead.
 */
export interface SocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
}

export type SocketClass = new (url: string, protocols: string[]) => SocketLike;

/** Calls `work` once, in `ms`. Returns what calls it off. */
export type After = (ms: number, work: () => void) => () => void;

export const after: After = (ms, work) => {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
};

/** Begins a live connection to `url`, as in the options of the client. Throws RosterClientError where there can be none. */
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

/** What a socket gave as `data`; undefined when it is no frame. */
export function frameOf(data: unknown): Record<string, unknown> | undefined {
  if (typeof data === 'string') return parseObject(data);
  return isObject(data) && Object.getPrototypeOf(data) === Object.prototype ? data : undefined;
}
