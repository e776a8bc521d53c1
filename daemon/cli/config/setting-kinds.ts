/**
 * Reading and writing the value of a setting. Each kind reads text (environment variable, flag)
 * and JSON (configuration file), says in words what it allows, and writes a value back. Pure.
 */
import { grouped } from '../../base/grouped.ts';

/** A reader returns `undefined` for a value that is refused; `allowed` then explains why. */
export interface Kind<T> {
  /** The allowed values, as the end of a sentence: "must be …". */
  readonly allowed: string;
  /** The placeholder after the flag in the help: `<host:port>`. */
  readonly placeholder: string;
  fromText(text: string): T | undefined;
  fromJson(value: unknown): T | undefined;
  toText(value: T): string;
}

export interface ListenAddress {
  readonly host: string;
  /** 0 means: any free port; the chosen one is printed at start. */
  readonly port: number;
}

/** The file may also hold a string, so that a value can be copied between environment and file. */
function textual<T>(kind: Omit<Kind<T>, 'fromJson'>): Kind<T> {
  return { ...kind, fromJson: (value) => (typeof value === 'string' ? kind.fromText(value) : undefined) };
}

const LISTEN = /^(?:\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|([A-Za-z0-9._-]+)):(\d{1,5})$/;

export const address: Kind<ListenAddress> = textual({
  allowed: 'host:port with a port from 0 to 65535, such as 127.0.0.1:8800, 0.0.0.0:8800 or [::1]:0',
  placeholder: '<host:port>',
  fromText: (text) => {
    const match = LISTEN.exec(text);
    const host = match?.[1] ?? match?.[2];
    const port = Number(match?.[3]);
    return host === undefined || port > 65_535 ? undefined : { host, port };
  },
  toText: ({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`,
});

/** An address, or nothing. */
export const addressOrOff: Kind<ListenAddress | 'off'> = textual({
  allowed: `${address.allowed}, or off`,
  placeholder: '<host:port|off>',
  fromText: (text) => (text === 'off' ? text : address.fromText(text)),
  toText: (value) => (value === 'off' ? value : address.toText(value)),
});

/** A path. The loader makes it absolute, because only it knows the base directory. */
export const path: Kind<string> = textual({
  allowed: 'a path',
  placeholder: '<path>',
  fromText: (text) => (text === '' || text.includes('\0') ? undefined : text),
  toText: (value) => value,
});

export function choice<const T extends string>(values: readonly T[]): Kind<T> {
  return textual({
    allowed: `one of ${values.join(', ')}`,
    placeholder: `<${values.join('|')}>`,
    fromText: (text) => values.find((value) => value === text),
    toText: (value) => value,
  });
}

export function pattern(allowed: string, placeholder: string, expression: RegExp): Kind<string> {
  return textual({ allowed, placeholder, fromText: (text) => (expression.test(text) ? text : undefined), toText: (value) => value });
}

export const toggle: Kind<boolean> = {
  allowed: 'true or false',
  placeholder: '[true|false]',
  fromText: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
  fromJson: (value) => (typeof value === 'boolean' ? value : undefined),
  toText: String,
};

/** A number of the given unit from `min` to `max`, stored multiplied by `scale`; `whole` forbids fractions. */
function numeric(unit: string, min: number, max: number, zero: string | undefined, scale: number, whole: boolean): Kind<number> {
  const check = (value: number) => {
    if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) return undefined;
    if (value === 0 && zero !== undefined) return 0;
    return value < min || value > max ? undefined : Math.round(value * scale);
  };
  return {
    allowed: `a ${whole ? 'whole ' : ''}number${unit === '' ? '' : ` of ${unit}`} from ${grouped(min)} to ${grouped(max)}${zero === undefined ? '' : `, or 0 for ${zero}`}`,
    placeholder: unit === '' ? '<number>' : `<${unit}>`,
    fromText: (text) => (/^\d+(\.\d+)?$/.test(text) ? check(Number(text)) : undefined),
    fromJson: (value) => (typeof value === 'number' ? check(value) : undefined),
    toText: (value) => String(value / scale),
  };
}

/** A whole number from `min` to `max`. `zero` is the meaning of 0, when 0 is also allowed. */
export function count(min: number, max: number, zero?: string): Kind<number> {
  return numeric('', min, max, zero, 1, true);
}

export function milliseconds(min: number, max: number): Kind<number> {
  return numeric('milliseconds', min, max, undefined, 1, true);
}

/** Hours, fractions allowed; the value is in milliseconds. */
export function hours(min: number, max: number, zero?: string): Kind<number> {
  return numeric('hours', min, max, zero, 3_600_000, false);
}

const SIZES: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
]);

/** A size in bytes, plain or with KiB, MiB or GiB. */
export function bytes(min: number, max: number, zero?: string): Kind<number> {
  const plain = numeric('bytes', min, max, zero, 1, true);
  const text = (value: number) => {
    for (const [unit, size] of [...SIZES].reverse()) if (value >= size && value % size === 0) return `${value / size}${unit}`;
    return String(value);
  };
  const fromText = (value: string) => {
    const match = /^(\d+)\s?(KiB|MiB|GiB|)$/.exec(value);
    return match === null ? undefined : plain.fromJson(Number(match[1]) * (SIZES.get(match[2] ?? '') ?? 1));
  };
  return {
    allowed: `a size from ${text(min)} to ${text(max)} in bytes or with KiB, MiB, GiB${zero === undefined ? '' : `, or 0 for ${zero}`}`,
    placeholder: '<bytes>',
    fromText,
    fromJson: (value) => (typeof value === 'string' ? fromText(value) : plain.fromJson(value)),
    toText: text,
  };
}

function isOrigin(text: string): boolean {
  if (text === '*') return true;
  // A URL may contain a star, but no browser sends one: a pattern would silently match nothing.
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** Browser origins as in the `Origin` header, or `*`. */
export const originList: Kind<readonly string[]> = {
  allowed: 'a comma-separated list of origins such as https://app.example.com or http://localhost:3000, or *',
  placeholder: '<list>',
  fromText: (text) => originList.fromJson(text === '' ? [] : text.split(',').map((part) => part.trim())),
  fromJson: (value) => {
    if (typeof value === 'string') return originList.fromText(value);
    if (!Array.isArray(value)) return undefined;
    const list = value.filter((item) => typeof item === 'string' && isOrigin(item));
    return list.length === value.length ? [...new Set(list)] : undefined;
  },
  toText: (value) => value.join(','),
};

const ENDPOINT = /^[A-Z][A-Za-z]{0,63}$/;

/** Requests per minute for single endpoints: `UpdateUsers=300,QueryUsers=1000`, in the file an object. */
export const limitsPerMinute: Kind<Readonly<Record<string, number>>> = {
  allowed: 'endpoints with whole numbers of requests per minute from 1 to 1,000,000, such as UpdateUsers=300,QueryUsers=1000',
  placeholder: '<Endpoint=n,…>',
  fromText: (text) => {
    const pairs = text.split(',').map((part) => /^\s*([A-Za-z]+)\s*=\s*(\d+)\s*$/.exec(part));
    const names = new Set(pairs.map((pair) => pair?.[1]));
    // A repeated name is refused: one of the two numbers would silently not count.
    if (names.size !== pairs.length) return undefined;
    return limitsPerMinute.fromJson(Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', Number(pair?.[2])])));
  },
  fromJson: (value) => {
    if (typeof value === 'string') return limitsPerMinute.fromText(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const limits: Record<string, number> = {};
    for (const [name, limit] of Object.entries(value)) {
      if (!ENDPOINT.test(name) || !Number.isSafeInteger(limit) || limit < 1 || limit > 1_000_000) return undefined;
      limits[name] = limit;
    }
    return limits;
  },
  toText: (value) =>
    Object.entries(value)
      .map(([name, limit]) => `${name}=${limit}`)
      .join(','),
};
