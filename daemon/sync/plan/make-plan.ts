/**
 * Makes a plan: finds out what a source would change in the directory, without changing anything.
 *
 * First it reads and checks the rows. Then it compares the directory's list with the ids of the source. Only when all brakes allow
 * it does it ask the daemon about the outcome for each user. Users wait on the disk, so only the ids of the source are in
 * memory. A plan file is either complete or absent: an early end, or a brake, leaves no plan file behind.
 */
import { join } from 'node:path';
import type { Position } from '../../../protocol/base/position.ts';
import { inOrder } from '../in-order.ts';
import { Pacer } from '../pacer.ts';
import { messageOf } from '../refusal.ts';
import { Retrier } from '../retrier.ts';
import { BrokenSource, type RowError } from '../rows.ts';
import { BATCH_LIMITS, RowReader } from '../source.ts';
import { rowCheck, type SourceUser } from '../source-user.ts';
import type { AskRequest, Reply } from '../transport.ts';
import { readUserList } from '../user-list.ts';
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
import { Ended, reasonOf } from './ended.ts';
import { COMPARE, dryRunJudge, type Judge, type Judgement, QUERY_USERS, queryById, usersIn } from './judge.ts';
import { MissingUsers } from './missing.ts';
import { deactivatedNote, SameLetters, strangersNote } from './notes.ts';
import { PLAN_VERSION, type PlanLine, type PlanRemoval, type PlanTrailer, type Removal } from './plan-lines.ts';
import type { PlanDeps, PlanOptions, PlanSink, PlanSummary } from './plan-types.ts';
import { SpoolFile } from './spool.ts';
import { Tally } from './tally.ts';
import { untilAborted } from './until-aborted.ts';
import { UserSpool } from './user-spool.ts';

/** Number of lines without an id that messages name. */
const UNREADABLE_SHOWN = 5;

/** Never rejects because of the source, the network, the daemon or the disk; these end in a status with reasons. */
export async function makePlan(options: PlanOptions, deps: PlanDeps): Promise<PlanSummary> {
  const startedMs = deps.clock.now();
  const run = new PlanRun(options, deps);
  const end = await run.run();
  return { ...end, elapsedMs: deps.clock.now() - startedMs };
}

interface Server {
  readonly base: Position | null;
  /** Living users; undefined when the server does not report them. */
  readonly users?: number;
}

class PlanRun {
  readonly #options: PlanOptions;
  readonly #deps: PlanDeps;
  readonly #tally = new Tally();
  readonly #notes: string[] = [];
  readonly #retrier: Retrier;
  /** Ends the run from inside; `#stopping` joins it with Ctrl-C. */
  readonly #fatal = new AbortController();
  readonly #stopping: AbortSignal;
  #fatalReason: string | undefined;
  #sink: PlanSink | undefined;
  #base: Position | null = null;
  /** Users of the source that are deactivated, where the directory was listed. */
  #deactivated = 0;

  constructor(options: PlanOptions, deps: PlanDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#stopping = AbortSignal.any([this.#fatal.signal, deps.stop]);
    this.#retrier = new Retrier({
      clock: deps.clock,
      random: deps.random,
      retryForMs: options.retryForMs,
      stopping: this.#stopping,
      // Planning writes nothing, so no request has to be waited for.
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
    return { notes: this.#notes, base: this.#base, ...this.#tally.summary() };
  }

  async #plan(): Promise<PlanTrailer | undefined> {
    const { missing: removal } = this.#options;
    const server = await this.#meet();
    await this.#openSink();
    const users = new UserSpool(join(this.#deps.spoolDirectory, 'users'));
    const source = await this.#read(users);
    const removals = new SpoolFile(join(this.#deps.spoolDirectory, 'removals'));
    if (removal !== 'ignore') await this.#findMissing(removal, removals, source, users.count);
    await this.#judge(users, this.#base === null ? COMPARE : dryRunJudge(this.#options.returning));
    this.#brake([this.#errorsBrake()]);
    await this.#remove(removals);
    this.#noteEnd(server);
    const { rows, unchanged, missing } = this.#tally.counts;
    return await this.#sink?.finish({ rows, unchanged, missing }, this.#tally.summary().takenOut);
  }

  /** Finds out the kind of server. A server without positions gets no dry runs: only rosterd is known not to carry them out. */
  async #meet(): Promise<Server> {
    const reply = await this.#ask({ method: 'GET', path: '/sync/position' }, new Pacer(this.#deps.clock));
    const { status, body } = reply;
    if (status === 200 && typeof body?.epoch === 'string' && typeof body.seq === 'number') {
      this.#base = { epoch: body.epoch, seq: body.seq };
      return { base: this.#base, ...(typeof body.users === 'number' ? { users: body.users } : {}) };
    }
    if (status !== 404 && status !== 405) throw new Ended('failed', [`the daemon answers ${status}: ${messageOf(reply)}`]);
    this.#brake([notRosterd(this.#options)]);
    this.#notes.push('the server is not rosterd: users are compared with what it shows, and its own rules are not asked');
    return { base: null };
  }

  async #openSink(): Promise<void> {
    const { url, source, missing, team, returning } = this.#options;
    const scope = team === undefined ? null : `team=${team}`;
    this.#sink = await this.#deps.openSink?.({
      rosterd_plan: PLAN_VERSION,
      created_at: new Date(this.#deps.clock.now()).toISOString(),
      url,
      source,
      base: this.#base,
      options: { missing, scope, ...(returning === 'leave' || this.#base === null ? {} : { returning }) },
    });
  }

  /** Puts the good users into the spool. Resolves with the ids that any row, good or bad, names. */
  async #read(users: UserSpool): Promise<SameLetters> {
    const { rows: source, mapping, onProgress } = this.#deps;
    const reader = new RowReader(rowCheck(mapping, this.#options.team));
    const letters = new SameLetters((id) => reader.has(id));
    const { counts } = this.#tally;
    const unreadable = { count: 0, lines: [] as number[] };
    let bytes = 0;
    try {
      for await (const chunk of untilAborted(source, this.#stopping)) {
        const errors: RowError[] = [];
        for (const row of chunk.rows) {
          counts.rows++;
          const read = reader.take(row);
          if ('code' in read) errors.push(read);
          else {
            users.add(read);
            letters.take(read.id, read.line);
          }
        }
        for (const { id, line } of errors) {
          if (id === undefined && unreadable.count++ < UNREADABLE_SHOWN) unreadable.lines.push(line);
        }
        await this.#add(errors.map((error) => ({ error })));
        bytes += chunk.bytes;
        onProgress?.({ phase: 'reading', rows: counts.rows, errors: counts.errors, bytes });
      }
    } catch (error) {
      if (!(error instanceof BrokenSource)) throw error;
      throw new Ended('refused', [brokenSource(this.#options, error.message)]);
    }
    this.#goOn();
    this.#brake([
      emptySource(this.#options, counts.rows),
      unusedColumns(mapping.neverFound(), counts.rows),
      this.#errorsBrake(),
      unreadableIds(this.#options, unreadable.count, unreadable.lines),
    ]);
    this.#notes.push(...letters.notes());
    return letters;
  }

  /** Lists the directory once, without resuming in the middle: a list is valid only when it is whole. */
  async #findMissing(removal: Removal, removals: SpoolFile, source: SameLetters, usersOfSource: number): Promise<void> {
    const options = this.#options;
    const request: AskRequest = { method: 'GET', path: '/sync/users', query: options.team === undefined ? {} : { team: options.team } };
    const { status, chunks } = await this.#deps.server.stream(request, this.#stopping);
    if (status !== 200) throw new Ended('failed', [`the daemon answers ${status} to GET /sync/users`]);
    const missing = new MissingUsers(removal, removals, (id) => source.has(id));
    await readUserList(chunks, (user) => {
      if (!missing.note(user)) return;
      this.#tally.missing(user.id);
      source.takeMissing(user.id);
    });
    this.#goOn();
    this.#notes.push(...source.missingNotes());
    this.#tally.found(missing);
    this.#brake([emptyScope(options, usersOfSource, missing.living), tooManyMissing(options, missing.removed, missing.inScope)]);
    this.#deactivated = missing.deactivated;
  }

  async #judge(users: UserSpool, judge: Judge): Promise<void> {
    const pacer = new Pacer(this.#deps.clock, { isCareful: true });
    const { counts } = this.#tally;
    let asked = 0;
    let bytes = 0;
    await inOrder<readonly SourceUser[], Judgement>({
      batches: users.batches({ users: judge.batchUsers, bytes: BATCH_LIMITS.bytes }),
      concurrency: this.#options.concurrency,
      work: async (batch) => judge.read(batch, await this.#ask(judge.request(batch), pacer)),
      settle: async (batch, { lines, unchanged, takenOut }) => {
        counts.unchanged += unchanged;
        this.#tally.takenOut.add(takenOut);
        await this.#add(lines);
        asked += batch.length;
        for (const user of batch) bytes += user.bytes;
        this.#deps.onProgress?.({ phase: 'comparing', rows: asked, errors: counts.errors, bytes, totalBytes: users.bytes });
        return true;
      },
      stopping: this.#stopping,
      onError: (error) => this.#fail(reasonOf(error)),
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

  /** The list of one team does not show the other teams of its users, so these are asked for. */
  async #inOtherTeams(batch: readonly PlanRemoval[], pacer: Pacer): Promise<ReadonlySet<string>> {
    if (this.#options.team === undefined) return new Set();
    const users = usersIn(await this.#ask(queryById(batch.map(({ id }) => id)), pacer));
    return new Set(users.filter(({ teams = [] }) => teams.length > 1).map(({ id }) => id));
  }

  #noteEnd({ users = 0 }: Server): void {
    const { counts, takenOut } = this.#tally;
    const others = this.#deactivated - takenOut.deactivated - counts.reactivate;
    this.#notes.push(...takenOut.notes(), ...deactivatedNote(others), ...strangersNote(counts, users));
  }

  async #ask(request: AskRequest, pacer: Pacer): Promise<Reply> {
    const reply = await this.#retrier.request((signal) => this.#deps.server.ask(request, signal), pacer);
    if (reply === undefined) throw new Ended('failed', [this.#fatalReason ?? 'the daemon does not answer']);
    return reply;
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

  /** Throws when the run was stopped. */
  #goOn(): void {
    if (this.#fatalReason !== undefined) throw new Ended('failed', [this.#fatalReason]);
    if (this.#deps.stop.aborted) throw new Ended('interrupted', []);
  }

  /** The first reason counts; later ones are mostly its consequences. */
  #fail(reason: string): void {
    this.#fatalReason ??= reason;
    this.#fatal.abort();
  }
}
