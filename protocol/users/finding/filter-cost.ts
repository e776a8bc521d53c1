/**
 * The work of matching a user, in units of about ten nanoseconds: a walk over users gives way after so many, and a caller may use so many.
 * Pure.
 */
import { isObject, type Json } from '../../base/json.ts';
import { choicesOf } from '../custom-path.ts';
import { searchedUnits } from '../names.ts';
import type { StoredUser } from '../user.ts';
import { type ParsedFilter, type StringField, searchedWords, type Test } from './filter.ts';
import { reader } from './filter-match.ts';

/** Units of work after which a walk over users gives way: less than a tenth of a millisecond. */
export const STEP_UNITS = 5_000;
/** The work of looking at a user, without the filter. */
export const USER_UNITS = 20;

/** A comparison of one field with a plain value. */
const TEST_UNITS = 2;
/** Characters of a text that are folded, or compared with one searched word, per unit. */
const CHARS_PER_UNIT = 2;
/** Characters of two texts that are found to be equal, or in which order they are, per unit. */
const EQUAL_CHARS_PER_UNIT = 16;
/** Nodes of a JSON value that are compared per unit. */
const NODES_PER_UNIT = 2;

/** Keys that a dotted name looks for per unit. */
const CHOICES_PER_UNIT = 1;

/** The texts of one field that are searched, by tests and by their words. */
interface Searched {
  tests: number;
  words: number;
}

/** The most units of work that matching one user takes. Built once for a filter, like its predicate. */
export function workOf(filter: ParsedFilter): (user: StoredUser) => number {
  let fixed = 0;
  const searched = new Map<StringField, Searched>();
  const lists: { readonly read: ReturnType<typeof reader>; readonly isPlain: boolean }[] = [];
  eachTest(filter, ({ field, test }) => {
    fixed += TEST_UNITS + nodesOfTest(test) / NODES_PER_UNIT + Math.floor(charsOfTest(test) / EQUAL_CHARS_PER_UNIT);
    if (field.kind === 'custom') fixed += choicesOf(field.path) / CHOICES_PER_UNIT;
    const words = searchedWords(test);
    if (field.kind === 'string' && words > 0) {
      const { tests = 0, words: before = 0 } = searched.get(field.name) ?? {};
      searched.set(field.name, { tests: tests + 1, words: before + words });
    }
    if (field.kind === 'custom' && test.op === '$contains')
      lists.push({ read: reader(field), isPlain: typeof test.value !== 'object' || test.value === null });
  });
  if (searched.size === 0 && lists.length === 0) return () => fixed;
  // Only the last text is kept folded: a filter on two of them folds each as often as it is asked.
  const texts = [...searched].map(([name, { tests, words }]) => ({ name, walks: words + (searched.size === 1 ? 1 : tests) }));
  return (user) => {
    let units = fixed;
    for (const { name, walks } of texts) {
      const text = user[name];
      if (text !== undefined) units += (searchedUnits(text) * walks) / CHARS_PER_UNIT;
    }
    for (const { read, isPlain } of lists) {
      const value = read(user, false);
      if (Array.isArray(value)) units += (isPlain ? value.length : nodesOf(value)) / NODES_PER_UNIT;
    }
    return units;
  };
}

function eachTest(filter: ParsedFilter, take: (test: Extract<ParsedFilter, { kind: 'test' }>) => void): void {
  if (filter.kind === 'test') take(filter);
  else if (filter.kind === 'not') eachTest(filter.part, take);
  else for (const part of filter.parts) eachTest(part, take);
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
