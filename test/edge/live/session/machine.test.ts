/** SM: what every input does in every state of a live session. The table is complete: a new state or input without a line fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SessionInput, type SessionState, step } from '../../../../daemon/edge/live/session/machine.ts';
import { RosterError } from '../../../../protocol/base/errors.ts';
import type { ConnectFrame } from '../../../../protocol/live/client-frames.ts';

type Live = 'live';
type State = SessionState<Live>;
type Input = SessionInput<Live>;

const connect: ConnectFrame = { op: 'connect', id: 'c', api_key: 'k', token: 't' };
const error = new RosterError('input', 'why');
const refusals = {
  notFirst: (op: string) => new RosterError('input', `not first: ${op}`),
  alreadyOpen: () => new RosterError('input', 'open'),
};

const STATES: Readonly<Record<State['kind'], State>> = {
  opening: { kind: 'opening' },
  connecting: { kind: 'connecting', frame: connect },
  live: { kind: 'live', live: 'live' },
  closed: { kind: 'closed' },
};

const INPUTS = {
  connect: { kind: 'frame', frame: connect },
  request: { kind: 'frame', frame: { op: 'ping', id: 'p' } },
  garbled: { kind: 'garbled', error },
  invalid: { kind: 'invalid', op: 'sub', id: 's', error },
  accepted: { kind: 'accepted', live: 'live' },
  refused: { kind: 'refused', error, reason: 'auth' },
  expiring: { kind: 'expiring' },
  dismissed: { kind: 'dismissed', reason: 'not_allowed', error },
  silent: { kind: 'dismissed', reason: 'silent' },
  drained: { kind: 'dismissed', reason: 'restart' },
  gone: { kind: 'gone' },
} as const satisfies Record<string, Input>;

/** Next state, then the effects in order. */
const TABLE: Readonly<Record<State['kind'], Readonly<Record<keyof typeof INPUTS, string>>>> = {
  opening: {
    connect: 'connecting: decide',
    request: 'closed: tell error p "not first: ping", close bad_frame',
    garbled: 'closed: tell error "why", close bad_frame',
    invalid: 'closed: tell error s "why", close bad_frame',
    accepted: 'opening',
    refused: 'opening',
    expiring: 'opening',
    dismissed: 'closed: tell error "why", close not_allowed',
    silent: 'closed: close silent',
    drained: 'closed: announce drain, close restart',
    gone: 'closed',
  },
  connecting: {
    connect: 'connecting: answer error c "open"',
    request: 'connecting: answer error p "open"',
    garbled: 'closed: tell error "why", close bad_frame',
    invalid: 'connecting: answer error s "why"',
    accepted: 'live: enter',
    refused: 'closed: tell error c "why", close auth',
    expiring: 'connecting',
    dismissed: 'closed: tell error "why", close not_allowed',
    silent: 'closed: close silent',
    drained: 'closed: announce drain, close restart',
    gone: 'closed',
  },
  live: {
    connect: 'live: answer error c "open"',
    request: 'live: perform',
    garbled: 'closed: leave, tell error "why", close bad_frame',
    invalid: 'live: answer error s "why"',
    accepted: 'live',
    refused: 'live',
    expiring: 'live: warn of expiry',
    dismissed: 'closed: leave, tell error "why", close not_allowed',
    silent: 'closed: leave, close silent',
    drained: 'closed: leave, announce drain, close restart',
    gone: 'closed: leave',
  },
  closed: {
    connect: 'closed',
    request: 'closed',
    garbled: 'closed',
    invalid: 'closed',
    accepted: 'closed',
    refused: 'closed',
    expiring: 'closed',
    dismissed: 'closed',
    silent: 'closed',
    drained: 'closed',
    gone: 'closed',
  },
};

function told(state: State, input: Input): string {
  const next = step(state, input, refusals);
  const effects = next.effects.map((effect) => {
    switch (effect.kind) {
      case 'close':
        return `close ${effect.reason}`;
      case 'tell error':
      case 'answer error':
        return `${effect.kind}${effect.id === undefined ? '' : ` ${effect.id}`} "${effect.error.message}"`;
      default:
        return effect.kind;
    }
  });
  return effects.length === 0 ? next.state.kind : `${next.state.kind}: ${effects.join(', ')}`;
}

for (const [kind, state] of Object.entries(STATES)) {
  for (const [name, input] of Object.entries(INPUTS)) {
    const wanted = TABLE[state.kind][name as keyof typeof INPUTS];
    test(`SM1 ${kind} + ${name} → ${wanted}`, () => {
      assert.equal(told(state, input), wanted);
    });
  }
}

test('SM2 every way to the end leaves what was entered, once, and says nothing after the close', () => {
  for (const state of Object.values(STATES)) {
    for (const input of Object.values(INPUTS)) {
      const { state: after, effects } = step(state, input, refusals);
      const leaves = effects.filter(({ kind }) => kind === 'leave').length;
      assert.equal(leaves, state.kind === 'live' && after.kind === 'closed' ? 1 : 0);
      const end = effects.findIndex(({ kind }) => kind === 'close');
      assert.ok(end === -1 || end === effects.length - 1);
    }
  }
});
