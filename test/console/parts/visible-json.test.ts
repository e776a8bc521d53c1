/** CO12: values of users as JSON that hides nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { visibleJson } from '../../../daemon/console/parts/visible-json.ts';

test('CO12 characters that turn a line around, or that nobody sees, are escapes; the meaning stays', () => {
  const value = { name: '\u202eevil\u2066\u200b\u061c\ufeff', emoji: '👩‍👩‍👧', ctrl: '\u0007\n\u009f', lines: '\u2028' };
  const text = visibleJson(value);
  assert.deepEqual(JSON.parse(text), value);
  assert.match(text, /\\u202eevil\\u2066\\u200b\\u061c\\ufeff/);
  assert.match(text, /👩‍👩‍👧/);
  assert.doesNotMatch(text, /[\u2028-\u202e\u2066-\u2069\u0080-\u009f]/);
  assert.equal(visibleJson(undefined), '');
});
