/** Puts the delivery of webhooks together. */
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import { Webhooks, type WebhooksOptions } from './all.ts';
import { createDelivery } from './deliver.ts';
import { isPrivateHost } from './private-addresses.ts';
import { createSender } from './sender.ts';

export interface StartOptions extends Pick<WebhooksOptions, 'concurrency' | 'retryMs' | 'deadKeptMs'> {
  readonly roster: Roster;
  readonly dataDirectory: string;
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

export interface RunningWebhooks extends Pick<Webhooks, 'status' | 'deadLetters' | 'replay'> {
  /** Whether webhooks may be delivered to this host of a URL. */
  mayReach(hostname: string): boolean;
  /** Requests in flight have `lastMs` to end. */
  stop(lastMs: number): Promise<void>;
}

/** Rejects when the directory of the letters cannot be used. */
export async function startWebhooks(options: StartOptions): Promise<RunningWebhooks> {
  const { roster, dataDirectory, apiKey, apiSecret, version, allowPrivate, exportUrl, logger, clock } = options;
  const { concurrency, retryMs, deadKeptMs } = options;
  const sender = createSender({ allowPrivate });
  const lookups = { user: (id: string) => roster.directory.user(id), online: (id: string) => roster.online(id), exportUrl };
  const send = createDelivery({ sender, apiKey, apiSecret, version, lookups });
  const directory = join(dataDirectory, 'webhooks');
  const webhooks = new Webhooks({
    ...{ roster, directory, send, clock, random: Math.random, logger, concurrency, retryMs, deadKeptMs },
  });
  await webhooks.start();
  return {
    mayReach: (hostname) => allowPrivate || !isPrivateHost(hostname),
    status: () => webhooks.status(),
    deadLetters: (id, page) => webhooks.deadLetters(id, page),
    replay: (id, request) => webhooks.replay(id, request),
    stop: async (lastMs) => {
      await webhooks.stop(lastMs);
      sender.close();
    },
  };
}
