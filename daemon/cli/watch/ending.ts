/** Why a connection of `rosterd watch` ended, and whether trying again could change that. Pure. */

import { ERRORS } from '../../../protocol/base/errors.ts';
import { isObject, parseObject } from '../../../protocol/base/json.ts';
import { CLOSE } from '../../../protocol/live/close-codes.ts';
import { plain } from './format.ts';

export interface Ending {
  readonly reason: string;
  readonly isFinal: boolean;
}

/** A connection that was not let in, or broke, without a word of the daemon. */
export interface Failure {
  /** HTTP status that was answered in place of a connection. */
  readonly status?: number;
  /** Body of that answer. */
  readonly body?: string;
  /** Code with which a WebSocket was closed. */
  readonly closeCode?: number;
  readonly text: string;
  /** Whether something on the other side had spoken Socket.IO before. */
  readonly hadAnswer: boolean;
}

export const UNREADABLE: Ending = { reason: 'the daemon sent something that is not a frame of roster.v1', isFinal: true };

/** The daemon does not accept the connect. `error` is the body of the closed list. */
export function refusedEnding(error: Readonly<Record<string, unknown>>): Ending {
  const { code, StatusCode } = error;
  const known = Object.values(ERRORS).find((spec) => spec.code === code);
  const status = typeof StatusCode === 'number' ? StatusCode : (known?.status ?? 500);
  // The next connection comes with a new token.
  return { reason: plain(String(error.message)), isFinal: code !== ERRORS.token_expired.code && isFinalStatus(status) };
}

/** The daemon said goodbye; `error` is what it had said was wrong. */
export function closedEnding(frame: Readonly<Record<string, unknown>>, error: Readonly<Record<string, unknown>> | undefined): Ending {
  const said = error === undefined ? frame.reason : error.message;
  const reason = typeof said === 'string' && said !== '' ? plain(said) : `closed with ${plain(String(frame.code))}`;
  return { reason, isFinal: error?.code !== ERRORS.token_expired.code && isFinalClose(frame.code, frame.reconnect) };
}

export function failedEnding({ status, body, closeCode, text, hadAnswer }: Failure): Ending {
  if (closeCode === CLOSE.frame_too_big.code || status === ERRORS.too_big.status) {
    return { reason: 'the subscription is too big for one frame', isFinal: true };
  }
  if (status === undefined) return { reason: plain(text), isFinal: false };
  const told = toldStatus(body);
  // Too busy passes; an address without Socket.IO, or a proxy that forbids it, does not. Who has answered once will again.
  return {
    reason: `the daemon answers ${plain(told?.text ?? String(status))}`,
    isFinal: !hadAnswer && isFinalStatus(told?.status ?? status),
  };
}

/** A connection turned away before the handshake is answered with 403, whatever it was: the status that is meant is in the body. */
function toldStatus(body: string | undefined): { readonly status: number; readonly text: string } | undefined {
  const answer = body === undefined ? undefined : parseObject(body);
  const text = isObject(answer) && typeof answer.message === 'string' ? answer.message : '';
  const status = /^([45]\d\d)\b/.exec(text)?.[1];
  return status === undefined ? undefined : { status: Number(status), text };
}

function isFinalStatus(status: number): boolean {
  return status < 500 && status !== ERRORS.rate_limit.status && status !== ERRORS.timeout.status;
}

function isFinalClose(code: unknown, reconnect: unknown): boolean {
  const known = Object.values(CLOSE).find((spec) => spec.code === code);
  // A daemon that says a plain goodbye (1000) to a watcher is going away, whatever it means by it.
  if (known !== undefined && known !== CLOSE.normal) return !known.reconnect;
  return typeof code === 'number' && code >= 4400 && code < 4500 && reconnect !== true;
}
