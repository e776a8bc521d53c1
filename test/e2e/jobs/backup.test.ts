/** BK: backups of a daemon that goes on working, and what becomes of them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { LiveBackups } from '../../../daemon/cli/backup/live-backups.ts';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { digest } from '../../../protocol/base/digest.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { ImportTask } from '../../../protocol/transfer/imports.ts';
import { encodeBackup } from '../../../store/backup/codec.ts';
import { openDataDirectory } from '../../../store/data-dir.ts';
import { command } from '../../support/store/backup-kit.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';
import { API_KEY, serverToken, World } from '../../support/world.ts';

/** More than any system gives to a process. */
const NO_PID = 2 ** 22 + 1;

interface Facts {
  readonly [name: string]: string | number;
}

async function facts(cwd: string, ...args: string[]): Promise<Facts> {
  const { code, out, err } = await command(cwd, [...args, '--json']);
  assert.equal(code, 0, err);
  return JSON.parse(out);
}

/** Everything but header, trailer and what only a restart needs to know. */
const contentOf = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .slice(1, -1)
    .filter((line) => !line.startsWith('{"state"'))
    .sort();

/** A directory with users, deleted ones, settings, roles, groups, devices and tasks. */
async function filled(world: World, count = 300): Promise<void> {
  for (let at = 0; at < count; at += 100) {
    await world.upsert(
      ...Array.from({ length: 100 }, (_, i) => ({ id: `u${at + i}`, name: `Ünï ${at + i}`, teams: ['red'], custom: { n: at + i } })),
    );
  }
  const ok = async (method: string, path: string, body?: unknown): Promise<void> => {
    const { status, body: answer } = await world.http(method, path, body);
    assert.ok(status < 300, JSON.stringify(answer));
  };
  await ok('POST', '/roles', { name: 'driver' });
  await ok('POST', '/usergroups', { name: 'all', member_ids: ['u1', 'u2'] });
  await ok('POST', '/devices', { id: 'd1', push_provider: 'apn', user_id: 'u1' });
  await ok('POST', '/moderation/ban', { target_user_id: 'u3', banned_by_id: 'u1' });
  await ok('POST', '/users/u4/deactivate', {});
  await ok('DELETE', '/users/u5?mark_messages_deleted=false');
  await ok('DELETE', '/users/u6?hard_delete=true');
  const chat = await world.chat('u7');
  chat.terminate();
}

async function replayed(data: string, seq: number): Promise<string[]> {
  const { log, close } = await openDataDirectory(data);
  const directory = new Directory({ epoch: log.head.epoch, seq: 0 });
  const stop = new AbortController();
  for await (const entry of log.read(0, stop.signal)) {
    directory.apply(entry);
    if (directory.seq >= seq) stop.abort();
  }
  await close();
  assert.equal(directory.seq, seq);
  const lines = [...directory.freeze().lines()].filter((line) => !('state' in line));
  return lines.map((line) => JSON.stringify(line)).sort();
}

test('BK1 a backup is the directory at its position, whatever is written meanwhile', async (t) => {
  const cwd = await temporaryDirectory();
  const data = join(cwd, 'data');
  const world = await World.start(t, { data });
  await filled(world, 3_000);
  let isWriting = true;
  let writes = 0;
  const writer = async (): Promise<void> => {
    while (isWriting) {
      const at = writes++;
      const id = `u${(at * 37) % 3_000}`;
      const { status } = await (at % 50 === 49
        ? world.http('DELETE', `/users/${id}`)
        : world.upsert({ id, name: `changed ${at}` }, { id: `new${at}` }));
      assert.ok([200, 201, 400, 404].includes(status), String(status));
    }
  };
  const writing = Promise.all([writer(), writer(), writer(), writer()]);
  const made: { readonly seq: number; readonly lines: string[] }[] = [];
  while (made.length < 3 || (writes < 300 && made.length < 20)) {
    const name = `${made.length}.ndjson${made.length % 2 === 0 ? '' : '.gz'}`;
    const before = world.daemon.roster.position.seq;
    const { position } = await facts(cwd, 'backup', name, '--url', world.daemon.url);
    const seq = Number(String(position).split(':')[1]);
    assert.ok(seq >= before);
    const bytes = await readFile(join(cwd, name));
    made.push({ seq, lines: contentOf((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()) });
  }
  isWriting = false;
  await writing;
  t.diagnostic(`${writes} writes during ${made.length} backups`);
  assert.ok(writes > 100, `only ${writes} writes were made meanwhile`);
  await world.stop();
  for (const { seq, lines } of made) assert.deepEqual(lines, await replayed(data, seq), `at ${seq}`);
});

test('BK2 at most two at a time; each lets go of the directory when its reader goes, or takes nothing', async () => {
  const directory = new Directory({ epoch: 'e', seq: 0 });
  let released = 0;
  const freeze = () => {
    const view = directory.freeze();
    const { release } = view;
    view.release = () => {
      released++;
      release.call(view);
    };
    return view;
  };
  const backups = new LiveBackups({ freeze, nowMs: () => 0 });
  const [first, second] = [backups.open(false), backups.open(true)];
  assert.throws(
    () => backups.open(false),
    (error) => error instanceof RosterError && error.kind === 'rate_limit' && /2 backups are under way/.test(error.message),
  );
  first.stream.destroy();
  await once(first.stream, 'close');
  assert.deepEqual([backups.count, released], [1, 1]);
  backups.open(false).stream.resume();
  second.stream.resume();
  await once(second.stream, 'close');
  assert.equal(released >= 2, true);

  const impatient = new LiveBackups({ freeze, nowMs: () => 0, stallMs: 5 });
  const { stream } = impatient.open(false);
  const [error] = await once(stream, 'error');
  assert.match(String(error), /nobody read the backup for 5 ms/);
  if (impatient.count > 0) await once(stream, 'close');
  assert.equal(impatient.count, 0);
});

test('BK2 a third backup over HTTP is refused, until a client has gone away', async (t) => {
  const world = await World.start(t);
  // More than what lies in buffers on the way.
  const text = 'x'.repeat(4_000);
  for (let at = 0; at < 6_000; at += 100)
    await world.upsert(...Array.from({ length: 100 }, (_, i) => ({ id: `u${at + i}`, custom: { text } })));
  const ask = async (signal?: AbortSignal) =>
    await fetch(`${world.daemon.url}/api/v2/backup?api_key=${API_KEY}`, {
      headers: { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt' },
      ...(signal === undefined ? {} : { signal }),
    });
  const leave = new AbortController();
  const open = [await ask(leave.signal), await ask()];
  assert.deepEqual(
    open.map(({ status }) => status),
    [200, 200],
  );
  const refused = await ask();
  assert.equal(refused.status, 429);
  assert.match(await refused.text(), /Backup failed with error: \\"2 backups are under way; try again when one of them has ended/);
  leave.abort();
  for (;;) {
    const again = await ask();
    const body = await again.text();
    if (again.status === 429) continue;
    assert.equal(again.status, 200);
    assert.ok(body.length > 24_000_000);
    break;
  }
  await open[1]?.body?.cancel();
});

test('BK8 BK10 BK12 backed up, restored and started: the same directory, in a new history', async (t) => {
  const cwd = await temporaryDirectory();
  const world = await World.start(t);
  await filled(world);
  const consumer = await world.subscriber({ durable: 'mirror', subs: [{ sub: 'all', all: true, snapshot: false }] });
  await world.upsert({ id: 'last' });
  const { seq } = await consumer.until(({ user }) => user?.id === 'last');
  consumer.send({ op: 'ack', seq });
  await consumer.request({ op: 'ping' });
  const position = world.daemon.roster.position;
  const made = await facts(cwd, 'backup', 'a.ndjson.gz', '--url', world.daemon.url);
  const users = [...world.daemon.roster.directory.users()];
  assert.equal(made.revisions, digest(users));
  assert.equal(made.users, users.length);

  const data = join(cwd, 'new');
  await mkdir(data);
  await writeFile(join(data, 'credentials.json'), '{"api_key":"k","api_secret":"s"}');
  const { code, out, err } = await command(cwd, ['restore', 'a.ndjson.gz', '--data', 'new']);
  assert.equal(code, 0, err);
  for (const said of [String(made.content), String(made.revisions), String(made.sha256), String(made.position)])
    assert.ok(out.includes(said));
  for (const said of ['API key and secret', 'exports and imports', 'history of events', 'webhooks', 'a new history begins'])
    assert.ok(err.includes(said), said);
  assert.equal(await readFile(join(data, 'credentials.json'), 'utf8'), '{"api_key":"k","api_secret":"s"}');

  const restored = await World.start(t, { data });
  const again = await facts(cwd, 'verify', '--url', restored.daemon.url);
  for (const same of ['users', 'deleted', 'documents', 'content', 'revisions']) assert.equal(again[same], made[same], same);
  assert.notEqual(restored.daemon.roster.position.epoch, position.epoch);
  assert.equal(restored.daemon.roster.position.seq, Number(String(made.position).split(':')[1]));
  // Who was deleted for good stays so; settings, roles and groups are there.
  assert.match((await restored.upsert({ id: 'u6' })).body.message, /u6/);
  assert.ok((await restored.http('GET', '/roles')).body.roles.some(({ name }: { name: string }) => name === 'driver'));
  assert.equal((await restored.http('GET', '/usergroups')).body.user_groups.length, 1);

  const late = await restored.subscriber({ resume: position, subs: [{ sub: 'all', all: true }] });
  assert.equal(late.frames[0].resumed, false);
  await late.until(({ users: all }) => all !== undefined);
  const mirror = await restored.subscriber({ durable: 'mirror', subs: [{ sub: 'all', all: true }] });
  assert.equal(mirror.frames[0].resumed, false, 'DC6: a durable consumer starts over');
  await mirror.until(({ users: all }) => all !== undefined);
  await restored.upsert({ id: 'after-restore' });
  await mirror.until(({ user }) => user?.id === 'after-restore');
});

test('BK7 --offline gives what the daemon gives, and changes nothing in the data directory', async (t) => {
  const cwd = await temporaryDirectory();
  const data = join(cwd, 'data');
  const world = await World.start(t, { data });
  await filled(world);
  const online = await facts(cwd, 'backup', 'on.ndjson', '--url', world.daemon.url);
  // As after a kill: no snapshot, no marker of a clean close.
  await cp(data, join(cwd, 'killed'), { recursive: true, filter: (path) => !path.includes('/lock/') });
  const before = await snapshotOf(join(cwd, 'killed'));
  await facts(cwd, 'backup', 'killed.ndjson', '--offline', '--data', 'killed');
  assert.deepEqual(await snapshotOf(join(cwd, 'killed')), before);
  assert.match((await command(cwd, ['backup', 'x.ndjson', '--offline', '--data', 'data'])).err, /in use by this process/);
  await world.stop();
  const offline = await facts(cwd, 'backup', 'off.ndjson.gz', '--offline', '--data', 'data');
  assert.equal(offline.position, online.position);
  const lines = contentOf((await readFile(join(cwd, 'on.ndjson'))).toString());
  assert.deepEqual(contentOf(gunzipSync(await readFile(join(cwd, 'off.ndjson.gz'))).toString()), lines);
  assert.deepEqual(contentOf((await readFile(join(cwd, 'killed.ndjson'))).toString()), lines);
  const verified = await facts(cwd, 'verify', '--data', 'data');
  for (const same of ['position', 'users', 'deleted', 'documents', 'content', 'revisions'])
    assert.equal(verified[same], online[same], same);
});

/** Every file with its content, the lock aside. */
async function snapshotOf(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = names.map(({ parentPath, name }) => join(parentPath, name)).filter((path) => !path.includes('/lock/'));
  return Object.fromEntries(await Promise.all(files.sort().map(async (path) => [path, (await readFile(path)).toString('base64')])));
}

/** Flips one byte in the middle of the file whose name ends so. */
async function flip(directory: string, ending: string, at?: number): Promise<{ readonly file: string; readonly offset: number }> {
  const name = (await readdir(directory)).find((one) => one.endsWith(ending)) ?? '';
  const file = join(directory, name);
  const bytes = await readFile(file);
  const offset = at ?? Math.floor(bytes.length / 2);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x04;
  await writeFile(file, bytes);
  return { file, offset };
}

test('BK13 verify --data names every damaged file, with the place, and changes nothing', async (t) => {
  const cwd = await temporaryDirectory();
  const data = join(cwd, 'data');
  const world = await World.start(t, { data });
  await filled(world);
  await world.stop();
  const copy = async (name: string): Promise<string> => {
    await cp(data, join(cwd, name), { recursive: true });
    return join(cwd, name);
  };
  const run = async (name: string) => {
    const before = await snapshotOf(join(cwd, name));
    const ran = await command(cwd, ['verify', '--data', name]);
    assert.deepEqual(await snapshotOf(join(cwd, name)), before);
    return ran;
  };
  assert.equal((await run('data')).code, 0);

  const segment = await flip(join(await copy('segment'), 'journal'), '.journal');
  const inSegment = await run('segment');
  assert.equal(inSegment.code, 1);
  const place = /segment\/journal\/\d+\.journal is damaged at offset (\d+): /.exec(inSegment.err);
  assert.ok(place !== null && Number(place[1]) <= segment.offset, inSegment.err);
  assert.match(inSegment.err, /a daemon would not start/);

  await flip(join(await copy('snapshot'), 'snapshot'), '.ndjson');
  const inSnapshot = await run('snapshot');
  assert.equal(inSnapshot.code, 1);
  assert.match(inSnapshot.err, /snapshot\/snapshot\/\d+-\d+\.ndjson is damaged: it does not match its checksum/);

  await flip(join(await copy('both'), 'snapshot'), '.ndjson');
  await flip(join(cwd, 'both/journal'), '.journal');
  const inBoth = await run('both');
  assert.equal(inBoth.code, 1);
  assert.match(inBoth.err, /\.journal is damaged at offset/);
  assert.match(inBoth.err, /\.ndjson is damaged/);

  // A write that was cut short by a crash is no damage: the next start drops it, verify does not.
  const torn = await copy('torn');
  const [snapshots, journal] = [join(torn, 'snapshot'), join(torn, 'journal')];
  for (const name of await readdir(snapshots)) await rm(join(snapshots, name));
  await rm(join(journal, 'clean'));
  const last = join(journal, (await readdir(journal)).sort().at(-1) ?? '');
  await writeFile(last, (await readFile(last)).subarray(0, -5));
  const inTorn = await run('torn');
  assert.equal(inTorn.code, 0, inTorn.err);
  assert.match(inTorn.err, /ends in a write that was cut short, which is no damage: the next start drops \d+ bytes from offset \d+ on/);
});

test('BK3 BK8 a damaged backup is named, and nothing of it is restored', async (t) => {
  const cwd = await temporaryDirectory();
  const world = await World.start(t);
  await filled(world);
  for (const name of ['a.ndjson', 'a.ndjson.gz']) {
    await facts(cwd, 'backup', name, '--url', world.daemon.url);
    assert.equal((await facts(cwd, 'verify', name)).users, 298);
    await flip(cwd, name);
    const verified = await command(cwd, ['verify', name]);
    assert.equal(verified.code, 1);
    assert.match(verified.err, new RegExp(`${name} is not a whole backup: `));
    const restored = await command(cwd, ['restore', name, '--data', 'new']);
    assert.equal(restored.code, 1);
    assert.match(restored.err, /nothing was restored: .* is not a whole backup: /);
    assert.deepEqual(
      (await readdir(join(cwd, 'new'))).filter((one) => one !== 'lock'),
      [],
    );
  }
});

test('BK5 BK6 BK8 wrong use and wrong input are told, and harm nothing', async (t) => {
  const cwd = await temporaryDirectory();
  const data = join(cwd, 'data');
  const world = await World.start(t, { data });
  await filled(world, 100);
  const { url } = world.daemon;
  await facts(cwd, 'backup', 'a.ndjson', '--url', url);
  await mkdir(join(cwd, 'folder'));
  await writeFile(join(cwd, 'text.ndjson'), '{"id":"ann"}\n');
  await mkdir(join(cwd, 'full/uploads'), { recursive: true });
  await writeFile(join(cwd, 'full/uploads/x'), '');
  await mkdir(join(cwd, 'half/snapshot'), { recursive: true });
  await writeFile(join(cwd, 'half/restoring'), '');
  const older = (await readFile(join(cwd, 'a.ndjson'))).toString();
  const table: readonly [code: number, err: RegExp, ...args: string[]][] = [
    [2, /a\.ndjson exists already; --force replaces it/, 'backup', 'a.ndjson', '--url', url],
    [2, /folder is a directory/, 'backup', 'folder', '--url', url],
    [2, /there is no directory .*\/nowhere/, 'backup', 'nowhere/a.ndjson', '--url', url],
    [2, /--offline reads what is stored: leave out --url/, 'backup', 'b.ndjson', '--offline', '--url', url],
    [2, /missing holds no directory: there is neither a journal nor a snapshot/, 'backup', 'b.ndjson', '--offline', '--data', 'missing'],
    [1, /there is no backup: .* cannot be reached: .*ECONNREFUSED/, 'backup', 'b.ndjson', '--url', 'http://127.0.0.1:1'],
    [
      1,
      /there is no backup: the daemon refuses: .*signature/,
      'backup',
      'b.ndjson',
      '--url',
      url,
      '--api-key',
      API_KEY,
      '--api-secret',
      'another-secret',
    ],
    [2, /missing cannot be read: ENOENT/, 'restore', 'missing', '--data', 'new'],
    [2, /folder cannot be read: it is a directory/, 'restore', 'folder', '--data', 'new'],
    [
      1,
      /nothing was restored: .*text\.ndjson is not a whole backup: it does not begin with the header/,
      'restore',
      'text.ndjson',
      '--data',
      'new',
    ],
    [1, /nothing was restored: .*data is in use by this process/, 'restore', 'a.ndjson', '--data', 'data'],
    [1, /nothing was restored: .*full is not empty: there is uploads\/x/, 'restore', 'a.ndjson', '--data', 'full'],
    [2, /give a file, --data, --log or --url/, 'verify'],
    [2, /give either a file or --url/, 'verify', 'a.ndjson', '--url', url],
    [2, /missing cannot be read: ENOENT/, 'verify', 'missing'],
    [2, /folder holds no directory/, 'verify', '--data', 'folder'],
    [1, /data is in use by this process/, 'verify', '--data', 'data'],
    [1, /text\.ndjson is not a whole backup/, 'verify', 'text.ndjson'],
    [1, /cannot be reached: .*ECONNREFUSED/, 'verify', '--url', 'http://127.0.0.1:1'],
  ];
  for (const [code, message, ...args] of table) {
    const ran = await command(cwd, args);
    assert.match(ran.err, message, args.join(' '));
    assert.equal(ran.code, code, `${args.join(' ')}: ${ran.err}`);
    assert.equal(ran.out, '', args.join(' '));
  }
  assert.equal((await readFile(join(cwd, 'a.ndjson'))).toString(), older);
  assert.deepEqual(
    (await readdir(cwd)).filter((name) => name.startsWith('b.') || name.endsWith('.part')),
    [],
  );
  assert.equal((await stat(join(cwd, 'a.ndjson'))).mode & 0o077, 0, 'only its owner may read a backup');
  // Of two at once, none writes into the part of the other; what one that was killed left is removed.
  for (const pid of [process.ppid, NO_PID]) await writeFile(join(cwd, `a.ndjson.${pid}.part`), 'half');
  await facts(cwd, 'backup', 'a.ndjson', '--force', '--url', url);
  assert.deepEqual(
    (await readdir(cwd)).filter((name) => name.endsWith('.part')),
    [`a.ndjson.${process.ppid}.part`],
  );

  // A daemon does not start where a restore was not finished; restoring again finishes it.
  await assert.rejects(openDataDirectory(join(cwd, 'half')), /a restore was begun in it and not finished; run "rosterd restore" again/);
  assert.equal((await command(cwd, ['restore', 'a.ndjson', '--data', 'half'])).code, 0);
  assert.equal((await facts(cwd, 'verify', '--data', 'half')).users, 98);
  const again = await command(cwd, ['restore', 'a.ndjson', '--data', 'half']);
  assert.equal(again.code, 1);
  assert.match(again.err, /half is not empty: there is snapshot/);
});

test('BK5 a connection that breaks leaves no file, and says so', async (t) => {
  const cwd = await temporaryDirectory();
  const world = await World.start(t);
  await filled(world);
  await facts(cwd, 'backup', 'whole.ndjson', '--url', world.daemon.url);
  const whole = await readFile(join(cwd, 'whole.ndjson'));
  const cut = { bytes: 0, isClean: false };
  const server = createServer((_request, response) => {
    response.write(whole.subarray(0, cut.bytes), () => (cut.isClean ? response.end() : response.destroy()));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  for (const [bytes, isClean, message] of [
    [20_000, false, /there is no backup: the connection broke after [\d,]+ bytes/],
    [20_000, true, /there is no backup: .* is not a whole backup: it does not end with a trailer/],
    [whole.length - 1, true, /is not a whole backup/],
  ] as const) {
    Object.assign(cut, { bytes, isClean });
    for (const args of [
      ['backup', 'b.ndjson'],
      ['backup', '-'],
    ]) {
      const { code, err } = await command(cwd, [...args, '--url', url]);
      assert.equal(code, 1, err);
      assert.match(err, args[1] === '-' ? /rosterd: there is no backup: / : message);
    }
    assert.equal((await command(cwd, ['verify', '--url', url])).code, 1);
  }
  assert.deepEqual(await readdir(cwd), ['whole.ndjson']);
  const { out, err, code } = await command(cwd, ['backup', '-', '--url', world.daemon.url]);
  assert.equal(code, 0);
  assert.deepEqual(contentOf(out), contentOf(whole.toString()));
  assert.match(err, /^content {4}298-/m);
});

test('BK10 an import that was under way fails where its upload is not there, and harms nothing', async (t) => {
  const cwd = await temporaryDirectory();
  const world = await World.start(t);
  const now = Date.now() * 1_000;
  const doc: ImportTask = {
    id: 'imp',
    path: 'uploads/none.json',
    mode: 'upsert',
    state: 'uploaded',
    history: [],
    created_at: now,
    updated_at: now,
  };
  await world.upsert({ id: 'ann' });
  await facts(cwd, 'backup', 'a.ndjson', '--url', world.daemon.url);
  // The same directory with an import in it, as it is while one is under way.
  const directory = new Directory({ epoch: 'e', seq: 0 });
  directory.apply({ id: 'x', time: now, first: 1, facts: [{ t: 'doc', kind: 'import', id: 'imp', doc }] });
  const chunks: Buffer[] = [];
  for await (const chunk of encodeBackup(directory.freeze(), new Date().toISOString())) chunks.push(chunk);
  await writeFile(join(cwd, 'b.ndjson'), Buffer.concat(chunks));
  assert.equal((await command(cwd, ['restore', 'b.ndjson', '--data', 'new'])).code, 0);
  const restored = await World.start(t, { data: join(cwd, 'new') });
  let state = '';
  while (!state.endsWith('failed')) state = (await restored.http('GET', '/imports/imp')).body.import_task.state;
  assert.ok((await restored.upsert({ id: 'bob' })).status < 300);
});
