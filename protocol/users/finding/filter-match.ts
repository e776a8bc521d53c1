/**
 * Turns a filter into a function over users. It is built once and runs over a
 * million of them, so it computes in advance everything that depends on the filter alone. Pure.
 */

import { type Json, jsonEquals } from '../../base/json.ts';
import { foldText, wordsOf } from '../names.ts';
import { exactlyTeams } from '../teams.ts';
import type { StoredUser } from '../user.ts';
import { type FieldReader, type FieldReaders, USER_FIELDS, type ValueField } from './field-readers.ts';
import type { Comparison, ParsedFilter, Test } from './filter.ts';
import { listUnits, searchUnits, WorkMeter } from './filter-cost.ts';
import { searchedUnits, wordPrefix } from './word-search.ts';

/** Values with which a field is compared one by one; among more of them, it is looked up. */
const COMPARED_MAX = 4;

/** Whether a user matches; `online` says whether it has a visible live connection. */
export type Predicate<User = StoredUser> = (user: User, online: boolean) => boolean;

/** Whether it asks who is online: then its matches change without any change of a record. */
export function dependsOnPresence(filter: ParsedFilter): boolean {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.parts.some(dependsOnPresence);
    case 'not':
      return dependsOnPresence(filter.part);
    case 'test':
      return filter.field.kind === 'boolean' && filter.field.name === 'online';
  }
}

/** What it looks at in the texts and lists of a user is added to `work`; all else that it costs is `fixedUnits`. */
export function compileFilter(filter: ParsedFilter, work = new WorkMeter()): Predicate {
  return compileFilterOf(USER_FIELDS, filter, work);
}

/** `compileFilter` for users of another form. */
export function compileFilterOf<User>(fields: FieldReaders<User>, filter: ParsedFilter, work: WorkMeter): Predicate<User> {
  switch (filter.kind) {
    case 'and': {
      const parts = filter.parts.map((part) => compileFilterOf(fields, part, work));
      return (user, online) => {
        for (const part of parts) if (!part(user, online)) return false;
        return true;
      };
    }
    case 'or': {
      const parts = filter.parts.map((part) => compileFilterOf(fields, part, work));
      return (user, online) => {
        for (const part of parts) if (part(user, online)) return true;
        return false;
      };
    }
    case 'not': {
      const part = compileFilterOf(fields, filter.part, work);
      return (user, online) => !part(user, online);
    }
    case 'test':
      return filter.field.kind === 'teams'
        ? fields.byTeams(compileTeams(filter.test))
        : compileValue(fields, filter.field, filter.test, work);
  }
}

/** `$eq: null` means "no team"; `$eq` and `$in` with a team mean "has this team". A list means exactly these teams. */
function compileTeams(test: Test): (teams: readonly string[]) => boolean {
  switch (test.op) {
    case '$eq': {
      const { value } = test;
      if (value === null) return (teams) => teams.length === 0;
      if (!Array.isArray(value)) return holdsTeam(value);
      const isExactly = exactlyTeams(value);
      return isExactly;
    }
    case '$in': {
      const wanted = new Set<unknown>(test.values);
      const orNone = wanted.has(null);
      const lists = test.values.filter((value) => Array.isArray(value)).map(exactlyTeams);
      return (teams) => {
        if (teams.length === 0 && orNone) return true;
        for (const team of teams) if (wanted.has(team)) return true;
        return lists.some((isExactly) => isExactly(teams));
      };
    }
    case '$contains':
      return holdsTeam(test.value);
    case '$exists':
      return (teams) => teams.length > 0 === test.value;
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
    case '$autocomplete':
    case '$q':
      throw new Error(`the parser lets no ${test.op} on teams through`);
  }
}

function holdsTeam(wanted: Json): (teams: readonly string[]) => boolean {
  return (teams) => {
    for (const team of teams) if (team === wanted) return true;
    return false;
  };
}

function compileValue<User>(fields: FieldReaders<User>, field: ValueField, test: Test, work: WorkMeter): Predicate<User> {
  const read = fields.value(field);
  switch (test.op) {
    case '$eq': {
      const { value } = test;
      if (value === null) return (user, online) => (read(user, online) ?? null) === null;
      if (typeof value !== 'object') return fields.equals?.(field, value) ?? ((user, online) => read(user, online) === value);
      return (user, online) => jsonEquals(read(user, online), value, work);
    }
    case '$in': {
      const equals = equalsAny(fields, field, test.values);
      if (equals !== undefined) return equals;
      const scalars = new Set<unknown>(test.values.filter((value) => typeof value !== 'object' || value === null));
      const objects = test.values.filter((value) => typeof value === 'object' && value !== null);
      return (user, online) => {
        const value = read(user, online) ?? null;
        return scalars.has(value) || objects.some((wanted) => jsonEquals(value, wanted, work));
      };
    }
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      return compileComparison(fields, field, test.op, test.value);
    case '$exists':
      return (user, online) => (read(user, online) !== undefined) === test.value;
    case '$contains': {
      const { value: wanted } = test;
      const isPlain = typeof wanted !== 'object' || wanted === null;
      return (user, online) => {
        const value = read(user, online);
        if (!Array.isArray(value)) return false;
        work.units += listUnits(value.length);
        if (isPlain) return value.includes(wanted);
        return value.some((item) => typeof item === 'object' && jsonEquals(item, wanted, work));
      };
    }
    case '$autocomplete':
    case '$q':
      return compileText(fields, field, test, work);
  }
}

/** Whether a field equals one of a few values, where that is told without reading it. */
function equalsAny<User>(fields: FieldReaders<User>, field: ValueField, values: readonly Json[]): ((user: User) => boolean) | undefined {
  if (values.length > COMPARED_MAX) return undefined;
  const tests: ((user: User) => boolean)[] = [];
  for (const value of values) {
    const equals = typeof value === 'object' ? undefined : fields.equals?.(field, value);
    if (equals === undefined) return undefined;
    tests.push(equals);
  }
  return (user) => {
    for (const equals of tests) if (equals(user)) return true;
    return false;
  };
}

function compileComparison<User>(fields: FieldReaders<User>, field: ValueField, op: Comparison, wanted: string | number): Predicate<User> {
  const order = (typeof wanted === 'string' && fields.order?.(field, wanted)) || orderOf(fields.value(field), wanted);
  const compare = (holds: (order: number) => boolean): Predicate<User> => {
    return (user, online) => {
      const found = order(user, online);
      return found !== undefined && holds(found);
    };
  };
  switch (op) {
    case '$gt':
      return compare((found) => found > 0);
    case '$gte':
      return compare((found) => found >= 0);
    case '$lt':
      return compare((found) => found < 0);
    case '$lte':
      return compare((found) => found <= 0);
  }
}

function orderOf<User>(read: FieldReader<User>, wanted: string | number): (user: User, online: boolean) => number | undefined {
  return (user, online) => {
    const value = read(user, online);
    if ((typeof value !== 'string' && typeof value !== 'number') || typeof value !== typeof wanted) return undefined;
    return value === wanted ? 0 : value < wanted ? -1 : 1;
  };
}

/**
 * Matches a prefix of any word, ignoring case and accents; the beginning of an id is also the beginning of a word. `$q` requires
 * all words of the text, in any order; a text without a letter or digit is searched for as it is.
 */
function compileText<User>(
  fields: FieldReaders<User>,
  field: ValueField,
  { op, text }: Extract<Test, { readonly text: string }>,
  work: WorkMeter,
): Predicate<User> {
  const folded = foldText(text).trim();
  const apart = op === '$q' ? wordsOf(folded) : [];
  const searched = apart.length > 0 ? apart : [folded];
  const words = searched.map(wordPrefix);
  const read = fields.value(field);
  const search = fields.search?.(field, searched);
  return (user, online) => {
    const done = search?.(user);
    if (done !== undefined) {
      work.units += searchUnits(done.units, done.looked);
      return done.isFound;
    }
    const value = read(user, online);
    if (typeof value !== 'string') return false;
    let looked = 0;
    let isFound = true;
    while (isFound && looked < words.length) isFound = words[looked++]?.(value) ?? false;
    work.units += searchUnits(searchedUnits(value), looked);
    return isFound;
  };
}
