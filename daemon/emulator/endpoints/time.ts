/**
 * The clock of an application, and tokens with its times.
 *
 * It keeps EM10–EM12 (../README.md).
 */
import Type from 'typebox';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { userIdProblem } from '../../../protocol/base/ids.ts';
import { parseTime } from '../../../protocol/base/time.ts';
import { serverToken, userToken } from '../../cli/token.ts';
import type { EmulatedApp } from '../app.ts';
import { type ControlEndpoint, endpoint, posted } from './endpoint.ts';

const YEAR_MS = 365 * 24 * 3_600_000;
/** Times of the log are microseconds, which stay exact until the year 2255. */
const LAST_MS = Date.UTC(2200, 0, 1);
const FIRST_MS = Date.UTC(2000, 0, 1);
const TOKEN_S = 24 * 3_600;
const TOKEN_S_MAX = (100 * YEAR_MS) / 1_000;

const ClockBody = Type.Object({
  advance_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 * YEAR_MS })),
  now: Type.Optional(Type.String()),
});
const TokenBody = Type.Object({
  user_id: Type.Optional(Type.String()),
  server: Type.Optional(Type.Boolean()),
  expires_in_s: Type.Optional(Type.Union([Type.Integer({ minimum: -TOKEN_S_MAX, maximum: TOKEN_S_MAX }), Type.Null()])),
});

export function clockView({ clock }: EmulatedApp) {
  return { now: new Date(clock.now()).toISOString(), ahead_ms: clock.offsetMs };
}

export const TIME_ENDPOINTS: readonly ControlEndpoint[] = [
  endpoint('GET', '/emulator/clock', {
    about: 'the time of the application, and how far it is ahead of the machine',
    handle: ({ app }) => ({ body: clockView(app) }),
  }),
  posted('/emulator/clock', ClockBody, {
    about: 'sets it: {"advance_ms": 3600000} or {"now": "2027-01-01T00:00:00Z"}; bans, mutes, tokens, grace, tasks and retries follow',
    handle: ({ app, body: { advance_ms, now } }) => {
      if ((advance_ms === undefined) === (now === undefined))
        throw fieldErrors('input', [{ path: 'advance_ms', message: 'give either advance_ms or now' }]);
      const toMs = now === undefined ? app.clock.now() + (advance_ms ?? 0) : msOf(now);
      if (!(toMs >= FIRST_MS && toMs <= LAST_MS))
        throw fieldErrors('input', [
          {
            path: now === undefined ? 'advance_ms' : 'now',
            message: 'must lead to a time in RFC 3339 from 2000 to 2200, such as 2027-01-01T00:00:00Z',
          },
        ]);
      app.clock.set(toMs);
      return { body: clockView(app) };
    },
  }),
  posted('/emulator/tokens', TokenBody, {
    about: 'a token by the emulated clock: {"user_id": "ann"} or {"server": true}, "expires_in_s": 3600 (null: never, negative: expired)',
    handle: ({ app, body }) => {
      const { user_id, server = false, expires_in_s = TOKEN_S } = body;
      if ((user_id === undefined) === !server)
        throw fieldErrors('input', [{ path: 'user_id', message: 'give either user_id or "server": true' }]);
      const problem = user_id === undefined ? undefined : userIdProblem(user_id);
      if (problem !== undefined) throw fieldErrors('input', [{ path: 'user_id', message: problem }]);
      const { apiKey, apiSecret } = app.credentials;
      const nowMs = app.clock.now();
      const times = expires_in_s === null ? { nowMs } : { nowMs, lifetimeMs: expires_in_s * 1_000 };
      const token = user_id === undefined ? serverToken(apiSecret, times) : userToken(user_id, apiSecret, times);
      const end = expires_in_s === null ? null : new Date((Math.floor(nowMs / 1_000) + expires_in_s) * 1_000).toISOString();
      return { body: { token, api_key: apiKey, expires_at: end } };
    },
  }),
];

/** NaN for a text that is no time. */
function msOf(text: string): number {
  const micros = parseTime(text);
  return micros === undefined ? Number.NaN : Math.floor(micros / 1_000);
}
