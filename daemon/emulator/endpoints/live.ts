/**
 * Faults on request, and live connections.
 *
 * It keeps EM18–EM24 (../README.md).
 */
import Type from 'typebox';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import { positionText } from '../../../protocol/base/position-text.ts';
import { CLOSE, type CloseReason } from '../../../protocol/live/close-codes.ts';
import { CONNECT_FAULTS, FAULT_KINDS, type Fault, type FaultKind } from '../faults.ts';
import { CONNECT, FAULT_OPERATIONS } from '../operations.ts';
import { type ControlEndpoint, endpoint, posted, refuseUnknown } from './endpoint.ts';

const LOST_HISTORY = 'lost_history';
const MS_MAX = 600_000;
const COUNT_MAX = 1_000_000;
const KINDS = Object.keys(FAULT_KINDS);

const FaultBody = Type.Object({
  fault: Type.String(),
  operation: Type.Optional(Type.String()),
  count: Type.Optional(Type.Integer({ minimum: 1, maximum: COUNT_MAX })),
  ms: Type.Optional(Type.Integer({ minimum: 1, maximum: MS_MAX })),
  retry_after_s: Type.Optional(Type.Integer({ minimum: 1, maximum: 3_600 })),
});
const CloseBody = Type.Object({ code: Type.Integer() });
const NoFields = Type.Object({});

export function faultView({ id, fault, operation, left, ms, retry_after_s }: Fault) {
  const more = fault === 'delay' || fault === 'slow' ? { ms } : fault.startsWith('cut') ? {} : { retry_after_s };
  return { id, fault, operation, left, ...more };
}

export const LIVE_ENDPOINTS: readonly ControlEndpoint[] = [
  endpoint('GET', '/emulator/faults', {
    about: 'faults that are still to come, what there is, and the operations that they can be for',
    handle: ({ app }) => ({
      body: {
        faults: app.faults.all.map(faultView),
        kinds: { ...FAULT_KINDS, [LOST_HISTORY]: 'happens at once: the users stay, and whoever resumes must begin again' },
        operations: FAULT_OPERATIONS,
      },
    }),
  }),
  posted('/emulator/faults', FaultBody, {
    about: `makes the next requests fail: {"fault": "${[...KINDS, LOST_HISTORY].join('" | "')}", "operation"?, "count"?: 1, "ms"?, "retry_after_s"?}`,
    handle: async ({ app, body }) => {
      if (body.fault === LOST_HISTORY) {
        refuseUnknown(Object.keys(body), ['fault'], `field of ${LOST_HISTORY}`);
        await app.loseHistory();
        return { body: { fault: LOST_HISTORY, position: positionText(app.roster.position) } };
      }
      return { status: 201, body: faultView(app.faults.add(readFault(body))) };
    },
  }),
  endpoint('DELETE', '/emulator/faults', {
    about: 'takes back those that are still to come',
    handle: ({ app }) => ({ body: { removed: app.faults.clear() } }),
  }),
  endpoint('GET', '/emulator/connections', {
    about: 'the live connections',
    handle: ({ app }) => ({
      body: { connections: [...app.sessions.all].map(({ connectionId, userId }) => ({ id: connectionId, user_id: userId ?? null })) },
    }),
  }),
  posted('/emulator/connections/cut', NoFields, {
    about: 'cuts all of them without a goodbye, as a network failure does',
    handle: ({ app }) => ({ body: { cut: app.cutLive() } }),
  }),
  posted('/emulator/connections/{id}/close', CloseBody, {
    about: `closes one with a goodbye: {"code": ${Object.values(CLOSE)
      .map(({ code }) => code)
      .join(' | ')}}`,
    handle: ({ app, params: { id = '' }, body: { code } }) => {
      const reason = reasonOf(code);
      const session = app.sessions.find(id);
      if (session === undefined)
        throw new RosterError('not_found', `there is no live connection "${id}": GET /emulator/connections lists them`);
      session.close(reason);
      return { body: { closed: id, code, reason: CLOSE[reason].reason } };
    },
  }),
];

/** Throws RosterError `input`. */
function reasonOf(code: number): CloseReason {
  const reasons = Object.keys(CLOSE) as CloseReason[];
  const found = reasons.find((reason) => CLOSE[reason].code === code);
  if (found !== undefined) return found;
  const there = reasons.map((reason) => `${CLOSE[reason].code} (${CLOSE[reason].reason})`);
  throw fieldErrors('input', [{ path: 'code', message: `must be one of ${there.join(', ')}` }]);
}

interface AskedFault {
  readonly fault: string;
  readonly operation?: string;
  readonly count?: number;
  readonly ms?: number;
  readonly retry_after_s?: number;
}

/** Throws RosterError `input`. */
function readFault(asked: AskedFault): Omit<Fault, 'id'> {
  const { fault, operation, count = 1, ms, retry_after_s = 1 } = asked;
  refuseUnknown([fault], [...KINDS, LOST_HISTORY], 'fault');
  const kind = fault as FaultKind;
  if (operation !== undefined) refuseUnknown([operation], FAULT_OPERATIONS, 'operation');
  if (operation === CONNECT && !CONNECT_FAULTS.has(kind))
    throw fieldErrors('input', [{ path: 'fault', message: `of ${CONNECT} must be one of ${[...CONNECT_FAULTS].join(', ')}` }]);
  const takes = ['fault', 'operation', 'count', ...fieldsOf(kind)];
  refuseUnknown(Object.keys(asked), takes, `field of ${kind}`);
  if (fieldsOf(kind).includes('ms') && ms === undefined)
    throw fieldErrors('input', [{ path: 'ms', message: `is required by ${kind}: milliseconds, from 1 to ${MS_MAX}` }]);
  return { fault: kind, operation: operation ?? null, left: count, ms: ms ?? 0, retry_after_s };
}

function fieldsOf(kind: FaultKind): readonly string[] {
  if (kind === 'delay' || kind === 'slow') return ['ms'];
  return kind === 'rate_limit' || kind === 'unavailable' ? ['retry_after_s'] : [];
}
