/** The output of the commands about a directory or a backup: one line for each fact, or one JSON object. */
import type { BackupSummary } from '../../../store/backup/codec.ts';
import type { PlacedFacts } from '../../../store/backup/facts.ts';
import { grouped } from '../../base/grouped.ts';
import type { CommandIo } from '../io.ts';

export type NamedFact = readonly [name: string, value: string | number];

export function factsOf({ position, users, deleted, documents, content, revisions }: PlacedFacts): readonly NamedFact[] {
  return [
    ['position', `${position.epoch}:${position.seq}`],
    ['users', users],
    ['deleted', deleted],
    ['documents', documents],
    ['content', content],
    ['revisions', revisions],
  ];
}

export function backupFacts(summary: BackupSummary): readonly NamedFact[] {
  return [['created', summary.createdAt], ...factsOf(summary), ['bytes', summary.bytes], ['sha256', summary.sha256]];
}

/** With `--json`, numbers are not formatted. */
export function factsText(facts: readonly NamedFact[], json: boolean): string {
  if (json) return `${JSON.stringify(Object.fromEntries(facts))}\n`;
  const width = Math.max(...facts.map(([name]) => name.length));
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${typeof value === 'number' ? grouped(value) : value}\n`).join('');
}

export function printFacts(io: CommandIo, facts: readonly NamedFact[], json: boolean): void {
  io.stdout.write(factsText(facts, json));
}
