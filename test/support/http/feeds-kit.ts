/** Calls in the feeds dialect. */
import assert from 'node:assert/strict';
import { type Received, SERVER_TOKEN, type Send } from './fake-backend.ts';

export const ROOT = '/api/v1.0';

/** A refusal of the feeds dialect: its code in body and status, its form, and a field it names. */
export function refusedAs({ status, body, text }: Received, wanted: number, code: number, exception: string, field?: string): void {
  assert.deepEqual([status, body.code, body.exception], [wanted, code, exception], text);
  assert.equal(body.status_code, wanted);
  assert.match(body.duration, /^\d+\.\d\dms$/);
  assert.ok(body.detail.length > 0);
  const keys = [
    'code',
    'detail',
    'duration',
    'exception',
    'status_code',
    ...(body.exception_fields === undefined ? [] : ['exception_fields']),
    ...(wanted === 503 ? ['outcome'] : []),
  ];
  assert.deepEqual(Object.keys(body).sort(), keys.sort());
  for (const messages of Object.values(body.exception_fields ?? {})) assert.ok(Array.isArray(messages) && messages.length > 0);
  if (field !== undefined) assert.ok(Object.hasOwn(body.exception_fields ?? {}, field), `${field} is not among ${text}`);
}

export const create = (send: Send, id: string, data: unknown = {}, token = SERVER_TOKEN) =>
  send('POST', `${ROOT}/user/`, { body: { id, data }, token });
