/**
 * The closed list of close codes of a live socket. The range tells the client
 * how to react: 1000–1999 and 4000–4099 mean "reconnect and resume", 4400–4499
 * mean that something about the connection itself is wrong, and `reconnect` says
 * whether another attempt can help.
 */
export interface CloseSpec {
  readonly code: number;
  readonly reason: string;
  /** Whether the client should reconnect (and resume) by itself. */
  readonly reconnect: boolean;
}

export const CLOSE = {
  normal: { code: 1000, reason: 'closed by the client', reconnect: false },
  frame_too_big: { code: 1009, reason: 'frame too big', reconnect: false },
  restart: { code: 1012, reason: 'the server restarts', reconnect: true },
  overload: { code: 1013, reason: 'too many connections, try later', reconnect: true },
  slow: { code: 4013, reason: 'too slow; come back and resume', reconnect: true },
  bad_frame: { code: 4400, reason: 'bad frame', reconnect: false },
  auth: { code: 4401, reason: 'authentication failed', reconnect: false },
  not_allowed: { code: 4403, reason: 'not allowed', reconnect: false },
  deleted: { code: 4404, reason: 'the user was deleted', reconnect: false },
  silent: { code: 4408, reason: 'no connect frame or no sign of life', reconnect: true },
  replaced: { code: 4409, reason: 'too many sockets of this user; the oldest was closed', reconnect: false },
  rate: { code: 4429, reason: 'too many requests', reconnect: true },
} as const satisfies Record<string, CloseSpec>;

export type CloseReason = keyof typeof CLOSE;
