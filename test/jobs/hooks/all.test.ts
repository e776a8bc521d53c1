/** DK2, DK3, WH14, WH20: webhooks begin when there is space, and what callers see of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhooks, type WebhooksOptions } from '../../../daemon/jobs/hooks/all.ts';
import type { HookLine } from '../../../daemon/jobs/hooks/delivery.ts';
import type { Letter } from '../../../daemon/jobs/hooks/letter.ts';
import { LetterFolders } from '../../../daemon/jobs/hooks/letter-file.ts';
import type { Letters } from '../../../daemon/jobs/hooks/letters.ts';
import { isWithin, statusOf, toDeadLetter } from '../../../daemon/jobs/hooks/view.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { eventually } from '../../support/eventually.ts';
import { HOOK } from '../../support/hooks/hook-bench.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

type FakeRoster = WebhooksOptions['roster'];

/** A directory with one hook that came from another epoch: its new position must be stored before it begins. */
function rosterOf(submit: FakeRoster['submit']): FakeRoster {
  const log = new MemoryLog({ epoch: 'new' });
  const app = {
    event_hooks: [{ id: 'h', hook_type: 'webhook', enabled: true, webhook_url: 'https://hooks.example/', event_types: [], dialect: 'v2' }],
  };
  const outbox = { id: 'h', epoch: 'old', seq: 7, updated_at: 1 };
  return {
    directory: { app, docs: { get: () => outbox } } as never,
    position: { epoch: 'new', seq: 0 },
    keptAfter: 0,
    submit,
    follow: (after, signal) => log.read(after, signal),
    onApplied: () => {},
  };
}

async function begun(submit: FakeRoster['submit'], logged: string[] = []): Promise<{ webhooks: Webhooks; wake: () => void }> {
  const sleepers: (() => void)[] = [];
  const webhooks = new Webhooks({
    roster: rosterOf(submit),
    letters: new LetterFolders(await temporaryDirectory(), { info: () => {}, error: () => {} }),
    send: () => async () => ({ kind: 'status', status: 200 }),
    clock: {
      now: Date.now,
      sleep: (_, signal) =>
        new Promise((resolve) => {
          sleepers.push(resolve);
          signal?.addEventListener('abort', () => resolve(), { once: true });
        }),
    },
    random: () => 0.5,
    logger: { info: () => {}, error: (_, text) => logged.push(text) },
    ...{ concurrency: 1, retryMs: 1_000, deadKeptMs: 1_000 },
  });
  await webhooks.start();
  const wake = (): void => {
    for (const sleeper of sleepers.splice(0)) sleeper();
  };
  return { webhooks, wake };
}

test('DK2 a hook whose position cannot be stored begins once it can', async (t) => {
  let failing = 2;
  const logged: string[] = [];
  const submit: FakeRoster['submit'] = async () => {
    if (failing-- > 0) throw new RosterError('unavailable', 'no space is left on the disk');
    return { users: [], warnings: [], seq: 0 };
  };
  const { webhooks, wake } = await begun(submit, logged);
  t.after(() => webhooks.stop());
  assert.equal(webhooks.status()[0]?.state, 'disabled');
  assert.ok(logged.some((text) => text.includes('cannot begin while the disk is full')));
  await eventually(() => {
    wake();
    return webhooks.status()[0]?.state === 'ok';
  });
  assert.equal(failing, -1, 'tried until it was stored, and no more');
});

test('DK3 letters that cannot be used for another reason keep the daemon from starting', async () => {
  const broken = (): Promise<never> => Promise.reject(new TypeError('a mistake'));
  await assert.rejects(begun(broken), /a mistake/);
});

test('WH20 the status of a hook has its state, its lag and its letters, and times in microseconds', () => {
  const letters = { parked: 1, dead: 2, lost: 3 } as Letters;
  const line = (more: Partial<HookLine> = {}): HookLine => ({ position: 7, isDown: false, lastError: undefined, ...more }) as HookLine;
  const known = { id: 'h', kind: 'webhook', isEnabled: true, parked: 1, dead: 2, lost: 3 };
  const none = { lastError: undefined, lastSuccessAt: undefined };
  assert.deepEqual(statusOf(HOOK, { letters, line: line() }, 9), { ...known, state: 'ok', position: 7, lag: 2, ...none });
  assert.equal(statusOf(HOOK, { letters, line: line() }, 5).lag, 0, 'it may be ahead of what is applied');
  const down = line({ isDown: true, lastError: { reason: 'r', atMs: 1.5 }, lastSuccessMs: 2.0004 });
  const told = { lastError: { reason: 'r', at: 1_500 }, lastSuccessAt: 2_000 };
  assert.deepEqual(statusOf(HOOK, { letters, line: down }, 7), { ...known, state: 'down', position: 7, lag: 0, ...told });
  const still = { position: undefined, lag: undefined, ...none };
  assert.deepEqual(statusOf(HOOK, { letters, line: undefined }, 7), { ...known, state: 'disabled', ...still });
  assert.deepEqual(statusOf({ ...HOOK, kind: 'sqs' }, undefined, 7), {
    ...{ id: 'h', kind: 'sqs', isEnabled: true, parked: 0, dead: 0, lost: 0, state: 'not delivered' },
    ...still,
  });
});

test('WH14 dead letters are shown with their times, and chosen by the time of their events', () => {
  const letter: Letter = {
    ...{ id: 'i', epoch: 'e', seq: 7, at: 5_000, lane: 'ann', type: 'user.updated', attempts: 2, retries: 3 },
    state: 'dead',
    ...{ whenMs: 1.25, reason: 'r', isReplay: false, place: { offset: 0, bytes: 1 } },
  };
  assert.deepEqual(toDeadLetter(letter), {
    ...{ id: 'i', seq: 7, epoch: 'e', type: 'user.updated', subject: 'ann', at: 5_000, failedAt: 1_250, attempts: 2, reason: 'r' },
  });
  for (const range of [{}, { from: 5_000 }, { to: 5_000 }, { from: 5_000, to: 5_000 }]) assert.equal(isWithin(letter, range), true);
  for (const range of [{ from: 5_001 }, { to: 4_999 }, { from: 4_000, to: 4_999 }]) assert.equal(isWithin(letter, range), false);
  assert.equal(isWithin({ ...letter, at: 0 }, {}), true);
});
