/**
 * One change in the history of a user, and its line on disk:
 *
 *   {"id":"ann","link":[4711,0],"seq":12,"at":1763729000000000,"event":"updated","from":{"source":"server"},"fields":["name"]}
 *
 * It names the changed fields and none of their values, so a deleted user leaves nothing personal in it. `link` holds the
 * offsets of two earlier records of the same slot: the previous one, and the newest one that certainly belongs to another
 * user (segment.ts).
 */

import { isObject, parseObject } from '../../../protocol/base/json.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Fact, Origin } from '../../../protocol/log/entry.ts';
import type { HistoryItem } from '../../../protocol/users/history.ts';

/** A change in the form that is recorded. */
export interface HistoryChange {
  readonly id: string;
  readonly seq: number;
  readonly at: Micros;
  readonly event: string;
  readonly from: Origin | undefined;
  readonly fields: readonly string[] | undefined;
}

export interface HistoryRecord {
  readonly id: string;
  readonly prev: number;
  readonly skip: number;
  readonly item: HistoryItem;
}

/** Largest record, in bytes. */
export const RECORD_BYTES_MAX = 256 * 1024;
/** A change with longer field names than this is kept without them. No record within the limits has that many. */
const FIELDS_BYTES_MAX = 192 * 1024;
/** Bytes of one UTF-16 unit in UTF-8. */
const UTF8_BYTES_MAX = 3;

/** The change that a fact makes. Undefined when the fact is about no user, changes nothing, or is silent. */
export function changeOf(fact: Fact, seq: number, at: Micros): HistoryChange | undefined {
  switch (fact.t) {
    case 'user':
      if (fact.event === 'silent') return undefined;
      return { id: fact.user.id, seq, at, event: fact.event, from: fact.from, fields: fact.fields };
    case 'deleted':
      return { id: fact.user.id, seq, at, event: `deleted:${fact.mode}`, from: fact.from, fields: undefined };
    default:
      return undefined;
  }
}

/**
 * Texts of the last record. Commands of one request share an origin, changes of one batch share a time, and changes of bulk work
 * mostly touch the same fields.
 */
const last: { from: Origin | undefined; fromText: string; at: Micros; atText: string; fields: readonly string[]; fieldsText: string } = {
  from: undefined,
  fromText: '',
  at: 0,
  atText: '0',
  fields: [],
  fieldsText: '',
};

function originText(from: Origin | undefined): string {
  if (from === undefined) return '';
  if (last.from !== from) {
    last.from = from;
    last.fromText = `,"from":${JSON.stringify(from)}`;
  }
  return last.fromText;
}

function timeText(at: Micros): string {
  if (last.at !== at) {
    last.at = at;
    last.atText = String(at);
  }
  return last.atText;
}

function fieldsText(fields: readonly string[] | undefined): string {
  if (fields === undefined || fields.length === 0) return '';
  const { fields: known } = last;
  if (known.length !== fields.length || fields.some((name, index) => name !== known[index])) {
    const text = `,"fields":${JSON.stringify(fields)}`;
    last.fields = fields;
    last.fieldsText = text.length * UTF8_BYTES_MAX <= FIELDS_BYTES_MAX ? text : '';
  }
  return last.fieldsText;
}

/** The line of a record, with its end. */
export function encodeLine(change: HistoryChange, prev: number, skip: number): string {
  const { id, seq, at } = change;
  // Ids contain no characters that JSON would escape.
  return `{"id":"${id}","link":[${prev},${skip}],"seq":${seq},"at":${timeText(at)},${details(change)}\n`;
}

/** A record in a table whose columns hold the id, seq and time. */
export function encodeDetails(change: HistoryChange): string {
  return `{${details(change)}`;
}

function details({ event, from, fields }: HistoryChange): string {
  // Nor do events.
  return `"event":"${event}"${originText(from)}${fieldsText(fields)}}`;
}

const ID_AT = '{"id":"'.length;
const QUOTE = 0x22;

/** The id of the record whose line begins at `at`, without reading the rest of it. */
export function idInLine(bytes: Buffer, at: number): string {
  return bytes.toString('latin1', at + ID_AT, bytes.indexOf(QUOTE, at + ID_AT));
}

/** The record of a line; undefined when the line is no record. */
export function decodeLine(line: string): HistoryRecord | undefined {
  const read = parseObject(line);
  if (read === undefined) return undefined;
  const { id, link, seq, at } = read;
  if (typeof id !== 'string' || typeof seq !== 'number' || typeof at !== 'number') return undefined;
  if (!Array.isArray(link)) return undefined;
  const [prev, skip]: readonly unknown[] = link;
  if (typeof prev !== 'number' || typeof skip !== 'number') return undefined;
  const item = itemOf(read, seq, at);
  return item === undefined ? undefined : { id, prev, skip, item };
}

/** The item of a record in a table; undefined when the text is no record. */
export function decodeDetails(text: string, seq: number, at: Micros): HistoryItem | undefined {
  const read = parseObject(text);
  return read === undefined ? undefined : itemOf(read, seq, at);
}

function itemOf({ event, from, fields }: Readonly<Record<string, unknown>>, seq: number, at: Micros): HistoryItem | undefined {
  if (typeof event !== 'string') return undefined;
  const names: readonly unknown[] = Array.isArray(fields) ? fields : [];
  const told = names.filter((name) => typeof name === 'string');
  return { seq, at, event, ...originOf(from), ...(told.length === 0 ? undefined : { fields: told }) };
}

function originOf(from: unknown): Pick<HistoryItem, 'source' | 'by' | 'client' | 'job'> {
  if (!isObject(from)) return {};
  const { source, by, client, job } = from;
  return {
    ...(typeof source === 'string' ? { source } : undefined),
    ...(typeof by === 'string' ? { by } : undefined),
    ...(typeof client === 'string' ? { client } : undefined),
    ...(typeof job === 'string' ? { job } : undefined),
  };
}

/** 32 bits of an id (FNV-1a, mixed). The salt differs between segments, so nobody can choose ids that always collide. */
export function hashOf(id: string, salt: number): number {
  let hash = 0x811c9dc5 ^ salt;
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
