/**
 * Reads query strings by their schema: every parameter is a text, and an empty one counts as absent. A parameter that is an
 * object travels as JSON; it is a message with its own parser. Pure.
 */
import Type, { type Static, type TObject, type TProperties } from 'typebox';
import { Compile } from 'typebox/compile';
import { says } from './explain.ts';
import { isForbiddenName } from './ids.ts';
import { LIMITS } from './limits.ts';
import { checked, type QueryFields } from './reading.ts';
import { type Micros, parseTime } from './time.ts';

const FLAG_TEXT = 'must be true or false';

/** The longest text to search a list for, or to continue it from. */
const TEXT_CHARS_MAX = 255;

/** A boolean parameter with its description. */
export function flagParameter(description: string) {
  return Type.Optional(Type.Boolean({ description, ...says(FLAG_TEXT) }));
}

export const QueryFlag = Type.Optional(Type.Boolean(says(FLAG_TEXT)));

/** Items on one page. Go writes 0 for "not given". */
export const QueryLimit = Type.Optional(
  Type.Integer({ minimum: 0, maximum: LIMITS.queryLimitMax, ...says(`must be a whole number from 1 to ${LIMITS.queryLimitMax}`) }),
);

/** A text to search a list for, or to continue it from. */
export const QueryText = Type.Optional(
  Type.Refine(
    Type.String({ maxLength: TEXT_CHARS_MAX, ...says(`must be a text of at most ${TEXT_CHARS_MAX} characters`) }),
    (text) => !isForbiddenName(text),
  ),
);

/** RFC 3339, or integer nanoseconds. `queryTime` converts it. */
export const QueryTime = Type.Optional(
  Type.Refine(Type.String(says('must be a time in RFC 3339, or integer nanoseconds')), (text) => queryTime(text) !== undefined),
);

/** Items on one page; the default when the query names none. */
export function pageLimit({ limit }: { readonly limit?: number }): number {
  return limit || LIMITS.queryLimitDefault;
}

/** Undefined for an absent text, and for one that is not a time. */
export function queryTime(text: string | undefined): Micros | undefined {
  return text === undefined ? undefined : parseTime(/^\d{1,19}$/.test(text) ? Number(text) : text);
}

/** The accepted forms of a boolean. `plain`: `true` and `false` as Go writes them, `1` and `0` as PHP does; `any`: also other words. */
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

/** A reader of the parameters in `schema`. It throws RosterError `input` with everything that is wrong, and skips unknown ones. */
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

/** An unreadable value stays a text, which the schema then refuses. */
function readAs(text: string, type: unknown, words: FlagWords): unknown {
  if (type === 'boolean') return WORDS[words].get(words === 'any' ? text.toLowerCase() : text) ?? text;
  if (type === 'integer') return /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
  return text;
}
