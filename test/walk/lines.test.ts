/** CO53: the two commands beside each action, run against a daemon: each does what the action does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiCall } from '../../daemon/console/talk/api-call.ts';
import { curlLine, rosterdLine } from '../../daemon/console/talk/lines.ts';
import { USER_ACTIONS } from '../../daemon/console/user/action-list.ts';
import { linesRun } from '../support/browser/console-lines.ts';
import { eventually } from '../support/eventually.ts';
import { API_KEY, World } from '../support/world.ts';

/** In an order in which each can be done, with options that a shell could trip over, and what is different afterwards. */
const STEPS: readonly (readonly [key: string, options: Record<string, string | boolean>, isDone: (user: Seen) => boolean])[] = [
  ['ban', { reason: `it's "$(spam)" & \`more\``, timeout: '60', banned_by_id: 'mod' }, ({ banned }) => banned],
  ['unban', {}, ({ banned }) => !banned],
  ['deactivate', { mark_messages_deleted: true }, ({ deactivated_at }) => deactivated_at !== undefined],
  ['reactivate', {}, ({ deactivated_at }) => deactivated_at === undefined],
  ['delete', { user: 'soft', messages: 'soft' }, ({ deleted_at }) => deleted_at !== undefined],
  ['restore', {}, ({ deleted_at }) => deleted_at === undefined],
];

interface Seen {
  readonly banned: boolean;
  readonly deactivated_at?: number;
  readonly deleted_at?: number;
}

test('CO53 every action has a line for curl and one for rosterd, and both do it', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'mod' }, { id: 'curl' }, { id: 'rosterd' });
  const { url } = world.daemon;
  const seen = async (id: string): Promise<Seen> => {
    const payload = { filter_conditions: { id }, include_deactivated_users: true, include_deleted_users: true };
    return (await world.http('GET', `/api/v2/users?payload=${encodeURIComponent(JSON.stringify(payload))}`)).body.users[0];
  };
  assert.deepEqual(STEPS.map(([key]) => key).sort(), USER_ACTIONS.map(({ key }) => key).sort(), 'every action is tried');
  const both = (call: (id: string) => ApiCall) =>
    linesRun([curlLine(url, API_KEY, call('curl')), rosterdLine(url, call('rosterd'))], world);
  for (const [key, options, isDone] of STEPS) {
    const action = USER_ACTIONS.find((one) => one.key === key);
    assert.ok(action !== undefined);
    await both((id) => action.call(id, options));
    for (const id of ['curl', 'rosterd']) await eventually(async () => isDone(await seen(id)), `${key} of ${id}`);
  }
  const edit =
    (name: string, rev: number | undefined) =>
    (id: string): ApiCall => ({
      method: 'PATCH',
      path: '/api/v2/users',
      body: { users: [{ id, set: { name } }], if_rev: { [id]: rev ?? world.daemon.roster.directory.user(id)?.rev ?? 0 } },
    });
  await both(edit(`O'Neil <$HOME>`, undefined));
  for (const id of ['curl', 'rosterd']) assert.equal(world.daemon.roster.directory.user(id)?.name, `O'Neil <$HOME>`);
  // A command that is copied and run later does not overwrite what changed meanwhile.
  await linesRun([rosterdLine(url, edit('late', 1)('rosterd'))], world, [1]);
  assert.equal(world.daemon.roster.directory.user('rosterd')?.name, `O'Neil <$HOME>`);
  await both(() => ({ method: 'DELETE', path: '/api/v2/sign_ins' }));
});
