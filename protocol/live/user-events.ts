/** Events: the form of facts for subscribers. Pure. */

import { definedFields, withFields } from '../base/json.ts';
import { type Micros, toNanos, toRfc3339 } from '../base/time.ts';
import type { CustomFact, DeletedFact, ModerationDetails, UserFact } from '../log/entry.ts';
import { type DateStyle, type Rendered, renderLive, renderV1, type UserAside } from '../users/render.ts';

/** The form of a connection's events: the live protocol with either style of dates, or chat v1 for `/connect`. */
export type EventDialect = 'live' | 'live-ns' | 'v1';

export const USER_EVENT_TYPES = [
  'user.updated',
  'user.deactivated',
  'user.reactivated',
  'user.deleted',
  'user.banned',
  'user.unbanned',
  'user.muted',
  'user.unmuted',
  'user.flagged',
  'user.unflagged',
] as const;
export type UserEventType = (typeof USER_EVENT_TYPES)[number];

type Announced = UserFact | DeletedFact | CustomFact;

/** The receivers of an event: all subscribers to the user, only the user itself, or only servers. Servers receive all events. */
export type Audience = 'all' | 'self' | 'server';

/** The type of a fact's event; a silent fact has none. A new user is a `user.updated` with `created: true`. */
export function eventType(fact: Announced): UserEventType | (string & {}) | undefined {
  if (fact.t === 'deleted') return 'user.deleted';
  if (fact.t === 'custom') return fact.type;
  switch (fact.event) {
    case 'created':
    case 'updated':
    case 'restored':
      return 'user.updated';
    case 'deactivated':
    case 'reactivated':
    case 'banned':
    case 'unbanned':
    case 'muted':
    case 'unmuted':
    case 'flagged':
    case 'unflagged':
      return `user.${fact.event}`;
    case 'silent':
      return undefined;
  }
}

/** Mutes are only for the user itself, flags only for moderators, and the target of a shadow ban never learns of it. */
export function audienceOf(fact: Announced): Audience {
  if (fact.t === 'custom') return 'self';
  if (fact.t === 'deleted') return 'all';
  switch (fact.event) {
    case 'muted':
    case 'unmuted':
      return 'self';
    case 'flagged':
    case 'unflagged':
      return 'server';
    case 'banned':
    case 'unbanned':
      return fact.about?.shadow === true ? 'server' : 'all';
    default:
      return 'all';
  }
}

/** Body of the event, without the names of subscriptions, which differ by receiver. */
export function renderEvent(type: string, fact: Announced, seq: number, at: Micros, aside: UserAside, dialect: EventDialect): object {
  const dates: DateStyle = dialect === 'live-ns' ? 'ns' : 'rfc3339';
  const time = dates === 'ns' ? toNanos : toRfc3339;
  const event: Rendered = {
    type,
    seq,
    created_at: time(at),
    user: dialect === 'v1' ? renderV1(fact.user, aside) : renderLive(fact.user, aside, dates),
  };
  if (fact.t === 'deleted') return Object.assign(event, deleteFields(fact));
  if (fact.t === 'custom') return withFields(dialect === 'v1' ? fact.custom : { custom: fact.custom }, event);
  if (fact.event === 'created') event.created = true;
  if (fact.event === 'restored') event.restored = true;
  return Object.assign(event, fact.about === undefined ? undefined : aboutFields(fact.about, time), fact.options);
}

function aboutFields({ by, targets, reason, expires, ...rest }: ModerationDetails, time: (at: Micros) => string | number): object {
  const expiration = expires === undefined ? undefined : time(expires);
  return definedFields({ created_by_id: by, target_ids: targets, reason, expiration, ...rest });
}

/** The options for the services that own messages, conversations and calls; always complete, as in the published webhook model. */
export function deleteFields({ mode, options }: DeletedFact): object {
  return {
    delete_user: mode,
    delete_messages: options.messages ?? '',
    delete_conversation: options.conversations ?? '',
    delete_calls: options.calls ?? '',
    delete_files: options.files ?? false,
    delete_conversation_channels: options.delete_conversation_channels ?? false,
    hard_delete: mode === 'hard',
    mark_messages_deleted: options.mark_messages_deleted ?? false,
    ...(options.new_channel_owner_id === undefined ? undefined : { new_channel_owner_id: options.new_channel_owner_id }),
    ...(options.new_call_owner_id === undefined ? undefined : { new_call_owner_id: options.new_call_owner_id }),
  };
}
