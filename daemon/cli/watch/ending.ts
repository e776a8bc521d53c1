/**
 * Describes the end of a Socket.IO connection as the end of a WebSocket: in words, and with the close code that says whether
 * reconnecting can help. Pure.
 */
import { ERRORS } from '../../../protocol/base/errors.ts';
import { isObject, parseObject } from '../../../protocol/base/json.ts';
import { CLOSE, type CloseSpec } from '../../../protocol/live/close-codes.ts';

/** A code outside the list of close codes is a network error, which passes. */
export interface SocketEnd {
  readonly code: number;
  readonly reason: string;
}

type Fields = Readonly<Record<string, unknown>>;

/** The WebSocket codes for a peer that goes away, and for a connection that broke (RFC 6455 §7.4.1). */
const GOING_AWAY = 1001;
const BROKEN = 1006;

const { bad_frame: badFrame, frame_too_big: tooBig } = CLOSE;
export const UNREADABLE: SocketEnd = { code: badFrame.code, reason: 'the daemon sent something that is not a frame of roster.v1' };
export const TOO_BIG: SocketEnd = { code: tooBig.code, reason: 'the subscription is too big for one frame' };

/** The daemon refused the connect. `error` is the error body of the protocol. */
export function refusedEnd({ code, StatusCode, message }: Fields): SocketEnd {
  const known = Object.values(ERRORS).find((spec) => spec.code === code);
  const status = typeof StatusCode === 'number' ? StatusCode : (known?.status ?? 500);
  return { code: closeFor(status).code, reason: String(message) };
}

/** The daemon closed the connection with `connection.closed`. */
export function closedEnd({ code, reason, reconnect }: Fields): SocketEnd {
  return {
    code: typeof code === 'number' ? closeCode(code, reconnect === true) : GOING_AWAY,
    reason: typeof reason === 'string' && reason !== '' ? reason : `closed with ${String(code)}`,
  };
}

function closeCode(code: number, reconnect: boolean): number {
  // The client has not said goodbye, so this is no answer to it: the daemon is going away.
  if (code === CLOSE.normal.code) return GOING_AWAY;
  const isListed = Object.values(CLOSE).some((spec) => spec.code === code);
  const isOurFault = code >= 4400 && code < 4500 && !reconnect;
  return isOurFault && !isListed ? badFrame.code : code;
}

/** The connection broke after it was made: `reason` and `details` are those of Socket.IO's `disconnect`. */
export function brokenEnd(reason: string, details: unknown): SocketEnd {
  if (reason === 'io server disconnect') return { code: GOING_AWAY, reason: 'the daemon ended the connection' };
  if (reason === 'ping timeout') return { code: BROKEN, reason: 'no sign of life' };
  if (reason === 'parse error' || isGarbage(details)) return UNREADABLE;
  // Any other status means that the daemon no longer knows the connection, for instance after a restart.
  return isTooBig(failureOf(details)) ? TOO_BIG : { code: BROKEN, reason: 'the connection broke' };
}

/** No connection was made. `hadAnswer`: the other side spoke Socket.IO before. */
export function failedEnd(what: unknown, hadAnswer: boolean): SocketEnd {
  if (isGarbage(what)) return UNREADABLE;
  const failure = failureOf(what);
  if (isTooBig(failure)) return TOO_BIG;
  const { status, body, text } = failure;
  if (status === undefined) return { code: BROKEN, reason: text };
  const told = toldStatus(body);
  // A busy daemon passes; an address without Socket.IO, or a proxy that forbids it, does not. A side that answered once will again.
  const code = hadAnswer ? BROKEN : closeFor(told?.status ?? status).code;
  return { code, reason: `the daemon answers ${told?.text ?? status}` };
}

/** A redirect would happen again over long polling; after other errors, long polling may work where a WebSocket does not. */
export function isRedirect(what: unknown): boolean {
  const { status = 0 } = failureOf(what);
  return status >= 300 && status < 400;
}

/** The close code that a WebSocket would get for this HTTP status, as far as it matters here. */
function closeFor(status: number): CloseSpec {
  if (status === ERRORS.rate_limit.status) return CLOSE.rate;
  return status >= 500 || status === ERRORS.timeout.status ? CLOSE.overload : badFrame;
}

/** Engine.IO's message for an invalid packet. */
function isGarbage(what: unknown): boolean {
  return isObject(what) && what.message === 'server error';
}

interface NoConnection {
  /** HTTP status of an answer in place of a connection. */
  readonly status?: number;
  /** Body of that answer. */
  readonly body?: string;
  /** Code with which a WebSocket was closed. */
  readonly closeCode?: number;
  readonly text: string;
}

/** Reads the errors that Socket.IO's transports report: each fills `description` and `context` differently. */
function failureOf(what: unknown): NoConnection {
  const { description, context, message } = isObject(what) ? what : {};
  const closed = isObject(context) && typeof context.code === 'number' ? { closeCode: context.code } : {};
  if (typeof description === 'number' && description > 0) {
    const body = isObject(context) && typeof context.responseText === 'string' ? { body: context.responseText } : {};
    return { status: description, ...body, text: String(message) };
  }
  const cause = isObject(description) ? (description.error ?? description) : isObject(context) ? context.statusText : undefined;
  const text = textOf(cause) ?? (message === 'timeout' ? 'no answer in time' : textOf(what)) ?? 'the connection broke';
  const status = /^Unexpected server response: (\d{3})$/.exec(text)?.[1];
  return { ...(status === undefined ? {} : { status: Number(status) }), ...closed, text };
}

function isTooBig({ status, closeCode: code }: NoConnection): boolean {
  return code === tooBig.code || status === ERRORS.too_big.status;
}

function textOf(error: unknown): string | undefined {
  if (!isObject(error)) return undefined;
  // The error of a host with several addresses that all fail has no message.
  const texts = [error.message, error.code, error.name];
  return texts.find((text) => typeof text === 'string' && text !== '')?.toString();
}

/** A connection refused before the handshake is always answered with 403: the actual status is in the body. */
function toldStatus(body: string | undefined): { readonly status: number; readonly text: string } | undefined {
  const answer = body === undefined ? undefined : parseObject(body);
  const text = typeof answer?.message === 'string' ? answer.message : '';
  const status = /^([45]\d\d)\b/.exec(text)?.[1];
  return status === undefined ? undefined : { status: Number(status), text };
}
