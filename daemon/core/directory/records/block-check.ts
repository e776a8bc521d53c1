/**
 * Whether a block of a snapshot holds records as `RecordCodec` writes them: what it lets through is read later without a look, so each byte that
 * matters is looked at, and no value is made. Pure.
 */
import { isObject } from '../../../../protocol/base/json.ts';
import { BlockDamaged } from './definitions.ts';
import { FORM, HEADER, holdsBytes, listAt, STATE } from './record-bytes.ts';
import type { RecordCodec } from './record-codec.ts';
import { type FieldKind, KINDS, kindOfByte, stateOf } from './record-kinds.ts';
import { NO_SHAPE } from './shapes.ts';
import { SLAB_BYTES, UNIT_BYTES } from './slabs.ts';

const QUOTE = 34;
const COMMA = 44;
const COLON = 58;
const BACKSLASH = 92;
const ZERO = 48;
const LIST = 91;
const LIST_END = 93;
const OBJECT = 123;
const OBJECT_END = 125;
const [TRUE, FALSE, NULL] = [Buffer.from('true'), Buffer.from('false'), Buffer.from('null')];
/** Digits of a number that is exact whatever they are. */
const DIGITS_MAX = 15;

/** Throws BlockDamaged unless the bytes are records, one after another, that name nothing that the codec does not know. */
export function checkBlock({ buffer, byteOffset, length }: Uint8Array, codec: RecordCodec): void {
  const bytes = Buffer.from(buffer, byteOffset, length);
  const check = new BlockCheck(bytes, codec);
  for (let at = 0; at < bytes.length; ) {
    const end = check.recordEnd(at);
    if (end === undefined) throw new BlockDamaged(`has a block of records that is not one, at byte ${at} of it`);
    at = end;
  }
}

/** What the records of a shape have in common. */
interface ShapeFacts {
  /** Of the values in the order of keys. */
  readonly kinds: readonly (FieldKind | undefined)[];
  readonly state: number;
  /** Among these values; -1 for none. */
  readonly invisible: number;
  readonly bans: number;
  readonly hasLastActive: boolean;
}

/** 1: a byte of ASCII that stands for itself in a text. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => Number(byte >= 0x20 && byte < 0x80 && byte !== QUOTE && byte !== BACKSLASH));

/** Whether no byte of four is other than `PLAIN`; where it says no, they may be plain all the same. */
function isPlainWord(word: number): boolean {
  // A byte below the one that is subtracted borrows, and so sets its highest bit.
  const isOther = word | (word - 0x20202020) | ((word ^ 0x22222222) - 0x01010101) | ((word ^ 0x5c5c5c5c) - 0x01010101);
  return (isOther & 0x80808080) === 0;
}

class NotJson extends Error {}

class BlockCheck {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #codec: RecordCodec;
  readonly #facts: ShapeFacts[] = [];
  /** Where the values of the list begin. */
  #starts: number[] = [];
  #end = 0;
  /** Up to where four bytes can be read at once. */
  readonly #wordsTo: number;
  #isAscii = true;
  #isEscaped = false;

  constructor(bytes: Buffer, codec: RecordCodec) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#codec = codec;
    this.#wordsTo = bytes.length - 3;
  }

  /** Where the record at `at` ends; undefined where it is none. */
  recordEnd(at: number): number | undefined {
    const view = this.#view;
    // Records of a slab begin within its first MiB.
    if (at >= SLAB_BYTES || at + HEADER.end > this.#bytes.length) return undefined;
    const list = listAt(view, at);
    const end = list + view.getUint32(at + HEADER.listBytes, true);
    const size = Math.ceil((end - at) / UNIT_BYTES) * UNIT_BYTES;
    if (view.getUint32(at, true) !== size || at + size > this.#bytes.length) return undefined;
    try {
      return this.#isList(list, end) && this.#isTable(at, list, end) && this.#isHeader(at, end) ? at + size : undefined;
    } catch (error) {
      // Also where it is nested without end.
      if (error instanceof NotJson || error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Whether it is a list as JSON.stringify writes it, in UTF-8. */
  #isList(start: number, end: number): boolean {
    this.#end = end;
    this.#isAscii = true;
    this.#isEscaped = false;
    this.#starts.length = 0;
    if (this.#bytes[start] !== LIST) return false;
    let at = start;
    do {
      this.#starts.push(at + 1);
      at = this.#valueEnd(at + 1);
    } while (this.#bytes[at] === COMMA);
    return this.#bytes[at] === LIST_END && at + 1 === end;
  }

  #valueEnd(at: number): number {
    const first = this.#bytes[at] ?? 0;
    if (first === QUOTE) return this.#textEnd(at);
    if (first === LIST) return this.#itemsEnd(at, LIST_END);
    if (first === OBJECT) return this.#itemsEnd(at, OBJECT_END);
    if (first === 45 || (first >= ZERO && first <= 57)) return this.#numberEnd(at);
    const literal = first === 116 ? TRUE : first === 102 ? FALSE : NULL;
    if (!holdsBytes(this.#bytes, at, at + literal.length, literal)) throw new NotJson();
    return at + literal.length;
  }

  #itemsEnd(start: number, close: number): number {
    let at = start;
    if (this.#bytes[at + 1] === close) return at + 2;
    do {
      if (close === OBJECT_END) {
        at = this.#bytes[at + 1] === QUOTE ? this.#textEnd(at + 1) : at;
        if (this.#bytes[at] !== COLON) throw new NotJson();
      }
      at = this.#valueEnd(at + 1);
    } while (this.#bytes[at] === COMMA);
    if (this.#bytes[at] !== close) throw new NotJson();
    return at + 1;
  }

  #textEnd(start: number): number {
    const bytes = this.#bytes;
    let at = start + 1;
    let isEscaped = false;
    for (;;) {
      while (at < this.#wordsTo && isPlainWord(this.#view.getInt32(at, true))) at += 4;
      while (PLAIN[bytes[at] ?? 0] === 1) at++;
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) break;
      if (byte >= 0x80) at = this.#wideEnd(at, byte);
      else if (byte === BACKSLASH) {
        isEscaped = true;
        at += 2;
      } else throw new NotJson();
    }
    if (isEscaped) {
      this.#isEscaped = true;
      this.#asWritten(start, at + 1);
    }
    return at + 1;
  }

  /** The end of a character of several bytes, as UTF-8 has them: none longer than it must be, no half of a pair, none beyond U+10FFFF. */
  #wideEnd(at: number, first: number): number {
    const bytes = this.#bytes;
    const second = bytes[at + 1] ?? 0;
    const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
    const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
    if (first < 0xc2 || first > 0xf4 || second < least || second > most) throw new NotJson();
    const end = at + (first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);
    for (let next = at + 2; next < end; next++) if (((bytes[next] ?? 0) & 0xc0) !== 0x80) throw new NotJson();
    this.#isAscii = false;
    return end;
  }

  #numberEnd(start: number): number {
    const bytes = this.#bytes;
    let at = start;
    while (isDigit(bytes[at])) at++;
    const isPlain = at - start <= DIGITS_MAX && (bytes[start] !== ZERO || at === start + 1);
    let end = at;
    while (isOfNumber(bytes[end])) end++;
    if (end > at || !isPlain) this.#asWritten(start, end);
    return end;
  }

  /** Whether JSON.stringify writes this value so. */
  #asWritten(start: number, end: number): void {
    const text = this.#bytes.toString('utf8', start, end);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw new NotJson();
    }
    if (JSON.stringify(value) !== text) throw new NotJson();
  }

  #isTable(at: number, list: number, end: number): boolean {
    const view = this.#view;
    const entries = view.getUint16(at + HEADER.entries, true);
    if (end - list > 0xffff) return entries === 0;
    if (entries !== this.#starts.length) return false;
    for (let entry = 0; entry < entries; entry++) {
      if (view.getUint16(at + HEADER.end + 2 * entry, true) !== (this.#starts[entry] ?? 0) - list) return false;
    }
    return true;
  }

  #isHeader(at: number, end: number): boolean {
    const view = this.#view;
    const shape = view.getUint16(at + HEADER.shape, true);
    const isTabled = shape !== NO_SHAPE && view.getUint16(at + HEADER.entries, true) > 0;
    const form = (this.#isAscii ? FORM.ascii : 0) | (this.#isEscaped ? FORM.escaped : 0) | (isTabled ? FORM.tabled : 0);
    if (view.getUint8(at + HEADER.form) !== form) return false;
    const [id = 0, second = end] = this.#starts;
    if (this.#bytes[id] !== QUOTE || view.getUint16(at + HEADER.idBytes, true) !== second - id - 3) return false;
    const [customShape, role] = [view.getUint16(at + HEADER.customShape, true), view.getUint16(at + HEADER.role, true)];
    const teams = view.getUint32(at + HEADER.teams, true);
    if (shape === NO_SHAPE) return customShape + role + teams === 0 && this.#isShapeless(view.getUint8(at + HEADER.state), end);
    const marks = this.#codec.marks();
    if (shape > marks.shapes || customShape > marks.customShapes || role > marks.roles || teams > marks.teams) return false;
    return this.#isUser(at, shape, Number(role === 0), Number(teams === 0), customShape);
  }

  /** A record as a whole. */
  #isShapeless(state: number, end: number): boolean {
    const [id = 0, start = 0, more] = this.#starts;
    if (start === 0 || more !== undefined) return false;
    const record: unknown = JSON.parse(this.#bytes.toString('utf8', start, end - 1));
    if (!isObject(record) || record.id !== JSON.parse(this.#bytes.toString('utf8', id, start - 1))) return false;
    return stateOf(record as never, NO_SHAPE) === state;
  }

  #isUser(at: number, shape: number, ownRole: number, ownTeams: number, customShape: number): boolean {
    const { kinds, invisible, bans, hasLastActive, state: always } = this.#factsOf(shape);
    const first = 1 + ownRole + ownTeams;
    const customValues = customShape === NO_SHAPE ? 1 : this.#codec.customKeys(customShape).length;
    if (this.#starts.length !== first + kinds.length + customValues) return false;
    if (ownRole === 1 && this.#kindAt(1) !== 'text') return false;
    if (ownTeams === 1 && !this.#holdsTexts(first - 1)) return false;
    if (customShape === NO_SHAPE && this.#kindAt(first + kinds.length) !== 'object') return false;
    for (let value = 0; value < kinds.length; value++) {
      const kind = kinds[value];
      if (kind !== undefined && this.#kindAt(first + value) !== kind) return false;
    }
    if (!(this.#isFinite(at + HEADER.rev) && this.#isFinite(at + HEADER.created) && this.#isFinite(at + HEADER.updated))) return false;
    const lastActive = this.#view.getFloat64(at + HEADER.lastActive, true);
    if (hasLastActive ? !Number.isFinite(lastActive) : !Number.isNaN(lastActive)) return false;
    let state = always;
    if (invisible !== -1 && this.#bytes[this.#starts[first + invisible] ?? 0] === 116) state |= STATE.invisible;
    if (bans !== -1) {
      const list = this.#valueAt(first + bans) as unknown[];
      if (!list.every(isObject)) return false;
      state |= stateOf({ bans: list } as never, shape);
    }
    return this.#view.getUint8(at + HEADER.state) === state;
  }

  #isFinite(at: number): boolean {
    return Number.isFinite(this.#view.getFloat64(at, true));
  }

  #kindAt(value: number): FieldKind | undefined {
    return kindOfByte(this.#bytes[this.#starts[value] ?? 0]);
  }

  #holdsTexts(value: number): boolean {
    return this.#kindAt(value) === 'list' && (this.#valueAt(value) as unknown[]).every((item) => typeof item === 'string');
  }

  #valueAt(value: number): unknown {
    const next = this.#starts[value + 1] ?? this.#end;
    return JSON.parse(this.#bytes.toString('utf8', this.#starts[value], next - 1));
  }

  #factsOf(shape: number): ShapeFacts {
    const known = this.#facts[shape];
    if (known !== undefined) return known;
    const keys = this.#codec.keys(shape);
    const listed = [...this.#codec.listedIn(shape).keys()];
    const facts = {
      kinds: listed.map((key) => KINDS.get(key)),
      state: (keys.includes('deleted_at') ? STATE.deleted : 0) | (keys.includes('deactivated_at') ? STATE.deactivated : 0),
      invisible: listed.indexOf('invisible'),
      bans: listed.indexOf('bans'),
      hasLastActive: keys.includes('last_active'),
    };
    this.#facts[shape] = facts;
    return facts;
  }
}

function isDigit(byte = 0): boolean {
  return byte >= ZERO && byte <= 57;
}

/** Plus, minus, point, e and E, and digits. */
function isOfNumber(byte = 0): boolean {
  return isDigit(byte) || byte === 43 || byte === 45 || byte === 46 || byte === 69 || byte === 101;
}
