/** What a rig reports, and how it is printed: one row per figure, with its target, and the peers beside it. */
import type { Stat } from './stats.ts';

export interface Peer {
  readonly name: string;
  readonly stat: Stat;
}

export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly stat: Stat;
  /** `most`: the median must not be above it; `least`: not below it. */
  readonly target?: { readonly most: number } | { readonly least: number };
  readonly peers?: readonly Peer[];
}

export interface Report {
  readonly rig: string;
  /** What is in the path that was measured, and what is not. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
}

export function isMet({ stat, target }: Row): boolean | undefined {
  if (target === undefined) return undefined;
  return 'most' in target ? stat.median <= target.most : stat.median >= target.least;
}

export function printReport({ rig, notes, rows }: Report): void {
  const table = [['', 'rosterd (range)', 'target', 'met', 'beside it, in turn (rosterd ÷ peer)']];
  for (const row of rows) {
    const { stat, unit, target, peers = [] } = row;
    const range = stat.min === stat.max ? '' : ` (${number(stat.min)}–${number(stat.max)})`;
    table.push([
      row.what,
      `${number(stat.median)}${range} ${unit}`,
      target === undefined ? '' : 'most' in target ? `≤ ${number(target.most)}` : `≥ ${number(target.least)}`,
      { true: 'yes', false: 'NO', undefined: '' }[`${isMet(row)}`],
      peers.map((peer) => `${peer.name} ${number(peer.stat.median)} (${ratio(stat, peer.stat)})`).join(', '),
    ]);
  }
  const widths = table[0]?.map((_, column) => Math.max(...table.map((cells) => (cells[column] ?? '').length))) ?? [];
  console.log(`\n## ${rig}\n`);
  for (const cells of table) console.log(cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  for (const note of notes) console.log(`  · ${note}`);
}

function ratio(ours: Stat, theirs: Stat): string {
  return theirs.median === 0 ? '–' : `×${(ours.median / theirs.median).toFixed(2)}`;
}

function number(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(value >= 100 ? 3 : 2)));
}
