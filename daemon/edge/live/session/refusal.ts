/** Refusals of a live connection: why an admitted caller would not be admitted now, and how the connection then ends. */
import { type ErrorKind, RosterError } from '../../../../protocol/base/errors.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';
import type { EdgeLogger } from '../../../base/logger.ts';
import type { Authenticator } from '../../auth.ts';
import { RetryLater } from './connect-gate.ts';
import type { Refusals } from './machine.ts';

/** Refusals of frames that come at the wrong time. */
export const REFUSALS: Refusals = {
  notFirst: (op) => new RosterError('input', `the first frame must be connect, not ${op}`),
  alreadyOpen: () => new RosterError('input', 'the connection is already open'),
};

/** Why an admitted caller would not be admitted again now; undefined when it still would. */
export function refusalOf(authenticator: Authenticator, caller: Caller): RosterError | undefined {
  try {
    authenticator.recheck(caller);
    return undefined;
  } catch (error) {
    if (error instanceof RosterError) return error;
    throw error;
  }
}

/** How a connection ends when its caller is refused for this reason. */
export function closeReasonOf(kind: ErrorKind): CloseReason {
  switch (kind) {
    case 'api_key':
    case 'auth':
    case 'token_expired':
    case 'token_not_yet':
    case 'token_iat':
    case 'token_signature':
      return 'auth';
    case 'not_allowed':
      return 'not_allowed';
    case 'not_found':
      return 'deleted';
    case 'rate_limit':
      return 'rate';
    case 'unavailable':
    case 'internal':
    case 'timeout':
      return 'overload';
    case 'input':
    case 'duplicate_username':
    case 'conflict':
    case 'precondition':
    case 'key_reused':
    case 'too_big':
    case 'headers_too_big':
      return 'bad_frame';
  }
}

/** The time after which a retry can help, for a refusal that has one. */
export function retryHint(error: RosterError): { readonly retry_ms: number } | undefined {
  return error instanceof RetryLater ? { retry_ms: error.retryMs } : undefined;
}

/** The refusal to send because of `error`. Everything that is not a RosterError is an internal error, and is logged. */
export function asRefusal(error: unknown, logger: EdgeLogger, details: object, text: string): RosterError {
  if (error instanceof RosterError) return error;
  logger.error({ err: error, ...details }, text);
  return new RosterError('internal');
}
