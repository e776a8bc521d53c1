/** CO40: webhooks as the console shows and changes them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  fieldsOf,
  type HookSettings,
  hookOfFields,
  hooksOfApp,
  otherSettings,
  putCall,
  removeCall,
  shownAddress,
  stateOfHook,
  timeoutOf,
  URL_SETTING,
} from '../../../daemon/console/hooks/hook-list.ts';

const HOOK: HookSettings = {
  ...{ id: 'main', hook_type: 'webhook', enabled: true, event_types: ['user.updated'], webhook_url: 'https://a.example/x?key=k1' },
  ...{ dialect: 'v2', timeout_ms: 900, product: 'all', created_at: 1, updated_at: 2 },
};
const QUEUE: HookSettings = { ...HOOK, id: 'queue', hook_type: 'sqs', sqs_key: 'k2', sqs_secret: 's2', sqs_region: 'eu' };

test('CO40 the setting webhook_url is a hook like the others, and the first', () => {
  const app = { webhook_url: 'https://b.example/', webhook_events: ['user.deleted'], event_hooks: [HOOK] };
  const hooks = hooksOfApp(app);
  assert.deepEqual(
    hooks.map(({ id, dialect, event_types }) => [id, dialect, event_types]),
    [
      [URL_SETTING, 'v1', ['user.deleted']],
      ['main', 'v2', ['user.updated']],
    ],
  );
  assert.deepEqual(hooksOfApp({ webhook_url: '', event_hooks: [HOOK] }), [HOOK]);
  assert.deepEqual(hooksOfApp(undefined), []);
});

test('CO40 what may be secret in an address, and in the other settings, is not shown', () => {
  assert.equal(shownAddress('https://me:pass@a.example:8443/x/y?key=k1&b=%20#f'), 'https://•••@a.example:8443/x/y?key=•••&b=•••');
  assert.equal(shownAddress('https://a.example/'), 'https://a.example/');
  assert.equal(shownAddress('no address'), 'no address');
  assert.deepEqual(otherSettings(QUEUE), { sqs_key: '•••', sqs_secret: '•••', sqs_region: 'eu' });
  assert.deepEqual(otherSettings(HOOK), {});
});

test('CO40 a hook is put in its place and the others are kept with everything, but their times', () => {
  const { created_at: _, updated_at: __, ...main } = HOOK;
  const { created_at: ___, updated_at: ____, ...queue } = QUEUE;
  const all = hooksOfApp({ webhook_url: 'https://b.example/', event_hooks: [HOOK, QUEUE] });
  const body = (call: { readonly body?: unknown }): unknown => call.body;
  assert.deepEqual(body(putCall({ hooks: all, tag: undefined }, { ...HOOK, enabled: false })), {
    event_hooks: [{ ...main, enabled: false }, queue],
  });
  const made = hookOfFields(undefined, { ...fieldsOf(undefined), url: ' https://c.example/ ', eventTypes: 'a.b, c.d' });
  const expected = { hook_type: 'webhook', enabled: true, webhook_url: 'https://c.example/', event_types: ['a.b', 'c.d'], dialect: 'v2' };
  assert.deepEqual(body(putCall({ hooks: all, tag: undefined }, made)), { event_hooks: [main, queue, expected] });
  assert.deepEqual(body(removeCall({ hooks: all, tag: undefined }, 'main')), { event_hooks: [queue] });
  assert.deepEqual(body(removeCall({ hooks: all, tag: undefined }, URL_SETTING)), { webhook_url: '' });
  const [first = HOOK] = all;
  assert.deepEqual(body(putCall({ hooks: all, tag: undefined }, { ...first, event_types: [] })), {
    webhook_url: 'https://b.example/',
    webhook_events: [],
  });
});

test('CO40 a form that is not touched changes nothing, and an empty time is the default', () => {
  assert.deepEqual(hookOfFields(HOOK, fieldsOf(HOOK)), HOOK);
  const { timeout_ms: _, ...without } = HOOK;
  assert.deepEqual(hookOfFields(HOOK, { ...fieldsOf(HOOK), timeoutMs: ' ' }), without);
  assert.deepEqual([timeoutOf('12'), timeoutOf('soon'), timeoutOf('')], [{ timeout_ms: 12 }, { timeout_ms: 'soon' }, undefined]);
});

test('CO40 the state of a hook says why', () => {
  const fares = { id: 'main', kind: 'webhook', parked: 0, dead: 0, lost: 0 };
  assert.equal(stateOfHook({ ...fares, state: 'ok' }).badge, 'up');
  assert.match(stateOfHook({ ...fares, state: 'down', last_error: { reason: 'answered 503', at: 1 } }).says, /answered 503/);
  assert.equal(stateOfHook({ ...fares, state: 'disabled' }).badge, 'disabled');
  assert.match(stateOfHook({ ...fares, kind: 'sqs', state: 'not delivered' }).says, /the kind sqs/);
});
