/** QY14: a caller that goes away while its query runs. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { API_KEY, serverToken, World } from '../../support/world.ts';

test('QY14 the query of a request learns that its connection is closed, and not before', async (t) => {
  const world = await World.start(t);
  const { roster } = world.daemon;
  let isGone: (() => boolean) | undefined;
  let end = (): void => {};
  roster.query = async (_spec, _visibility, _budget, gone) => {
    isGone = gone;
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    return [];
  };
  const asking = request(`${world.daemon.url}/api/v2/users?api_key=${API_KEY}`, {
    headers: { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt' },
  });
  asking.on('error', () => {});
  asking.end();
  await eventually(() => isGone !== undefined, 'the query begins');
  assert.equal(isGone?.(), false);
  asking.destroy();
  await eventually(() => isGone?.() === true, 'it never learns of it');
  end();
});
