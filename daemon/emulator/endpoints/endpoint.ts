/** An endpoint below /emulator: one row of the table, and what its handler is given. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { bodyObject, checked, type QueryFields } from '../../../protocol/base/reading.ts';
import { suggestion } from '../../cli/config/nearest.ts';
import type { EmulatedApp } from '../app.ts';
import type { SettingValues } from '../settings.ts';

export interface NewApp {
  /** Made when absent. */
  readonly key?: string | undefined;
  readonly secret?: string | undefined;
  readonly settings?: SettingValues | undefined;
}

/** All applications of the emulator. */
export interface AllApps {
  readonly apps: readonly EmulatedApp[];
  add(app: NewApp): Promise<EmulatedApp>;
  /** `asked`: the application through which the request came. */
  remove(key: string, asked: EmulatedApp): Promise<void>;
}

export interface ControlCall<Body> {
  /** The application whose URL was asked. */
  readonly app: EmulatedApp;
  readonly all: AllApps;
  readonly params: Readonly<Record<string, string>>;
  /** Only parameters that the endpoint names. */
  readonly query: QueryFields;
  readonly body: Body;
  readonly headers: IncomingHttpHeaders;
  /** Aborted when the caller is gone. */
  readonly gone: AbortSignal;
}

export interface ControlAnswer {
  /** Default: 200. */
  readonly status?: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ControlEndpoint {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Pattern with parameters such as `{name}`. */
  readonly path: string;
  /** One line for `GET /emulator`. */
  readonly about: string;
  /** Names of the parameters of the query. */
  readonly query: readonly string[];
  /** The body is taken as it comes, and not read as JSON. */
  readonly isRaw: boolean;
  /** Bytes that the body may have. */
  readonly bodyBytesMax: number;
  /** Throws, or rejects with, RosterError. */
  handle(call: ControlCall<unknown>): ControlAnswer | Promise<ControlAnswer>;
}

const BODY_BYTES_MAX = 1024 * 1024;

interface Row<Body> {
  readonly about: string;
  readonly query?: readonly string[];
  readonly isRaw?: true;
  readonly bodyBytesMax?: number;
  readonly handle: (call: ControlCall<Body>) => ControlAnswer | Promise<ControlAnswer>;
}

/** An endpoint with a body of this schema: an object whose unknown fields are refused. */
export function posted<Schema extends TSchema & { readonly properties: Readonly<Record<string, unknown>> }>(
  path: string,
  schema: Schema,
  { handle, ...row }: Row<Static<Schema>>,
): ControlEndpoint {
  const check = Compile(schema);
  const fields = Object.keys(schema.properties);
  const read = (body: unknown): Static<Schema> => {
    const object = bodyObject(body);
    refuseUnknown(Object.keys(object), fields, 'field');
    return checked(check, object);
  };
  return { ...endpoint('POST', path, { ...row, handle: (call) => handle({ ...call, body: read(call.body) }) }) };
}

/** An endpoint whose body is none, or the handler's own matter. */
export function endpoint(method: ControlEndpoint['method'], path: string, row: Row<unknown>): ControlEndpoint {
  const { about, query = [], isRaw = false, bodyBytesMax = BODY_BYTES_MAX, handle } = row;
  return { method, path, about, query, isRaw, bodyBytesMax, handle };
}

/** Throws RosterError `input`, which names the unknown ones and lists those that there are. */
export function refuseUnknown(given: readonly string[], known: readonly string[], what: string): void {
  const problems = given
    .filter((name) => !known.includes(name))
    .map((name) => ({
      path: clip(name),
      message: `is no ${what} here${suggestion(name, known)}; ${known.length === 0 ? 'there are none' : `there are ${known.join(', ')}`}`,
    }));
  if (problems.length > 0) throw fieldErrors('input', problems);
}

const NAME = /^[\w.-]{1,64}$/;

/** A name that a test gives to something; `path` says to what. Throws RosterError `input`. */
export function checkedName(path: string, name: string): string {
  if (NAME.test(name)) return name;
  throw fieldErrors('input', [{ path, message: 'must be 1 to 64 letters, digits and characters of . _ -' }]);
}

/** A whole number of the query. Throws RosterError `input`. */
export function queryNumber(
  query: QueryFields,
  name: string,
  { fallback, max }: { readonly fallback: number; readonly max: number },
): number {
  const text = query[name];
  if (text === undefined) return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max))
    throw fieldErrors('input', [{ path: name, message: `must be a whole number from 0 to ${max}, got "${clip(text)}"` }]);
  return value;
}
