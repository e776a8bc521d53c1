/** Feeds: references (FD6). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Json, JsonObject } from '../../../protocol/base/json.ts';
import { countReferences, missingReference, parseReference, replaceReferences } from '../../../protocol/feeds/references.ts';

describe('references', () => {
  it('FD6 only the published forms are references', () => {
    assert.deepEqual(parseReference('SU:ann-7'), { type: 'user', id: 'ann-7', text: 'SU:ann-7' });
    assert.deepEqual(parseReference('SO:food:burger'), { type: 'object', collection: 'food', id: 'burger', text: 'SO:food:burger' });
    assert.equal(parseReference('SA:54a60c1e-4ee3-494b-a1e3-50c06acb5ed4')?.type, 'activity');
    assert.equal(parseReference('SR:54a60c1e')?.type, 'reaction');
    for (const text of [
      '',
      'S',
      'SU:',
      'SU:a b',
      'SU:__proto__',
      'SUnshine',
      'su:ann',
      ' SU:ann',
      'SO:food',
      'SO:a:b:c',
      'SX:ann',
      'SA:',
    ]) {
      assert.equal(parseReference(text), undefined, text);
    }
  });

  it('FD6 what is missing says so, in the published form', () => {
    const missing = (text: string): JsonObject | undefined => {
      const reference = parseReference(text);
      return reference && missingReference(reference);
    };
    assert.deepEqual(missing('SU:ann'), { id: 'ann', error: 'ReferenceNotFound', reference: 'SU:ann', reference_type: 'user' });
    assert.deepEqual(missing('SO:food:burger'), {
      id: 'burger',
      collection: 'food',
      error: 'ReferenceNotFound',
      reference: 'SO:food:burger',
      reference_type: 'object',
    });
    assert.deepEqual(missing('SR:r1'), { id: 'r1', error: 'ReferenceNotFound', reference: 'SR:r1', reference_type: 'reaction' });
  });

  it('FD6 references are replaced at any depth, once, and nothing else is touched', () => {
    const value: Json = { a: 'SU:ann', b: ['SU:bob', 'text', 5, null, { c: 'SU:ann' }], d: 'SUnshine' };
    assert.equal(countReferences(value), 3);
    const found = replaceReferences(value, ({ id }) => ({ user: id, again: 'SU:ann' }));
    const ann = { user: 'ann', again: 'SU:ann' };
    assert.deepEqual(found, { a: ann, b: [{ user: 'bob', again: 'SU:ann' }, 'text', 5, null, { c: ann }], d: 'SUnshine' });
  });
});
