/** Imports over HTTP. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { HttpAnswer, World } from '../world.ts';

export type ImportTask = HttpAnswer['body'];

export const item = (user: object): string => JSON.stringify({ type: 'user', item: user });

export function many(count: number, more: (i: number) => object = () => ({})): string {
  return Array.from({ length: count }, (_, i) => `${item({ id: `u${i}`, name: `User ${i}`, ...more(i) })}\n`).join('');
}

export async function put(url: string, body: string | Buffer): Promise<{ status: number; body: ImportTask }> {
  const response = await fetch(url, { method: 'PUT', body });
  assert.ok(Number(response.headers.get('x-ratelimit-limit')) > 0);
  return { status: response.status, body: await response.json() };
}

export async function upload(world: World, text: string, prefix = ''): Promise<string> {
  const { status, body } = await world.http('POST', `${prefix}/import_urls`, { filename: 'users.jsonl' });
  assert.equal(status, 201);
  const stored = await put(body.upload_url, text);
  assert.equal(stored.status, 200);
  assert.equal(stored.body.size, Buffer.byteLength(text));
  return body.path;
}

export async function ended(world: World, id: string, prefix = ''): Promise<ImportTask> {
  for (let i = 0; i < 2_000; i++) {
    const { status, body } = await world.http('GET', `${prefix}/imports/${id}`);
    assert.equal(status, 200);
    if (['completed', 'analyze_failed', 'import_failed'].includes(body.import_task.state)) return body.import_task;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return assert.fail('the import does not end');
}

export async function directory(t: TestContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-import-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  return data;
}

export const states = (task: ImportTask): string[] => task.history.map(({ next_state }: { next_state: string }) => next_state);

export const ALL_STATES = ['uploaded', 'analyzing', 'analyzed', 'importing', 'completed'];
