/** Nodes that share the letters of one application on PostgreSQL, and the job of delivering them. */
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { LetterTerm } from '../../../store/letters.ts';
import { PostgresLeases } from '../../../store/postgres/leases.ts';
import { PostgresLetters } from '../../../store/postgres/letters.ts';
import type { PgKit, PgNode } from '../store/pg-kit.ts';

export interface LettersNode extends PgNode {
  readonly leases: PostgresLeases;
  readonly table: PostgresLetters;
  /** Takes the job, whoever has it. */
  term(signal?: AbortSignal): Promise<LetterTerm>;
}

export class LettersKit {
  readonly app = randomUUID();
  readonly #kit: PgKit;
  readonly #nodes: LettersNode[] = [];
  #token = 0;

  /** `t`: closes everything at the end of the test. Without one, the caller does. */
  constructor(kit: PgKit, t?: TestContext) {
    this.#kit = kit;
    t?.after(() => this.close());
  }

  async node(): Promise<LettersNode> {
    const node = await this.#kit.node(this.app);
    const leases = new PostgresLeases(this.app, node.log.links, 'node');
    const table = new PostgresLetters(this.app, node.log.links);
    const term = async (signal = new AbortController().signal): Promise<LetterTerm> => {
      await this.endLease();
      await leases.take('webhooks');
      const token = ++this.#token;
      await leases.stamp('webhooks', token);
      return { job: 'webhooks', token, signal };
    };
    const opened = { ...node, leases, table, term };
    this.#nodes.push(opened);
    return opened;
  }

  /** By the clock of the server, the lease is over: anybody may have it. */
  async endLease(): Promise<void> {
    await this.#kit.postgres.sql(`update rosterd.lease set until = '-infinity' where app = '${this.app}'`);
  }

  /** The storage gives the job to this node. The one that has it does not know. */
  async handOver(to: LettersNode): Promise<void> {
    await this.sql(`insert into rosterd.lease (app, job, holder, until) values ('$app', 'webhooks', '${to.leases.holder}', now() + interval '10 s')
      on conflict (app, job) do update set holder = excluded.holder, until = excluded.until`);
  }

  sql(text: string): Promise<string> {
    return this.#kit.postgres.sql(text.replaceAll('$app', this.app)).then((answer) => answer.trim());
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.flatMap(({ leases, table }) => [leases.close(), table.close()]));
  }
}
