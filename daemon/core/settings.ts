/** Settings of the application. Pure. */
import type { AppSettings } from '../../protocol/app-settings.ts';
import type { Outcome, SettingsCommand } from '../../protocol/command.ts';
import { jsonEquals } from '../../protocol/json.ts';
import type { Micros } from '../../protocol/time.ts';
import type { Draft } from './draft.ts';

/** Sets what is named; null takes a setting back to its default. Settings that would not change are no fact. */
export function decideSettings(draft: Draft, { set }: SettingsCommand, _now: Micros): Outcome {
  const next = new Map<string, unknown>(Object.entries(draft.app));
  for (const [name, value] of Object.entries(set)) {
    if (value === null || value === undefined) next.delete(name);
    else next.set(name, value);
  }
  // Only names and values of settings were taken over; the one that must be there cannot be cleared to nothing.
  const app = { enforce_unique_usernames: 'no', ...Object.fromEntries(next) } as AppSettings;
  if (!jsonEquals(app, draft.app)) draft.stage({ t: 'app', app });
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}
