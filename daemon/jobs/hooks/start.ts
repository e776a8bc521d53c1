/** Puts the delivery of webhooks together. */
import { join } from 'node:path';
import type { HookTrial, HookTrialResult } from '../../../protocol/hooks/check.ts';
import type { DeadLetter, HookStatus, LetterPage, LetterWithBody, ReplayRequest } from '../../../protocol/hooks/dead-letters.ts';
import { hooksOf } from '../../../protocol/hooks/hooks.ts';
import { renderHookBody } from '../../../protocol/hooks/payload.ts';
import type { Leases } from '../../../store/leases.ts';
import type { LetterTable } from '../../../store/letters.ts';
import type { Clock } from '../../base/clock.ts';
import { Durations } from '../../base/durations.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import { Webhooks, type WebhooksOptions } from './all.ts';
import { createDelivery } from './deliver.ts';
import { LetterFolders } from './letter-file.ts';
import { isPrivateHost } from './private-addresses.ts';
import { createSender } from './sender.ts';
import { SharedWebhooks } from './shared/shared-webhooks.ts';
import { HookTrials } from './trial/trial.ts';
import type { HookMeasure } from './view.ts';

export interface StartOptions extends Pick<WebhooksOptions, 'concurrency' | 'retryMs' | 'deadKeptMs'> {
  readonly roster: Roster;
  readonly dataDirectory: string;
  /** Both undefined where no other process can be; letters are then files in the data directory. */
  readonly leases: Leases | undefined;
  readonly letters: LetterTable | undefined;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** Version of this package. */
  readonly version: string;
  /** Whether webhooks may be delivered to addresses that are not public. */
  readonly allowPrivate: boolean;
  readonly exportUrl: (taskId: string) => string;
  readonly logger: RosterLogger;
  readonly clock: Clock;
}

export interface RunningWebhooks {
  /** Whether webhooks may be delivered to this host of a URL. */
  mayReach(hostname: string): boolean;
  /** See `Webhooks` and `SharedWebhooks`. */
  status(): Promise<readonly HookStatus[]>;
  deadLetters(hookId: string, page: LetterPage): Promise<readonly DeadLetter[]>;
  /** The dead letter, and its body as it would be sent now. */
  letter(hookId: string, id: string): Promise<LetterWithBody>;
  /** See `HookTrials`. */
  trial(trial: HookTrial): Promise<HookTrialResult>;
  replay(hookId: string, request: ReplayRequest): Promise<{ readonly replaying: number; readonly remaining: number }>;
  /** The hooks that this node delivers to. */
  measures(): readonly HookMeasure[];
  /** Of all requests to hooks. */
  readonly durations: Durations;
  /** Requests in flight have `lastMs` to end. */
  stop(lastMs: number): Promise<void>;
}

/** Rejects when the directory of the letters cannot be used. */
export async function startWebhooks(options: StartOptions): Promise<RunningWebhooks> {
  const { roster, leases, letters, apiKey, apiSecret, version, allowPrivate, exportUrl, logger, clock } = options;
  const { concurrency, retryMs, deadKeptMs } = options;
  const sender = createSender({ allowPrivate });
  const lookups = { user: (id: string) => roster.directory.user(id), online: (id: string) => roster.online(id), exportUrl };
  const durations = new Durations();
  const identity = { apiKey, apiSecret, version };
  const send = createDelivery({ sender, ...identity, lookups, durations });
  const trials = new HookTrials({ roster, sender, clock, ...identity });
  const common = { roster, send, clock, random: Math.random, logger, concurrency, retryMs, deadKeptMs };
  const webhooks =
    leases === undefined || letters === undefined
      ? new Webhooks({ ...common, letters: new LetterFolders(join(options.dataDirectory, 'webhooks'), logger) })
      : new SharedWebhooks({ ...common, leases, letters });
  await webhooks.start();
  return {
    mayReach: (hostname) => allowPrivate || !isPrivateHost(hostname),
    status: async () => await webhooks.status(),
    deadLetters: (id, page) => webhooks.deadLetters(id, page),
    letter: async (hookId, id) => {
      const { letter, event } = await webhooks.openLetter(hookId, id);
      const dialect = hooksOf(roster.directory.app).find((hook) => hook.id === hookId)?.dialect ?? 'v2';
      return { ...letter, body: renderHookBody(event, dialect, { ...lookups, epoch: letter.epoch }) };
    },
    trial: (trial) => trials.send(trial),
    replay: (id, request) => webhooks.replay(id, request),
    measures: () => webhooks.measures(),
    durations,
    stop: async (lastMs) => {
      trials.stop();
      await webhooks.stop(lastMs);
      sender.close();
    },
  };
}
