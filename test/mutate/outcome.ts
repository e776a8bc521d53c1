/** What became of mutants, as text and as a verdict, and which survivors are tolerated. */
import { readFileSync } from 'node:fs';
import type { Mutant } from './mutants.ts';

/** `unreached`: no test file runs the code. `refused`: the compiler does not take it, and no test noticed it. */
export type Fate = 'noticed' | 'survived' | 'unreached' | 'tolerated' | 'refused';

export interface Tried {
  readonly area: string;
  readonly mutant: Mutant;
  readonly fate: Fate;
}

/** A mutant that no test has to notice. Found by its text, so that it stays known when lines move. */
export interface Tolerated {
  readonly file: string;
  readonly text: string;
  readonly change: string;
  readonly reason: string;
}

export function readTolerated(path: string): Tolerated[] {
  return JSON.parse(readFileSync(path, 'utf8'));
}

export function isTolerated(tolerated: readonly Tolerated[], { file, text, change }: Mutant): boolean {
  return tolerated.some((one) => one.file === file && one.text === text && one.change === change);
}

/** Those that are in no source any more, as `known` has every mutant of the sources. */
export function outdated(tolerated: readonly Tolerated[], known: readonly Mutant[]): Tolerated[] {
  const files = new Set(known.map(({ file }) => file));
  return tolerated.filter((one) => files.has(one.file) && !known.some((mutant) => isTolerated([one], mutant)));
}

export interface Summary {
  readonly lines: readonly string[];
  readonly passed: boolean;
}

const ROOM = 24;
const cell = (value: string | number): string => String(value).padStart(10);

/** A table by area, and every mutant that nobody noticed. `boundPercent`: the share of each area that must be noticed. */
export function summaryOf(tried: readonly Tried[], boundPercent: number): Summary {
  const lines = [
    `${'area'.padEnd(ROOM)}${['tried', 'noticed', 'survived', 'unreached', 'tolerated', 'refused', 'share'].map(cell).join('')}`,
  ];
  let passed = tried.length > 0;
  for (const area of new Set(tried.map((one) => one.area))) {
    const inArea = tried.filter((one) => one.area === area);
    const count = (fate: Fate): number => inArea.filter((one) => one.fate === fate).length;
    const counted = inArea.length - count('tolerated') - count('refused');
    const percent = counted === 0 ? 100 : (100 * count('noticed')) / counted;
    const isBelow = percent < boundPercent;
    if (isBelow) passed = false;
    const cells = [
      inArea.length,
      count('noticed'),
      count('survived'),
      count('unreached'),
      count('tolerated'),
      count('refused'),
      `${percent.toFixed(1)} %`,
    ];
    lines.push(`${area.padEnd(ROOM)}${cells.map(cell).join('')}${isBelow ? `  below ${boundPercent} %` : ''}`);
  }
  const unnoticed = tried.filter(({ fate }) => fate === 'survived' || fate === 'unreached');
  if (unnoticed.length > 0) lines.push('', 'nobody noticed', ...unnoticed.map(({ mutant, fate }) => `${lineOf(mutant)}  (${fate})`));
  return { lines, passed };
}

/** `file:line  a < b → a <= b`, with the line around it. */
export function lineOf({ file, line, change, text }: Mutant): string {
  return `${file}:${line}  ${change}\n    in: ${text}`;
}
