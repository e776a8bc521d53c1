/** The exports for programs that talk to rosterd: the shapes of the wire, its limits and errors, and the making of tokens. */

export { type ChatErrorBody, ERRORS, type ErrorKind, type FieldError } from './base/errors.ts';
export { LIMITS } from './base/limits.ts';
export type { Position } from './base/position.ts';
export { encodeToken } from './base/tokens.ts';
export { type ClientFrame, LIVE_SUBPROTOCOL, type Sub } from './live/client-frames.ts';
export { CLOSE, type CloseReason, type CloseSpec } from './live/close-codes.ts';
export type { UserEventType } from './live/user-events.ts';
export { nameKey } from './users/names.ts';
