/** CO34, CO35: settings as they are typed, and what a change means. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  changeHint,
  EDITABLE,
  isMasked,
  isSameSetting,
  settingCall,
  settingShown,
  typedText,
  typedValue,
} from '../../../daemon/console/settings/app-settings.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

test('CO35 every setting that can be edited takes what its field gives', async () => {
  const { send } = httpWorld();
  const texts = { switch: 'true', text: 'https://example.com/x', list: 'user', time: '2026-03-04T05:06:07Z' } as const;
  for (const [name, { field }] of EDITABLE) {
    const text =
      field.kind === 'choice' ? (field.choices.at(-1) ?? '') : name === 'webhook_events' ? 'user.updated, user.deleted' : texts[field.kind];
    const { path, body, method } = settingCall(name, typedValue(field, text), undefined);
    const { status, text: answer } = await send(method, path, { body });
    assert.equal(status, 200, `${name}: ${answer}`);
    const { body: settings } = await send('GET', '/api/v2/settings');
    const stored = settings.app.find((one: { name: string }) => one.name === name);
    assert.equal(isSameSetting(field, stored.value, typedValue(field, text)), true, `${name} is ${JSON.stringify(stored.value)}`);
    assert.equal(stored.used, true, name);
  }
});

test('CO35 a value is typed and read back the same; a time that is none is refused', () => {
  assert.deepEqual(typedValue({ kind: 'list' }, ' a, b  c'), ['a', 'b', 'c']);
  assert.equal(typedText({ kind: 'list' }, ['a', 'b']), 'a, b');
  assert.equal(typedText({ kind: 'time' }, 1_772_600_767e9), '2026-03-04T05:06:07.000Z');
  assert.equal(typedText({ kind: 'time' }, null), '');
  assert.equal(typedValue({ kind: 'time' }, ' '), null);
  assert.throws(() => typedValue({ kind: 'time' }, 'soon'), /The time must be like/);
  const shown = [settingShown({ kind: 'time' }, 1_772_600_767e9), settingShown({ kind: 'time' }, '2026-03-04T05:06:07.000Z')];
  assert.deepEqual(shown, ['2026-03-04T05:06:07.000Z', '2026-03-04T05:06:07.000Z']);
  assert.deepEqual([settingShown({ kind: 'list' }, []), settingShown({ kind: 'switch' }, false)], [null, false]);
  assert.equal(isSameSetting({ kind: 'switch' }, false, typedValue({ kind: 'switch' }, 'false')), true);
});

test('CO34 a masked value is never offered for editing, and no secret is to be put into a flag', () => {
  assert.equal(isMasked('https://********@example.com'), true);
  assert.equal(isMasked(null), false);
  const names = { key: 'api_secret', env: 'ROSTERD_API_SECRET', flag: '--api-secret' };
  assert.ok(!changeHint({ ...names, secret: true }).includes('--api-secret'));
  assert.ok(changeHint({ ...names, secret: false }).includes('--api-secret'));
});
