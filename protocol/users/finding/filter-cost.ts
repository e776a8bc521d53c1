/**
 * The work of finding users, in units of about ten nanoseconds: a walk over users gives way after so many, and a caller may use so many.
 * Pure.
 */
import { isObject, type Json } from '../../base/json.ts';
import { choicesOf } from '../custom-path.ts';
import type { ParsedFilter, Test } from './filter.ts';

/** Units of work after which a walk over users gives way: less than a tenth of a millisecond. */
export const STEP_UNITS = 5_000;
/** The work of looking at a user, without the filter. */
export const USER_UNITS = 20;

/** A comparison of one field with a plain value. */
const TEST_UNITS = 2;
/** Characters of a text that are folded, or compared with one searched word, per unit. */
const CHARS_PER_UNIT = 2;
/** Characters of two texts that are found to be equal, or in which order they are, per unit. */
export const EQUAL_CHARS_PER_UNIT = 16;
/** Nodes of a JSON value that are compared per unit. */
const NODES_PER_UNIT = 2;

/** Work in units. What was done for users that the caller may not see is apart: it must not show in a budget. */
export interface WorkDone {
  readonly units: number;
  readonly unseen: number;
}

/** Counts the work of one walk. */
export class WorkMeter {
  units = 0;
  unseen = 0;

  /** Whether the walk must give way. */
  get isStep(): boolean {
    return this.units + this.unseen >= STEP_UNITS;
  }

  /** The work since it was last taken. */
  take(): WorkDone {
    const { units, unseen } = this;
    this.units = 0;
    this.unseen = 0;
    return { units, unseen };
  }
}

/** The most that matching any one user costs, without the texts that are searched and the lists that are walked. */
export function fixedUnits(filter: ParsedFilter): number {
  if (filter.kind === 'not') return fixedUnits(filter.part);
  if (filter.kind !== 'test') return filter.parts.reduce((sum, part) => sum + fixedUnits(part), 0);
  const { field, test } = filter;
  const choices = field.kind === 'custom' ? choicesOf(field.path) : 0;
  return TEST_UNITS + choices + Math.ceil(nodesOfTest(test) / NODES_PER_UNIT) + equalUnits(charsOfTest(test));
}

/** The work of folding a text of so many characters, and of comparing it with so many words. */
export function searchUnits(chars: number, words: number): number {
  return Math.floor((chars * (words + 1)) / CHARS_PER_UNIT);
}

/** The work of looking through a list of so many items; objects and lists among them count as they are compared. */
export function listUnits(items: number): number {
  return Math.floor(items / NODES_PER_UNIT);
}

/** The work of comparing two texts, the shorter of which has so many characters. */
export function equalUnits(chars: number): number {
  return Math.floor(chars / EQUAL_CHARS_PER_UNIT);
}

function nodesOfTest(test: Test): number {
  if (test.op === '$in') return test.values.reduce((sum: number, value) => sum + nodesOf(value), 0);
  return test.op === '$eq' || test.op === '$contains' ? nodesOf(test.value) : 0;
}

function charsOfTest(test: Test): number {
  return 'value' in test && typeof test.value === 'string' ? test.value.length : 0;
}

/** Values in a list or an object that are compared one by one; a plain value has none. */
function nodesOf(value: Json): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + 1 + nodesOf(item), 0);
  return isObject(value) ? Object.values(value).reduce((sum: number, item) => sum + 1 + nodesOf(item as Json), 0) : 0;
}
