/** What programs that talk to rosterd may use: the shapes of the wire, its limits and errors, and the making of tokens. */
export { CLOSE, type CloseReason, type CloseSpec } from './close-codes.ts';
export { type ChatErrorBody, ERRORS, type ErrorKind, type FieldError } from './errors.ts';
export type { UserEventType } from './event.ts';
export { type ClientFrame, LIVE_SUBPROTOCOL, type Sub } from './frames.ts';
export { LIMITS } from './limits.ts';
export { nameKey } from './names.ts';
export type { Position } from './position.ts';
export { encodeToken } from './tokens.ts';
