/**
 * One signed request with a test event to a webhook, or to an address that is not saved yet. It is no delivery: it moves no position, is not
 * tried again, and changes nothing of what is known of the hook.
 *
 * It keeps CO42 (daemon/RULES.md).
 */
import { randomUUID } from 'node:crypto';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { RosterError } from '../../../../protocol/base/errors.ts';
import type { HookTrial, HookTrialResult } from '../../../../protocol/hooks/check.ts';
import { type Hook, hooksOf } from '../../../../protocol/hooks/hooks.ts';
import { timeOf } from '../../../../protocol/users/render.ts';
import type { Clock } from '../../../base/clock.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import { HOOK_TIMEOUT_MS } from '../attempt.ts';
import { type HookIdentity, signedRequest } from '../deliver.ts';
import { isSuccess, type SendResult, sendReason } from '../quick-attempts.ts';
import type { Sender } from '../sender.ts';
import { noSuchWebhook } from '../view.ts';

/** Test requests of this node in a minute, whoever asks: nobody can make it a source of traffic to others. */
export const TRIALS_PER_MINUTE = 30;
/** No event of a directory has this type. */
export const TRIAL_EVENT_TYPE = 'webhook.test';

export interface TrialOptions extends HookIdentity {
  readonly roster: { readonly directory: Pick<Roster['directory'], 'app'> };
  readonly sender: Pick<Sender, 'post'>;
  readonly clock: Pick<Clock, 'now'>;
}

type Target = Pick<Hook, 'url' | 'dialect' | 'timeoutMs' | 'isCompressed'>;

export class HookTrials {
  readonly #options: TrialOptions;
  readonly #limit = new RateLimiterMemory({ points: TRIALS_PER_MINUTE, duration: 60 });
  readonly #stopping = new AbortController();

  constructor(options: TrialOptions) {
    this.#options = options;
  }

  /** Rejects with RosterError: `not_found` for a hook that does not exist or is no webhook, `rate_limit`. A failed request is a result. */
  async send(trial: HookTrial): Promise<HookTrialResult> {
    const { sender, clock, roster: _, ...identity } = this.#options;
    const { url, dialect, timeoutMs = HOOK_TIMEOUT_MS, isCompressed } = this.#target(trial);
    await this.#limit.consume('').catch((refusal: unknown) => {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      const waitS = Math.ceil(refusal.msBeforeNext / 1_000);
      throw new RosterError('rate_limit', `at most ${TRIALS_PER_MINUTE} test requests are sent in a minute; try again in ${waitS} s`);
    });
    const content = {
      type: TRIAL_EVENT_TYPE,
      test: true,
      created_at: timeOf(dialect)(Math.round(clock.now() * 1_000)),
      message: 'An operator of rosterd tests this webhook. It is about no user.',
      ...(dialect === 'v2' ? { custom: {} } : undefined),
    };
    const { body, headers } = signedRequest(content, { id: randomUUID(), isCompressed }, identity);
    const startedMs = performance.now();
    const marked = { ...headers, 'X-Webhook-Attempt': 1, 'X-Webhook-Test': 'true' };
    const result = await sender.post({ url, headers: marked, body, timeoutMs, cut: this.#stopping.signal });
    return { ...outcomeOf(result), durationMs: Math.round(performance.now() - startedMs) };
  }

  /** Cuts off the requests in flight. */
  stop(): void {
    this.#stopping.abort();
  }

  #target(trial: HookTrial): Target {
    const { app } = this.#options.roster.directory;
    if ('url' in trial) return { ...trial, isCompressed: app.enable_hook_payload_compression === true };
    const hook = hooksOf(app).find(({ id, kind, url }) => id === trial.hookId && kind === 'webhook' && url !== '');
    if (hook === undefined) throw noSuchWebhook();
    return hook;
  }
}

function outcomeOf(result: SendResult): Omit<HookTrialResult, 'durationMs'> {
  return {
    status: result.kind === 'status' ? result.status : undefined,
    error: isSuccess(result) ? undefined : sendReason(result),
  };
}
