/** BU6: who is online is found out in turns, and what changes meanwhile is judged again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PresenceStates } from '../../../../../daemon/edge/live/session/subscriptions/presence-states.ts';
import { wantOf } from '../../../../../daemon/edge/live/session/subscriptions/wants.ts';
import { Interest } from '../../../../../daemon/pipeline/tell/interest.ts';
import { eventually } from '../../../../support/eventually.ts';
import { openRoster, subscribe, upsert } from '../../../../support/live/hub-kit.ts';

test('BU6 thousands are judged in turns; whoever comes, goes or changes meanwhile is right in the end', async () => {
  const roster = await openRoster(1 << 24);
  const ids = Array.from({ length: 3_000 }, (_, n) => `u${n}`);
  for (let from = 0; from < ids.length; from += 100) await upsert(roster, ids.slice(from, from + 100), 'wanted');
  for (const id of ids.slice(0, 2_500)) roster.presence.arrived(id);
  await eventually(() => roster.toldOnline('u2499'));
  const { subscriber } = subscribe(roster, 'everybody', { kind: 'all' });
  const wanted = wantOf({ sub: 'wanted', filter: { name: { $q: 'wanted' } } }, { kind: 'server' }, roster);
  subscriber.interests.clear();
  subscriber.interests.set('wanted', new Interest({ name: 'wanted', want: wanted, since: 0, reach: 'server', wantsPresence: true }));
  const sent: { online: string[]; reset?: boolean }[] = [];
  const states = new PresenceStates(roster, subscriber, { send: (frame: object) => sent.push(frame as never) } as never);

  let turns = 0;
  let isOver = false;
  const look = (): void => {
    turns++;
    if (!isOver) setImmediate(look);
  };
  assert.ok(wanted.kind === 'filter');
  const { matches } = wanted.filter;
  wanted.filter.matches = (user, online) => {
    const endsMs = performance.now() + 0.02;
    while (performance.now() < endsMs);
    return matches.call(wanted.filter, user, online);
  };
  setImmediate(look);
  const gathered = states.gather();
  // Meanwhile some change so that they are not wanted, some go, and some come.
  await upsert(roster, ['u0', 'u1'], 'other');
  roster.presence.left('u2');
  roster.presence.arrived('u2999');
  await gathered;
  isOver = true;
  assert.ok(turns >= 5, `${turns} turns`);
  await eventually(() => roster.toldOnline('u2999') && !roster.toldOnline('u2'));
  states.tell(new Set(['u0', 'u1', 'u2', 'u2999']));
  assert.deepEqual(
    sent.map(({ reset }) => reset),
    [true, undefined, undefined],
    'at most a thousand in a frame',
  );
  const online = new Set(sent.flatMap((frame) => frame.online));
  assert.equal(online.size, 2_498);
  assert.deepEqual(
    ['u0', 'u1', 'u2', 'u3', 'u2499', 'u2999'].map((id) => online.has(id)),
    [false, false, false, true, true, true],
  );
});
