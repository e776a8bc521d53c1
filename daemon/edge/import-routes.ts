/** Imports from uploaded files: a place to upload to, the upload itself, and the import that reads it. */
import { randomUUID } from 'node:crypto';
import Type, { type TSchema } from 'typebox';
import { timeIn } from '../../protocol/answers.ts';
import type { Dialect } from '../../protocol/decode-user.ts';
import type { ImportTask } from '../../protocol/docs.ts';
import { RosterError } from '../../protocol/errors.ts';
import { clip } from '../../protocol/explain.ts';
import {
  decodeImport,
  decodeImportsQuery,
  decodeImportUrl,
  ImportBody,
  ImportsQuery,
  ImportUrlBody,
  neverUploaded,
  uploadPath,
} from '../../protocol/import-requests.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { timeOf } from '../../protocol/render.ts';
import { type Endpoint, inBothDialects } from './endpoint.ts';

export const IMPORT_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/import_urls', () => ({
    operation: 'CreateImportURL',
    method: 'POST',
    access: 'server',
    summary: 'A URL to upload a file to, and the path to import it from',
    body: ImportUrlBody,
    answer: Type.Object({ path: Type.String(), upload_url: Type.String() }),
    handle: async ({ services, body }) => {
      const path = uploadPath(randomUUID(), decodeImportUrl(await body()));
      const untilS = Math.floor(services.nowMs() / 1_000) + LIMITS.signedUrlS;
      return { status: 201, body: { path, upload_url: services.signUrl(`/imports/uploads/${path}`, untilS) } };
    },
  })),
  {
    operation: 'UploadImport',
    method: 'PUT',
    path: '/imports/uploads/:id/:file',
    dialect: 'v1',
    access: 'signed',
    summary: 'Stores the file, up to 300 MiB: JSON Lines, or one JSON list. Each URL takes one file',
    answer: Type.Object({ size: Type.Integer() }),
    isBinary: true,
    handle: async ({ services, rawBody, params: { id = '', file = '' } }) => {
      const { bytes } = await services.files.saveUpload(uploadPath(id, file), rawBody, LIMITS.importBytes);
      return { body: { size: bytes } };
    },
  },
  ...inBothDialects('/imports', (dialect) => ({
    operation: 'CreateImport',
    method: 'POST',
    access: 'server',
    summary: 'Imports the users of an uploaded file',
    body: ImportBody,
    answer: Type.Object({ import_task: importIn(dialect) }),
    handle: async ({ backend, services, body }) => {
      const request = decodeImport(await body());
      if (!(await services.files.hasUpload(request.path))) throw neverUploaded();
      const now = Math.round(services.nowMs() * 1_000);
      const task: ImportTask = {
        id: randomUUID(),
        ...request,
        state: 'uploaded',
        history: [{ prev_state: '', next_state: 'uploaded', created_at: now }],
        created_at: now,
        updated_at: now,
      };
      const { seq } = await backend.submit({ kind: 'docs', changes: [{ kind: 'import', id: task.id, doc: task }] }, 'bulk');
      return { status: 201, body: { import_task: renderImport(task, dialect) }, seq };
    },
  })),
  ...inBothDialects('/imports', (dialect) => ({
    operation: 'ListImports',
    method: 'GET',
    access: 'server',
    summary: 'The imports, the newest first',
    query: ImportsQuery,
    answer: Type.Object({ import_tasks: Type.Array(importIn(dialect)) }),
    handle: ({ backend, query }) => {
      const { limit, offset } = decodeImportsQuery(query.limit, query.offset);
      const newestFirst = [...backend.directory.docs.all('import')].sort((a, b) => b.created_at - a.created_at);
      const page = newestFirst.slice(offset, offset + limit);
      return { body: { import_tasks: page.map((task) => renderImport(task, dialect)) } };
    },
  })),
  ...inBothDialects('/imports/:id', (dialect) => ({
    operation: 'GetImport',
    method: 'GET',
    access: 'server',
    summary: 'How far an import is, and what was wrong with the file',
    answer: Type.Object({ import_task: importIn(dialect) }),
    handle: ({ backend, id }) => {
      const task = backend.directory.docs.get('import', id);
      if (task === undefined) throw new RosterError('not_found', `the import ${clip(id)} does not exist`);
      return { body: { import_task: renderImport(task, dialect) } };
    },
  })),
];

function importIn(dialect: Dialect): TSchema {
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

function renderImport({ history, created_at, updated_at, ...task }: ImportTask, dialect: Dialect): Record<string, unknown> {
  const time = timeOf(dialect);
  return {
    ...task,
    history: history.map((step) => ({ ...step, created_at: time(step.created_at) })),
    created_at: time(created_at),
    updated_at: time(updated_at),
  };
}
