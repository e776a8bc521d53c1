/** The settings that all daemons on one database must share, as the keyed hashes by which they compare them (PE5 in store/README.md). */
import { createHmac } from 'node:crypto';
import { ALL_SETTINGS, type Config, type Field } from './settings.ts';

/** Those that decide what is stored, how long it is kept, and what a client sees, whichever node it asks. */
const SHARED: ReadonlySet<Field> = new Set<Field>([
  ...(['logRequireSync', 'connectRole', 'connectGuard', 'presenceGraceMs', 'idsReuseHardDeleted', 'publicUrl'] as const),
  ...(['tasksKeptMs', 'exportsKeptMs', 'historyKeptMs', 'historyBytesMax', 'receiptsKeptMs'] as const),
  ...(['webhooksOutboxBytesMax', 'webhooksRetryMs', 'webhooksDeadKeptMs', 'webhooksAllowPrivate'] as const),
  ...(['retentionBytes', 'retentionAgeMs', 'retentionChanges', 'compatStubs'] as const),
]);
const MAC_CHARS = 16;

/** By key of the setting. The secret keeps values from being guessed by those who may only read the database. */
export function sharedSettings(config: Config, secret: string): ReadonlyMap<string, string> {
  return new Map(
    ALL_SETTINGS.flatMap(([field, { key }]) => {
      if (!SHARED.has(field)) return [];
      const text = JSON.stringify([key, config[field] ?? null]);
      return [[key, createHmac('sha256', secret).update(text).digest('hex').slice(0, MAC_CHARS)] as const];
    }),
  );
}
