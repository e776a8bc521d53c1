/** Converts the cell of a table, or a value of an object, to the value of a field. Pure. */
import { errorText } from '../../../protocol/base/errors.ts';
import { inexactNumbers, NOT_EXACT } from '../../../protocol/base/exact-numbers.ts';
import { clip, typeName } from '../../../protocol/base/field-path.ts';
import { isObject } from '../../../protocol/base/json.ts';

/** `any` keeps the value as it is. */
export type CellType = 'text' | 'number' | 'boolean' | 'json' | 'list' | 'any';

/** Types that can be given to a column by name. */
export const NAMED_TYPES: readonly CellType[] = ['text', 'number', 'boolean', 'json', 'list'];

export type Converted = { readonly value: unknown } | { readonly problem: string };

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
  ['t', true],
  ['f', false],
  ['yes', true],
  ['no', false],
  ['1', true],
  ['0', false],
]);

/** White space, and characters without width that tables carry along unseen. */
const EDGE = '[\\s\\u00ad\\u180e\\u200b-\\u200f\\u2060\\ufeff]+';
const EDGES = new RegExp(`^${EDGE}|${EDGE}$`, 'g');

/** The text without white space around it. */
export function bare(text: string): string {
  return text.replace(EDGES, '');
}

/** Empty cells, also those that only look empty, and absent values are not sent. */
export function isEmptyCell(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && bare(value) === '');
}

/** Converts a value that is not empty. Without `separator`, lists are split at `;`, or at `,` when there is no `;`. */
export function convert(value: unknown, type: CellType, separator?: string): Converted {
  switch (type) {
    case 'any':
      return { value };
    case 'text':
      return toText(value);
    case 'number':
      return toNumber(value);
    case 'boolean':
      return toBoolean(value);
    case 'json':
      return typeof value === 'string' ? parsed(value) : { value };
    case 'list':
      return toList(value, separator);
  }
}

function toText(value: unknown): Converted {
  if (typeof value === 'string') return { value };
  if (typeof value === 'boolean' || Number.isFinite(value)) return { value: String(value) };
  return { problem: `must be text, got ${typeName(value)}` };
}

function toNumber(value: unknown): Converted {
  if (typeof value === 'number') return { value };
  const text = typeof value === 'string' ? bare(value) : '';
  if (!NUMBER.test(text)) return { problem: `${shown(value)} is no number` };
  const number = Number(text);
  // An account number of 17 digits would silently become another number.
  const isExact = Number.isFinite(number) && (/[.e]/i.test(text) || Number.isSafeInteger(number));
  return isExact ? { value: number } : { problem: `${shown(value)} is too big to be an exact number; leave it as text` };
}

function toBoolean(value: unknown): Converted {
  const found = typeof value === 'boolean' ? value : BOOLEANS.get(bare(String(value)).toLowerCase());
  return found === undefined ? { problem: `${shown(value)} is neither true nor false` } : { value: found };
}

/** A cell that is a JSON list is taken as one: a table says "none at all" with `[]`. */
function toList(value: unknown, separator: string | undefined): Converted {
  if (Array.isArray(value)) return { value };
  if (typeof value !== 'string') return { problem: `must be a list, got ${typeName(value)}` };
  if (value.trimStart().startsWith('[')) {
    const list = parsed(value);
    if ('value' in list ? Array.isArray(list.value) : list.problem.endsWith(NOT_EXACT)) return list;
  }
  const cut = separator ?? (value.includes(';') ? ';' : ',');
  const items = value.split(cut).map(bare);
  return { value: items.filter((item) => item !== '') };
}

function parsed(text: string): Converted {
  try {
    const value: unknown = JSON.parse(text);
    const [inexact] = inexactNumbers(text);
    return inexact === undefined ? { value } : { problem: inexact.text };
  } catch (error) {
    return { problem: `is not JSON: ${errorText(error)}` };
  }
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `"${clip(value)}"`;
  return isObject(value) || Array.isArray(value) ? `a value of type ${typeName(value)}` : String(value);
}
