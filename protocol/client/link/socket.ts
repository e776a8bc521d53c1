/** What the client needs of a WebSocket, and what it says over it. */

/** What LIVE_SUBPROTOCOL and LIMITS.frameBytes are; their modules would bring the whole of the schemas into a bundle. */
export const SUBPROTOCOL = 'roster.v1';
export const FRAME_BYTES = 64 * 1024;

/** The part of the browser's WebSocket that is used; the one of the `ws` package has it too. */
export interface SocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
}

export type SocketClass = new (url: string, protocols: string[]) => SocketLike;

/** Where live connections are made; `url` as in the options of the client. */
export function liveUrl(url: string): string {
  return `${url.replace(/^http/, 'ws').replace(/\/+$/, '')}/live`;
}
