/**
 * What the rules about the code itself have in common. A rule is a pure function over a set of files, so the same function runs
 * over the tree and over a planted example that breaks it. A rule that saw too little proves nothing, so that is a failure too.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export interface TreeFile {
  /** From the root of the tree, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Findings {
  /** How many things the rule looked at: files, imports, names, whatever it counts. */
  readonly seen: number;
  /** One line for each thing that breaks the rule. */
  readonly wrong: readonly string[];
}

export interface HouseRule {
  /** Fewer than these in the tree mean that the rule looked past them. */
  readonly seenMin: number;
  readonly check: (files: readonly TreeFile[]) => Findings;
}

const root = resolve(import.meta.dirname, '../../..');
const BINARY = /\.(png|jpg|ico|gz|jar|lockb)$/;

let tree: readonly TreeFile[] | undefined;

/** Every file that git knows or would take, read once per process. */
export function theTree(): readonly TreeFile[] {
  tree ??= execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '' && !BINARY.test(path) && existsSync(join(root, path)))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
  return tree;
}

/** A small tree that breaks a rule. */
export function planted(files: Readonly<Record<string, string>>): readonly TreeFile[] {
  return Object.entries(files).map(([path, text]) => ({ path, text }));
}

/** Fails with every finding, or when the rule saw too little. */
export function holds(rule: HouseRule, files: readonly TreeFile[] = theTree()): void {
  const { seen, wrong } = rule.check(files);
  assert.ok(seen >= rule.seenMin, `the rule saw ${seen} of at least ${rule.seenMin}`);
  assert.ok(wrong.length === 0, `${wrong.length} found:\n  ${wrong.join('\n  ')}`);
}

/** The rule finds exactly this in the planted files, and takes none of its words for proof when it sees next to nothing. */
export function finds(rule: HouseRule, files: Readonly<Record<string, string>>, wrong: readonly string[]): void {
  assert.deepEqual(rule.check(planted(files)).wrong, wrong);
  assert.throws(() => holds(rule, []), /the rule saw 0 of at least/);
}

export const folderOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '');

/** TypeScript of the product: `protocol/`, `store/`, `daemon/`. */
export const isSource = ({ path }: TreeFile): boolean => /^(protocol|store|daemon)\/.*\.tsx?$/.test(path);
