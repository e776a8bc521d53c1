/**
 * Sync plans as durable work: a plan is made, waits for the approval of a second person, and is applied. Its document says how far it is, so
 * another start, or another node, goes on.
 *
 * It keeps PA1, PA5, PA6 and PA7 (daemon/RULES.md).
 */
import { isPlanWork, type PlanNoteCommand, type SyncPlan } from '../../../protocol/transfer/plans.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { SyncServer } from '../../sync/transport.ts';
import type { JobError, Work } from '../tasks/runner.ts';
import type { Files } from './files.ts';
import { givingWay, progressTeller } from './pace.ts';
import { applyUploadedPlan, type PlanFields } from './plan-applying.ts';
import { makeUploadedPlan } from './plan-making.ts';

export interface SyncPlansOptions {
  readonly roster: Pick<Roster, 'directory' | 'submit' | 'onApplied'>;
  readonly files: Pick<Files, 'openUpload' | 'writePlan' | 'openPlan'>;
  /** For files that are needed only meanwhile. */
  readonly workFolder: string;
  /** The endpoints of this daemon, for the writes of one plan. */
  readonly serverFor: (plan: SyncPlan) => SyncServer;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: RosterLogger;
  /** Interval at which running work reports its progress, milliseconds. */
  readonly progressMs?: number;
}

export function planWork(options: SyncPlansOptions): Work {
  const job = new PlanJob(options);
  return {
    kind: 'plan',
    // One after the other: a plan says what it found, which another one would change.
    concurrency: 1,
    isOpen: ({ kind, doc }) => kind === 'plan' && doc !== null && isPlanWork(doc),
    *openIds() {
      for (const plan of options.roster.directory.docs.all('plan')) if (isPlanWork(plan)) yield plan.id;
    },
    accept: async () => {},
    run: (id, stopping) => job.run(id, stopping),
    fail: (id, error) => job.fail(id, error),
  };
}

class PlanJob {
  readonly #options: SyncPlansOptions;

  constructor(options: SyncPlansOptions) {
    this.#options = options;
  }

  async fail(id: string, { description }: JobError): Promise<void> {
    const state = this.#plan(id)?.state === 'applying' ? 'stopped' : 'failed';
    await this.#note(id, ['uploaded', 'planning', 'applying'], { state, problems: [description] });
  }

  async run(id: string, stopping: AbortSignal): Promise<void> {
    for (;;) {
      const plan = this.#plan(id);
      if (plan === undefined || !isPlanWork(plan) || stopping.aborted) return;
      const isStopped = plan.state === 'applying' ? await this.#apply(plan, stopping) : await this.#make(plan, stopping);
      // Stopped by a person, who may want it to go on by now.
      if (isStopped && stopping.aborted) return;
    }
  }

  /** Both resolve with whether it was stopped. */
  async #make(plan: SyncPlan, stopping: AbortSignal): Promise<boolean> {
    const { id } = plan;
    await this.#note(id, ['uploaded'], { state: 'planning' });
    return await this.#while(plan, ['planning'], stopping, async (stop, progress, deps) => {
      const made = await makeUploadedPlan(plan, {
        ...deps,
        stop,
        onProgress: ({ phase, rows, errors }) => progress({ phase, rows, errors }),
      });
      if (made !== undefined) await this.#note(id, ['planning'], made);
      return made === undefined;
    });
  }

  async #apply(plan: SyncPlan, stopping: AbortSignal): Promise<boolean> {
    const { id } = plan;
    const note = (fields: PlanFields) => this.#note(id, ['applying', 'stopped'], fields);
    return await this.#while(plan, ['applying'], stopping, async (stop, progress, deps) => {
      const end = await applyUploadedPlan(plan, { ...deps, stop, note, onProgress: ({ done, total }) => progress({ done, total }) });
      if (end !== undefined) await note(end);
      return end === undefined;
    });
  }

  /** Runs the work until it ends, or the plan is in another state. */
  async #while(
    plan: SyncPlan,
    states: readonly SyncPlan['state'][],
    stopping: AbortSignal,
    work: (stop: AbortSignal, progress: (fields: ProgressFields) => void, deps: Deps) => Promise<boolean>,
  ): Promise<boolean> {
    const { roster, files, workFolder, clock, random, logger, progressMs } = this.#options;
    const moved = new AbortController();
    const ended = new AbortController();
    const look = () => {
      const state = this.#plan(plan.id)?.state;
      if (state === undefined || !states.includes(state)) moved.abort();
    };
    roster.onApplied(({ facts }) => {
      if (facts.some((fact) => fact.t === 'doc' && fact.kind === 'plan' && fact.id === plan.id)) look();
    }, ended.signal);
    look();
    const progress = progressTeller<ProgressFields>(clock, (fields) => this.#note(plan.id, states, { progress: fields }), progressMs);
    const onTalk = (text: string) => logger.info({ plan: plan.id }, text);
    const stop = AbortSignal.any([stopping, moved.signal]);
    const server = unhurried(this.#options.serverFor(plan), clock);
    try {
      return await work(stop, (fields) => progress.say(() => fields), { files, workFolder, server, clock, random, onTalk });
    } finally {
      ended.abort();
      await progress.end();
    }
  }

  #plan(id: string): SyncPlan | undefined {
    return this.#options.roster.directory.docs.get('plan', id);
  }

  async #note(id: string, states: PlanNoteCommand['while'], fields: PlanNoteCommand['fields']): Promise<void> {
    await this.#options.roster.submit({ kind: 'plan-note', id, while: states, fields }, 'bulk');
  }
}

type ProgressFields = Readonly<Record<string, string | number>>;

type Deps = Pick<SyncPlansOptions, 'files' | 'workFolder' | 'clock' | 'random'> & {
  readonly server: SyncServer;
  readonly onTalk: (text: string) => void;
};

/** It leaves as much time to others as it takes, like an import. */
function unhurried(server: SyncServer, clock: Clock): SyncServer {
  return {
    ask: (request, signal) => givingWay(clock, signal, () => server.ask(request, signal)),
    stream: (request, signal) => server.stream(request, signal),
  };
}
