/** Writers that know what was acknowledged. Each write leaves a mark of its own, so that it can be counted in the history. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';
import type { Observer, Seen } from './observer.ts';

/** One after the other has these, so that conditions fail now and then. */
const CONTESTED = 4;
const OWN = 10;

/** What was asked and answered. A delete leaves no mark; its user is deleted once. */
export class Ledger {
  readonly tried = new Set<string>();
  readonly acknowledged = new Set<string>();
  /** Users whose delete was acknowledged. */
  readonly deleted = new Set<string>();
  /** Answers by status; 0: no answer. */
  readonly statuses = new Map<number, number>();

  count(status: number): boolean {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    return status >= 200 && status < 300;
  }

  /** What the whole history says against it. */
  breaches(history: readonly Seen[]): string[] {
    const wrong: string[] = [];
    const marks = new Map<string, Map<string, number>>();
    const deletes = new Map<string, number>();
    const revs = new Map<string, number>();
    for (const { type, user, rev, mark, from, seq } of history) {
      const before = revs.get(user);
      revs.set(user, rev);
      if (type === 'user.deleted') deletes.set(user, (deletes.get(user) ?? 0) + 1);
      if (mark === undefined || type !== 'user.updated') continue;
      const users = marks.get(mark) ?? new Map<string, number>();
      marks.set(mark, users.set(user, (users.get(user) ?? 0) + 1));
      if (!this.tried.has(mark)) wrong.push(`${mark} at ${seq} was never written`);
      if (from !== undefined && before !== from) wrong.push(`${mark} at ${seq} required ${user} at ${from}, and it was at ${before}`);
    }
    for (const [mark, users] of marks)
      for (const [user, times] of users) if (times > 1) wrong.push(`${mark} was applied to ${user} ${times} times`);
    for (const mark of this.acknowledged) {
      const users = marks.get(mark);
      if (users === undefined) wrong.push(`${mark} was acknowledged and is lost`);
    }
    for (const user of this.deleted) if (!deletes.has(user)) wrong.push(`the delete of ${user} was acknowledged and is lost`);
    for (const [user, times] of deletes) if (times > 1) wrong.push(`${user} was deleted ${times} times`);
    return wrong;
  }
}

export interface WriterOptions {
  readonly cluster: Cluster;
  readonly random: () => number;
  readonly name: string;
  readonly ledger: Ledger;
  /** It knows the revisions that conditional writes name. */
  readonly observer: Observer;
  /** Between two writes. */
  readonly pauseMs: number;
}

export class Writer {
  readonly #options: WriterOptions;
  #count = 0;
  #isOver = false;
  readonly #writing: Promise<void>;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#writing = this.#write();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { cluster, random, pauseMs } = this.#options;
    while (!this.#isOver) {
      const node = cluster.nodes[Math.floor(random() * cluster.nodes.length)];
      if (node === undefined) return;
      const dice = random();
      if (dice < 0.6) await this.#upsert(node);
      else if (dice < 0.85) await this.#conditional(node);
      else await this.#delete(node);
      await delay(random() * 2 * pauseMs);
    }
  }

  async #upsert(node: ClusterNode): Promise<void> {
    const { random, name } = this.#options;
    const first = Math.floor(random() * OWN);
    const ids = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, n) => `${name}-${(first + n) % OWN}`);
    await this.#marked(node, ids);
  }

  async #conditional(node: ClusterNode): Promise<void> {
    const { random, observer } = this.#options;
    const id = `contested-${Math.floor(random() * CONTESTED)}`;
    const rev = observer.revs.get(id);
    await this.#marked(node, [id], rev);
  }

  async #marked(node: ClusterNode, ids: readonly string[], from?: number): Promise<boolean> {
    const { ledger, name } = this.#options;
    const mark = `${name}/${this.#count++}`;
    ledger.tried.add(mark);
    const custom = { mark, ...(from === undefined ? {} : { from }) };
    const { status } = await node.call('POST', '/api/v2/users', {
      users: Object.fromEntries(ids.map((id) => [id, { id, custom }])),
      ...(from === undefined ? {} : { if_rev: Object.fromEntries(ids.map((id) => [id, from])) }),
    });
    const isDone = ledger.count(status);
    if (isDone) ledger.acknowledged.add(mark);
    return isDone;
  }

  async #delete(node: ClusterNode): Promise<void> {
    const { ledger, name } = this.#options;
    const id = `${name}-gone-${this.#count}`;
    if (!(await this.#marked(node, [id]))) return;
    const { status } = await node.call('DELETE', `/users/${id}`);
    if (ledger.count(status)) ledger.deleted.add(id);
  }
}
