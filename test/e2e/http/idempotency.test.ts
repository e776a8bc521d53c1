/** IK4–IK6 with a real daemon: every write of the golden examples, a kill, and requests at the same moment. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { ROUTES } from '../../../daemon/edge/routes.ts';
import { openDataDirectory } from '../../../store/data-dir.ts';
import type { Log } from '../../../store/log.ts';
import { beginStory, type GoldenStep, goldenFiles, play, rowOf, sendGolden } from '../../support/http/golden.ts';
import { crashCopy } from '../../support/store/crash-copy.ts';
import { World } from '../../support/world.ts';

/** Writes that leave nothing in the directory: repeating one needs no receipt. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  'CompareUsers',
  'CreateImportURL',
  'SimulateResume',
  'UploadSyncSource',
  'GetFlagCount',
  'QueryTeamUsageStats',
  'CreateBackupURL',
  'CreateUserToken',
  'CheckWebhook',
  'CheckSNS',
  'CheckSQS',
  'ReplayDeadLetters',
  'GetOrCreateChannel',
  'GetOrCreateDistinctChannel',
  'DeleteChannel',
]);

/** What they end is no document: a repetition finds it gone, and ends nothing else. */
const ENDS_FOR_GOOD: ReadonlySet<string> = new Set(['CloseConnection']);

/** What goes on after the request: their answers show how far it is. */
const GOES_ON: ReadonlySet<string> = new Set(['CreateImport', 'CreateSyncPlan', 'ApplySyncPlan']);

/** A store whose appends become durable, and are never heard of again while it is deaf: as if the process was killed right then. */
function deafStore() {
  const held: (() => void)[] = [];
  const state = {
    isDeaf: false,
    release: () => {
      for (const go of held.splice(0)) go();
    },
  };
  const deaf = (log: Log): Log => ({
    get head() {
      return log.head;
    },
    get tail() {
      return log.tail;
    },
    get status() {
      return log.status;
    },
    append: async (after, draft) => {
      const result = await log.append(after, draft);
      if (state.isDeaf) await new Promise<void>((resolve) => held.push(resolve));
      return result;
    },
    end: () => log.end(),
    turn: (work) => log.turn(work),
    read: (after, signal) => log.read(after, signal),
    snapshotSaved: (seq) => log.snapshotSaved(seq),
    keepAfter: (name, after) => log.keepAfter(name, after),
    close: () => log.close(),
  });
  return { state, deaf };
}

async function createGroup(
  world: World,
  key: string,
  name: string,
): Promise<{ readonly status: number; readonly replayed: boolean; readonly id: string }> {
  const received = await sendGolden(
    world,
    { method: 'POST', path: '/usergroups', headers: { 'Idempotency-Key': key }, body: { name } },
    'server',
  );
  const body = Object(received.body);
  return { status: received.status, replayed: received.headers.get('idempotency-replayed') === 'true', id: body.user_group?.id };
}

const groupsIn = (world: World): number => world.daemon.roster.directory.docs.count('group');

describe('every write of the golden examples', () => {
  const tried = new Set<string>();
  for (const file of goldenFiles()) {
    it(`IK4 sent twice under a key is done once: ${file.name}`, async (t) => {
      const world = await World.start(t, { flags: { ...file.flags, 'rate-limits': 'off' } });
      const memory = await beginStory(world, file);
      for (const [index, step] of file.steps.entries()) {
        const row = rowOf(step, memory);
        const isWrite = row !== undefined && row.method !== 'GET' && row.access !== 'signed' && step.answer.status < 300;
        const hasOwnKey = Object.keys(step.request.headers ?? {}).includes('Idempotency-Key');
        if (!isWrite || step.until !== undefined || hasOwnKey || step.request.query?.dry_run !== undefined) {
          await play(world, step, memory);
          continue;
        }
        const headers = { ...step.request.headers, 'Idempotency-Key': `${file.name}-step-${index}-of-a-story-that-is-told` };
        const withKey: GoldenStep = { ...step, request: { ...step.request, headers } };
        const first = await play(world, withKey, memory);
        assert.equal(first.status, step.answer.status, `${step.title}: ${first.text}`);
        const again = await sendGolden(world, withKey.request, step.as ?? 'server', memory);
        const what = `${step.title}\n${first.text}\n${again.text}`;
        if (ENDS_FOR_GOOD.has(row.operation)) {
          tried.add(row.operation);
          assert.equal(again.status, 404, what);
          continue;
        }
        assert.equal(again.status, first.status, what);
        if (WITHOUT_EFFECT.has(row.operation)) continue;
        tried.add(row.operation);
        assert.equal(again.headers.get('idempotency-replayed'), 'true', what);
        assert.equal(first.headers.get('idempotency-replayed'), null, what);
        assert.equal(again.headers.get('x-rosterd-position'), first.headers.get('x-rosterd-position'), what);
        if (GOES_ON.has(row.operation)) continue;
        const [{ duration: _, ...before }, { duration: __, ...after }] = [Object(first.body), Object(again.body)];
        // The report that was taken back is gone: the one thing that cannot be shown again.
        if (row.operation === 'Unflag') delete before.flag;
        assert.deepEqual(after, before, what);
      }
    });
  }

  it('IK4 no write was left out', () => {
    const writes = ROUTES.filter(({ method, access, isStub }) => method !== 'GET' && access !== 'signed' && isStub !== true);
    const names = new Set(writes.map(({ operation }) => operation).filter((name) => !WITHOUT_EFFECT.has(name)));
    assert.deepEqual([...names].filter((name) => !tried.has(name)).sort(), []);
  });
});

test('IK6 a daemon that is killed between the effect and its answer carries a repeated request out no second time', async (t) => {
  const { state, deaf } = deafStore();
  const world = await World.start(t, {
    openStore: async (config, onEvent) => {
      const data = await openDataDirectory(config.data, { onEvent });
      return { ...data, log: deaf(data.log), close: () => data.close() };
    },
  });
  assert.equal((await createGroup(world, 'before', 'A')).status, 201);
  state.isDeaf = true;
  const unheard = createGroup(world, 'during', 'B');
  while (groupsIn(world) < 2) await new Promise((resolve) => setImmediate(resolve));
  const copy = await crashCopy(t, world.data);
  const after = await World.start(t, { data: copy });
  assert.equal(groupsIn(after), 2, 'the effect is durable');
  const again = await createGroup(after, 'during', 'B');
  assert.deepEqual([again.status, again.replayed], [201, true]);
  assert.equal((await createGroup(after, 'before', 'A')).replayed, true);
  assert.equal(groupsIn(after), 2);
  assert.equal((await createGroup(after, 'during', 'other')).status, 422);
  state.isDeaf = false;
  state.release();
  assert.equal((await unheard).id, again.id, 'the answer that never came is the one that the repeated request got');
  await after.stop();
  const restarted = await World.start(t, { data: copy });
  assert.equal((await createGroup(restarted, 'during', 'B')).replayed, true, 'from a snapshot, too');
});

test('IK5 of requests that come at the same moment under one key, one has an effect', async (t) => {
  const world = await World.start(t);
  const made = await Promise.all(Array.from({ length: 20 }, () => createGroup(world, 'same', 'G')));
  assert.equal(groupsIn(world), 1);
  assert.deepEqual([made.filter(({ replayed }) => !replayed).length, new Set(made.map(({ id }) => id)).size], [1, 1]);
  assert.ok(made.every(({ status }) => status === 201));
});
