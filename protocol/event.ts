/** Events: what subscribers are told about a fact. Pure. */
import type { DeletedFact, UserFact } from './entry.ts';
import { type Aside, type DateStyle, renderLive, renderV1 } from './render.ts';
import { type Micros, toNanos, toRfc3339 } from './time.ts';

/** How a connection wants its events: the live protocol with either style of dates, or chat v1 for `/connect`. */
export type EventDialect = 'live' | 'live-ns' | 'v1';

export type UserEventType = 'user.updated' | 'user.deactivated' | 'user.reactivated' | 'user.deleted';

type Announced = UserFact | DeletedFact;

/** The event a fact is announced with; a silent fact has none. A new user is a `user.updated` with `created: true`. */
export function eventType(fact: Announced): UserEventType | undefined {
  if (fact.t === 'deleted') return 'user.deleted';
  switch (fact.event) {
    case 'created':
    case 'updated':
      return 'user.updated';
    case 'deactivated':
      return 'user.deactivated';
    case 'reactivated':
      return 'user.reactivated';
    case 'silent':
      return undefined;
  }
}

/** Body of the event, without the subscription names that differ per receiver. */
export function renderEvent(type: UserEventType, fact: Announced, seq: number, at: Micros, aside: Aside, dialect: EventDialect): object {
  const dates: DateStyle = dialect === 'live-ns' ? 'ns' : 'rfc3339';
  const event = {
    type,
    seq,
    created_at: dates === 'ns' ? toNanos(at) : toRfc3339(at),
    user: dialect === 'v1' ? renderV1(fact.user, aside) : renderLive(fact.user, aside, dates),
  };
  if (fact.t === 'deleted') return { ...event, ...deleteFields(fact) };
  return {
    ...event,
    ...(fact.event === 'created' ? { created: true } : undefined),
    ...(fact.options?.created_by_id === undefined ? undefined : { created_by_id: fact.options.created_by_id }),
    ...(fact.options?.mark_messages_deleted === undefined ? undefined : { mark_messages_deleted: fact.options.mark_messages_deleted }),
    ...(fact.options?.mark_channels_deleted === undefined ? undefined : { mark_channels_deleted: fact.options.mark_channels_deleted }),
    ...(fact.options?.restore_messages === undefined ? undefined : { restore_messages: fact.options.restore_messages }),
    ...(fact.options?.restore_channels === undefined ? undefined : { restore_channels: fact.options.restore_channels }),
  };
}

/** What was asked of the services that own messages, conversations and calls; always all of it, as the published webhook model has it. */
function deleteFields({ mode, options }: DeletedFact): object {
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
