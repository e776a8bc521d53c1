/**
 * Makes bytes of records and reads them, in the layout of record-bytes.ts. What comes out equals what JSON would make of the record, down
 * to the order of its keys. Pure.
 */
import type { Json, JsonObject } from '../../../../protocol/base/json.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { isTombstone, type Tombstone } from '../record.ts';
import { Codes, NO_CODE } from './codes.ts';
import { ASCII_LIST, HEADER, listAt, listText, tabulate, valueAt } from './record-bytes.ts';
import { NO_SHAPE, Shapes } from './shapes.ts';
import { type Slab, UNIT_BYTES } from './slabs.ts';

/** Bytes of a list that the table reaches. */
const TABLED_MAX = 0xffff;
const ROLES_MAX = 4_096;
const ROLE_CHARS_MAX = 256;
const TEAM_LISTS_MAX = 65_536;
const TEAM_CHARS_MAX = 256;

/** An id that is the same in JSON. */
const PLAIN_ID = /^[\w@-]*$/;

/** Under which an id is found: its text in JSON, with a character for each byte. */
export function idKey(id: string): string {
  return PLAIN_ID.test(id) ? id : Buffer.from(JSON.stringify(id).slice(1, -1)).toString('latin1');
}

/** The keys whose values are not in the list of a user, or not in the order of keys. */
const ELSEWHERE: ReadonlySet<string> = new Set(['id', 'rev', 'role', 'teams', 'custom', 'created_at', 'updated_at', 'last_active']);

/** A record that is ready to be written. */
interface Packed {
  /** Bytes that it takes. */
  readonly size: number;
  readonly list: string;
  readonly listBytes: number;
  readonly entries: number;
  /** Without one, the values of the header mean nothing. */
  readonly shape: number;
  readonly customShape: number;
  readonly role: number;
  readonly teams: number;
  readonly record: StoredUser | Tombstone;
  readonly idBytes: number;
}

export class RecordCodec {
  readonly #shapes = new Shapes();
  readonly #customShapes = new Shapes();
  readonly #roles = new Codes<string>(ROLES_MAX, ROLE_CHARS_MAX);
  readonly #teams = new Codes<string[]>(TEAM_LISTS_MAX, TEAM_CHARS_MAX);
  /** By shape: the keys of values in the list, with their places among them. */
  readonly #listed: (ReadonlyMap<string, number> | undefined)[] = [];

  /** `key`: that of its id. */
  pack(record: StoredUser | Tombstone, key: string): Packed {
    const values: unknown[] = [record.id];
    let [shape, customShape, role, teams] = [NO_SHAPE, NO_SHAPE, NO_CODE, NO_CODE];
    if (!isTombstone(record) && fitsHeader(record)) {
      shape = this.#shapes.shapeOf(record);
      if (shape !== NO_SHAPE) {
        role = this.#roles.codeOf(record.role, record.role);
        if (role === NO_CODE) values.push(record.role);
        teams = this.#teamsCode(record.teams);
        if (teams === NO_CODE) values.push(record.teams);
        const fields = record as Readonly<Record<string, unknown>>;
        for (const name of this.#listedIn(shape).keys()) values.push(fields[name]);
        customShape = this.#customShapes.shapeOf(record.custom);
        if (customShape === NO_SHAPE) values.push(record.custom);
        else for (const name of this.#customShapes.keys(customShape)) values.push(record.custom[name]);
      }
    }
    if (shape === NO_SHAPE) values.push(record);
    const list = JSON.stringify(values);
    const listBytes = Buffer.byteLength(list);
    const entries = listBytes <= TABLED_MAX ? values.length : 0;
    const size = Math.ceil((HEADER.end + 2 * entries + listBytes) / UNIT_BYTES) * UNIT_BYTES;
    return { size, list, listBytes, entries, shape, customShape, role, teams, record, idBytes: key.length };
  }

  #teamsCode(teams: string[]): number {
    const code = this.#teams.codeOf(teams.join('\n'), teams);
    const known = this.#teams.value(code);
    // Teams may hold any character, so different lists may be joined to one text.
    return known === teams || (known?.length === teams.length && known.every((team, at) => team === teams[at])) ? code : NO_CODE;
  }

  #listedIn(shape: number): ReadonlyMap<string, number> {
    const known = this.#listed[shape];
    if (known !== undefined) return known;
    const keys = this.#shapes.keys(shape).filter((key) => !ELSEWHERE.has(key));
    const listed = new Map(keys.map((key, at) => [key, at]));
    this.#listed[shape] = listed;
    return listed;
  }

  /** Writes a record where a slab has room for it. */
  write(packed: Packed, { bytes, view }: Slab, at: number, row: number): void {
    const { size, list, listBytes, entries, shape, customShape, role, teams, record, idBytes } = packed;
    const isAscii = listBytes === list.length;
    const isUser = !isTombstone(record);
    view.setUint32(at, size, true);
    view.setUint32(at + HEADER.row, row, true);
    view.setUint32(at + HEADER.listBytes, listBytes, true);
    view.setUint16(at + HEADER.shape, shape, true);
    view.setUint16(at + HEADER.customShape, customShape, true);
    view.setUint32(at + HEADER.teams, teams, true);
    view.setUint16(at + HEADER.role, role, true);
    view.setUint8(at + HEADER.flags, isAscii ? ASCII_LIST : 0);
    view.setFloat64(at + HEADER.rev, isUser ? record.rev : 0, true);
    view.setFloat64(at + HEADER.created, isUser ? record.created_at : 0, true);
    view.setFloat64(at + HEADER.updated, isUser ? record.updated_at : 0, true);
    view.setFloat64(at + HEADER.lastActive, (isUser ? record.last_active : undefined) ?? Number.NaN, true);
    view.setUint16(at + HEADER.idBytes, idBytes, true);
    view.setUint16(at + HEADER.entries, entries, true);
    const start = at + HEADER.end + 2 * entries;
    bytes.write(list, start, isAscii ? 'latin1' : 'utf8');
    if (entries > 0) tabulate(bytes, view, at + HEADER.end, start, start + listBytes);
  }

  sizeOf({ view }: Slab, at: number): number {
    return view.getUint32(at, true);
  }

  row({ view }: Slab, at: number): number {
    return view.getUint32(at + HEADER.row, true);
  }

  hasKey({ bytes, view }: Slab, at: number, key: string): boolean {
    if (view.getUint16(at + HEADER.idBytes, true) !== key.length) return false;
    // After the bracket and the quotation mark.
    const start = listAt(view, at) + 2;
    for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  read(slab: Slab, at: number): StoredUser | Tombstone {
    const { view } = slab;
    const shape = view.getUint16(at + HEADER.shape, true);
    const values = JSON.parse(listText(slab, at, listAt(view, at), view.getUint32(at + HEADER.listBytes, true))) as unknown[];
    if (shape === NO_SHAPE) return values[1] as StoredUser | Tombstone;
    // A shape holds the keys of a user; see `fitsHeader`.
    const user: Record<string, unknown> = {};
    let next = 1;
    const role = this.#roles.value(view.getUint16(at + HEADER.role, true)) ?? values[next++];
    const teams = this.#teams.value(view.getUint32(at + HEADER.teams, true)) ?? values[next++];
    for (const key of this.#shapes.keys(shape)) {
      switch (key) {
        case 'id':
          user.id = values[0];
          break;
        case 'rev':
          user.rev = view.getFloat64(at + HEADER.rev, true);
          break;
        case 'created_at':
          user.created_at = view.getFloat64(at + HEADER.created, true);
          break;
        case 'updated_at':
          user.updated_at = view.getFloat64(at + HEADER.updated, true);
          break;
        case 'last_active':
          user.last_active = view.getFloat64(at + HEADER.lastActive, true);
          break;
        case 'role':
          user.role = role;
          break;
        case 'teams':
          user.teams = teams;
          break;
        case 'custom':
          user.custom = this.#customOf(view.getUint16(at + HEADER.customShape, true), values);
          break;
        default:
          user[key] = values[next++];
      }
    }
    return user as StoredUser;
  }

  /** Its values are the last ones. */
  #customOf(shape: number, values: readonly unknown[]): JsonObject {
    if (shape === NO_SHAPE) return values.at(-1) as JsonObject;
    const keys = this.#customShapes.keys(shape);
    const custom: JsonObject = {};
    let next = values.length - keys.length;
    for (const key of keys) custom[key] = values[next++] as Json;
    return custom;
  }

  /** Whether single values of the record can be read: it has a shape and a table. */
  isTabled({ view }: Slab, at: number): boolean {
    return view.getUint16(at + HEADER.shape, true) !== NO_SHAPE && view.getUint16(at + HEADER.entries, true) > 0;
  }

  /** One field of a tabled record; undefined when it is absent. */
  field(slab: Slab, at: number, key: string): unknown {
    const { view } = slab;
    switch (key) {
      case 'id':
        return valueAt(slab, at, 0);
      case 'rev':
        return view.getFloat64(at + HEADER.rev, true);
      case 'created_at':
        return view.getFloat64(at + HEADER.created, true);
      case 'updated_at':
        return view.getFloat64(at + HEADER.updated, true);
      case 'last_active': {
        const time = view.getFloat64(at + HEADER.lastActive, true);
        return Number.isNaN(time) ? undefined : time;
      }
      case 'role':
        return this.#roles.value(view.getUint16(at + HEADER.role, true)) ?? valueAt(slab, at, 1);
      case 'teams':
        return this.#teams.value(view.getUint32(at + HEADER.teams, true)) ?? valueAt(slab, at, this.#firstListed(slab, at) - 1);
      case 'custom': {
        const shape = view.getUint16(at + HEADER.customShape, true);
        const count = shape === NO_SHAPE ? 1 : this.#customShapes.keys(shape).length;
        if (count === 0) return {};
        const from = view.getUint16(at + HEADER.end + 2 * (view.getUint16(at + HEADER.entries, true) - count), true);
        const text = listText(slab, at, listAt(view, at) + from, view.getUint32(at + HEADER.listBytes, true) - from);
        return this.#customOf(shape, JSON.parse(`[${text}`) as unknown[]);
      }
      default: {
        const place = this.#listedIn(view.getUint16(at + HEADER.shape, true)).get(key);
        return place === undefined ? undefined : valueAt(slab, at, this.#firstListed(slab, at) + place);
      }
    }
  }

  /** The number of values before those in the order of keys. */
  #firstListed({ view }: Slab, at: number): number {
    return 1 + Number(view.getUint16(at + HEADER.role, true) === NO_CODE) + Number(view.getUint32(at + HEADER.teams, true) === NO_CODE);
  }
}

/** Whether the header can hold what the schema of users says that it holds. */
function fitsHeader({ rev, role, teams, created_at, updated_at, last_active, custom }: StoredUser): boolean {
  return (
    Number.isFinite(rev) &&
    Number.isFinite(created_at) &&
    Number.isFinite(updated_at) &&
    (last_active === undefined || Number.isFinite(last_active)) &&
    typeof role === 'string' &&
    Array.isArray(teams) &&
    typeof custom === 'object' &&
    custom !== null &&
    !Array.isArray(custom)
  );
}
