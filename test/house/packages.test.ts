/** PK12: who answers for the Debian package, and who cannot. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maintainerFrom } from '../packages/maintainer.ts';

const nobody = { author: undefined, env: {}, committer: '' };
const debian = { DEBFULLNAME: 'Deb', DEBEMAIL: 'deb@debian.org' };

test('PK12 the author in package.json answers for the package, else the variables of Debian, else the last commit', () => {
  const git = 'Ann Ames <ann@ames.nl>';
  for (const [sources, expected] of [
    [{ author: 'Bob <bob@bell.nl> (https://bell.nl)', env: debian, committer: git }, 'Bob <bob@bell.nl>'],
    [{ author: { name: 'Bob', email: 'bob@bell.nl' }, env: debian, committer: git }, 'Bob <bob@bell.nl>'],
    [{ author: { name: 'Bob' }, env: debian, committer: git }, 'Deb <deb@debian.org>'],
    [{ ...nobody, env: debian, committer: git }, 'Deb <deb@debian.org>'],
    [{ ...nobody, committer: git }, git],
  ] as const)
    assert.equal(maintainerFrom(sources), expected);
});

test('PK12 a package that nobody answers for is not made, and the message says what to set', () => {
  assert.throws(() => maintainerFrom(nobody), /^Error: nobody is named .*: set DEBFULLNAME and DEBEMAIL, or "author"/);
  for (const committer of [
    'root <root@localhost>',
    'ann <ann@laptop.local>',
    'ann <ann@(none)>',
    'A <a@mail.example.com>',
    ' <ann@ames.nl>',
    'ann',
  ])
    assert.throws(() => maintainerFrom({ ...nobody, committer }), /cannot answer for the package: set DEBFULLNAME/, committer);
  assert.throws(() => maintainerFrom({ ...nobody, env: { DEBEMAIL: 'deb@debian.org' } }), /" <deb@debian.org>" cannot answer/);
});
