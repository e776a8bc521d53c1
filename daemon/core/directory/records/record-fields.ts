/** How filters and sorts read the fields of a user from the bytes of its record. Pure. */
import type { Json, JsonObject } from '../../../../protocol/base/json.ts';
import { customReader, type FirstKey, firstKeys } from '../../../../protocol/users/custom-path.ts';
import type { FieldReader, FieldReaders, Searched, ValueField } from '../../../../protocol/users/finding/field-readers.ts';
import { USER_FIELDS } from '../../../../protocol/users/finding/field-readers.ts';
import type { BooleanField, StringField, TimeField } from '../../../../protocol/users/finding/filter.ts';
import { foldedPrefix, foldUtf8 } from '../../../../protocol/users/finding/word-search.ts';
import { NO_CODE } from './codes.ts';
import { type Extent, FORM, HEADER, holdsBytes, memberOf, STATE, valueEndAt, valueStartAt } from './record-bytes.ts';
import type { RecordCodec } from './record-codec.ts';
import { DOUBT, isPlainText, orderOfText } from './record-texts.ts';
import { NO_SHAPE } from './shapes.ts';
import type { UserView } from './user-view.ts';

/** A function for each field: one that reads any field would not know what it reads. */
const NAMED: Readonly<Record<StringField | TimeField, FieldReader<UserView>>> = {
  id: ({ id }) => id,
  name: ({ name }) => name,
  image: ({ image }) => image,
  role: ({ role }) => role,
  language: ({ language }) => language,
  created_at: ({ created_at }) => created_at,
  updated_at: ({ updated_at }) => updated_at,
  last_active: ({ last_active }) => last_active,
  deactivated_at: ({ deactivated_at }) => deactivated_at,
  deleted_at: ({ deleted_at }) => deleted_at,
};

const STATES: Readonly<Record<Exclude<BooleanField, 'online'>, number>> = {
  invisible: STATE.invisible,
  banned: STATE.banned,
  shadow_banned: STATE.shadowBanned,
};

/** A key with which the rest of a path may begin. */
interface Key {
  readonly key: string;
  /** As JSON writes it. */
  readonly bytes: Uint8Array;
  readonly next: readonly Key[];
}

/** Where the records of a shape have the value of the first key of a path: so many values before the end of the list. */
interface Place {
  readonly fromEnd: number;
  readonly next: readonly Key[];
}

/** The records of a shape have no such value. */
const ABSENT: Place = { fromEnd: 0, next: [] };
const NOWHERE = { start: 0, end: 0, key: 0 };

export class RecordFields implements FieldReaders<UserView> {
  readonly #codec: RecordCodec;

  constructor(codec: RecordCodec) {
    this.#codec = codec;
  }

  readonly teams = (user: UserView): readonly string[] => user.teams;

  value(field: ValueField): FieldReader<UserView> {
    switch (field.kind) {
      case 'string':
      case 'time':
        return NAMED[field.name];
      case 'boolean': {
        if (field.name === 'online') return (_, online) => online;
        const state = STATES[field.name];
        const read = USER_FIELDS.value(field);
        return (user, online) => (user.isTabled ? (user.state & state) !== 0 : read(user.whole(), online));
      }
      case 'custom': {
        const read = customReader(field.path);
        const extentOf = this.#extents(field.path);
        return (user) => {
          const extent = extentOf(user);
          if (extent === undefined) return read(user.custom as JsonObject) as Json | undefined;
          return extent === NOWHERE ? undefined : (user.valueIn(extent.start, extent.end) as Json);
        };
      }
    }
  }

  readonly byTeams = (holds: (teams: readonly string[]) => boolean): ((user: UserView) => boolean) => {
    const known: (boolean | undefined)[] = [];
    return (user) => {
      const code = user.teamsCode;
      if (code === NO_CODE) return holds(user.teams);
      known[code] ??= holds(user.teams);
      return known[code];
    };
  };

  /** Where a record has the value of a path; undefined where only its custom data as an object tells. */
  #extents(path: string): (user: UserView) => NonNullable<Extent> | undefined {
    const keys = firstKeys(path).map(inBytes);
    const places: (Place | undefined)[] = [];
    const found = { start: 0, end: 0, key: 0 };
    return ({ isTabled, slab, at }) => {
      const { view, bytes } = slab;
      const shape = view.getUint16(at + HEADER.customShape, true);
      if (!isTabled || shape === NO_SHAPE) return undefined;
      places[shape] ??= placeIn(this.#codec.customKeys(shape), keys);
      const place = places[shape];
      if (place === ABSENT) return NOWHERE;
      const index = view.getUint16(at + HEADER.entries, true) - place.fromEnd;
      found.start = valueStartAt(view, at, index);
      found.end = valueEndAt(view, at, index);
      for (let next = place.next; next.length > 0; ) {
        const member = memberOf(bytes, found.start, next);
        const key = member && next[member.key];
        if (member === undefined || key === undefined) return NOWHERE;
        found.start = member.start;
        found.end = member.end;
        next = key.next;
      }
      return found;
    };
  }

  /** Of texts as UTF-8, which have the order of their UTF-16 units, unless they differ at a character beyond U+DFFF. */
  order(field: ValueField, wanted: string): ((user: UserView) => number | undefined) | undefined {
    if (field.kind !== 'custom' && (field.kind !== 'string' || field.name === 'id' || field.name === 'role')) return undefined;
    const read = this.value(field);
    const bytes = Buffer.from(wanted);
    // Half of a pair has no bytes.
    if (bytes.toString() !== wanted) return undefined;
    const extentOf = field.kind === 'custom' ? this.#extents(field.path) : this.#fieldExtents(field.name);
    return (user) => {
      const extent = extentOf(user);
      if (extent === NOWHERE) return undefined;
      const found =
        extent && (user.slab.view.getUint8(user.at + HEADER.form) & FORM.escaped) === 0
          ? orderOfText(user.slab.bytes, extent, bytes)
          : DOUBT;
      if (!Number.isNaN(found)) return found;
      const value = read(user, false);
      return typeof value === 'string' ? (value === wanted ? 0 : value < wanted ? -1 : 1) : undefined;
    };
  }

  search(field: ValueField, words: readonly string[]): ((user: UserView) => Searched | undefined) | undefined {
    if (field.kind !== 'custom' && (field.kind !== 'string' || field.name === 'id' || field.name === 'role')) return undefined;
    const prefixes = words.map(foldedPrefix);
    const extentOf = field.kind === 'custom' ? this.#extents(field.path) : this.#fieldExtents(field.name);
    const done = { isFound: true, looked: 0, units: 0 };
    return (user) => {
      const extent = extentOf(user);
      if (extent === undefined || !isPlainText(user, extent)) return undefined;
      done.units = foldUtf8(user.slab.bytes, extent.start + 1, extent.end - 1);
      if (done.units === -1) return undefined;
      done.isFound = true;
      done.looked = 0;
      while (done.isFound && done.looked < prefixes.length) done.isFound = prefixes[done.looked++]?.(done.units) ?? false;
      return done;
    };
  }

  /** `#extents` of a field that is a text. */
  #fieldExtents(name: StringField): (user: UserView) => NonNullable<Extent> | undefined {
    const found = { start: 0, end: 0, key: 0 };
    return ({ isTabled, slab, at }) => {
      if (!isTabled) return undefined;
      const index = this.#codec.indexOf(slab, at, name);
      if (index === -1) return NOWHERE;
      found.start = valueStartAt(slab.view, at, index);
      found.end = valueEndAt(slab.view, at, index);
      return found;
    };
  }

  equals(field: ValueField, wanted: string | number | boolean): ((user: UserView) => boolean) | undefined {
    if (field.kind !== 'custom' && (field.kind !== 'string' || field.name === 'id')) return undefined;
    const read = this.value(field);
    const bytes = Buffer.from(JSON.stringify(wanted));
    if (field.kind === 'string' && field.name === 'role') {
      // A role that no record has yet may get its code during the walk.
      const code = this.#codec.roleCode(String(wanted));
      if (code === NO_CODE) return undefined;
      return (user) => (user.isTabled ? user.roleCode === code : user.role === wanted);
    }
    const extentOf = field.kind === 'custom' ? this.#extents(field.path) : this.#fieldExtents(field.name);
    return (user) => {
      const extent = extentOf(user);
      if (extent === undefined) return read(user, false) === wanted;
      return extent !== NOWHERE && holdsBytes(user.slab.bytes, extent.start, extent.end, bytes);
    };
  }
}

function inBytes({ key, next }: FirstKey): Key {
  return { key, bytes: Buffer.from(JSON.stringify(key)), next: next.map(inBytes) };
}

function placeIn(keys: readonly string[], wanted: readonly Key[]): Place {
  for (const { key, next } of wanted) {
    const at = keys.indexOf(key);
    if (at !== -1) return { fromEnd: keys.length - at, next };
  }
  return ABSENT;
}
