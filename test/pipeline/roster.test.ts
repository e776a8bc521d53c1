/** The directory as a service: DW1, HB1, HT44, LV9, PR4, SQ7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Roster } from '../../daemon/pipeline/roster.ts';
import { RosterError } from '../../protocol/base/errors.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Command } from '../../protocol/log/command.ts';
import type { Entry, EntryDraft } from '../../protocol/log/entry.ts';
import { MemoryLog } from '../../store/memory-log.ts';
import { MemorySnapshots } from '../../store/snapshot/memory.ts';
import { eventually } from '../support/eventually.ts';
import { openRoster, subscribe, upsert } from '../support/live/hub-kit.ts';
import { rosterWith } from '../support/open-roster.ts';

const act = (kind: 'deactivate' | 'reactivate', id: string): Command => ({ kind, ids: [id], options: {} });
const remove = (id: string): Command => ({ kind: 'delete', ids: [id], mode: 'soft', options: {} });

test('PR4 who is deactivated or made invisible goes offline at once for those who watch; who is deleted without a word', async () => {
  const roster = await openRoster();
  const ids = ['ann', 'bob', 'carl', 'dora'];
  await upsert(roster, ids);
  const all = subscribe(roster, 'all', { kind: 'all' });
  const interest = all.subscriber.interests.get('all');
  assert.ok(interest);
  roster.hub.change(all.subscriber, (interests) => interests.set('all', Object.assign(interest, { wantsPresence: true })));
  const changes = (): string[] =>
    all.outlet.events.flatMap((event) => {
      const { type, user } = event as unknown as { type: string; user: { id: string; online: boolean } };
      return type === 'user.presence.changed' ? [`${user.id} ${user.online}`] : [];
    });
  for (const id of ids) roster.presence.arrived(id);
  await eventually(() => changes().length === 4);
  assert.deepEqual(
    changes().splice(0),
    ids.map((id) => `${id} true`),
  );
  assert.ok(ids.every((id) => roster.online(id) && roster.toldOnline(id)));
  await roster.submit(act('deactivate', 'ann'), 'live');
  await roster.submit(
    { kind: 'upsert', actor: { kind: 'server' }, users: [{ id: 'bob', custom: {}, invisible: true }], problems: [] },
    'live',
  );
  await roster.submit(remove('carl'), 'live');
  assert.deepEqual([roster.toldOnline('carl'), roster.online('carl')], [false, false]);
  await eventually(() => changes().length === 6);
  assert.deepEqual(changes().slice(4), ['ann false', 'bob false']);
  // Nothing more comes, also of carl.
  await upsert(roster, ['last']);
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.equal(changes().length, 6);
  assert.deepEqual(
    ids.map((id) => roster.online(id)),
    [false, false, false, true],
  );
  await roster.close();
});

test('LV9 a position can be resumed from while its log is the same, and everything after it is kept', async () => {
  const log = new MemoryLog({ epoch: 'e', retentionFacts: 3 });
  const roster = await openRoster(1, log);
  for (let n = 0; n < 10; n++) await upsert(roster, [`u${n}`]);
  await log.snapshotSaved(10);
  assert.deepEqual([log.tail, roster.keptAfter, roster.position], [7, 7, { epoch: 'e', seq: 10 }]);
  const can = (seq: number, epoch = 'e'): boolean => roster.arrivals.canResume({ epoch, seq });
  assert.deepEqual([can(6), can(7), can(10), can(11), can(8, 'other')], [false, true, true, false, false]);
  // What memory keeps can be resumed from, whatever the log keeps.
  const second = new MemoryLog({ epoch: 'e', retentionFacts: 0 });
  const remembering = await openRoster(1 << 20, second);
  for (let n = 0; n < 10; n++) await upsert(remembering, [`u${n}`]);
  await second.snapshotSaved(10);
  assert.deepEqual([second.tail, remembering.remembersAfter, remembering.arrivals.canResume({ epoch: 'e', seq: 0 })], [10, 0, true]);
});

test('DW1 an event of the past is found in memory and in the log, and not where there is none', async () => {
  for (const historyBytes of [1, 1 << 20]) {
    const log = new MemoryLog({ epoch: 'e', retentionFacts: 8 });
    const roster = await openRoster(historyBytes, log);
    await upsert(roster, ['a', 'b', 'c']);
    await roster.submit({ kind: 'settings', set: { enforce_unique_usernames: 'app' } }, 'live');
    for (let n = 0; n < 6; n++) await upsert(roster, [`u${n}`]);
    const idAt = async (seq: number): Promise<string | undefined> => {
      const event = await roster.past.eventAt(seq);
      return event !== undefined && 'id' in event ? `${event.id}@${event.seq}` : undefined;
    };
    assert.deepEqual([await idAt(1), await idAt(2), await idAt(3), await idAt(4), await idAt(5)], ['a@1', 'b@2', 'c@3', undefined, 'u0@5']);
    assert.deepEqual([await idAt(10), await idAt(11)], ['u5@10', undefined]);
  }
});

test('HB1 the listener hears of events before any subscriber, and whether the settings changed', async () => {
  const roster = await openRoster();
  const { outlet } = subscribe(roster, 'all', { kind: 'all' });
  const heard: [string[], boolean, number][] = [];
  const entries: number[] = [];
  roster.onEvents((events, settingsChanged) => heard.push([events.map(({ id }) => id), settingsChanged, outlet.writes.length]));
  roster.onApplied(({ first }: Entry) => entries.push(first));
  await upsert(roster, ['a', 'b']);
  await roster.submit({ kind: 'settings', set: { enforce_unique_usernames: 'app' } }, 'live');
  assert.deepEqual(heard, [
    [['a', 'b'], false, 0],
    [[], true, 1],
  ]);
  assert.deepEqual(entries, [1, 3]);
});

test('HT44 it is ready from its opening until it begins to stop; afterwards reads go on and commands are refused', async () => {
  const snapshots = new MemorySnapshots();
  const log = new MemoryLog({ retentionFacts: 100 });
  const roster = await rosterOf(log, snapshots);
  await upsert(roster, ['ann']);
  assert.equal(roster.ready, true);
  roster.beginStopping();
  assert.equal(roster.ready, false);
  await upsert(roster, ['bob']);
  const closing = roster.close();
  await assert.rejects(upsert(roster, ['late']), /shutting down/);
  await closing;
  assert.equal(roster.directory.user('bob')?.id, 'bob');
  assert.deepEqual((await snapshots.load())?.position.seq, 2, 'with a last snapshot');
  const closedAtOnce = await rosterOf(new MemoryLog(), new MemorySnapshots());
  await closedAtOnce.close();
  assert.equal(closedAtOnce.ready, false);
});

test('HT44 a directory that can no longer follow its log says so, and is not ready', async () => {
  class BrokenLog extends MemoryLog {
    override async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
      for await (const entry of super.read(after, signal)) {
        if (entry.first > 1) throw new Error('the disk is gone');
        yield entry;
      }
    }
  }
  const fatal: string[] = [];
  const roster = await rosterOf(new BrokenLog(), new MemorySnapshots(), (error) => fatal.push(String(error)));
  await upsert(roster, ['ann']);
  assert.deepEqual([roster.ready, fatal], [true, []]);
  await assert.rejects(upsert(roster, ['bob']));
  assert.deepEqual([roster.ready, fatal], [false, ['Error: the disk is gone']]);
});

test('SQ7 what waits is taken in batches that fit into an entry, whatever the commands are', async () => {
  class WatchedLog extends MemoryLog {
    readonly appended: number[] = [];
    override append(after: number, draft: EntryDraft) {
      this.appended.push(draft.facts.length);
      return super.append(after, draft);
    }
  }
  const commands: ((n: number) => Command)[] = [
    (n) => ({ kind: 'upsert', actor: { kind: 'server' }, users: hundred(n).map((id) => ({ id, custom: { n } })), problems: [] }),
    (n) => act('deactivate', `u${n}-0`),
    (n) => ({ kind: 'reactivate', ids: hundred(n).slice(0, 1), options: {} }),
    (n) => ({ kind: 'delete', ids: hundred(n), mode: 'soft', options: {} }),
  ];
  const log = new WatchedLog();
  const roster = await rosterOf(log, new MemorySnapshots());
  for (const command of commands) {
    const ends = Array.from({ length: 60 }, (_, n) => roster.submit(command(n), 'live'));
    await Promise.all(ends);
  }
  assert.equal(roster.directory.user('u7-99')?.deleted_at === undefined, true);
  assert.ok(
    log.appended.every((facts) => facts <= LIMITS.entryFacts),
    log.appended.join(),
  );
  assert.ok(
    log.appended.some((facts) => facts > LIMITS.entryFacts / 2),
    'and full ones',
  );
});

const hundred = (n: number): string[] => Array.from({ length: LIMITS.batchUsers }, (_, k) => `u${n}-${k}`);

const rosterOf = (log: MemoryLog, snapshots: MemorySnapshots, onFatal: (error: unknown) => void = () => {}): Promise<Roster> =>
  rosterWith({ log, snapshots, loaded: undefined, onFatal });

test('HT44 what goes wrong in the pipeline is logged: a log that breaks, a snapshot that fails, also the last one', async () => {
  class BrokenSnapshots extends MemorySnapshots {
    override async save(): Promise<never> {
      throw new Error('no space');
    }
  }
  const logged: string[] = [];
  const log = (level: string) => (details: object, text: string) =>
    void logged.push(`${level} ${text}${'err' in details ? `: ${details.err}` : ''}`);
  const open = (snapshots: MemorySnapshots): Promise<Roster> =>
    rosterWith({ snapshots, logger: { info: log('info'), error: log('error') }, snapshotEveryFacts: 2, onFatal: () => {} });
  const failing = await open(new BrokenSnapshots());
  await upsert(failing, ['ann', 'bob']);
  await eventually(() => logged.length > 0);
  assert.deepEqual(logged.splice(0), ['error the snapshot could not be saved; the journal is kept until one is: Error: no space']);
  await failing.close();
  assert.deepEqual(logged.splice(0), ['error no snapshot at shutdown: Error: no space']);
  const saving = await open(new MemorySnapshots());
  await upsert(saving, ['ann', 'bob']);
  await eventually(() => logged.length > 0);
  assert.deepEqual(logged, ['info snapshot saved']);
  await saving.close();
});

test('SQ3 a preview tells the outcome that a command would have now, by the same rules, and changes nothing', async () => {
  const roster = await openRoster();
  await upsert(roster, ['ann']);
  const command: Command = { kind: 'deactivate', ids: ['ann'], options: {} };
  const outcome = roster.preview(command);
  assert.equal(roster.directory.user('ann')?.deactivated_at, undefined);
  assert.deepEqual(Object.keys(await roster.submit(command, 'live')), Object.keys(outcome));
  assert.throws(() => roster.preview(act('deactivate', 'nobody')), RosterError);
  assert.equal(roster.position.seq, 2);
});

test('LV9 a frozen view holds everything that was published, and the entries after any position can be followed', async () => {
  const roster = await openRoster();
  const { outlet } = subscribe(roster, 'all', { kind: 'all' });
  await upsert(roster, ['ann']);
  await upsert(roster, ['bob']);
  const view = roster.freeze();
  assert.equal(outlet.events.length, 2, 'whoever gets the view has nothing to wait for');
  assert.deepEqual(view.position, roster.position);
  view.release();
  const stop = new AbortController();
  const ids: string[] = [];
  for await (const { first } of roster.follow(1, stop.signal)) {
    ids.push(String(first));
    stop.abort();
  }
  assert.deepEqual(ids, ['2']);
});

test('HT44 a directory that was closed tells nothing more', async (t) => {
  const roster = await openRoster();
  await upsert(roster, ['ann', 'bob']);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let told = 0;
  roster.hub.publishPresence = () => void told++;
  roster.presence.arrived('ann');
  t.mock.timers.tick(50);
  roster.presence.arrived('bob');
  await roster.close();
  t.mock.timers.tick(60_000);
  assert.equal(told, 1);
});

test('HT44 a close ends what it began in order: the commands, the last snapshot, the reading of the log, the log', async () => {
  const steps: string[] = [];
  const slowly = async (step: string): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
    steps.push(step);
  };
  class SlowLog extends MemoryLog {
    override async append(after: number, draft: EntryDraft) {
      const result = await super.append(after, draft);
      await slowly('appended');
      return result;
    }
    override async snapshotSaved(seq: number): Promise<void> {
      await slowly('trimmed');
      await super.snapshotSaved(seq);
    }
    override async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
      yield* super.read(after, signal);
      await slowly('read');
    }
    override async close(): Promise<void> {
      await slowly('closed');
      await super.close();
    }
  }
  class SlowSnapshots extends MemorySnapshots {
    override async save(source: Parameters<MemorySnapshots['save']>[0]) {
      await slowly('saved');
      return await super.save(source);
    }
  }
  const roster = await rosterOf(new SlowLog(), new SlowSnapshots());
  const answered = upsert(roster, ['ann']).then(() => steps.push('answered'));
  await roster.close();
  await answered;
  assert.deepEqual(steps, ['appended', 'answered', 'saved', 'trimmed', 'read', 'closed']);
});

test('DW1 a directory that cannot follow its log says so, and that nothing goes on', async () => {
  const log = new MemoryLog({ retentionFacts: 1_000 });
  let fail = (_error: Error): void => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => {});
  const read = log.read.bind(log);
  log.read = async function* (after, signal) {
    const entries = read(after, signal)[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([entries.next(), failed]);
      if (next.done === true) return;
      yield next.value;
    }
  };
  const said: unknown[] = [];
  const roster = await rosterWith({
    log,
    logger: { info: () => {}, error: (fields, text) => void said.push('err' in fields ? [fields.err, text] : text) },
    onFatal: (error) => void said.push(error),
  });
  await upsert(roster, ['ann']);
  const error = new Error('the file is gone');
  fail(error);
  await eventually(() => said.length > 1);
  assert.deepEqual(said, [[error, 'the directory cannot follow its log'], error]);
});

test('CK3 a start on a snapshot whose time the clock has not reached says so, before anything is written', async () => {
  const snapshots = new MemorySnapshots();
  const before = new MemoryLog({ retentionFacts: 1_000 });
  const nowUs = 1_800_000_000_000_000;
  const first = await rosterWith({ log: before, snapshots, now: () => nowUs });
  await upsert(first, ['ann']);
  await first.close();
  const { epoch, seq } = first.position;
  const said: unknown[] = [];
  const log = new MemoryLog({ epoch, start: seq, retentionFacts: 1_000 });
  const logger = { info: () => {}, error: (fields: object) => void said.push(fields) };
  const second = await rosterWith({ log, snapshots, now: () => nowUs - 5_000_000, logger });
  assert.deepEqual(said, [{ clock_behind_log_ms: 5_000 }]);
  assert.equal(second.directory.user('ann')?.id, 'ann');
  await second.close();
});
