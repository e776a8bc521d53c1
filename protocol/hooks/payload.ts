/**
 * The body of a webhook: an event in the form of the published models of `/api/v2` (times in nanoseconds, users with nested
 * custom data) or of chat v1 (RFC 3339, flat users). Beside the published fields are `seq` and `epoch`, which show a receiver
 * what is newer. Users other than the subject of the event are shown as they are when it is sent. Pure.
 */

import type { Micros } from '../base/time.ts';
import { type DocLookups, docEventType, renderDocEvent } from '../live/document-events.ts';
import { deleteFields, eventType } from '../live/user-events.ts';
import type { DocFact } from '../log/documents.ts';
import type { CustomFact, DeletedFact, Fact, ModerationDetails, UserFact } from '../log/entry.ts';
import { type Rendered, renderUserIn, type Time, timeOf } from '../users/render.ts';
import { roughDataBytes } from '../users/size.ts';

export type HookFact = UserFact | DeletedFact | CustomFact | DocFact;

/** An event that waits for its delivery. It is JSON, so that it can be put aside in a file. */
export interface HookEvent {
  readonly seq: number;
  /** Time of its entry, microseconds. */
  readonly at: Micros;
  readonly type: string;
  /** Events in the same lane are delivered one after the other: the id of the user, or the kind and id of a document. */
  readonly lane: string;
  readonly fact: HookFact;
}

/** The event that a fact causes; undefined when it causes none. */
export function hookEventOf(fact: Fact, seq: number, at: Micros): HookEvent | undefined {
  if (fact.t === 'app') return undefined;
  const type = fact.t === 'doc' ? docEventType(fact) : eventType(fact);
  if (type === undefined) return undefined;
  // The id of a user has no space in it.
  return { seq, at, type, lane: fact.t === 'doc' ? `${fact.kind} ${fact.id}` : fact.user.id, fact };
}

/** The approximate memory that a waiting event takes, in bytes. */
export function roughEventBytes({ fact }: HookEvent): number {
  return 512 + (fact.t === 'doc' ? 1_024 : roughDataBytes(fact.user));
}

export interface HookLookups extends DocLookups {
  /** The epoch of the event. */
  readonly epoch: string;
}

/** The whole body, to be written as JSON. */
export function renderHookBody(event: HookEvent, dialect: 'v1' | 'v2', lookups: HookLookups): Rendered {
  const { fact, seq, at } = event;
  const place = { seq, epoch: lookups.epoch };
  if (fact.t === 'doc') return { ...renderDocEvent(fact, seq, at, dialect, lookups), ...place };
  const time = timeOf(dialect);
  const isCustom = fact.t === 'custom';
  return {
    // In v1 the data of a custom event is beside its fields, which take precedence.
    ...(isCustom && dialect === 'v1' ? fact.custom : undefined),
    type: event.type,
    created_at: time(at),
    ...(dialect === 'v2' ? { custom: isCustom ? fact.custom : {} } : undefined),
    user: renderUserIn(dialect, fact.user, { online: lookups.online(fact.user.id), reader: 'server', named: lookups }),
    ...(fact.t === 'deleted' ? deleteFields(fact) : undefined),
    ...(fact.t === 'user' ? userFields(fact, dialect, lookups) : undefined),
    ...place,
  };
}

function userFields(fact: UserFact, dialect: 'v1' | 'v2', lookups: HookLookups): Rendered {
  const { event, fields, options, about } = fact;
  const isUpdate = event === 'created' || event === 'updated' || event === 'restored';
  return {
    ...(isUpdate && dialect === 'v1' ? { members: [] } : undefined),
    ...(event === 'created' ? { created: true } : undefined),
    ...(event === 'restored' ? { restored: true } : undefined),
    ...(fields === undefined ? undefined : { fields }),
    ...options,
    ...byWhom(options?.created_by_id, dialect, lookups),
    ...(about === undefined ? undefined : aboutFields(about, dialect, lookups)),
    ...(event === 'flagged' ? flagFields(fact, dialect, lookups) : undefined),
  };
}

/** The reporter is `created_by`; the reported user is in both places where receivers look for it. */
function flagFields({ user, about }: UserFact, dialect: 'v1' | 'v2', { online }: HookLookups): Rendered {
  return {
    target_user: renderUserIn(dialect, user, { online: online(user.id), reader: 'server' }),
    reason: about?.reason ?? '',
    total_flags: about?.total_flags ?? 0,
  };
}

function aboutFields(
  { by, targets, reason, expires, cid, ...rest }: ModerationDetails,
  dialect: 'v1' | 'v2',
  lookups: HookLookups,
): Rendered {
  const time: Time = timeOf(dialect);
  return {
    ...byWhom(by, dialect, lookups),
    ...(targets === undefined ? undefined : targetFields(targets, dialect, lookups)),
    ...(reason === undefined ? undefined : { reason }),
    ...(expires === undefined ? undefined : { expiration: time(expires) }),
    ...(cid === undefined ? undefined : channelFields(cid)),
    ...rest,
  };
}

function channelFields(cid: string): Rendered {
  const colon = cid.indexOf(':');
  return colon === -1 ? { cid } : { cid, channel_type: cid.slice(0, colon), channel_id: cid.slice(colon + 1) };
}

/** The id stays when its user no longer exists. */
function byWhom(id: string | undefined, dialect: 'v1' | 'v2', lookups: HookLookups): Rendered {
  if (id === undefined) return {};
  const [user] = others([id], dialect, lookups);
  return { created_by_id: id, ...(user === undefined ? undefined : { created_by: user }) };
}

function targetFields(ids: readonly string[], dialect: 'v1' | 'v2', lookups: HookLookups): Rendered {
  const users = others(ids, dialect, lookups);
  const [first] = users;
  const isOne = ids.length === 1 && first !== undefined;
  return { target_ids: ids, ...(isOne ? { target_user: first } : { target_users: users }) };
}

function others(ids: readonly string[], dialect: 'v1' | 'v2', { user, online }: HookLookups): Rendered[] {
  return ids.flatMap((id) => {
    const known = user(id);
    return known === undefined ? [] : [renderUserIn(dialect, known, { online: online(id), reader: 'server' })];
  });
}
