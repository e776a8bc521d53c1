/** Exports, imports and deletes of many users, asked of any node and seen through at any other. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText } from '../../../protocol/base/errors.ts';
import { item } from '../http/import-kit.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode, NodeAnswer } from './node.ts';
import type { Seen } from './observer.ts';

/** Within it a job ends, whatever happens meanwhile. */
const JOB_MS = 120_000;
/** The most that one export takes. */
const EXPORTED = 25;

export class JobRounds {
  /** What must never happen. */
  readonly breaches: string[] = [];
  rounds = 0;
  readonly #cluster: Cluster;
  readonly #random: () => number;
  readonly #users: number;
  readonly #name: string;
  /** Users of the imports, and of the deletes after them, that were said to be complete. */
  readonly #imported: string[] = [];
  readonly #deleted: string[] = [];
  #begun = 0;
  #isOver = false;
  #isAbandoned = false;
  readonly #working: Promise<void>;

  /** One round after the other, each with that many users, whose ids begin with `name`. */
  constructor(cluster: Cluster, random: () => number, users: number, name = 'import') {
    this.#cluster = cluster;
    this.#random = random;
    this.#users = users;
    this.#name = name;
    this.#working = this.#work();
  }

  /** Sees the round through that has begun. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#working;
  }

  /** Ends it in the middle. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    await this.end();
  }

  /** What the whole history says against what was said to be done. */
  check(history: readonly Seen[]): string[] {
    const changes = new Map<string, string[]>();
    for (const { user, type } of history) changes.set(user, [...(changes.get(user) ?? []), type]);
    const deleted = new Set(this.#deleted);
    const wrong = [...this.breaches];
    for (const id of this.#imported) {
      const right = deleted.has(id) ? 'user.updated,user.deleted' : 'user.updated';
      if (`${changes.get(id)}` !== right) wrong.push(`${id} has the history ${changes.get(id)}, and should have ${right}`);
    }
    return wrong;
  }

  async #work(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#round(this.#begun++);
        this.rounds++;
      } catch (error) {
        this.breaches.push(errorText(error));
      }
    }
  }

  async #round(number: number): Promise<void> {
    const ids = Array.from({ length: this.#users }, (_, n) => `${this.#name}-${number}-${n}`);
    await this.#import(ids);
    this.#imported.push(...ids);
    await this.#export(ids.slice(0, EXPORTED));
    const half = ids.filter((_, n) => n % 2 === 0);
    const { task_id } = (await this.#done('POST', '/api/v2/users/delete', { user_ids: half, user: 'soft' })).body;
    await this.#task(task_id);
    this.#deleted.push(...half);
  }

  async #import(ids: readonly string[]): Promise<void> {
    const text = ids.map((id) => `${item({ id, name: id })}\n`).join('');
    const { upload_url, path } = (await this.#done('POST', '/api/v2/import_urls', { filename: 'users.jsonl' })).body;
    const url = new URL(upload_url);
    await this.#until('the upload', async (node, say) => {
      const answer = await fetch(`${node.url}${url.pathname}${url.search}`, {
        method: 'PUT',
        body: text,
        signal: AbortSignal.timeout(8_000),
      });
      const said = await answer.text();
      // Or it was stored, and the answer was lost.
      if (answer.ok || said.includes('was uploaded already')) return true;
      say(`${answer.status} ${said.replace(/"duration":"[^"]*"/, '')}`);
      return undefined;
    });
    const { import_task } = (await this.#done('POST', '/api/v2/imports', { path, mode: 'upsert' })).body;
    const task = await this.#until('the import', async (node, say) => {
      const { status, body } = await node.call('GET', `/api/v2/imports/${import_task.id}`);
      const state = body.import_task?.state;
      if (status === 200 && ['completed', 'analyze_failed', 'import_failed'].includes(state)) return body.import_task;
      say(`${status} ${state ?? body.message}`);
      return undefined;
    });
    const { users, done, failed } = task.result ?? {};
    if (task.state !== 'completed' || users !== ids.length || done !== ids.length || failed !== 0)
      this.breaches.push(`an import ended as ${JSON.stringify(task)}`);
  }

  async #export(ids: readonly string[]): Promise<void> {
    const { task_id } = (await this.#done('POST', '/api/v2/export/users', { user_ids: ids })).body;
    const { result } = await this.#task(task_id);
    const url = new URL(result.url);
    const text = await this.#until('the file of an export', async (node, say) => {
      const answer = await fetch(`${node.url}${url.pathname}${url.search}`, { signal: AbortSignal.timeout(8_000) });
      if (answer.ok) return await answer.text();
      say(`${answer.status} ${await answer.text()}`);
      return undefined;
    });
    const lines = text.split('\n').filter((line) => line !== '');
    const found = lines.map((line) => JSON.parse(line).user.id);
    if (`${found.sort()}` !== `${[...ids].sort()}`) this.breaches.push(`an export has ${found.length} users: ${found.slice(0, 5)} …`);
  }

  async #task(id: string): Promise<NodeAnswer['body']> {
    const task = await this.#until(`task ${id}`, async (node, say) => {
      const { status, body } = await node.call('GET', `/api/v2/tasks/${id}`);
      if (status === 200 && ['completed', 'failed'].includes(body.status)) return body;
      say(`${status} ${body.status ?? body.message}`);
      return undefined;
    });
    if (task.status !== 'completed') throw new Error(`a task ended as ${JSON.stringify(task)}`);
    return task;
  }

  /** Asks until an answer comes; with the same key it is carried out once. */
  #done(method: string, path: string, body: object): Promise<NodeAnswer> {
    const headers = { 'idempotency-key': randomUUID() };
    return this.#until(`${method} ${path}`, async (node, say) => {
      const answer = await node.call(method, path, body, headers);
      if (answer.status >= 200 && answer.status < 300) return answer;
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 409)
        throw new Refused(`${path}: ${JSON.stringify(answer.body)}`);
      say(`${answer.status} ${JSON.stringify(answer.body)}`);
      return undefined;
    });
  }

  /** `say`: what came in place of what is awaited. */
  async #until<T>(what: string, ask: (node: ClusterNode, say: (text: string) => void) => Promise<T | undefined>): Promise<T> {
    const { nodes } = this.#cluster;
    const said = new Map<string, number>();
    for (const end = performance.now() + JOB_MS; performance.now() < end; await delay(100)) {
      const node = nodes[Math.floor(this.#random() * nodes.length)];
      if (node === undefined || this.#isAbandoned) break;
      const say = (text: string): void => void said.set(`${node.name}: ${text}`, (said.get(`${node.name}: ${text}`) ?? 0) + 1);
      const found = await ask(node, say).catch((error: Error) => {
        if (error instanceof Refused) throw error;
        say(`${error.message} (${error.cause ?? error.name})`);
        return undefined;
      });
      if (found !== undefined) return found;
    }
    throw new Error(`${what} does not end within ${JOB_MS} ms: ${[...said].map(([text, count]) => `${count} × ${text}`).join('; ')}`);
  }
}

class Refused extends Error {}
