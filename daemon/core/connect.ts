/**
 * The rules of connectUser: it creates the user or merges the keys sent, never
 * removes a field, and never changes what only a server may change. Pure.
 *
 * The stale-reconnect guard: a phone that reconnects sends the details it had
 * when it started, and would so roll back newer data. The record remembers what
 * the user's connects last sent; only keys that differ from that are written.
 */
import type { ConnectCommand, ConnectDetails, Outcome } from '../../protocol/command.ts';
import { RosterError } from '../../protocol/errors.ts';
import { isObject, type Json, type JsonObject, jsonEquals } from '../../protocol/json.ts';
import type { Micros } from '../../protocol/time.ts';
import { DEFAULT_ROLE, type PrivacySettings, type StoredUser } from '../../protocol/user.ts';
import { deletedUser, type Policy } from './decide.ts';
import type { Draft } from './draft.ts';
import { settle } from './upsert.ts';
import { checkUser, find, refuseIfAny, sizeProblem } from './user-rules.ts';

/** What one connect sent, key by key; custom keys live under `custom`. */
interface Sent {
  name?: string;
  image?: string;
  language?: string;
  invisible?: boolean;
  privacy_settings?: PrivacySettings;
  custom?: JsonObject;
}

export function decideConnect(draft: Draft, command: ConnectCommand, now: Micros, policy: Policy): Outcome {
  const { id, details } = command;
  const found = find(draft, id, policy);
  if (found.kind === 'deleted') throw deletedUser(id);
  const before = found.kind === 'alive' ? found.user : undefined;
  if (before?.deactivated_at !== undefined) throw new RosterError('not_allowed', `the user ${id} was deactivated`);

  const warnings = checkServerFields(id, details, before, policy);
  const memory = policy.connectGuard === 'guard' && before?.sent !== undefined ? parseSent(before.sent) : {};
  const fresh = changedKeys(details, memory);
  const sent = remembered(details, policy.connectGuard === 'guard' ? memory : {});
  const after = merged(before, id, fresh, JSON.stringify(sent), now, draft.nextSeq);

  const tooBig = sizeProblem(before, after, 'user');
  if (tooBig !== undefined) throw new RosterError('input', `user: ${tooBig}`, [{ path: 'user', message: tooBig }]);
  refuseIfAny([], checkUser(draft, 'user', before, after));
  const settled = settle(draft, before, after);
  if (before === undefined || settled.change !== 'unchanged' || before.sent === after.sent) {
    return { users: [settled], warnings, seq: draft.nextSeq - 1 };
  }
  // The user stays as it is, but the memory of the guard moved on: stored without a new revision and without an event.
  const kept = { ...before, sent: after.sent ?? '' };
  draft.stage({ t: 'user', event: 'silent', user: kept });
  return { users: [{ user: kept, change: 'unchanged' }], warnings, seq: draft.nextSeq - 1 };
}

/** Role and teams may be repeated, not changed. Returns the warnings to give where the policy keeps the stored ones. */
function checkServerFields(id: string, details: ConnectDetails, before: StoredUser | undefined, policy: Policy): string[] {
  const role = before?.role ?? DEFAULT_ROLE;
  const attempts: [string, string, boolean][] = [
    ['role', 'UpdateUserRole', details.role !== undefined && details.role !== role],
    ['teams', 'UpdateUserTeams', details.teams !== undefined && !jsonEquals(details.teams, before?.teams ?? [])],
    ['teams_role', 'UpdateUserTeams', details.teams_role !== undefined && !jsonEquals(details.teams_role, before?.teams_role ?? {})],
  ];
  const warnings: string[] = [];
  for (const [field, action, differs] of attempts) {
    if (!differs) continue;
    if (policy.connectRole === 'refuse') {
      const text = `User '${id}' with role '${role}' is not allowed to perform action ${action}`;
      throw new RosterError('not_allowed', text, [{ path: `user.${field}`, message: text }]);
    }
    warnings.push(field);
  }
  return warnings;
}

function parseSent(text: string): Sent {
  const value: unknown = JSON.parse(text);
  return isObject(value) ? value : {};
}

const SCALARS = ['name', 'image', 'language', 'invisible', 'privacy_settings'] as const;

/** The keys of this connect that differ from what was last sent: the only ones that are written. */
function changedKeys(details: ConnectDetails, memory: Sent): Sent {
  const fresh: Record<string, unknown> = {};
  for (const key of SCALARS) {
    const value = details[key];
    if (value !== undefined && !jsonEquals(value, memory[key])) fresh[key] = value;
  }
  const custom: JsonObject = {};
  for (const [key, value] of Object.entries(details.custom)) {
    const last: Json | undefined = memory.custom !== undefined && Object.hasOwn(memory.custom, key) ? memory.custom[key] : undefined;
    if (!jsonEquals(value, last)) custom[key] = value;
  }
  return { ...fresh, custom };
}

/** A key that this connect did not send keeps its memory: another device may send it again. */
function remembered(details: ConnectDetails, memory: Sent): Sent {
  const sent: Record<string, unknown> = {};
  for (const key of SCALARS) {
    const value = details[key] ?? memory[key];
    if (value !== undefined) sent[key] = value;
  }
  const custom = { ...memory.custom, ...details.custom };
  return Object.keys(custom).length === 0 ? sent : { ...sent, custom };
}

function merged(before: StoredUser | undefined, id: string, fresh: Sent, sent: string, now: Micros, rev: number): StoredUser {
  const { custom, privacy_settings, ...scalars } = fresh;
  const { privacy_settings: privacyBefore, ...rest } = before ?? {
    id,
    role: DEFAULT_ROLE,
    teams: [],
    custom: {},
    created_at: now,
  };
  const privacy = privacy_settings === undefined ? privacyBefore : { ...privacyBefore, ...privacy_settings };
  const user = { ...rest, ...scalars, rev, custom: { ...before?.custom, ...custom }, updated_at: now, sent };
  return privacy === undefined ? user : { ...user, privacy_settings: privacy };
}
