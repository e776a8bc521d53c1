/** How filters and sorts read the fields of a user from the bytes of its record. Pure. */
import { isObject, type Json, type JsonObject } from '../../../../protocol/base/json.ts';
import { customReader, type FirstKey, firstKeys } from '../../../../protocol/users/custom-path.ts';
import type { FieldReader, FieldReaders, ValueField } from '../../../../protocol/users/finding/field-readers.ts';
import { USER_FIELDS } from '../../../../protocol/users/finding/field-readers.ts';
import type { BooleanField, StringField, TimeField } from '../../../../protocol/users/finding/filter.ts';
import { NO_CODE } from './codes.ts';
import { HEADER, isValueAt, STATE, valueAt } from './record-bytes.ts';
import type { RecordCodec } from './record-codec.ts';
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

/** Where the records of a shape have the value of a path: so many values before the end of the list. */
interface Place {
  readonly fromEnd: number;
  readonly behind: FirstKey['behind'];
}

/** The records of a shape have no such value. */
const NOWHERE: Place = { fromEnd: 0, behind: undefined };

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
        const placeOf = this.#places(field.path);
        return (user) => {
          const place = placeOf(user);
          if (place === undefined) return read(user.custom as JsonObject) as Json | undefined;
          if (place === NOWHERE) return undefined;
          const { slab, at } = user;
          const value = valueAt(slab, at, slab.view.getUint16(at + HEADER.entries, true) - place.fromEnd) as Json;
          return place.behind === undefined ? value : isObject(value) ? (place.behind(value) as Json | undefined) : undefined;
        };
      }
    }
  }

  /** The place of a path in a record, by the shape of its custom data; undefined where that has none. */
  #places(path: string): (user: UserView) => Place | undefined {
    const keys = firstKeys(path);
    const places: (Place | undefined)[] = [];
    return ({ isTabled, slab, at }) => {
      const shape = slab.view.getUint16(at + HEADER.customShape, true);
      if (!isTabled || shape === NO_SHAPE) return undefined;
      places[shape] ??= placeIn(this.#codec.customKeys(shape), keys);
      return places[shape];
    };
  }

  equals(field: ValueField, wanted: string | number | boolean): ((user: UserView) => boolean) | undefined {
    const bytes = Buffer.from(JSON.stringify(wanted));
    const read = this.value(field);
    if (field.kind === 'custom') {
      const placeOf = this.#places(field.path);
      return (user) => {
        const place = placeOf(user);
        if (place === NOWHERE) return false;
        if (place === undefined || place.behind !== undefined) return read(user, false) === wanted;
        return isValueAt(user.slab, user.at, user.slab.view.getUint16(user.at + HEADER.entries, true) - place.fromEnd, bytes);
      };
    }
    if (field.kind !== 'string' || field.name === 'id') return undefined;
    if (field.name === 'role') {
      // A role that no record has yet may get its code during the walk.
      const code = this.#codec.roleCode(String(wanted));
      if (code === NO_CODE) return undefined;
      return (user) => (user.isTabled ? user.slab.view.getUint16(user.at + HEADER.role, true) === code : user.role === wanted);
    }
    return (user) => {
      if (!user.isTabled) return read(user, false) === wanted;
      const index = this.#codec.indexOf(user.slab, user.at, field.name);
      return index !== -1 && isValueAt(user.slab, user.at, index, bytes);
    };
  }
}

function placeIn(keys: readonly string[], wanted: readonly FirstKey[]): Place {
  for (const { key, behind } of wanted) {
    const at = keys.indexOf(key);
    if (at !== -1) return { fromEnd: keys.length - at, behind };
  }
  return NOWHERE;
}
