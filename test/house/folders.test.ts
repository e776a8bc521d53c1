/** HS9–HS11, HS18: where a file stands. */
import { test } from 'node:test';
import { fewFiles, namedPlacesExist, oneRoomPerStem, testsMirrorSources } from '../support/house/folders.ts';
import { finds, holds } from '../support/house/tree.ts';

test('HS9 no folder has more than 20 files', () => holds(fewFiles));

test('HS9 the 21st file is found, and a README does not count', () => {
  const numbered = (folder: string, count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`${folder}/f${at}.ts`, '']));
  finds(
    fewFiles,
    { ...numbered('store/full', 20), 'store/full/README.md': '', 'store/full/deep/x.ts': '', ...numbered('test/golden', 21) },
    ['test/golden has 21 files; at most 20 are allowed'],
  );
});

test('HS10 a stem stands under one room name', () => holds(oneRoomPerStem));

test('HS10 a stem in two rooms is found, over layers too; technical rooms are free', () => {
  finds(
    oneRoomPerStem,
    {
      'protocol/moderation/bans.ts': '',
      'daemon/core/moderation/bans.ts': '',
      'daemon/edge/users/bans.ts': '',
      'daemon/edge/live/websocket/server.ts': '',
      'daemon/edge/live/socket-io/server.ts': '',
      'daemon/edge/users/errors.ts': '',
      'protocol/base/errors.ts': '',
      'daemon/core/access/deep/rules.ts': '',
      'daemon/core/users/rules.ts': '',
    },
    [
      'bans stands in the rooms moderation and users: protocol/moderation/bans.ts, daemon/core/moderation/bans.ts, daemon/edge/users/bans.ts',
      'rules stands in the rooms access and users: daemon/core/access/deep/rules.ts, daemon/core/users/rules.ts',
    ],
  );
});

test('HS11 every test of one part has its source at the same place', () => holds(testsMirrorSources));

test('HS11 a test without a source, or of a source that stands elsewhere, is found', () => {
  finds(
    testsMirrorSources,
    {
      'daemon/core/users/upsert.ts': '',
      'protocol/base/time.ts': '',
      'test/core/users/upsert.test.ts': '',
      'test/core/users/upsert.dry-run.test.ts': '',
      'test/core/upsert.test.ts': '',
      'test/core/users/gone.limits.test.ts': '',
      'test/edge/users/upsert.test.ts': '',
      'test/protocol/base/time.test.ts': '',
      'test/e2e/anything.test.ts': '',
      'test/core/kit.ts': '',
    },
    [
      'test/core/upsert.test.ts has no daemon/core/upsert.ts',
      'test/core/users/gone.limits.test.ts has no daemon/core/users/gone.ts',
      'test/edge/users/upsert.test.ts has no daemon/edge/users/upsert.ts',
    ],
  );
});

test('HS18 a file that code names from its own place exists', () => holds(namedPlacesExist));

test('HS18 a name that a move left behind is found; what a build makes is not missed', () => {
  // Written apart: the runner replaces these words where it finds them together.
  const here = ['import', 'meta', 'dirname'].join('.');
  const beside = (named: string): string => `const path = resolve(${here}, '${named}');`;
  finds(
    namedPlacesExist,
    {
      'test/bench/servers/probe.ts': '',
      'test/bench/servers/one.ts': beside('probe.ts') + beside('../../..') + beside('../servers'),
      'test/bench/servers/two.ts': beside('../probe.ts'),
      'test/bench/servers/three.ts': beside('../../../dist/daemon/main.js'),
    },
    ['test/bench/servers/two.ts names ../probe.ts, and test/bench/probe.ts does not exist'],
  );
});
