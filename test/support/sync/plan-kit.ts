/** What plans are tested with: a directory in memory that answers like rosterd or like another chat server, and rows made of text. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { jsonLines } from '../../../daemon/sync/json-rows.ts';
import { makePlan } from '../../../daemon/sync/plan/make-plan.ts';
import { NO_COUNTS, type PlanHeader, type PlanLine } from '../../../daemon/sync/plan/plan-lines.ts';
import type { PlanDeps, PlanOptions, PlanSummary } from '../../../daemon/sync/plan/plan-types.ts';
import { type AskRequest, type Reply, replyOf, type StreamedReply, type SyncServer } from '../../../daemon/sync/transport.ts';
import { jsonEquals } from '../../../protocol/base/json.ts';
import { FakeClock } from './fake-server.ts';

type User = Readonly<Record<string, unknown>> & { readonly id: string };

export interface KnownUser {
  readonly user: User;
  readonly rev: number;
  readonly deactivated?: true;
}

/** Decides a dry run by plain comparison; `refuse` names what the directory would not take. */
export class PlanDirectory implements SyncServer {
  readonly users = new Map<string, KnownUser>();
  readonly asked: AskRequest[] = [];
  isRosterd = true;
  refuse: (user: User) => string | undefined = () => undefined;
  /** Lines of `GET /sync/users` after which the answer ends. */
  listLines = Number.POSITIVE_INFINITY;
  beforeAnswer: (request: AskRequest) => Promise<void> | void = () => {};

  constructor(users: readonly User[] = []) {
    for (const [index, user] of users.entries()) this.users.set(user.id, { user, rev: index + 1 });
  }

  deactivate(id: string): void {
    const known = this.users.get(id);
    if (known !== undefined) this.users.set(id, { ...known, deactivated: true });
  }

  async ask(request: AskRequest): Promise<Reply> {
    this.asked.push(request);
    await this.beforeAnswer(request);
    const { status, body } = this.#answer(request);
    return replyOf(status, JSON.stringify(body));
  }

  async stream(request: AskRequest): Promise<StreamedReply> {
    this.asked.push(request);
    const team = request.query?.team;
    const found = [...this.users.values()].filter(
      ({ user }) => team === undefined || (Array.isArray(user.teams) && user.teams.includes(team)),
    );
    const lines = [
      { epoch: 'e', seq: 9, count: found.length },
      ...found.map(({ user, rev, deactivated }) => ({ id: user.id, rev, ...(deactivated ? { deactivated } : {}) })),
      { end: true, count: found.length },
    ];
    const text = lines.slice(0, this.listLines).map((line) => `${JSON.stringify(line)}\n`);
    return { status: 200, chunks: Readable.from([Buffer.from(text.join(''))]) };
  }

  #answer({ method, path, query, body }: AskRequest): { status: number; body: unknown } {
    if (path === '/sync/position')
      return this.isRosterd ? { status: 200, body: { epoch: 'e', seq: 9, users: this.users.size } } : { status: 404, body: {} };
    if (method === 'GET') {
      const ids: readonly string[] = JSON.parse(query?.payload ?? '{}').filter_conditions.id.$in;
      return { status: 200, body: { users: ids.flatMap((id) => this.users.get(id)?.user ?? []) } };
    }
    if (!this.isRosterd || query?.dry_run !== 'true') throw new Error('something was written');
    return { status: 200, body: this.#dryRun(JSON.parse(body ?? '').users) };
  }

  #dryRun(sent: Readonly<Record<string, User>>): unknown {
    const answer = { users: {}, created: [] as string[], updated: [] as string[], unchanged: [] as string[] };
    const revs: Record<string, number> = {};
    const changes: Record<string, Record<string, unknown>> = {};
    const errors: unknown[] = [];
    for (const [id, user] of Object.entries(sent)) {
      const before = this.users.get(id);
      const reason = this.refuse(user);
      revs[id] = before?.rev ?? 0;
      if (reason !== undefined) errors.push({ path: `users[${id}].role`, code: 4, message: reason });
      else if (before === undefined) answer.created.push(id);
      else if (jsonEquals(before.user, user)) answer.unchanged.push(id);
      else {
        answer.updated.push(id);
        changes[id] = { name: [before.user.name ?? null, user.name ?? null] };
      }
    }
    return { ...answer, revs, changes, errors };
  }
}

export interface Planned {
  readonly summary: PlanSummary;
  readonly header?: PlanHeader;
  readonly lines: readonly PlanLine[];
  /** Whether the sink was finished or given up. */
  readonly sink: 'none' | 'open' | 'finished' | 'abandoned';
  /** Files that were left in the spool. */
  readonly spooled: number;
}

export const PLAN_DEFAULTS: PlanOptions = {
  url: 'http://fake',
  source: 'users.ndjson',
  missing: 'ignore',
  maxMissing: 0.1,
  maxMissingCount: 500,
  maxErrors: 0.1,
  returning: 'leave',
  concurrency: 4,
  retryForMs: 0,
};

/** Plans NDJSON (or other rows, in `deps`) against a directory. */
export async function planOf(
  t: TestContext,
  text: string,
  server: SyncServer,
  options: Partial<PlanOptions> = {},
  deps: Partial<PlanDeps> = {},
): Promise<Planned> {
  const spoolDirectory = mkdtempSync(join(tmpdir(), 'rosterd-plan-test-'));
  t.after(() => rmSync(spoolDirectory, { recursive: true, force: true }));
  const lines: PlanLine[] = [];
  let header: PlanHeader | undefined;
  let sink: Planned['sink'] = 'none';
  const summary = await makePlan(
    { ...PLAN_DEFAULTS, ...options },
    {
      rows: jsonLines(Readable.from([Buffer.from(text)])),
      mapping: { map: (value) => ({ value }), neverFound: () => [] },
      server,
      openSink: async (sent) => {
        header = sent;
        sink = 'open';
        return {
          add: async (more) => void lines.push(...more),
          finish: async (counts) => {
            sink = 'finished';
            return { end: true, counts: { ...NO_COUNTS, ...counts }, sha256: '' };
          },
          abandon: async () => {
            sink = 'abandoned';
          },
        };
      },
      spoolDirectory,
      clock: new FakeClock(),
      random: () => 0.5,
      stop: new AbortController().signal,
      ...deps,
    },
  );
  return { summary, ...(header === undefined ? {} : { header }), lines, sink, spooled: readdirSync(spoolDirectory).length };
}

export function ndjson(users: readonly unknown[]): string {
  return users.map((user) => `${JSON.stringify(user)}\n`).join('');
}

/** `u0`, `u1`, … */
export function numberedUsers(count: number, from = 0): { readonly id: string; readonly name: string }[] {
  return Array.from({ length: count }, (_, index) => ({ id: `u${from + index}`, name: `U ${from + index}` }));
}
