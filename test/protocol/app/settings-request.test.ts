/** The body of settings: RQ40. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeSettings as decodeWith } from '../../../protocol/app/settings-request.ts';
import { refusedFields } from '../../support/http/refusal.ts';

const decodeSettings = (body: unknown) => decodeWith(body, { dialect: 'v1', newId: () => 'new' });

test('RQ40 settings: what Go writes for a field that was not set is left alone; an explicit null clears the stamp', () => {
  assert.deepEqual(decodeSettings({ name: '', policies: null, enforce_unique_usernames: '' }), { kind: 'settings', set: {} });
  assert.deepEqual(decodeSettings({ enforce_unique_usernames: 'team', revoke_tokens_issued_before: null }), {
    kind: 'settings',
    set: { enforce_unique_usernames: 'team', revoke_tokens_issued_before: null },
  });
  const stamp = decodeSettings({ revoke_tokens_issued_before: '1970-01-01T00:00:01.5Z' }).set.revoke_tokens_issued_before;
  assert.equal(stamp, 1_500_000);
  assert.deepEqual(
    refusedFields(() => decodeSettings({ enforce_unique_usernames: 'yes' })),
    [{ path: 'enforce_unique_usernames', message: 'must be one of "no", "app", "team", got "yes"' }],
  );
  for (const never of ['soon', '1969-01-01T00:00:00Z', 1e300, true]) {
    assert.deepEqual(
      refusedFields(() => decodeSettings({ revoke_tokens_issued_before: never })).map(({ path }) => path),
      ['revoke_tokens_issued_before'],
    );
  }
});
