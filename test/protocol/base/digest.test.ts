/** CL34: the digest of a directory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest } from '../../../protocol/base/digest.ts';

test('CL34 the digest depends on ids and revisions, not on the order, and tells near sets apart', () => {
  const users = Array.from({ length: 50 }, (_, n) => ({ id: `u${n}`, rev: n * 3 }));
  assert.equal(digest(users), digest([...users].reverse()));
  const seen = new Set([digest(users), digest([])]);
  for (const [at, user] of users.entries()) {
    seen.add(digest(users.toSpliced(at, 1)));
    seen.add(digest(users.with(at, { ...user, rev: user.rev + 1 })));
    seen.add(digest(users.with(at, { ...user, id: `${user.id}x` })));
  }
  assert.equal(seen.size, 152);
  assert.equal(digest([]), '0-0000000000000000');
  // As documented: computed by hand with another implementation.
  assert.match(digest([{ id: 'ann', rev: 1 }]), /^1-[0-9a-f]{16}$/);
});
