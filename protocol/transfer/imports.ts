/** Reads requests for imports, names their files, and renders imports. The same in both chat dialects. Pure; throws RosterError `input`. */
import Type, { type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { fieldErrors, type RosterError } from '../base/errors.ts';
import { says } from '../base/explain.ts';
import { LIMITS } from '../base/limits.ts';
import { pageLimit, QueryLimit, queryReader } from '../base/query-string.ts';
import { bodyObject, checked, type Dialect, presentFields, type QueryFields } from '../base/reading.ts';
import { AnyObject, MicrosField } from '../base/schemas.ts';
import { timeIn } from '../users/answers.ts';
import { type Rendered, timeOf } from '../users/render.ts';

/** A bulk import from an uploaded file, which runs inside the daemon. */
export const ImportTask = Type.Object({
  id: Type.String(),
  path: Type.String(),
  mode: Type.Union([Type.Literal('insert'), Type.Literal('upsert')]),
  merge_custom: Type.Optional(Type.Boolean()),
  state: Type.String(),
  history: Type.Array(Type.Object({ prev_state: Type.String(), next_state: Type.String(), created_at: MicrosField })),
  size: Type.Optional(Type.Integer()),
  result: Type.Optional(AnyObject),
  created_at: MicrosField,
  updated_at: MicrosField,
});

export type ImportTask = Static<typeof ImportTask>;

/** The most characters of a file name that the path of an upload keeps. */
const FILE_CHARS_MAX = 100;

export const ImportUrlBody = Type.Object({ filename: Type.Optional(Type.String({ maxLength: 255 })) });

export const ImportBody = Type.Object({
  path: Type.String({ maxLength: 255 }),
  mode: Type.Optional(Type.Union([Type.Literal('insert'), Type.Literal('upsert')])),
  merge_custom: Type.Optional(Type.Boolean()),
});

export const ImportsQuery = Type.Object({
  limit: QueryLimit,
  offset: Type.Optional(
    Type.Integer({ minimum: 0, maximum: LIMITS.queryOffsetMax, ...says(`must be a whole number from 0 to ${LIMITS.queryOffsetMax}`) }),
  ),
});
const readImports = queryReader(ImportsQuery);

const importUrlCheck = Compile(ImportUrlBody);
const importCheck = Compile(ImportBody);

/** `POST /import_urls`: the name for the file, with only characters that are safe in a path and on a disk. */
export function decodeImportUrl(body: unknown): string {
  const { filename = '' } = checked(importUrlCheck, presentFields(bodyObject(body)));
  const name = filename
    .split(/[/\\]/)
    .at(-1)
    ?.replaceAll(/[^\w.-]/g, '_')
    .replace(/^[.-]+/, '')
    .slice(-FILE_CHARS_MAX);
  return name === undefined || !/^\w/.test(name) ? 'users.jsonl' : name;
}

export type ImportRequest = Pick<ImportTask, 'path' | 'mode' | 'merge_custom'>;

/** `POST /imports`. The default `mode` is an upsert. */
export function decodeImport(body: unknown): ImportRequest {
  const { path, mode = 'upsert', merge_custom } = checked(importCheck, presentFields(bodyObject(body)));
  if (!isUploadPath(path)) throw neverUploaded();
  return { path, mode, ...(merge_custom === undefined ? undefined : { merge_custom }) };
}

/** The error for a path without a complete upload. */
export function neverUploaded(): RosterError {
  return fieldErrors('input', [
    { path: 'path', message: 'nothing was uploaded there; ask for a URL, upload the file, then import its path' },
  ]);
}

/** The imports to list, newest first. */
export function decodeImportsQuery(query: QueryFields): { readonly limit: number; readonly offset: number } {
  const { offset = 0, ...page } = readImports(query);
  return { limit: pageLimit(page), offset };
}

/** The daemon's name for an upload: a random id and a file name. No other text is used as one. */
export function uploadPath(id: string, fileName: string): string {
  return `${id}/${fileName}`;
}

const UPLOAD_PATH = new RegExp(`^[0-9a-f-]{36}/\\w[\\w.-]{0,${FILE_CHARS_MAX - 1}}$`);

export function isUploadPath(path: string): boolean {
  return UPLOAD_PATH.test(path);
}

/** States in which an import has ended. */
export function isImportOver({ state }: Pick<ImportTask, 'state'>): boolean {
  return state === 'completed' || state === 'analyze_failed' || state === 'import_failed';
}

/** The shape of an import in an answer. */
export function importIn(dialect: Dialect): TSchema {
  const time = timeIn(dialect);
  return Type.Object({
    id: Type.String(),
    path: Type.String(),
    mode: Type.String(),
    merge_custom: Type.Optional(Type.Boolean()),
    state: Type.String(),
    history: Type.Array(Type.Object({ prev_state: Type.String(), next_state: Type.String(), created_at: time })),
    size: Type.Optional(Type.Integer()),
    result: Type.Optional(Type.Object({}, { additionalProperties: true })),
    created_at: time,
    updated_at: time,
  });
}

/** An import, with its times in the form of the dialect. */
export function renderImport({ history, created_at, updated_at, ...task }: ImportTask, dialect: Dialect): Rendered {
  const time = timeOf(dialect);
  return {
    ...task,
    history: history.map((step) => ({ ...step, created_at: time(step.created_at) })),
    created_at: time(created_at),
    updated_at: time(updated_at),
  };
}
