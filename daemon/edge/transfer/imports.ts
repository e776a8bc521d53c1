/** Imports from uploaded files: a place to upload to, the upload itself, and the import that reads it. */
import Type from 'typebox';
import { RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import {
  decodeImport,
  decodeImportsQuery,
  decodeImportUrl,
  ImportBody,
  ImportsQuery,
  type ImportTask,
  ImportUrlBody,
  importIn,
  neverUploaded,
  renderImport,
  uploadPath,
} from '../../../protocol/transfer/imports.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { lost } from '../http/outcome.ts';

export const IMPORT_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/import_urls', () => ({
    operation: 'CreateImportURL',
    method: 'POST',
    access: 'server',
    summary: 'A URL to upload a file to, and the path to import it from',
    body: ImportUrlBody,
    answer: Type.Object({ path: Type.String(), upload_url: Type.String() }),
    handle: async ({ services, body, newId }) => {
      const file = decodeImportUrl(await body());
      const path = uploadPath(newId(), file);
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
    uploads: ['application/octet-stream', 'application/x-ndjson', 'application/json'],
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
    handle: async ({ submit, services, body, newId, isRepeat }) => {
      const request = decodeImport(await body());
      if (!isRepeat() && !(await services.files.hasUpload(request.path))) throw neverUploaded();
      const now = Math.round(services.nowMs() * 1_000);
      const task: ImportTask = {
        id: newId(),
        ...request,
        state: 'uploaded',
        history: [{ prev_state: '', next_state: 'uploaded', created_at: now }],
        created_at: now,
        updated_at: now,
      };
      const outcome = await submit({ kind: 'docs', changes: [{ kind: 'import', id: task.id, doc: task }] }, 'bulk');
      const [made] = outcome.docs ?? [];
      if (made?.kind !== 'import' || made.doc === null) throw lost(outcome, 'no import came of it');
      return { status: 201, body: { import_task: renderImport(made.doc, dialect) }, seq: outcome.seq };
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
      const { limit, offset } = decodeImportsQuery(query);
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
