/** Queries about the delivery of webhooks, and the replay of events that could not be delivered. Pure; throws RosterError `input`. */
import Type, { type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { AppSettings, SettingsCommand } from '../app/settings.ts';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { pageLimit, QueryLimit, QueryText, QueryTime, queryReader, queryTime } from '../base/query-string.ts';
import { bodyObject, checked, type Dialect, presentFields, type QueryFields } from '../base/reading.ts';
import { type Micros, parseTime } from '../base/time.ts';
import { timeIn } from '../users/answers.ts';
import { type HookKind, WEBHOOK_URL_ID } from './hooks.ts';

const REPLAY_IDS_MAX = 1_000;

/** - `ok`, `down`: the state of deliveries. `disabled`: keeps no events. `not delivered`: of a kind that rosterd only stores. */
export type HookState = 'ok' | 'down' | 'disabled' | 'not delivered';

/** The state of a hook. Times are in microseconds. */
export interface HookStatus {
  readonly id: string;
  readonly kind: HookKind;
  readonly isEnabled: boolean;
  readonly state: HookState;
  /** Every event up to here was delivered or put aside. Absent for a hook that keeps no events. */
  readonly position?: number | undefined;
  /** The number of positions still to process. */
  readonly lag?: number | undefined;
  readonly parked: number;
  readonly dead: number;
  /** Events that it never gets, because the log or the list of dead letters had no room left for them. */
  readonly lost: number;
  readonly lastError?: { readonly reason: string; readonly at: Micros } | undefined;
  readonly lastSuccessAt?: Micros | undefined;
}

/** An event whose delivery was given up. */
export interface DeadLetter {
  /** The `X-Webhook-Id` of its attempts. */
  readonly id: string;
  readonly seq: number;
  readonly epoch: string;
  readonly type: string;
  /** The id of the user, or the kind and id of the document, that it is about. */
  readonly subject: string;
  readonly at: Micros;
  readonly failedAt: Micros;
  readonly attempts: number;
  readonly reason: string;
}

/** With the body of its request. */
export interface LetterWithBody extends DeadLetter {
  readonly body: Readonly<Record<string, unknown>>;
}

/** A selection of dead letters by the time of their event. */
export interface LetterRange {
  readonly from?: Micros | undefined;
  /** Inclusive. */
  readonly to?: Micros | undefined;
}

export interface LetterPage extends LetterRange {
  /** Only letters about this user, or this document. */
  readonly subject?: string | undefined;
  readonly limit: number;
  /** The id of the last letter on the previous page. */
  readonly after?: string | undefined;
}

export interface ReplayRequest extends LetterRange {
  readonly ids?: readonly string[] | undefined;
}

const Id = Type.String({ minLength: 1, maxLength: 64 });
export const ReplayBody = Type.Object({
  ids: Type.Optional(Type.Array(Id, { maxItems: REPLAY_IDS_MAX })),
  from: Type.Optional(Type.Union([Type.String(), Type.Integer()], { description: 'RFC 3339 or integer nanoseconds' })),
  to: Type.Optional(Type.Union([Type.String(), Type.Integer()])),
});
const replayCheck = Compile(ReplayBody);

export type ReplayBody = Static<typeof ReplayBody>;

/** Without ids and times, replays all dead letters. */
export function decodeReplay(body: unknown): ReplayRequest {
  const { ids, from, to } = checked(replayCheck, presentFields(bodyObject(body)));
  const problems: FieldError[] = [];
  const time = (path: string, value: string | number | undefined): Micros | undefined => {
    const at = value === undefined || value === '' ? undefined : parseTime(value);
    if (at === undefined && value !== undefined && value !== '')
      problems.push({ path, message: 'must be a time in RFC 3339, or integer nanoseconds' });
    return at;
  };
  const range = { from: time('from', from), to: time('to', to) };
  if (problems.length > 0) throw fieldErrors('input', problems);
  return { ...range, ids: ids?.length === 0 ? undefined : ids };
}

export const LetterPageQuery = Type.Object({ limit: QueryLimit, after: QueryText, from: QueryTime, to: QueryTime, subject: QueryText });
const readLetterPage = queryReader(LetterPageQuery);

export function decodeLetterPage(query: QueryFields): LetterPage {
  const { after, from, to, subject, ...page } = readLetterPage(query);
  return { limit: pageLimit(page), after, subject, from: queryTime(from), to: queryTime(to) };
}

/**
 * Refuses new hooks of a command whose addresses rosterd will never deliver to. Names are checked when they are connected to.
 * `mayReach`: whether the host of a URL may be delivered to. Throws RosterError `input`.
 */
export function checkHooks({ set }: SettingsCommand, app: AppSettings, mayReach: (hostname: string) => boolean): void {
  const problems: FieldError[] = [];
  const known = new Set((app.event_hooks ?? []).map((hook) => hook.webhook_url));
  const look = (path: string, url: string | undefined): void => {
    if (url === undefined || !URL.canParse(url) || mayReach(new URL(url).hostname)) return;
    problems.push({ path, message: 'must be an address on the public internet; the setting webhooks.allow_private allows others' });
  };
  if (set.webhook_url && set.webhook_url !== app.webhook_url) look('webhook_url', set.webhook_url);
  for (const [index, { id, webhook_url }] of (set.event_hooks ?? []).entries()) {
    const path = `event_hooks[${index}]`;
    if (id === WEBHOOK_URL_ID) problems.push({ path: `${path}.id`, message: `"${id}" is the id of the setting ${WEBHOOK_URL_ID}` });
    if (!known.has(webhook_url)) look(`${path}.webhook_url`, webhook_url);
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
}

export function hookStatusIn(dialect: Dialect): TSchema {
  const time = timeIn(dialect);
  return Type.Object({
    id: Type.String(),
    kind: Type.String(),
    enabled: Type.Boolean(),
    state: Type.Union(['ok', 'down', 'disabled', 'not delivered'].map((state) => Type.Literal(state))),
    position: Type.Optional(Type.Integer()),
    lag: Type.Optional(Type.Integer()),
    parked: Type.Integer(),
    dead: Type.Integer(),
    lost: Type.Integer(),
    last_error: Type.Optional(Type.Object({ reason: Type.String(), at: time })),
    last_success_at: Type.Optional(time),
  });
}

export function deadLetterIn(dialect: Dialect) {
  const time = timeIn(dialect);
  return Type.Object({
    id: Type.String(),
    seq: Type.Integer(),
    epoch: Type.String(),
    type: Type.String(),
    subject: Type.String(),
    created_at: time,
    failed_at: time,
    attempts: Type.Integer(),
    reason: Type.String(),
  });
}
