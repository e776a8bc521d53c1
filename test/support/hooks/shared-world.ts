/** Several nodes with webhooks on one PostgreSQL, and a receiver that the test controls. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../daemon/base/clock.ts';
import type { SendResult } from '../../../daemon/jobs/hooks/quick-attempts.ts';
import { SharedWebhooks } from '../../../daemon/jobs/hooks/shared/shared-webhooks.ts';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import type { HookStatus } from '../../../protocol/hooks/dead-letters.ts';
import { eventually } from '../eventually.ts';
import { upsert } from '../live/hub-kit.ts';
import { rosterWith } from '../open-roster.ts';
import type { PgKit } from '../store/pg-kit.ts';
import { OK } from './hook-bench.ts';
import { LettersKit, type LettersNode } from './letters-kit.ts';

export interface SharedRequest {
  readonly node: HookNode;
  readonly hook: string;
  readonly id: string;
  readonly user: string;
  readonly seq: number;
  /** The stored position, as the node knew it. */
  readonly stored: number;
  isTaken: boolean;
}

export interface SharedOptions {
  readonly retryMs?: number;
  readonly leaseMs?: number;
}

export class HookNode {
  readonly store: LettersNode;
  readonly roster: Roster;
  readonly #world: SharedWorld;
  webhooks: SharedWebhooks;

  constructor(world: SharedWorld, store: LettersNode, roster: Roster) {
    this.#world = world;
    this.store = store;
    this.roster = roster;
    this.webhooks = this.#new();
    this.webhooks.start();
  }

  #new(): SharedWebhooks {
    const { logged, retryMs, leaseMs } = this.#world;
    return new SharedWebhooks({
      ...{ roster: this.roster, leases: this.store.leases, letters: this.store.table, clock: systemClock, random: Math.random },
      ...{ concurrency: 4, retryMs, deadKeptMs: 3_600_000, leaseMs },
      logger: { info: (_, text) => logged.push(text), error: (_, text) => logged.push(text) },
      send:
        (hook, { id }, { lane, seq }) =>
        async (_attempt, _timeoutMs, cut) => {
          const stored = this.roster.directory.docs.get('outbox', hook.id)?.seq ?? 0;
          const request: SharedRequest = { node: this, hook: hook.id, id, user: lane, seq, stored, isTaken: false };
          this.#world.requests.push(request);
          const isCut = new Promise<SendResult>((resolve) =>
            cut.addEventListener('abort', () => resolve({ kind: 'stopped' }), { once: true }),
          );
          const result = await Promise.race([this.#world.answer(request), isCut]);
          request.isTaken = result.kind === 'status' && result.status === 200;
          return result;
        },
    });
  }

  async status(hook = 'h'): Promise<HookStatus> {
    const found = (await this.webhooks.status()).find(({ id }) => id === hook);
    assert.ok(found);
    return found;
  }

  /** The daemon that starts next on this node. */
  begin(): void {
    this.webhooks = this.#new();
    this.webhooks.start();
  }
}

export class SharedWorld {
  readonly requests: SharedRequest[] = [];
  readonly logged: string[] = [];
  /** The kinds of commands that the nodes have submitted. */
  readonly commands = new Set<string>();
  readonly kit: LettersKit;
  readonly nodes: HookNode[] = [];
  readonly retryMs: number;
  readonly leaseMs: number;
  /** Writes, and is never disturbed. */
  readonly writer: Roster;
  answer: (request: SharedRequest) => Promise<SendResult> = async () => OK;

  private constructor(kit: LettersKit, writer: Roster, { retryMs = 3_600_000, leaseMs = 1_500 }: SharedOptions) {
    this.kit = kit;
    this.writer = writer;
    this.retryMs = retryMs;
    this.leaseMs = leaseMs;
  }

  static async open(t: TestContext, pg: PgKit, count: number, options: SharedOptions = {}): Promise<SharedWorld> {
    const kit = new LettersKit(pg);
    const rosterOf = async ({ log, snapshots }: LettersNode): Promise<Roster> => await rosterWith({ log, snapshots, onFatal: () => {} });
    const writer = await rosterOf(await kit.node());
    const world = new SharedWorld(kit, writer, options);
    t.after(async () => {
      await Promise.all(world.nodes.map(({ webhooks }) => webhooks.stop(0)));
      await kit.close();
      await Promise.all([writer, ...world.nodes.map(({ roster }) => roster)].map((roster) => roster.close()));
    });
    await world.settings({ id: 'h' });
    for (let n = 0; n < count; n++) {
      const store = await kit.node();
      const roster = await rosterOf(store);
      const submit = roster.submit.bind(roster);
      roster.submit = (command, ...how) => {
        world.commands.add(command.kind);
        return submit(command, ...how);
      };
      world.nodes.push(new HookNode(world, store, roster));
    }
    return world;
  }

  async settings(...hooks: readonly object[]): Promise<void> {
    const all = hooks.map((hook) => ({
      ...{ hook_type: 'webhook', enabled: true, webhook_url: 'https://hooks.example/', event_types: ['user.updated'], dialect: 'v2' },
      ...hook,
    }));
    await this.writer.submit({ kind: 'settings', set: { event_hooks: all as never } }, 'live');
  }

  /** One event for each id. Resolves with their positions. */
  async tell(...ids: readonly string[]): Promise<readonly number[]> {
    const { seq } = await upsert(this.writer, ids, `note ${this.writer.directory.seq}`);
    return ids.map((_, index) => seq - ids.length + 1 + index);
  }

  get stored(): number {
    return this.writer.directory.docs.get('outbox', 'h')?.seq ?? 0;
  }

  /** The node that has the job by now. */
  async holder(): Promise<HookNode> {
    let found: HookNode | undefined;
    await this.until('a node has the job', async () => {
      const name = await this.kit.sql(`select holder from rosterd.lease where app = '$app' and until > now() and token > 0`);
      found = this.nodes.find(({ store }) => store.leases.holder === name);
      return found !== undefined;
    });
    assert.ok(found);
    return found;
  }

  async otherThan(node: HookNode): Promise<HookNode> {
    const other = this.nodes.find((one) => one !== node);
    assert.ok(other);
    return other;
  }

  until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    return eventually(holds, () => `${what} (${this.logged.slice(-5).join('; ')})`);
  }

  get taken(): readonly SharedRequest[] {
    return this.requests.filter(({ isTaken }) => isTaken);
  }

  /** Each event up to here was taken, under one id, and the events of each user for the first time in order. */
  checkDelivered(seqs: readonly number[]): void {
    const ids = new Map<number, string>();
    const last = new Map<string, number>();
    for (const { id, seq, user } of this.taken) {
      if (!ids.has(seq)) {
        assert.ok(seq > (last.get(user) ?? 0), `${user}: ${seq} after ${last.get(user)}`);
        last.set(user, seq);
      }
      assert.equal(ids.get(seq) ?? id, id, `event ${seq} has one id`);
      ids.set(seq, id);
    }
    assert.deepEqual(
      seqs.filter((seq) => !ids.has(seq)),
      [],
      'no event is missing',
    );
  }
}
