/** IM15: devices, mutes and push settings, once all users are there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addExtras, type ExtrasCounts } from '../../../daemon/jobs/transfer/import-extras.ts';
import type { Extras } from '../../../daemon/jobs/transfer/import-item.ts';
import type { RowError } from '../../../daemon/sync/rows.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Command } from '../../../protocol/log/command.ts';
import { RulesBench } from '../../support/rules-bench.ts';

const DEVICE = { kind: 'device-add', by: 'ann', device: { id: 'd1', push_provider: 'firebase' } } as const;
const OFF = { chat_level: 'none', call_level: 'none', feeds_level: 'none' } as const;
const PUSH = { kind: 'push', changes: [{ id: 'ann', set: OFF }] } as const;

class ExtrasBench {
  readonly bench = new RulesBench();
  readonly submitted: string[] = [];
  readonly errors: RowError[] = [];
  /** Thrown for the next command of this kind. */
  readonly refusals = new Map<string, Error>();

  constructor(...ids: readonly string[]) {
    this.bench.upsert(ids.map((id) => ({ id })));
  }

  async add(extras: Extras, keepsBefore?: number, userId = 'ann'): Promise<ExtrasCounts> {
    const submit = async (command: Command, ...more: readonly unknown[]) => {
      this.submitted.push(`${command.kind} ${JSON.stringify(more)}`);
      const refusal = this.refusals.get(command.kind);
      if (refusal !== undefined) throw refusal;
      return this.bench.run(command);
    };
    const onError = (error: RowError): void => void this.errors.push(error);
    return await addExtras(
      { line: 7, id: userId, userId, bytes: 1, extras },
      {
        roster: { directory: this.bench.directory, submit: submit as never },
        job: 'import-1',
        onError,
        ...(keepsBefore === undefined ? {} : { keepsBefore }),
      },
    );
  }

  get ann() {
    const user = this.bench.directory.user('ann');
    assert.ok(user);
    return user;
  }
}

const counts = (devices: number, mutes: number, push_notifications: number): ExtrasCounts => ({ devices, mutes, push_notifications });

test('IM15 what an item brings is added, is counted, and is told as the work of the import', async () => {
  const world = new ExtrasBench('ann', 'bob', 'cem');
  assert.deepEqual(await world.add({ device: DEVICE, mutes: ['bob', 'cem'], push: PUSH }), counts(1, 2, 1));
  const origin = '["bulk",{"source":"import","job":"import-1"}]';
  assert.deepEqual(world.submitted, [`device-add ${origin}`, `mute ${origin}`, `push ${origin}`]);
  assert.deepEqual(
    [world.ann.devices?.map(({ id }) => id), world.ann.mutes?.map(({ id }) => id), world.errors],
    [['d1'], ['bob', 'cem'], []],
  );
  assert.deepEqual(await world.add({}), counts(0, 0, 0));
  assert.equal(world.submitted.length, 3, 'nothing is sent for nothing');
});

test('IM15 added again, everything is counted and changes nothing', async () => {
  const world = new ExtrasBench('ann', 'bob', 'cem');
  await world.add({ device: DEVICE, mutes: ['bob'], push: PUSH });
  const before = JSON.stringify(world.ann);
  assert.deepEqual(await world.add({ device: DEVICE, mutes: ['bob'], push: PUSH }), counts(1, 1, 1));
  assert.equal(JSON.stringify(world.ann), before);
  assert.deepEqual(await world.add({ mutes: ['bob', 'cem'] }), counts(0, 2, 0));
});

test('IM15 a device beyond those that a user may have is an error of the item; those that are there stay and may come again', async () => {
  const world = new ExtrasBench('ann');
  const one = (n: number): Extras => ({ device: { ...DEVICE, device: { ...DEVICE.device, id: `d${n}` } } });
  for (let n = 0; n < 25; n++) assert.deepEqual(await world.add(one(n)), counts(1, 0, 0));
  assert.deepEqual(await world.add(one(25)), counts(0, 0, 0));
  assert.deepEqual(world.errors, [{ line: 7, id: 'ann', code: 4, reason: 'device: the user ann has 25 devices, and no more are held' }]);
  assert.deepEqual(await world.add(one(0)), counts(1, 0, 0));
  assert.deepEqual([world.ann.devices?.length, world.ann.devices?.[0]?.id, world.errors.length], [25, 'd0', 1]);
});

test('IM15 a mute of somebody who is not there is an error of the item; the others are muted', async () => {
  const world = new ExtrasBench('ann', 'bob');
  assert.deepEqual(await world.add({ mutes: ['nobody', 'bob', 'noone'] }), counts(0, 1, 0));
  assert.deepEqual(world.errors, [
    { line: 7, id: 'ann', code: 16, reason: 'user_mutes: the user nobody does not exist' },
    { line: 7, id: 'ann', code: 16, reason: 'user_mutes: the user noone does not exist' },
  ]);
  assert.deepEqual(await world.add({ mutes: ['nobody'] }), counts(0, 0, 0));
});

test('IM15 what the directory refuses is an error of the item with its code, and the rest is added', async () => {
  for (const [kind, expected] of [
    ['device-add', counts(0, 1, 1)],
    ['mute', counts(1, 0, 1)],
    ['push', counts(1, 1, 0)],
  ] as const) {
    const world = new ExtrasBench('ann', 'bob');
    world.refusals.set(kind, new RosterError('input', 'it is refused'));
    assert.deepEqual(await world.add({ device: DEVICE, mutes: ['bob'], push: PUSH }), expected);
    assert.deepEqual(world.errors, [{ line: 7, id: 'ann', code: 4, reason: 'it is refused' }]);
  }
});

test('IM15 a directory that cannot store anything, or a mistake, is no error of the item', async () => {
  for (const error of [new RosterError('unavailable', 'no space'), new TypeError('a mistake')]) {
    const world = new ExtrasBench('ann');
    world.refusals.set('push', error);
    await assert.rejects(world.add({ push: PUSH }), error);
    assert.deepEqual(world.errors, []);
  }
});

test('IM15 of a user that is not there, only the device is tried', async () => {
  const world = new ExtrasBench('bob');
  assert.deepEqual(await world.add({ device: DEVICE, mutes: ['bob'], push: PUSH }), counts(0, 0, 0));
  assert.deepEqual([world.submitted.length, world.errors.length], [1, 1]);
});

test('IM15 an insert leaves a user from before, and its devices, as they are', async () => {
  const world = new ExtrasBench('ann', 'bob');
  await world.add({ device: DEVICE });
  const begun = world.ann.created_at + 1;
  world.submitted.length = 0;
  assert.deepEqual(await world.add({ device: DEVICE, mutes: ['bob'], push: PUSH }, begun), counts(1, 0, 0));
  assert.deepEqual(world.submitted, [], 'its device is there already');
  const other = { ...DEVICE, device: { ...DEVICE.device, id: 'd2' } };
  assert.deepEqual(await world.add({ device: other }, begun), counts(1, 0, 0));
  assert.equal(world.submitted.length, 1);
  assert.deepEqual(await world.add({ mutes: ['bob'], push: PUSH }, world.ann.created_at), counts(0, 1, 1), 'a user of the import itself');
});
