/**
 * HS17: the types that the client hands out are those of the schemas. Most of it is proved when the tests are compiled: what is
 * not equal does not fit. That the schemas are what the daemon sends is proved wherever a test sees a frame or an answer.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Static } from 'typebox';
import type { taskIn } from '../../../daemon/edge/app/settings.ts';
import type { ChangedUsersV1 } from '../../../daemon/edge/users/changed-users.ts';
import type { JsonObject } from '../../../protocol/base/json.ts';
import type { FeedsUser } from '../../../protocol/client/api/feeds.ts';
import type { TaskAnswer, TaskStarted, UsersAnswer, WriteOptions } from '../../../protocol/client/api/users-api.ts';
import type { ExportEvent, ImportEvent, UserGroupEvent } from '../../../protocol/client/document-types.ts';
import type { AppDevice, AppUser, LiveUser, QueryOptions, UserEvent } from '../../../protocol/client/types.ts';
import type { FeedsProfileAnswer } from '../../../protocol/feeds/users.ts';
import { ANSWERS, type CustomEvent, type SERVER_EVENTS } from '../../../protocol/live/server-frames.ts';
import { type deviceIn, type TaskStartedAnswer, UserV1 } from '../../../protocol/users/answers.ts';
import type { IfRev } from '../../../protocol/users/conditions.ts';
import type { QueryPayload } from '../../../protocol/users/finding/query.ts';
import { renderLive, renderV1 } from '../../../protocol/users/render.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Keys that are named, not those of "whatever else there is". */
type Named<T> = keyof { [K in keyof T as string extends K ? never : K]: T[K] };

/** The type without `readonly`, which a schema does not say, and, beside named keys, without "whatever else there is". */
type Plain<T> =
  Equal<T, JsonObject> extends true
    ? T
    : T extends readonly (infer Item)[]
      ? Plain<Item>[]
      : T extends object
        ? [Named<T>] extends [never]
          ? { -readonly [K in keyof T]: Plain<T[K]> }
          : { -readonly [K in keyof T as K extends Named<T> ? K : never]: Plain<T[K]> }
        : T;

type Same<A, B> = Equal<Plain<A>, Plain<B>>;

type KeysOf<Union> = Union extends unknown ? keyof Union : never;
type ValueOf<Union, Key> = Union extends unknown ? (Key extends keyof Union ? Union[Key] : never) : never;

type Needed<T> = { [K in keyof T]-?: Pick<T, K> extends Required<Pick<T, K>> ? K : never }[keyof T];

/** Whether every one of the union has the key. */
type IsIn<Union, Key> = (Union extends unknown ? (Key extends Needed<Union> ? never : 'lacks it') : never) extends never ? true : false;

/** All that several events can have: what each of them has is there, the rest may be. */
type Merged<Union> = { [K in KeysOf<Union> as IsIn<Union, K> extends true ? K : never]: ValueOf<Union, K> } & {
  [K in KeysOf<Union> as IsIn<Union, K> extends true ? never : K]?: Exclude<ValueOf<Union, K>, undefined>;
};

type Events = typeof SERVER_EVENTS;
type EventOf<Name extends keyof Events> = Static<Events[Name]>;
type NamesOf<Prefix extends string> = Extract<keyof Events, `${Prefix}.${string}`>;
type Told = EventOf<Exclude<NamesOf<'user'>, 'user.hidden'>> | Static<typeof CustomEvent>;

/** Each is `true` where the types are the same; a type that is not is named by its index. */
type Proofs = [
  users: Same<LiveUser, Static<(typeof ANSWERS)['update']['properties']['user']>>,
  userEvents: Same<Omit<UserEvent, 'type'>, Omit<Merged<Told>, 'type'>>,
  eventTypes: Exclude<NamesOf<'user'>, UserEvent['type']> extends never ? true : false,
  hidden: Same<EventOf<'user.hidden'>['user'], Pick<LiveUser, 'id'>>,
  groups: Same<Omit<UserGroupEvent, 'user'>, Merged<EventOf<NamesOf<'user_group'>>>>,
  exports: Same<Omit<ExportEvent, 'user'>, Merged<EventOf<NamesOf<'export'>>>>,
  imports: Same<Omit<ImportEvent, 'user'>, EventOf<'import.updated'>>,
  appUsers: Same<AppUser, Static<typeof UserV1>>,
  devices: Same<AppDevice, Static<ReturnType<typeof deviceIn<'v1'>>>>,
  usersAnswers: Same<Omit<UsersAnswer, 'duration'>, Static<typeof ChangedUsersV1>>,
  tasks: Same<Omit<TaskAnswer, 'duration'>, Static<ReturnType<typeof taskIn<'v1'>>>>,
  tasksStarted: Same<Omit<TaskStarted, 'duration'>, Static<typeof TaskStartedAnswer>>,
  feedsUsers: Same<Omit<FeedsUser, 'duration'>, Static<typeof FeedsProfileAnswer>>,
  queries: Same<QueryOptions, Omit<Static<typeof QueryPayload>, 'filter_conditions' | 'sort' | 'user_id'>>,
  conditions: Same<Required<WriteOptions>['ifRev'], Static<typeof IfRev>>,
];

const PROOFS: Proofs = [true, true, true, true, true, true, true, true, true, true, true, true, true, true, true];

/** What the proofs must not let pass: a field that is lost, one that is no longer there, one of another type, one that may be missing. */
const FOUND: readonly [
  Same<Omit<LiveUser, 'privacy_settings'>, LiveUser>,
  Same<LiveUser & { readonly nickname?: string }, LiveUser>,
  Same<Omit<AppUser, 'created_at'> & { readonly created_at: number }, AppUser>,
  Same<Omit<LiveUser, 'rev'> & { readonly rev?: number }, LiveUser>,
  Same<Merged<EventOf<NamesOf<'export'>>>, EventOf<'export.users.success'>>,
] = [false, false, false, false, false];

/** A user of whom everything is known that can be shown. */
const WHOLE: Required<StoredUser> = {
  id: 'ann',
  rev: 7,
  name: 'Ann',
  image: 'https://example.com/ann.png',
  role: 'user',
  teams: ['red'],
  teams_role: { red: 'admin' },
  language: 'en',
  invisible: true,
  privacy_settings: { read_receipts: { enabled: false } },
  custom: {},
  created_at: 1,
  updated_at: 2,
  last_active: 3,
  deactivated_at: 4,
  deleted_at: 5,
  deleted: 'soft',
  deactivated_by_sync: true,
  deleted_by_sync: true,
  revoke_tokens_issued_before: 6,
  bans: [{ created_at: 1, expires: 9 }],
  mutes: [],
  blocks: [],
  flags: [],
  bypass_moderation: true,
  devices: [],
  push: {},
  sent: '{}',
};

test('HS17 the types of the client are those of the schemas, and the schemas name all that a user is shown with', () => {
  assert.equal(PROOFS.every(Boolean), true);
  assert.equal(FOUND.some(Boolean), false);
  const aside = { online: true, reader: 'server', named: { user: () => undefined } } as const;
  const live = ANSWERS.update.properties.user;
  assert.deepEqual(Object.keys(renderLive(WHOLE, aside)).sort(), Object.keys(live.properties).sort());
  assert.deepEqual(Object.keys(renderV1(WHOLE, aside)).sort(), Object.keys(UserV1.properties).sort());
});
