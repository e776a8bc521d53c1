/**
 * The life of a live session as a pure state machine: the result of every input in every state. Time, sockets and the directory are
 * outside; they come in as inputs and are acted on as effects. `Live` is the data of an open session.
 */

import type { RosterError } from '../../../../protocol/base/errors.ts';
import type { ClientFrame, ConnectFrame } from '../../../../protocol/live/client-frames.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';

export type SessionState<Live> =
  /** The socket is open; the connect frame has not come. */
  | { readonly kind: 'opening' }
  /** The connect is in progress. */
  | { readonly kind: 'connecting'; readonly frame: ConnectFrame }
  | { readonly kind: 'live'; readonly live: Live }
  | { readonly kind: 'closed' };

type FrameId = ClientFrame['id'];

export type SessionInput<Live> =
  | { readonly kind: 'frame'; readonly frame: ClientFrame }
  /** Not of the protocol at all. */
  | { readonly kind: 'garbled'; readonly error: RosterError }
  /** A frame of the protocol with a wrong field. */
  | { readonly kind: 'invalid'; readonly op: ClientFrame['op']; readonly id: FrameId; readonly error: RosterError }
  | { readonly kind: 'accepted'; readonly live: Live }
  /** The connect was refused. */
  | { readonly kind: 'refused'; readonly error: RosterError; readonly reason: CloseReason }
  /** The token ends soon. */
  | { readonly kind: 'expiring' }
  /** Ended by the daemon; `error` is set when the client should know the reason. */
  | { readonly kind: 'dismissed'; readonly reason: CloseReason; readonly error?: RosterError }
  /** The socket has closed. */
  | { readonly kind: 'gone' };

export type SessionEffect<Live> =
  /** Checks the token, and creates or merges the user. */
  | { readonly kind: 'decide'; readonly frame: ConnectFrame }
  /** Counts the session as online, welcomes the client and starts its events. */
  | { readonly kind: 'enter'; readonly live: Live; readonly frame: ConnectFrame }
  | { readonly kind: 'perform'; readonly live: Live; readonly frame: ClientFrame }
  | { readonly kind: 'answer error'; readonly op: ClientFrame['op']; readonly id: FrameId; readonly error: RosterError }
  | { readonly kind: 'warn of expiry' }
  /** Sends the last message. `id` is that of the connect frame, when that is refused. */
  | { readonly kind: 'tell error'; readonly error: RosterError; readonly id: FrameId }
  | { readonly kind: 'announce drain' }
  /** Stops counting the session as online and ends its events. */
  | { readonly kind: 'leave'; readonly live: Live }
  | { readonly kind: 'close'; readonly reason: CloseReason };

export interface Step<Live> {
  readonly state: SessionState<Live>;
  readonly effects: readonly SessionEffect<Live>[];
}

export interface Refusals {
  readonly notFirst: (op: string) => RosterError;
  readonly alreadyOpen: () => RosterError;
}

/** The result of `input` in `state`. Total: every input has a result in every state. */
export function step<Live>(state: SessionState<Live>, input: SessionInput<Live>, refusals: Refusals): Step<Live> {
  switch (state.kind) {
    case 'opening':
      return whileOpening(state, input, refusals);
    case 'connecting':
      return whileConnecting(state, input, refusals);
    case 'live':
      return whileLive(state, input, refusals);
    case 'closed':
      return { state, effects: [] };
  }
}

function whileOpening<Live>(state: SessionState<Live>, input: SessionInput<Live>, refusals: Refusals): Step<Live> {
  switch (input.kind) {
    case 'frame':
      if (input.frame.op !== 'connect') return ended(refusals.notFirst(input.frame.op), 'bad_frame', input.frame.id);
      return { state: { kind: 'connecting', frame: input.frame }, effects: [{ kind: 'decide', frame: input.frame }] };
    case 'garbled':
      return ended(input.error, 'bad_frame');
    case 'invalid':
      return ended(input.error, 'bad_frame', input.id);
    case 'dismissed':
      return dismissed(input, []);
    case 'gone':
      return { state: { kind: 'closed' }, effects: [] };
    case 'accepted':
    case 'refused':
    case 'expiring':
      return { state, effects: [] };
  }
}

function whileConnecting<Live>(
  state: Extract<SessionState<Live>, { kind: 'connecting' }>,
  input: SessionInput<Live>,
  refusals: Refusals,
): Step<Live> {
  switch (input.kind) {
    case 'accepted':
      return { state: { kind: 'live', live: input.live }, effects: [{ kind: 'enter', live: input.live, frame: state.frame }] };
    case 'refused':
      return ended(input.error, input.reason, state.frame.id);
    case 'frame':
      return { state, effects: [{ kind: 'answer error', op: input.frame.op, id: input.frame.id, error: refusals.alreadyOpen() }] };
    case 'invalid':
      return { state, effects: [{ kind: 'answer error', op: input.op, id: input.id, error: input.error }] };
    case 'garbled':
      return ended(input.error, 'bad_frame');
    case 'dismissed':
      return dismissed(input, []);
    case 'gone':
      return { state: { kind: 'closed' }, effects: [] };
    case 'expiring':
      return { state, effects: [] };
  }
}

function whileLive<Live>(state: Extract<SessionState<Live>, { kind: 'live' }>, input: SessionInput<Live>, refusals: Refusals): Step<Live> {
  const { live } = state;
  const leave = { kind: 'leave', live } as const;
  switch (input.kind) {
    case 'frame':
      if (input.frame.op === 'connect') {
        return { state, effects: [{ kind: 'answer error', op: 'connect', id: input.frame.id, error: refusals.alreadyOpen() }] };
      }
      return { state, effects: [{ kind: 'perform', live, frame: input.frame }] };
    case 'invalid':
      return { state, effects: [{ kind: 'answer error', op: input.op, id: input.id, error: input.error }] };
    case 'garbled':
      return { state: { kind: 'closed' }, effects: [leave, { kind: 'tell error', error: input.error, id: undefined }, close('bad_frame')] };
    case 'expiring':
      return { state, effects: [{ kind: 'warn of expiry' }] };
    case 'dismissed':
      return dismissed(input, [leave]);
    case 'gone':
      return { state: { kind: 'closed' }, effects: [leave] };
    case 'accepted':
    case 'refused':
      return { state, effects: [] };
  }
}

function dismissed<Live>(
  { reason, error }: Extract<SessionInput<Live>, { kind: 'dismissed' }>,
  leaving: readonly SessionEffect<Live>[],
): Step<Live> {
  const effects: SessionEffect<Live>[] = [...leaving];
  if (error !== undefined) effects.push({ kind: 'tell error', error, id: undefined });
  if (reason === 'restart') effects.push({ kind: 'announce drain' });
  effects.push(close(reason));
  return { state: { kind: 'closed' }, effects };
}

function ended<Live>(error: RosterError, reason: CloseReason, id?: FrameId): Step<Live> {
  return { state: { kind: 'closed' }, effects: [{ kind: 'tell error', error, id }, close(reason)] };
}

function close(reason: CloseReason): { readonly kind: 'close'; readonly reason: CloseReason } {
  return { kind: 'close', reason };
}
