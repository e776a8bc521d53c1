/**
 * Makes a plan: what a source would change in the directory, found out without changing anything.
 *
 * In passes over files on the disk, so that memory does not grow with the source or with the directory: the rows are read and
 * checked, ids are compared a part at a time, and the daemon is asked what it would do with each user. A plan is complete
 * or it is not there: whatever ends the work early, and every brake, leaves no plan file behind.
 */
import { join } from 'node:path';
import { parseObject } from '../../../protocol/base/json.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { Exchanger } from '../exchanger.ts';
import { inOrder } from '../in-order.ts';
import { Pacer } from '../pacer.ts';
import { messageOf } from '../refusal.ts';
import { BATCH_LIMITS, type SourceUser } from '../source.ts';
import type { Answer } from '../transport.ts';
import {
  brokenSource,
  emptyScope,
  emptySource,
  notRosterd,
  tooManyErrors,
  tooManyMissing,
  unreadableIds,
  unusedColumns,
} from './brakes.ts';
import { COMPARE, DRY_RUN, type Judge, QUERY_USERS, queryById, usersIn, type Verdict } from './judge.ts';
import { type Comparison, compareIds, listDirectory } from './missing.ts';
import { PLAN_VERSION, type PlanError, type PlanLine, type PlanRemoval, type PlanTrailer } from './plan-lines.ts';
import type { AskRequest, PlanDeps, PlanOptions, PlanSink, PlanSummary } from './plan-types.ts';
import { RowReader, readBatches } from './read-rows.ts';
import { BrokenSource } from './source-rows.ts';
import { LineSet, Partitions, SpoolFile } from './spool.ts';
import { Tally } from './tally.ts';
import { untilAborted } from './until-aborted.ts';

/** Ends the planning. */
class Ended extends Error {
  readonly status: 'refused' | 'failed' | 'interrupted';
  readonly problems: readonly string[];

  constructor(status: Ended['status'], problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'Ended';
    this.status = status;
    this.problems = problems;
  }
}

/** Never rejects because of the source, the network, the daemon or the disk; that is a status with its reasons. */
export async function makePlan(options: PlanOptions, deps: PlanDeps): Promise<PlanSummary> {
  const startedMs = deps.clock.now();
  const run = new PlanRun(options, deps);
  const end = await run.run();
  return { ...end, elapsedMs: deps.clock.now() - startedMs };
}

interface Server {
  readonly base: Position | null;
  /** Living users; undefined when the server does not tell. */
  readonly users?: number;
}

class PlanRun {
  readonly #options: PlanOptions;
  readonly #deps: PlanDeps;
  readonly #tally = new Tally();
  readonly #notes: string[] = [];
  readonly #exchanger: Exchanger;
  /** Ends the run from inside; `#stopping` joins it with Ctrl-C. */
  readonly #fatal = new AbortController();
  readonly #stopping: AbortSignal;
  #fatalReason: string | undefined;
  #sink: PlanSink | undefined;
  #base: Position | null = null;

  constructor(options: PlanOptions, deps: PlanDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#stopping = AbortSignal.any([this.#fatal.signal, deps.stop]);
    this.#exchanger = new Exchanger({
      clock: deps.clock,
      random: deps.random,
      retryForMs: options.retryForMs,
      stopping: this.#stopping,
      // Nothing is written, so nothing has to be waited for.
      leaving: this.#stopping,
      onFatal: (reason) => this.#fail(reason),
      onTalk: (text) => deps.onTalk?.(text),
    });
  }

  async run(): Promise<Omit<PlanSummary, 'elapsedMs'>> {
    try {
      const trailer = await this.#plan();
      return { ...this.#summary(), status: 'planned', problems: [], ...(trailer === undefined ? {} : { trailer }) };
    } catch (error) {
      await this.#sink?.abandon();
      if (this.#deps.stop.aborted) return { ...this.#summary(), status: 'interrupted', problems: [] };
      if (error instanceof Ended) return { ...this.#summary(), status: error.status, problems: error.problems };
      return { ...this.#summary(), status: 'failed', problems: [this.#fatalReason ?? reasonOf(error)] };
    }
  }

  #summary(): Omit<PlanSummary, 'elapsedMs' | 'status' | 'problems'> {
    const tally = this.#tally;
    return {
      notes: this.#notes,
      counts: tally.counts,
      base: this.#base,
      fields: tally.fields(),
      errors: tally.errors(),
      examples: tally.examples(),
    };
  }

  async #plan(): Promise<PlanTrailer | undefined> {
    const { missing } = this.#options;
    const { spoolDirectory } = this.#deps;
    const server = await this.#meet();
    await this.#openSink();
    const places = { users: new SpoolFile(join(spoolDirectory, 'users')), ids: new Partitions(spoolDirectory, 'ids') };
    const reader = await this.#read(places);
    const removals = new SpoolFile(join(spoolDirectory, 'removals'));
    const directory = missing === 'ignore' ? undefined : new Partitions(spoolDirectory, 'directory');
    if (directory !== undefined) await this.#list(directory);
    const duplicates = new LineSet();
    const compared = await compareIds({
      source: places.ids,
      removals,
      ...(directory === undefined || missing === 'ignore' ? {} : { directory, removal: missing }),
      onDuplicates: async (found) => {
        for (const { line } of found) duplicates.add(line);
        await this.#addErrors(found.map(({ line, id, firstLine }) => duplicateError(line, id, firstLine)));
      },
      onMissing: (id) => this.#tally.missing(id),
      stop: this.#stopping,
    });
    this.#goOn();
    this.#checkMissing(compared, reader);
    await this.#judge(places.users, duplicates, this.#base === null ? COMPARE : DRY_RUN);
    this.#brake([this.#errorsBrake()]);
    await this.#remove(removals);
    this.#noteStrangers(server);
    const { rows, unchanged } = this.#tally.counts;
    return await this.#sink?.finish({ rows, unchanged, missing: compared.missing });
  }

  /** Which kind of server it is. One that knows no positions is asked nothing that only rosterd would not carry out. */
  async #meet(): Promise<Server> {
    const answer = await this.#ask({ method: 'GET', path: '/sync/position' }, new Pacer(this.#deps.clock));
    const body = parseObject(answer.body);
    if (answer.status === 200 && typeof body?.epoch === 'string' && typeof body.seq === 'number') {
      this.#base = { epoch: body.epoch, seq: body.seq };
      return { base: this.#base, ...(typeof body.users === 'number' ? { users: body.users } : {}) };
    }
    if (answer.status !== 404 && answer.status !== 405)
      throw new Ended('failed', [`the daemon answers ${answer.status}: ${messageOf(answer)}`]);
    this.#brake([notRosterd(this.#options)]);
    this.#notes.push('the server is not rosterd: users are compared with what it shows, and its own rules are not asked');
    return { base: null };
  }

  async #openSink(): Promise<void> {
    const { url, source, missing, team } = this.#options;
    const scope = team === undefined ? null : `team=${team}`;
    this.#sink = await this.#deps.openSink?.({
      rosterd_plan: PLAN_VERSION,
      created_at: new Date(this.#deps.clock.now()).toISOString(),
      url,
      source,
      base: this.#base,
      options: { missing, scope },
    });
  }

  async #read(places: { readonly users: SpoolFile; readonly ids: Partitions }): Promise<RowReader> {
    const reader = new RowReader(this.#options, this.#deps.mapping, places);
    let bytes = 0;
    try {
      for await (const chunk of untilAborted(this.#deps.rows, this.#stopping)) {
        const errors: PlanError[] = [];
        for (const row of chunk.rows) {
          const error = reader.take(row);
          if (error !== undefined) errors.push(error);
        }
        await this.#addErrors(errors);
        bytes += chunk.bytes;
        this.#deps.onProgress?.({ phase: 'reading', rows: reader.rows, errors: this.#tally.counts.errors, bytes });
      }
    } catch (error) {
      if (!(error instanceof BrokenSource)) throw error;
      throw new Ended('refused', [brokenSource(this.#options, error.message)]);
    }
    this.#goOn();
    this.#tally.counts.rows = reader.rows;
    const { rows, unreadable, unreadableLines } = reader;
    this.#brake([
      emptySource(this.#options, rows),
      unusedColumns(this.#deps.mapping.neverFound(), rows),
      this.#errorsBrake(),
      unreadableIds(this.#options, unreadable, unreadableLines),
    ]);
    return reader;
  }

  /** Asked once and not again in the middle: a list is one only when it is whole. */
  async #list(into: Partitions): Promise<void> {
    const { team } = this.#options;
    const request: AskRequest = { method: 'GET', path: '/sync/users', ...(team === undefined ? {} : { query: { team } }) };
    const answer = await this.#deps.server.stream(request, this.#stopping);
    if (answer.status !== 200) throw new Ended('failed', [`the daemon answers ${answer.status} to GET /sync/users`]);
    await listDirectory(answer, into);
    this.#goOn();
  }

  #checkMissing({ missing, removed, living, inScope, deactivated }: Comparison, { good }: RowReader): void {
    const options = this.#options;
    this.#tally.counts.missing = missing;
    const isOn = options.missing !== 'ignore';
    this.#brake([
      isOn ? emptyScope(options, good, living) : undefined,
      isOn ? tooManyMissing(options, removed, inScope) : undefined,
      this.#errorsBrake(),
    ]);
    if (deactivated > 0) {
      this.#notes.push(
        `${deactivated} ${deactivated === 1 ? 'user' : 'users'} of the source ${deactivated === 1 ? 'is' : 'are'} deactivated and will stay so`,
      );
    }
  }

  async #judge(users: SpoolFile, except: LineSet, judge: Judge): Promise<void> {
    const pacer = new Pacer(this.#deps.clock, { isCareful: true });
    const { counts } = this.#tally;
    let asked = 0;
    let bytes = 0;
    await inOrder<readonly SourceUser[], Verdict>({
      batches: readBatches(users, except, { users: judge.batchUsers, bytes: BATCH_LIMITS.bytes }),
      concurrency: this.#options.concurrency,
      work: async (batch) => judge.read(batch, await this.#ask(judge.request(batch), pacer)),
      settle: async (batch, { lines, unchanged }) => {
        counts.unchanged += unchanged;
        await this.#add(lines);
        asked += batch.length;
        for (const user of batch) bytes += user.bytes;
        this.#deps.onProgress?.({ phase: 'comparing', rows: asked, errors: counts.errors, bytes, totalBytes: users.bytes });
        return true;
      },
      stopping: this.#stopping,
      onError: (_part, error) => this.#fail(reasonOf(error)),
    });
    this.#goOn();
  }

  async #remove(removals: SpoolFile): Promise<void> {
    const pacer = new Pacer(this.#deps.clock, { isCareful: true });
    let kept = 0;
    for await (const lines of removals.lines()) {
      for (let at = 0; at < lines.length; at += QUERY_USERS) {
        const batch = lines.slice(at, at + QUERY_USERS).map((line): PlanRemoval => JSON.parse(line));
        const elsewhere = await this.#inOtherTeams(batch, pacer);
        kept += elsewhere.size;
        await this.#add(batch.filter(({ id }) => !elsewhere.has(id)));
        this.#goOn();
      }
    }
    if (kept === 0) return;
    this.#notes.push(
      `${kept} missing ${kept === 1 ? 'user' : 'users'} of the team ${this.#options.team} ${kept === 1 ? 'is' : 'are'} in other teams too and left alone`,
    );
  }

  /** The list of one team says nothing of users whom another team has as well. */
  async #inOtherTeams(batch: readonly PlanRemoval[], pacer: Pacer): Promise<ReadonlySet<string>> {
    if (this.#options.team === undefined) return new Set();
    const users = usersIn(await this.#ask(queryById(batch.map(({ id }) => id)), pacer));
    return new Set(users.filter(({ teams = [] }) => teams.length > 1).map(({ id }) => id));
  }

  /** The right users in the wrong column, or the wrong directory: nobody is known there. */
  #noteStrangers({ users = 0 }: Server): void {
    const { create, update, unchanged } = this.#tally.counts;
    if (users === 0 || create === 0 || update + unchanged > 0) return;
    this.#notes.push(
      `none of the users of the source is in the directory, which has ${users}: is the right column the id, and is it the right directory?`,
    );
  }

  async #ask(request: AskRequest, pacer: Pacer): Promise<Answer> {
    const answer = await this.#exchanger.exchange((signal) => this.#deps.server.ask(request, signal), pacer);
    if (answer === undefined) throw new Ended('failed', [this.#fatalReason ?? 'the daemon does not answer']);
    return answer;
  }

  async #addErrors(errors: readonly PlanError[]): Promise<void> {
    if (errors.length > 0) await this.#add(errors);
  }

  async #add(lines: readonly PlanLine[]): Promise<void> {
    const tally = this.#tally;
    for (const line of lines) {
      if ('error' in line) tally.error(line);
      else if ('user' in line) tally.write(line);
      else tally.removal(line.do);
    }
    await this.#sink?.add(lines);
  }

  #errorsBrake(): string | undefined {
    const { errors, rows } = this.#tally.counts;
    return tooManyErrors(this.#options, errors, rows, this.#tally.errors());
  }

  #brake(problems: readonly (string | undefined)[]): void {
    const found = problems.filter((problem) => problem !== undefined);
    if (found.length > 0) throw new Ended('refused', found);
  }

  /** Throws when the run was stopped meanwhile. */
  #goOn(): void {
    if (this.#fatalReason !== undefined) throw new Ended('failed', [this.#fatalReason]);
    if (this.#deps.stop.aborted) throw new Ended('interrupted', []);
  }

  /** The first reason counts; what follows is mostly its consequence. */
  #fail(reason: string): void {
    this.#fatalReason ??= reason;
    this.#fatal.abort();
  }
}

function duplicateError(line: number, id: string, firstLine: number): PlanError {
  const reason = `line ${line} names the same user as line ${firstLine}; line ${firstLine} counts`;
  return { error: { line, id, code: 'duplicate_id', reason } };
}

/** A full disk is the one error of the system that has a remedy worth naming. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC' ? `${text}; TMPDIR names a directory with more room` : text;
}
