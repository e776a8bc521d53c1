/** Leases as rows, one for each job that was ever taken. */
import { randomUUID } from 'node:crypto';
import { LEASE_MS, LeaseLost, type Leases } from '../leases.ts';
import { type PgAnswer, rowOf, sqlState } from './link/connection.ts';
import type { ServerLinks } from './link/links.ts';
import { SideConnection } from './link/side-connection.ts';

export class PostgresLeases implements Leases {
  readonly holder: string;
  readonly #app: string;
  readonly #connection: SideConnection;

  /** @param node the name of this node, by which `holder` begins */
  constructor(app: string, links: ServerLinks, node: string) {
    this.#app = app;
    this.holder = `${node} ${randomUUID()}`;
    this.#connection = new SideConnection(links, 'leases');
  }

  async take(job: string): Promise<boolean> {
    return isTrue(await this.#connection.ask({ name: 'rosterd-take-lease', text: TAKE, values: [...this.#key(job), LEASE_MS] }));
  }

  async stamp(job: string, token: number): Promise<boolean> {
    return isTrue(await this.#connection.ask({ name: 'rosterd-stamp-lease', text: STAMP, values: [...this.#key(job), token] }));
  }

  async release(job: string): Promise<void> {
    await this.#connection.ask({ name: 'rosterd-release-lease', text: RELEASE, values: this.#key(job) });
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  #key(job: string): readonly string[] {
    return [this.#app, job, this.holder];
  }
}

const TAKE = 'select rosterd.take_lease($1, $2, $3, $4) as is_done';
const STAMP = `with done as (update rosterd.lease set token = $4 where app = $1 and job = $2 and holder = $3 and token <= $4 returning job)
  select exists (select from done) as is_done`;
const RELEASE = "update rosterd.lease set until = '-infinity' where app = $1 and job = $2 and holder = $3";

/** The error of a question that `check_lease` refused, as LeaseLost; undefined for every other error. */
export function leaseLost(error: unknown): LeaseLost | undefined {
  return sqlState(error) === 'RS002' ? new LeaseLost(error instanceof Error ? error.message : '', { cause: error }) : undefined;
}

function isTrue(answer: PgAnswer): boolean {
  return rowOf(answer).is_done === true;
}
