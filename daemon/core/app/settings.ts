/**
 * Settings of the application. A setting equal to its default is not stored,
 * so a client that sends the whole application back as it was shown changes nothing. Pure.
 */
import type { AppSettings, EventHook, HookInput, SettingsCommand } from '../../../protocol/app/settings.ts';
import { appDefault } from '../../../protocol/app/settings-view.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { type Json, type JsonObject, jsonEquals, utf8Bytes } from '../../../protocol/base/json.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { roleExists } from '../access/roles.ts';
import type { Draft } from '../directory/draft.ts';
import { stageOutboxes } from '../hooks/outbox.ts';
import { type Problem, problem, refuseIfAny } from '../problems.ts';

/** Bound on the settings that rosterd only stores and repeats, in bytes of JSON. */
const OTHER_BYTES_MAX = 64 * 1024;

/** Sets the named settings; null resets one to its default. Without a change there is no fact, and no condition to keep. Throws RosterError. */
export function decideSettings(draft: Draft, command: SettingsCommand, now: Micros): Outcome {
  const { event_hooks, grants, other, ...simple } = command.set;
  const { app } = draft;
  const problems: Problem[] = [];
  const next = new Map<string, unknown>(Object.entries(app));
  const put = (name: string, value: unknown) => {
    if (value === null || value === undefined || isDefault(name, value)) next.delete(name);
    else next.set(name, value);
  };
  for (const [name, value] of Object.entries(simple)) put(name, value);
  if (command.otherUniqueNames !== undefined) put('enforce_unique_usernames', uniqueNamesOf(app, command, problems));
  if (event_hooks !== undefined) put('event_hooks', hooksAfter(app.event_hooks ?? [], event_hooks ?? [], command.dialect ?? 'v1', now));
  if (grants !== undefined) put('grants', grants === null ? null : grantsAfter(draft, grants, problems));
  if (other !== undefined) put('other', other === null ? null : otherAfter(app.other ?? {}, other, problems));
  refuseIfAny([], problems);
  // `next` holds only names and values of settings; the required one falls back to its default.
  const after = { enforce_unique_usernames: 'no', ...Object.fromEntries(next) } as AppSettings;
  if (!jsonEquals(after, app)) {
    checkRevision(draft, command);
    draft.stage({ t: 'app', app: after });
    stageOutboxes(draft, app, after, now);
  }
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}

/** CN11: whoever looked at settings that have changed since would overwrite what it never saw. */
function checkRevision({ appSeq }: Draft, { ifRev }: SettingsCommand): void {
  if (ifRev === undefined || ifRev === appSeq) return;
  const changed = appSeq === 0 ? 'they never changed' : 'somebody changed them meanwhile';
  refuseIfAny([], [problem('precondition', 'if-match', `the settings have revision ${appSeq}, not ${ifRev}: ${changed}`)]);
}

/** A client that sends back what it was shown changes one spelling of the setting and leaves the other as it was. */
function uniqueNamesOf(app: AppSettings, { set, otherUniqueNames }: SettingsCommand, problems: Problem[]): unknown {
  const before = app.enforce_unique_usernames;
  const { enforce_unique_usernames: named = before } = set;
  if (named === before) return otherUniqueNames;
  if (otherUniqueNames !== before) {
    const message = `is "${otherUniqueNames}", but enforce_unique_usernames, the same setting, is "${named}"`;
    problems.push(problem('input', 'enforce_unique_username', message));
  }
  return named;
}

/** Whether a setting of this value is shown as if it was never set. */
function isDefault(name: string, value: unknown): boolean {
  const byDefault = appDefault(name);
  return byDefault === undefined ? isEmpty(value) : jsonEquals(value, byDefault);
}

function isEmpty(value: unknown): boolean {
  return value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0);
}

/** The named hooks and no others. An unchanged hook keeps its times, and its dialect when none is named. */
function hooksAfter(before: readonly EventHook[], wanted: readonly HookInput[], dialect: EventHook['dialect'], now: Micros): EventHook[] {
  const known = new Map(before.map((hook) => [hook.id, hook]));
  return wanted.map((input) => {
    const old = known.get(input.id);
    if (old === undefined) return { dialect, ...input, created_at: now, updated_at: now };
    const same = { dialect: old.dialect, ...input, created_at: old.created_at, updated_at: old.updated_at };
    return jsonEquals(same, old) ? old : { dialect, ...input, created_at: old.created_at, updated_at: now };
  });
}

/** Roles that are not named keep their grants. */
function grantsAfter(draft: Draft, grants: Readonly<Record<string, readonly string[] | null>>, problems: Problem[]): AppSettings['grants'] {
  const after = new Map(Object.entries(draft.app.grants ?? {}));
  for (const [role, permissions] of Object.entries(grants)) {
    if (!roleExists(draft, role)) problems.push(problem('input', `grants.${clip(role)}`, `role "${clip(role)}" does not exist`));
    if (permissions === null) after.delete(role);
    else after.set(role, [...new Set(permissions)]);
  }
  return Object.fromEntries(after);
}

/** Settings that are not named keep their values. */
function otherAfter(before: JsonObject, set: JsonObject, problems: Problem[]): JsonObject {
  const after = new Map<string, Json>(Object.entries(before));
  for (const [name, value] of Object.entries(set)) {
    if (value === null || isDefault(name, value)) after.delete(name);
    else after.set(name, value);
  }
  const other = Object.fromEntries(after);
  if (utf8Bytes(JSON.stringify(other)) <= OTHER_BYTES_MAX) return other;
  // The body as a whole is at fault; the error names its first setting.
  const path = Object.keys(set)[0] ?? 'body';
  problems.push(problem('input', clip(path), `settings that rosterd only keeps must not be larger than ${OTHER_BYTES_MAX} bytes together`));
  return before;
}
