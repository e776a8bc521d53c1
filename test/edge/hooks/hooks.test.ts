/** CO41, CO42: questions about dead letters, and the test of a webhook. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HookTrial, HookTrialResult } from '../../../protocol/hooks/check.ts';
import type { LetterPage } from '../../../protocol/hooks/dead-letters.ts';
import { askConsole, OWN_PAGE, signedIn } from '../../support/http/console-kit.ts';
import { fakeServices, httpWorld, NOW_MS } from '../../support/http/fake-backend.ts';

const LETTER = {
  ...{ id: 'l1', seq: 7, epoch: 'e', type: 'user.updated', subject: 'ann', at: NOW_MS * 1_000, failedAt: NOW_MS * 1_000 },
  ...{ attempts: 2, reason: 'answered 500' },
};

function worldWith(result: HookTrialResult = { status: 204, durationMs: 3, error: undefined }) {
  const trials: HookTrial[] = [];
  const pages: LetterPage[] = [];
  const services = fakeServices();
  const hooks = {
    ...services.hooks,
    deadLetters: async (_: string, page: LetterPage) => {
      pages.push(page);
      return [LETTER];
    },
    letter: async () => ({ ...LETTER, body: { type: 'user.updated', user: { id: 'ann' } } }),
    trial: async (trial: HookTrial) => {
      trials.push(trial);
      return result;
    },
  };
  return { world: httpWorld({ services: { ...services, hooks } }), trials, pages };
}

test('CO41 dead letters are asked for by user and time, and one is shown with its body', async () => {
  const { world, pages } = worldWith();
  await world.send('GET', '/api/v2/hooks/main/dead_letters?subject=ann&from=2026-01-01T00:00:00Z&limit=7&after=l0');
  assert.deepEqual(pages, [{ limit: 7, after: 'l0', subject: 'ann', from: Date.parse('2026-01-01') * 1_000, to: undefined }]);
  const { body } = await world.send('GET', '/api/v2/hooks/main/dead_letters/l1');
  const { at, failedAt, ...letter } = LETTER;
  assert.deepEqual(body.dead_letter, {
    ...letter,
    created_at: at * 1_000,
    failed_at: failedAt * 1_000,
    body: { type: 'user.updated', user: { id: 'ann' } },
  });
});

test('CO42 a test of a hook, or of an address with the dialect of the endpoint, and its result', async () => {
  const { world, trials } = worldWith();
  const { status, body } = await world.send('POST', '/api/v2/check_webhook', { body: { hook_id: 'main' } });
  assert.deepEqual([status, body.status, body.error, body.data], [200, 'ok', undefined, { response_status: 204, duration_ms: 3 }]);
  for (const path of ['/check_webhook', '/api/v2/check_webhook'])
    await world.send('POST', path, { body: { webhook_url: 'https://hooks.example/', timeout_ms: 0 } });
  await world.send('POST', '/check_webhook', { body: { webhook_url: 'https://hooks.example/', dialect: 'v2', timeout_ms: 900 } });
  const url = 'https://hooks.example/';
  assert.deepEqual(trials, [
    { hookId: 'main' },
    { url, dialect: 'v1', timeoutMs: undefined },
    { url, dialect: 'v2', timeoutMs: undefined },
    { url, dialect: 'v2', timeoutMs: 900 },
  ]);
  const failed = await worldWith({ status: undefined, durationMs: 6_000, error: 'no answer in time' }).world.send(
    'POST',
    '/check_webhook',
    {
      body: { hook_id: 'main' },
    },
  );
  assert.deepEqual([failed.status, failed.body.status, failed.body.error], [200, 'error', 'no answer in time']);
  assert.deepEqual(failed.body.data, { duration_ms: 6_000 });
});

test('CO42 what cannot be tested is refused, with the name of the field', async () => {
  const { world, trials } = worldWith();
  for (const [body, path] of [
    [{}, 'hook_id'],
    [{ hook_id: 'main', webhook_url: 'https://hooks.example/' }, 'hook_id'],
    [{ hook_id: 'main', dialect: 'v1' }, 'dialect'],
    [{ hook_id: 'main', timeout_ms: 5 }, 'timeout_ms'],
    [{ webhook_url: 'ftp://hooks.example/' }, 'webhook_url'],
    [{ webhook_url: 'http://' }, 'webhook_url'],
    [{ webhook_url: 'http://127.0.0.1:9/' }, 'webhook_url'],
    [{ webhook_url: 'http://[::ffff:169.254.169.254]/' }, 'webhook_url'],
    [{ webhook_url: 'https://hooks.example/', timeout_ms: 60_001 }, 'timeout_ms'],
  ] as const) {
    const { status, text } = await world.send('POST', '/api/v2/check_webhook', { body });
    assert.equal(status, 400, text);
    assert.match(text, new RegExp(`"path":"${path}"`), JSON.stringify(body));
  }
  const refused = await askConsole(world, 'POST', '/console/api/api/v2/check_webhook', {
    ...{ headers: OWN_PAGE, body: { hook_id: 'main' }, cookie: await signedIn(world, 'read') },
  });
  assert.equal(refused.status, 403, 'CO6 a request to somebody else is no reading');
  assert.deepEqual(trials, []);
});
