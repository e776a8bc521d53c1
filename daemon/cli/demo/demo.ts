/**
 * The main job as a story: a job sends users while a chat client and a subscriber are connected, the daemon is killed in the
 * middle, and in the end all copies are equal. It uses the real parts; each sentence is printed after it was checked.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { LiveUser } from '../../../protocol/client/types.ts';
import { grouped } from '../../base/grouped.ts';
import { userToken } from '../token.ts';
import type { DemoProcess, Stage } from './stage.ts';
import type { Story } from './story.ts';
import { ChatClient, DemoSubscriber } from './watcher.ts';

const USERS = 10_000;
/** The daemon is killed when the subscriber has received this number of users. */
const KILL_AT = 3_000;
const SOURCE = 'users.ndjson';
/** Ann's line in the file: after the crash. */
const ANN_AT = 9_000;
const ANN = { id: 'ann', name: 'Ann', title: 'editor in chief' };

interface SourceUser {
  readonly id: string;
  readonly name: string;
  readonly title: string;
}

const sourceUser = (n: number): SourceUser =>
  n === ANN_AT ? ANN : { id: `user-${n}`, name: `User ${grouped(n)}`, title: n % 10 === 0 ? 'editor' : 'reader' };

/** The connected parties while the job runs. */
interface Cast {
  readonly url: string;
  readonly subscriber: DemoSubscriber;
  readonly ann: ChatClient;
}

/** Tells the story. Rejects with DemoFailed when a check fails. */
export async function playDemo(stage: Stage, story: Story): Promise<void> {
  const source = Array.from({ length: USERS }, (_, index) => sourceUser(index + 1));
  story.title(`rosterd: ${grouped(USERS)} users are brought in, and the daemon is killed in the middle of it.`);
  await writeFile(join(stage.folder, SOURCE), source.map((user) => `${JSON.stringify(user)}\n`).join(''));
  story.tell(`A file of ${grouped(USERS)} users lies in ${stage.folder}, where all of this happens.`);

  const first = await startDaemon('127.0.0.1:0', stage, story);
  story.check(first.users === 0, `a new directory has ${first.users} users`);
  story.tell(`A daemon is started: ${first.url}, no users yet.`);

  const cast = await connect(first.url, stage, story);
  try {
    const job = stage.start('sync', SOURCE, '--url', first.url, '--concurrency', '2', '--json', '--quiet');
    story.tell(`A job brings in the file: rosterd sync ${SOURCE}.`);
    const second = await crash(first.daemon, job, cast, stage, story);
    await finish(job, cast, story);
    await again(cast, stage, story);
    await compare(source, cast, stage, story);
    await leave(cast);
    const { code } = await second.kill('SIGTERM');
    story.check(code === 0, `the daemon ended with ${code}`);
    story.tell('Ann and the subscriber leave. The daemon is asked to stop, and does.');
  } finally {
    await leave(cast);
  }
  story.title(
    `${grouped(USERS)} users, ${grouped(USERS)} changes, one crash: nothing lost, nothing twice. All of it was checked, in ${story.seconds} s.`,
  );
}

async function leave({ subscriber, ann }: Cast): Promise<void> {
  await Promise.all([subscriber.client.disconnectUser(), ann.client.disconnectUser()]);
}

async function startDaemon(listen: string, stage: Stage, story: Story): Promise<{ daemon: DemoProcess; url: string; users: number }> {
  const daemon = stage.start('serve', '--listen', listen, '--log-level', 'warn', '--metrics-listen', 'off');
  const [, url = '', users = ''] = await daemon.says(/listens on (\S+) [\s\S]*?, (\d+) users\n/, story);
  return { daemon, url, users: Number(users) };
}

async function connect(url: string, stage: Stage, story: Story): Promise<Cast> {
  const { api_key: apiKey, api_secret: secret } = JSON.parse(await readFile(join(stage.folder, 'rosterd-data/credentials.json'), 'utf8'));
  const ann = new ChatClient({ url, apiKey });
  await ann.connect({ id: ANN.id, name: ANN.name }, userToken(ANN.id, secret, { nowMs: Date.now(), lifetimeMs: 3_600_000 }));
  story.check(ann.client.me?.id === ANN.id, `the chat client is ${ann.client.me?.id}`);
  story.tell('Ann opens her chat. Nobody had made her a user; connecting does.');
  const subscriber = new DemoSubscriber({ url, apiKey, secret });
  const users = await subscriber.connect();
  story.check(users === 1, `the subscriber was given ${users} users`);
  story.tell('A subscriber asks for everything: it is given 1 user, and every change from now on.');
  return { url, subscriber, ann };
}

/** Kills the daemon in the middle of the job and starts it again. Resolves with the new one when everybody is connected again. */
async function crash(
  daemon: DemoProcess,
  job: DemoProcess,
  { url, subscriber, ann }: Cast,
  stage: Stage,
  story: Story,
): Promise<DemoProcess> {
  await story.until('the subscriber hears of the users', () => subscriber.changes.length >= KILL_AT || job.ended);
  const { signal } = await daemon.kill('SIGKILL');
  const heard = subscriber.changes.length;
  story.check(signal === 'SIGKILL', `the daemon was gone before it was killed: ${daemon.stderr}`);
  story.check(job.ended === undefined, 'the job was over before the daemon was killed; try again');
  story.tell(`The subscriber has heard of ${grouped(heard)} users. The daemon is killed with SIGKILL: no goodbye, nothing saved.`);
  await job.says(/trying again/, story);
  await story.until('both have noticed', () => !subscriber.isOpen && !ann.isOpen);
  story.tell('The job, the subscriber and Ann have lost it, and try again.');

  const next = await startDaemon(new URL(url).host, stage, story);
  // One of the users is Ann, whom the subscriber received at its beginning.
  const unheard = next.users - heard - 1;
  story.check(unheard >= 0 && next.users < USERS, `after the crash there are ${next.users} users, and ${heard} had been announced`);
  story.tell(
    `The daemon is started again and reads ${grouped(next.users)} users from its journal: everybody whom the subscriber had heard of${unheard === 0 ? '.' : ','}`,
    ...(unheard === 0 ? [] : [`and ${grouped(unheard)} more that were stored in its last moment.`]),
  );
  await story.until('the subscriber and Ann are back', () => subscriber.isOpen && ann.isOpen);
  story.check(subscriber.opened === 2 && subscriber.resyncs === 0, 'the subscriber could not go on from where it was');
  story.tell('Ann is back by herself. So is the subscriber, and goes on after the last change it had heard of.');
  return next.daemon;
}

/** The end of the job, and the events of it. */
async function finish(job: DemoProcess, { subscriber, ann }: Cast, story: Story): Promise<void> {
  await job.succeeds(story);
  const { created, updated, unchanged, failed } = JSON.parse(job.stdout);
  story.check(created + updated + unchanged === USERS && failed === 0, `the job says: ${job.stdout}`);
  story.tell(
    `The job has gone on by itself and is done: ${grouped(created)} created, ${grouped(updated)} updated, ${grouped(unchanged)} unchanged, ${failed} failed.`,
    ...(unchanged === 0 ? [] : ['Unchanged are those that were stored, but not yet confirmed, when the daemon died.']),
  );
  await story.until('the subscriber has heard of everybody', () => subscriber.changes.length >= USERS);
  checkChanges(subscriber, story);
  story.tell(`The subscriber has heard of ${grouped(USERS)} changes: one for every user, in order, none missing, none twice.`);
  await story.until('Ann hears of herself', () => ann.client.me?.custom.title === ANN.title);
  story.tell(`Ann has heard of the one that is hers: she is ${ANN.title} now.`);
}

function checkChanges({ changes, resyncs }: DemoSubscriber, story: Story): void {
  const ids = new Set(changes.map(({ id }) => id));
  story.check(changes.length === USERS && ids.size === USERS, `the subscriber heard of ${changes.length} changes of ${ids.size} users`);
  const disorder = changes.findIndex(({ seq }, index) => index > 0 && seq <= (changes[index - 1]?.seq ?? 0));
  story.check(disorder === -1, `change #${changes[disorder]?.seq} came after #${changes[disorder - 1]?.seq}`);
  story.check(resyncs === 0, 'the subscriber had to start over');
}

async function again({ url, subscriber }: Cast, stage: Stage, story: Story): Promise<void> {
  const job = stage.start('sync', SOURCE, '--url', url, '--json', '--quiet');
  await job.succeeds(story);
  const { unchanged } = JSON.parse(job.stdout);
  story.check(unchanged === USERS, `the job says: ${job.stdout}`);
  story.check(subscriber.changes.length === USERS, `the subscriber heard of ${subscriber.changes.length - USERS} more changes`);
  story.tell(`The job is run once more: ${grouped(unchanged)} unchanged, and nobody hears of anything.`);
}

/** Checks that the file, the directory and the copy of the subscriber hold the same. */
async function compare(source: readonly SourceUser[], { url, subscriber }: Cast, stage: Stage, story: Story): Promise<void> {
  const verify = stage.start('verify', '--url', url, '--json');
  await verify.succeeds(story);
  const { users, revisions } = JSON.parse(verify.stdout);
  const digest = subscriber.client.digest();
  story.check(users === USERS && revisions === digest, `the directory is ${revisions}, the copy of the subscriber ${digest}`);
  const copy = subscriber.client.users;
  const wrong = source.find((user) => !isDeepStrictEqual(contentOf(copy.get(user.id)), user));
  story.check(copy.size === source.length && wrong === undefined, `${wrong?.id} is not in the copy as it is in the file`);
  story.tell(
    'The copy of the subscriber holds what the file holds, user by user, and has the digest of the directory:',
    `  directory   ${revisions}`,
    `  subscriber  ${digest}`,
  );
}

function contentOf(user: LiveUser | undefined): SourceUser | undefined {
  return user === undefined ? undefined : { id: user.id, name: user.name ?? '', title: String(user.custom.title) };
}
