/**
 * Makes bytes of records and reads them, in the layout of record-bytes.ts. What comes out equals what JSON would make of the record, down
 * to the order of its keys. Pure.
 */
import type { JsonObject } from '../../../../protocol/base/json.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { isTombstone, type Tombstone } from '../record.ts';
import { Codes, NO_CODE } from './codes.ts';
import { BlockDamaged, type Definitions, type Marks } from './definitions.ts';
import { type KeySource, type Maker, makerOf } from './object-makers.ts';
import { RecentValues } from './recent-values.ts';
import { FORM, HEADER, listAt, listText, tabulate, valueAt } from './record-bytes.ts';
import { areTexts, fitsShape, REQUIRED, stateOf } from './record-kinds.ts';
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
const ELSEWHERE = ['rev', 'created_at', 'updated_at', 'last_active', 'role', 'teams', 'custom'];

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
  readonly recent = new RecentValues();
  /** By shape. */
  readonly #makers: (Maker | undefined)[] = [];
  readonly #customMakers: (Maker | undefined)[] = [];

  /** `key`: that of its id. */
  pack(record: StoredUser | Tombstone, key: string): Packed {
    const values: unknown[] = [record.id];
    let [shape, customShape, role, teams] = [NO_SHAPE, NO_SHAPE, NO_CODE, NO_CODE];
    if (!isTombstone(record) && fitsShape(record)) {
      shape = this.#shapes.shapeOf(record);
      if (shape !== NO_SHAPE) {
        role = this.#roles.codeOf(record.role, record.role);
        if (role === NO_CODE) values.push(record.role);
        teams = this.#teamsCode(record.teams);
        if (teams === NO_CODE) values.push(record.teams);
        const fields = record as Readonly<Record<string, unknown>>;
        for (const name of this.listedIn(shape).keys()) values.push(fields[name]);
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

  marks(): Marks {
    return { shapes: this.#shapes.size, customShapes: this.#customShapes.size, roles: this.#roles.size, teams: this.#teams.size };
  }

  /** What got its number after `from`, and by `to`. */
  defined(from: Marks, to: Marks): Definitions {
    return {
      shapes: this.#shapes.defined(from.shapes, to.shapes),
      custom_shapes: this.#customShapes.defined(from.customShapes, to.customShapes),
      roles: this.#roles.defined(from.roles, to.roles),
      teams: this.#teams.defined(from.teams, to.teams),
    };
  }

  /** Gives each the next number. Throws BlockDamaged when one cannot have it. */
  define({ shapes, custom_shapes, roles, teams }: Definitions): void {
    const isDefined =
      [shapes, custom_shapes, teams].every(Array.isArray) &&
      shapes.every((keys) => areTexts(keys) && REQUIRED.every((key) => keys.includes(key)) && this.#shapes.define(keys)) &&
      custom_shapes.every((keys) => areTexts(keys) && this.#customShapes.define(keys)) &&
      areTexts(roles) &&
      roles.every((role) => this.#roles.define(role, role)) &&
      teams.every((list) => areTexts(list) && this.#teams.define(list.join('\n'), [...list]));
    if (!isDefined) throw new BlockDamaged('defines a shape or a code that is none, or twice, or more of them than this version keeps');
  }

  #teamsCode(teams: string[]): number {
    const code = this.#teams.codeOf(teams.join('\n'), teams);
    const known = this.#teams.value(code);
    // Teams may hold any character, so different lists may be joined to one text.
    return known === teams || (known?.length === teams.length && known.every((team, at) => team === teams[at])) ? code : NO_CODE;
  }

  /** The keys of values that are in the list of a record with this shape, in their order, each with its place. */
  listedIn(shape: number): ReadonlyMap<string, number> {
    const known = this.#listed[shape];
    if (known !== undefined) return known;
    const keys = this.#shapes.keys(shape).filter((key) => key !== 'id' && !ELSEWHERE.includes(key));
    const listed = new Map(keys.map((key, at) => [key, at]));
    this.#listed[shape] = listed;
    return listed;
  }

  /** Writes a record where a slab has room for it. */
  write(packed: Packed, { bytes, view }: Slab, at: number, row: number): void {
    const { size, list, listBytes, entries, shape, customShape, role, teams, record, idBytes } = packed;
    const isAscii = listBytes === list.length;
    const isUser = !isTombstone(record);
    const isTabled = shape !== NO_SHAPE && entries > 0;
    const form = (isAscii ? FORM.ascii : 0) | (list.includes('\\') ? FORM.escaped : 0) | (isTabled ? FORM.tabled : 0);
    view.setUint32(at, size, true);
    view.setUint32(at + HEADER.row, row, true);
    view.setUint32(at + HEADER.listBytes, listBytes, true);
    view.setUint16(at + HEADER.shape, shape, true);
    view.setUint16(at + HEADER.customShape, customShape, true);
    view.setUint32(at + HEADER.teams, teams, true);
    view.setUint16(at + HEADER.role, role, true);
    view.setUint8(at + HEADER.state, stateOf(record, shape));
    view.setUint8(at + HEADER.form, form);
    view.setFloat64(at + HEADER.rev, isUser ? record.rev : 0, true);
    view.setFloat64(at + HEADER.created, isUser ? record.created_at : 0, true);
    view.setFloat64(at + HEADER.updated, isUser ? record.updated_at : 0, true);
    view.setFloat64(at + HEADER.lastActive, (isUser ? record.last_active : undefined) ?? Number.NaN, true);
    view.setUint16(at + HEADER.idBytes, idBytes, true);
    view.setUint16(at + HEADER.entries, entries, true);
    const start = at + HEADER.end + 2 * entries;
    bytes.write(list, start, isAscii ? 'latin1' : 'utf8');
    // What the memory held before must not come into a snapshot.
    bytes.fill(0, start + listBytes, at + size);
    if (entries > 0) tabulate(bytes, view, at + HEADER.end, start, start + listBytes);
  }

  sizeOf({ view }: Slab, at: number): number {
    return view.getUint32(at, true);
  }

  row({ view }: Slab, at: number): number {
    return view.getUint32(at + HEADER.row, true);
  }

  /** Where the bytes of the key are. */
  keyAt(view: DataView, at: number): number {
    // After the bracket and the quotation mark.
    return listAt(view, at) + 2;
  }

  /** See `idKey`. */
  key({ bytes, view }: Slab, at: number): string {
    const start = this.keyAt(view, at);
    return bytes.latin1Slice(start, start + view.getUint16(at + HEADER.idBytes, true));
  }

  hasKey({ bytes, view }: Slab, at: number, key: string): boolean {
    if (view.getUint16(at + HEADER.idBytes, true) !== key.length) return false;
    const start = this.keyAt(view, at);
    for (let i = 0; i < key.length; i++) if (bytes[start + i] !== key.charCodeAt(i)) return false;
    return true;
  }

  read(slab: Slab, at: number): StoredUser | Tombstone {
    const { view } = slab;
    const shape = view.getUint16(at + HEADER.shape, true);
    const start = listAt(view, at);
    const values = JSON.parse(listText(slab, at, start, start + view.getUint32(at + HEADER.listBytes, true))) as unknown[];
    if (shape === NO_SHAPE) return values[1] as StoredUser | Tombstone;
    const end = values.length;
    let first = 1;
    const role = this.#roles.value(view.getUint16(at + HEADER.role, true)) ?? values[first++];
    const teams = this.#teams.value(view.getUint32(at + HEADER.teams, true)) ?? values[first++];
    const custom = this.#customOf(view.getUint16(at + HEADER.customShape, true), values);
    // In the order of `ELSEWHERE`.
    values.push(view.getFloat64(at + HEADER.rev, true), view.getFloat64(at + HEADER.created, true));
    values.push(view.getFloat64(at + HEADER.updated, true), view.getFloat64(at + HEADER.lastActive, true), role, teams, custom);
    // A shape holds the keys of a user; see `fitsShape`.
    return this.#makerOf(shape)(values, first, end) as StoredUser;
  }

  #makerOf(shape: number): Maker {
    const known = this.#makers[shape];
    if (known !== undefined) return known;
    const listed = this.listedIn(shape);
    const made = makerOf(
      this.#shapes.keys(shape).map((key): KeySource => {
        const place = listed.get(key);
        if (place !== undefined) return { key, base: 'first', offset: place };
        return key === 'id' ? { key, base: 'start', offset: 0 } : { key, base: 'end', offset: ELSEWHERE.indexOf(key) };
      }),
    );
    this.#makers[shape] = made;
    return made;
  }

  /** Its values are the last ones. */
  #customOf(shape: number, values: readonly unknown[]): JsonObject {
    if (shape === NO_SHAPE) return values.at(-1) as JsonObject;
    const keys = this.#customShapes.keys(shape);
    this.#customMakers[shape] ??= makerOf(keys.map((key, offset) => ({ key, base: 'first', offset })));
    return this.#customMakers[shape](values, values.length - keys.length, 0) as JsonObject;
  }

  /** Also of a record that is not tabled. */
  id(slab: Slab, at: number): string {
    const { view } = slab;
    const start = listAt(view, at) + 1;
    const end = start + view.getUint16(at + HEADER.idBytes, true) + 2;
    return (view.getUint8(at + HEADER.form) & FORM.escaped) === 0
      ? listText(slab, at, start + 1, end - 1)
      : (JSON.parse(listText(slab, at, start, end)) as string);
  }

  /** The role of a tabled record. */
  role(slab: Slab, at: number): string {
    return this.#roles.value(slab.view.getUint16(at + HEADER.role, true)) ?? (valueAt(slab, at, 1) as string);
  }

  /** The number in a header that says that a record has this role, once it has one. */
  roleCode(role: string): number {
    return this.#roles.knownCode(role);
  }

  /** The teams of a tabled record. */
  teams(slab: Slab, at: number): string[] {
    const known = this.#teams.value(slab.view.getUint32(at + HEADER.teams, true));
    return known ?? (valueAt(slab, at, this.#firstListed(slab, at) - 1) as string[]);
  }

  /** The custom data of a tabled record. */
  custom(slab: Slab, at: number): JsonObject {
    const { view } = slab;
    const shape = view.getUint16(at + HEADER.customShape, true);
    const count = shape === NO_SHAPE ? 1 : this.#customShapes.keys(shape).length;
    if (count === 0) return {};
    const list = listAt(view, at);
    const from = list + view.getUint16(at + HEADER.end + 2 * (view.getUint16(at + HEADER.entries, true) - count), true);
    const text = listText(slab, at, from, list + view.getUint32(at + HEADER.listBytes, true));
    return this.#customOf(shape, JSON.parse(`[${text}`) as unknown[]);
  }

  /** The keys of records with this shape. */
  keys(shape: number): readonly string[] {
    return this.#shapes.keys(shape);
  }

  /** The keys of custom data with this shape, the values of which are the last ones of the list. */
  customKeys(shape: number): readonly string[] {
    return this.#customShapes.keys(shape);
  }

  /** The number of a value in the list of a tabled record; -1 when the field is absent. Not of one that has a method here. */
  indexOf(slab: Slab, at: number, field: string): number {
    const place = this.listedIn(slab.view.getUint16(at + HEADER.shape, true)).get(field);
    return place === undefined ? -1 : this.#firstListed(slab, at) + place;
  }

  /** The number of values before those in the order of keys. */
  #firstListed({ view }: Slab, at: number): number {
    return 1 + Number(view.getUint16(at + HEADER.role, true) === NO_CODE) + Number(view.getUint32(at + HEADER.teams, true) === NO_CODE);
  }
}
