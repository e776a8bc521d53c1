/** CO44: the URL of a backup, and what is known of the last one. The backup itself: test/e2e/jobs/backup.test.ts. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { createUrlSigner } from '../../../daemon/edge/http/signed-urls.ts';
import { API_SECRET, fakeServices, httpWorld, NO_LIVE, NOW_MS } from '../../support/http/fake-backend.ts';

const anyone = { headers: {} } as const;

test('CO44 a backup is downloaded by its URL without a token, compressed or not, for a minute', async () => {
  let nowMs = NOW_MS;
  const urls = createUrlSigner({ secret: API_SECRET, baseUrl: () => '', now: () => nowMs });
  const asked: boolean[] = [];
  const openBackup = (isCompressed: boolean) => {
    asked.push(isCompressed);
    return { stream: Readable.from([Buffer.from('everything\n')]), position: { epoch: 'e', seq: 7 } };
  };
  const world = httpWorld({ urls, services: { ...fakeServices(), nowMs: () => nowMs, signUrl: urls.sign, openBackup } });
  for (const [body, name] of [
    [{}, 'rosterd-backup.ndjson.gz'],
    [{ gzip: false }, 'rosterd-backup.ndjson'],
  ] as const) {
    const { status, body: answer } = await world.send('POST', '/api/v2/backup_url', { body });
    assert.equal(status, 201);
    const got = await world.app.inject({ method: 'GET', url: answer.url, ...anyone });
    assert.deepEqual([got.statusCode, got.payload], [200, 'everything\n'], got.payload);
    assert.equal(got.headers['content-disposition'], `attachment; filename="${name}"`);
    assert.equal(got.headers['x-rosterd-position'], 'e:7');
    const changed = await world.app.inject({ method: 'GET', url: answer.url.replace(/(sig=..)./, '$1~'), ...anyone });
    assert.equal(changed.statusCode, 403);
    const other = name.endsWith('.gz') ? answer.url.replace('.gz', '') : answer.url.replace('.ndjson', '.ndjson.gz');
    assert.equal((await world.app.inject({ method: 'GET', url: other, ...anyone })).statusCode, 403);
    nowMs += 61_000;
    assert.equal((await world.app.inject({ method: 'GET', url: answer.url, ...anyone })).statusCode, 403);
  }
  assert.deepEqual(asked, [true, false]);
  const refused = await world.send('POST', '/api/v2/backup_url', { body: { gzip: 'yes' } });
  assert.match(refused.text, /"path":"gzip"/);
});

test('CO44 the last backup of all nodes is the one that ended last', async () => {
  const live = {
    ...NO_LIVE,
    backupStates: async () => [
      { running: 1 },
      { running: 0, last: { endedMs: 2_000.5, bytes: 9 } },
      { running: 2, last: { endedMs: 1_000, bytes: 5 } },
    ],
  };
  const { body } = await httpWorld({ live }).send('GET', '/api/v2/backups');
  assert.deepEqual([body.running, body.last], [3, { ended_at: 2_000_500_000, bytes: 9 }]);
  const { body: none } = await httpWorld().send('GET', '/backups');
  assert.deepEqual([none.running, none.last], [0, undefined]);
});
