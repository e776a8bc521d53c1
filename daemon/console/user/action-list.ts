/** What can be done to a user: when, with which options, what will happen, and the request for it. Pure. */
import type { ApiCall } from '../talk/api-call.ts';
import type { UserRecord } from '../talk/user-record.ts';

/** The values of the options: what was ticked, chosen or typed. */
export type OptionValues = Readonly<Record<string, string | boolean>>;

export type ActionOption =
  | { readonly kind: 'tick'; readonly key: string; readonly label: string }
  | { readonly kind: 'text'; readonly key: string; readonly label: string; readonly isNumber?: true }
  | {
      readonly kind: 'choice';
      readonly key: string;
      readonly label: string;
      readonly choices: readonly (readonly [value: string, label: string])[];
    };

export interface UserAction {
  readonly key: string;
  readonly label: string;
  /** It takes something away from the user. */
  readonly isGrave: boolean;
  readonly options: readonly ActionOption[];
  isFor(user: UserRecord): boolean;
  /** What will happen, in sentences. */
  says(options: OptionValues): readonly string[];
  call(id: string, options: OptionValues): ApiCall;
}

const KEEP = ['', 'leave as they are'] as const;
const path = (id: string, verb: string): string => `/api/v2/users/${encodeURIComponent(id)}/${verb}`;
const isAlive = ({ deleted_at }: UserRecord): boolean => deleted_at === undefined;
/** Options that were given, with numbers as such. */
function given(options: OptionValues, keys: readonly string[], numbers: readonly string[] = []): Record<string, unknown> {
  const set = keys.filter((key) => options[key] !== undefined && options[key] !== '' && options[key] !== false);
  return Object.fromEntries(set.map((key) => [key, numbers.includes(key) ? Number(options[key]) : options[key]]));
}

const OWNED = 'The services that own messages, conversations and calls get the request with the event.';

const DEACTIVATE: UserAction = {
  key: 'deactivate',
  label: 'Deactivate',
  isGrave: true,
  options: [{ kind: 'tick', key: 'mark_messages_deleted', label: 'Also mark the messages as deleted' }],
  isFor: (user) => isAlive(user) && user.deactivated_at === undefined,
  says: () => [
    'The live connections of the user end within a second, and new ones are refused.',
    'The data stays; the user can be reactivated.',
  ],
  call: (id, options) => ({ method: 'POST', path: path(id, 'deactivate'), body: given(options, ['mark_messages_deleted']) }),
};

const REACTIVATE: UserAction = {
  key: 'reactivate',
  label: 'Reactivate',
  isGrave: false,
  options: [{ kind: 'tick', key: 'restore_messages', label: 'Also restore the messages' }],
  isFor: (user) => isAlive(user) && user.deactivated_at !== undefined,
  says: () => ['The user can connect again, with the data as it is.'],
  call: (id, options) => ({ method: 'POST', path: path(id, 'reactivate'), body: given(options, ['restore_messages']) }),
};

const BAN: UserAction = {
  key: 'ban',
  label: 'Ban',
  isGrave: true,
  options: [
    { kind: 'text', key: 'reason', label: 'Reason' },
    { kind: 'text', key: 'timeout', label: 'Minutes (empty: until it is lifted)', isNumber: true },
    { kind: 'text', key: 'banned_by_id', label: 'By the user (id)' },
    { kind: 'tick', key: 'shadow', label: 'Shadow ban: the user is not told' },
  ],
  isFor: isAlive,
  says: ({ shadow, timeout }) => [
    shadow === true
      ? 'The user is marked as shadow-banned in the whole application; only servers see it.'
      : 'The user is banned from the whole application, and everybody who follows the user is told.',
    typeof timeout === 'string' && timeout !== ''
      ? `The ban ends by itself after ${timeout} minutes.`
      : 'The ban stays until it is lifted.',
  ],
  call: (id, options) => ({
    method: 'POST',
    path: '/api/v2/moderation/ban',
    body: { target_user_id: id, ...given(options, ['reason', 'timeout', 'banned_by_id', 'shadow'], ['timeout']) },
  }),
};

const UNBAN: UserAction = {
  key: 'unban',
  label: 'Lift the ban',
  isGrave: false,
  options: [],
  isFor: (user) => isAlive(user) && (user.banned || user.shadow_banned),
  says: () => ['The ban from the whole application is lifted. Bans from channels stay.'],
  call: (id) => ({ method: 'POST', path: `/api/v2/moderation/unban?target_user_id=${encodeURIComponent(id)}` }),
};

const DELETE: UserAction = {
  key: 'delete',
  label: 'Delete',
  isGrave: true,
  options: [
    {
      kind: 'choice',
      key: 'user',
      label: 'The user',
      choices: [
        ['soft', 'soft: is marked and can be restored'],
        ['pruning', 'pruning: is marked, and loses personal data'],
        ['hard', 'hard: is removed for good'],
      ],
    },
    { kind: 'choice', key: 'messages', label: 'Messages', choices: [KEEP, ['soft', 'soft'], ['pruning', 'pruning'], ['hard', 'hard']] },
    { kind: 'choice', key: 'conversations', label: 'Conversations', choices: [KEEP, ['soft', 'soft'], ['hard', 'hard']] },
    { kind: 'choice', key: 'calls', label: 'Calls', choices: [KEEP, ['soft', 'soft'], ['hard', 'hard']] },
    { kind: 'text', key: 'new_channel_owner_id', label: 'New owner of the channels (id)' },
  ],
  isFor: () => true,
  says: ({ user }) => [
    ...(user === 'hard'
      ? [
          'The user is removed. This cannot be undone, and the id stays taken unless the settings say otherwise.',
          'Messages and conversations are deleted hard, too.',
        ]
      : []),
    ...(user === 'pruning' ? ['The user is marked as deleted, and the name, the image and all custom data are removed for good.'] : []),
    ...(user === 'soft' || user === '' || user === undefined ? ['The user is marked as deleted and hidden. It can be restored.'] : []),
    'The live connections of the user end.',
    OWNED,
  ],
  call: (id, options) => ({
    method: 'POST',
    path: '/api/v2/users/delete',
    body: {
      user_ids: [id],
      user: options.user || 'soft',
      ...given(options, ['messages', 'conversations', 'calls', 'new_channel_owner_id']),
      // The daemon asks for both: nothing of the user may stay.
      ...(options.user === 'hard' ? { messages: 'hard', conversations: 'hard' } : undefined),
    },
  }),
};

const RESTORE: UserAction = {
  key: 'restore',
  label: 'Restore',
  isGrave: false,
  options: [],
  isFor: (user) => !isAlive(user),
  says: () => ['The user is there again, with the data that was kept.'],
  call: (id) => ({ method: 'POST', path: '/api/v2/users/restore', body: { user_ids: [id] } }),
};

export const USER_ACTIONS: readonly UserAction[] = [REACTIVATE, UNBAN, RESTORE, DEACTIVATE, BAN, DELETE];
