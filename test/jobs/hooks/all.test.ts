/** DK2: webhooks begin when there is space, and the daemon does not wait for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Webhooks, type WebhooksOptions } from '../../../daemon/jobs/hooks/all.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
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
    directory: await temporaryDirectory(),
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
  while (webhooks.status()[0]?.state !== 'ok') {
    wake();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(failing, -1, 'tried until it was stored, and no more');
});

test('DK3 letters that cannot be used for another reason keep the daemon from starting', async () => {
  const broken = (): Promise<never> => Promise.reject(new TypeError('a mistake'));
  await assert.rejects(begun(broken), /a mistake/);
});
