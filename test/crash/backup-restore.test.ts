/**
 * BK5, BK9: a backup that is written and one that is restored, on a disk that loses power, or under a process that is killed, at
 * every crash point (store/file-system.ts). Repeat a failure with ROSTERD_SEED=<seed>.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BackupDamaged } from '../../store/backup/codec.ts';
import { BackupExists, checkBackup, writeBackup } from '../../store/backup/file.ts';
import { restoreBackup } from '../../store/backup/restore.ts';
import { DataDirectoryUnusable, openLocked } from '../../store/data-dir.ts';
import { type CrashPoint, fileChunks, type OperatorPoint } from '../../store/file-system.ts';
import { backupOf, pieces, someLines } from '../support/store/backup-kit.ts';
import { untilDeath } from '../support/store/death.ts';
import { Random } from '../support/store/random.ts';
import { type Fault, SimDisk } from '../support/store/sim-disk.ts';

const baseSeed = Number(process.env.ROSTERD_SEED ?? 4711);
const RUNS = 12;
const FILE = '/b/roster.ndjson.gz';
const DIRECTORY = '/d';

/** The compiler keeps this list complete; `restoring` points are those of a restore. */
const POINTS: Record<OperatorPoint, 'backup' | 'restore' | 'again'> = {
  'backup-create': 'backup',
  'backup-write': 'backup',
  'backup-sync': 'backup',
  'backup-rename': 'backup',
  'backup-directory-sync': 'backup',
  'backup-remove': 'backup',
  'restoring-create': 'restore',
  'restoring-write': 'restore',
  'restoring-sync': 'restore',
  'restoring-rename': 'restore',
  'restoring-directory-sync': 'restore',
  'restore-directory-sync': 'restore',
  'restoring-remove': 'restore',
  'restoring-remove-sync': 'restore',
  'restore-clear': 'again',
  'restore-clear-sync': 'again',
};
const SNAPSHOT_POINTS: readonly CrashPoint[] = [
  'snapshot-create',
  'snapshot-write',
  'snapshot-sync',
  'snapshot-rename',
  'snapshot-directory-sync',
];
const pointsOf = (...when: string[]): CrashPoint[] =>
  Object.entries(POINTS).flatMap(([point, at]) => (when.includes(at) ? [point as OperatorPoint] : []));

const lines = someLines(200);

function crashAt(point: CrashPoint, pass: number): (passed: CrashPoint) => Fault | undefined {
  let left = pass;
  return (passed) => (passed === point && left-- === 0 ? { type: 'crash' } : undefined);
}

const after = (disk: SimDisk, random: Random): SimDisk => (random.chance(0.7) ? disk.lostPower() : disk.killed());

async function holding(...files: readonly (readonly [string, Buffer])[]): Promise<(random: Random) => SimDisk> {
  const content = new Map(files);
  return (random) => SimDisk.holding(content, random);
}

/** Runs `live` on a disk that dies at `point`, RUNS times, and looks at what is left. */
async function crashes(
  point: CrashPoint,
  start: (random: Random) => SimDisk,
  live: (disk: SimDisk) => Promise<unknown>,
  look: (disk: SimDisk, isDone: boolean) => Promise<void>,
): Promise<void> {
  let reached = 0;
  for (let run = 0; run < RUNS; run++) {
    const seed = baseSeed + run;
    const random = new Random(seed);
    const disk = start(random);
    disk.plan = crashAt(point, run % 2);
    try {
      const isDone = await untilDeath(disk, live(disk));
      if (disk.dead) reached++;
      await look(after(disk, random), isDone);
    } catch (error) {
      throw new Error(`seed ${seed} of ${point} fails`, { cause: error });
    }
  }
  assert.ok(reached > 0, `${point} was never reached`);
}

const older = async (): Promise<Buffer> => await backupOf(someLines(2), 7);
const newer = async (): Promise<Buffer> => gzipSync(await backupOf(lines, 900));

for (const point of pointsOf('backup')) {
  test(`BK5 under its name lies the older backup or the newer one, each whole: crash at ${point}`, async () => {
    const [old, fresh] = [await older(), await newer()];
    // What is removed is removed after something failed.
    const isCut = point === 'backup-remove';
    const chunks = () => pieces(isCut ? fresh.subarray(0, -9) : fresh, 500);
    await crashes(
      point,
      await holding([FILE, old]),
      (fileSystem) => writeBackup(FILE, chunks(), { force: true, fileSystem }).catch((error: unknown) => assert.ok(isCut, String(error))),
      async (disk, isDone) => {
        const { position } = await checkBackup(fileChunks(FILE, disk), FILE);
        assert.ok(position.seq === 900 || (position.seq === 7 && (isCut || !isDone)), `it is at ${position.seq}`);
        // What the crash left is in nobody's way.
        await writeBackup(FILE, pieces(fresh, 500), { force: true, fileSystem: disk });
        assert.deepEqual([...disk.files().keys()], [FILE]);
      },
    );
  });
}

test('BK5 what fails leaves an older backup as it was, and no part', async () => {
  const [old, fresh] = [await older(), await newer()];
  const disk = (await holding([FILE, old]))(new Random(1));
  const expectSame = (): void => assert.deepEqual([...disk.files()], [[FILE, old]]);
  await assert.rejects(writeBackup(FILE, pieces(fresh), { force: false, fileSystem: disk }), BackupExists);
  expectSame();
  await assert.rejects(writeBackup(FILE, pieces(fresh.subarray(0, -9), 100), { force: true, fileSystem: disk }), BackupDamaged);
  expectSame();
  const broken = async function* () {
    yield* pieces(fresh.subarray(0, 1_000), 100);
    throw new Error('the connection broke');
  };
  await assert.rejects(writeBackup(FILE, broken(), { force: true, fileSystem: disk }), /the connection broke/);
  expectSame();
  for (const point of ['backup-create', 'backup-write', 'backup-sync', 'backup-rename'] as const) {
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'ENOSPC' } : undefined);
    await assert.rejects(writeBackup(FILE, pieces(fresh, 500), { force: true, fileSystem: disk }), /ENOSPC/, point);
    expectSame();
  }
});

/** What a daemon would find: everything, nothing, or that a restore was not finished. */
async function found(disk: SimDisk): Promise<'all' | 'nothing' | 'unfinished'> {
  try {
    const { log, loaded } = await openLocked(DIRECTORY, { fileSystem: disk });
    const seen: object[] = [];
    for await (const chunk of loaded?.chunks() ?? []) seen.push(...chunk);
    if (loaded === undefined) return 'nothing';
    assert.deepEqual(seen, lines);
    assert.equal(log.head.seq, 900);
    assert.notEqual(log.head.epoch, 'epoch-a', 'LG8: the epoch is a new one');
    return 'all';
  } catch (error) {
    if (error instanceof DataDirectoryUnusable && /a restore was begun in it and not finished/.test(error.message)) return 'unfinished';
    throw error;
  }
}

for (const point of [...pointsOf('restore'), ...SNAPSHOT_POINTS]) {
  test(`BK9 a crash at ${point} leaves no directory that would be served as if it were restored`, async () => {
    const start = await holding([FILE, await newer()]);
    await crashes(
      point,
      start,
      (disk) => restoreBackup(FILE, DIRECTORY, disk),
      async (disk, isDone) => {
        const state = await found(disk.killed());
        if (isDone) assert.equal(state, 'all');
        // Before the marker lies there, nothing was begun.
        else if (/^restoring-(create|write|sync|rename)$/.test(point)) assert.notEqual(state, 'all');
        else if (!point.startsWith('restoring-')) assert.notEqual(state, 'nothing', 'an empty directory would be served');
        if (state === 'all') return;
        await restoreBackup(FILE, DIRECTORY, disk);
        assert.equal(await found(disk), 'all');
      },
    );
  });
}

for (const point of pointsOf('again')) {
  test(`BK9 so does one while the next restore clears away what was left: ${point}`, async () => {
    const backup = await newer();
    const left = await holding(
      [FILE, backup],
      [`${DIRECTORY}/restoring`, Buffer.from('x')],
      [`${DIRECTORY}/snapshot/000000000001-0000000000000900.ndjson`, Buffer.from('half')],
      [`${DIRECTORY}/snapshot/000000000001-0000000000000007.ndjson.tmp`, Buffer.from('half')],
    );
    await crashes(
      point,
      left,
      (disk) => restoreBackup(FILE, DIRECTORY, disk),
      async (disk) => {
        if ((await found(disk.killed())) === 'all') return;
        assert.equal(await found(disk.killed()), 'unfinished');
        await restoreBackup(FILE, DIRECTORY, disk);
        assert.equal(await found(disk), 'all');
      },
    );
  });
}

test('BK9 a restore that fails leaves the directory empty, so that a daemon may start in it', async () => {
  for (const point of [
    'restoring-create',
    'restoring-write',
    'snapshot-create',
    'snapshot-write',
    'snapshot-sync',
    'snapshot-rename',
    'snapshot-directory-sync',
    'restore-directory-sync',
  ] as const) {
    const disk = (await holding([FILE, await newer()], [`${DIRECTORY}/credentials.json`, Buffer.from('{}')]))(new Random(2));
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'ENOSPC' } : undefined);
    await assert.rejects(restoreBackup(FILE, DIRECTORY, disk), /ENOSPC/, point);
    disk.plan = () => undefined;
    assert.deepEqual(
      [...disk.files().keys()].filter((name) => !name.endsWith('.tmp')),
      [FILE, `${DIRECTORY}/credentials.json`],
      point,
    );
    assert.equal(await found(disk), 'nothing', point);
  }
});
