/**
 * Query strings, read by the schema that describes them: every parameter is a text, and an empty one is not given. A parameter
 * that is an object travels as JSON; it is a message of its own and is left to what reads that. Pure.
 */
import Type, { type Static, type TObject, type TProperties } from 'typebox';
import { Compile } from 'typebox/compile';
import { says } from './explain.ts';
import { isForbiddenName } from './ids.ts';
import { LIMITS } from './limits.ts';
import { checked, type QueryFields } from './reading.ts';
import { type Micros, parseTime } from './time.ts';

const FLAG_TEXT = 'must be true or false';

/** Longest text that a list is searched for or continued from. */
const TEXT_CHARS_MAX = 255;

/** A switch, with a description of its own. */
export function flagParameter(description: string) {
  return Type.Optional(Type.Boolean({ description, ...says(FLAG_TEXT) }));
}

export const QueryFlag = Type.Optional(Type.Boolean(says(FLAG_TEXT)));

/** Items of one page. 0 is how Go writes "not given". */
export const QueryLimit = Type.Optional(
  Type.Integer({ minimum: 0, maximum: LIMITS.queryLimitMax, ...says(`must be a whole number from 1 to ${LIMITS.queryLimitMax}`) }),
);

/** A text that a list is searched for, or continued from. */
export const QueryText = Type.Optional(
  Type.Refine(
    Type.String({ maxLength: TEXT_CHARS_MAX, ...says(`must be a text of at most ${TEXT_CHARS_MAX} characters`) }),
    (text) => !isForbiddenName(text),
  ),
);

/** RFC 3339, or integer nanoseconds. `queryTime` gives the time. */
export const QueryTime = Type.Optional(
  Type.Refine(Type.String(says('must be a time in RFC 3339, or integer nanoseconds')), (text) => queryTime(text) !== undefined),
);

/** Items of one page, where none are asked for the default. */
export function pageLimit({ limit }: { readonly limit?: number }): number {
  return limit || LIMITS.queryLimitDefault;
}

/** Undefined for a text that is no time, and for none. */
export function queryTime(text: string | undefined): Micros | undefined {
  return text === undefined ? undefined : parseTime(/^\d{1,19}$/.test(text) ? Number(text) : text);
}

/** How a switch is written: Go writes `true` or nothing, PHP `1` and `0`. `plain` knows these alone, `any` also other words for them. */
type FlagWords = 'plain' | 'any';

const WORDS: Readonly<Record<FlagWords, ReadonlyMap<string, boolean>>> = {
  plain: new Map([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ]),
  any: new Map([
    ...['true', '1', 'yes', 'on'].map((word) => [word, true] as const),
    ...['false', '0', 'no', 'off'].map((word) => [word, false] as const),
  ]),
};

/** Gives what reads the parameters that `schema` describes. It throws RosterError `input` with everything that is wrong; what is not described is passed over. */
export function queryReader<Properties extends TProperties>(
  schema: TObject<Properties>,
  words: FlagWords = 'any',
): (query: QueryFields) => Static<TObject<Properties>> {
  const check = Compile(schema);
  const parameters = Object.entries(schema.properties).flatMap(([name, one]): [string, unknown][] => {
    const type = 'type' in one ? one.type : undefined;
    return type === 'object' ? [] : [[name, type]];
  });
  return (query) => {
    const given = parameters.flatMap(([name, type]): [string, unknown][] => {
      const text = query[name];
      return text === undefined || text === '' ? [] : [[name, readAs(text, type, words)]];
    });
    return checked(check, Object.fromEntries(given));
  };
}

/** What cannot be read stays a text, which the schema then refuses. */
function readAs(text: string, type: unknown, words: FlagWords): unknown {
  if (type === 'boolean') return WORDS[words].get(words === 'any' ? text.toLowerCase() : text) ?? text;
  if (type === 'integer') return /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
  return text;
}
