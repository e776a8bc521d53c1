/** Mailboxes on one server: MB1 to MB4. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { MESSAGE_BYTES_MAX, MESSAGES_WAITING_MAX } from '../../../store/mailbox.ts';
import { PostgresMailbox } from '../../../store/postgres/mailbox.ts';
import { eventually } from '../../support/eventually.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

/** A process, and what it was sent. */
class Box {
  readonly node: PgNode;
  readonly mailbox: PostgresMailbox;
  readonly got: string[] = [];

  constructor(t: TestContext, app: string, node: PgNode, name: string) {
    this.node = node;
    this.mailbox = new PostgresMailbox({ app, node: name, links: node.log.links });
    t.after(() => this.mailbox.close());
  }

  async start(): Promise<this> {
    await this.mailbox.start((body, from) => void this.got.push(`${from}: ${body}`));
    return this;
  }

  cut(): void {
    this.node.proxy.isAway = true;
    this.node.proxy.cutAll();
  }
}

async function boxesOf(t: TestContext, ...names: string[]): Promise<Box[]> {
  const app = randomUUID();
  return await Promise.all(names.map(async (name) => await new Box(t, app, await kit.node(app), name).start()));
}

test('MB1 a message reaches its node whole and in order, and no other node or application', pgOptions, async (t) => {
  const [one, two, three] = await boxesOf(t, 'one', 'two', 'three');
  const [elsewhere] = await boxesOf(t, 'two');
  assert.ok(one && two && three && elsewhere);
  const long = 'é'.repeat(MESSAGE_BYTES_MAX / 2);
  const sent = Array.from({ length: 250 }, (_, n) => `${n}`);
  await Promise.all(sent.map((body) => one.mailbox.send('two', body)));
  await one.mailbox.send('two', long);
  await two.mailbox.send('three', 'hello');
  await two.mailbox.send('two', 'myself');
  await eventually(() => two.got.length >= 252 && three.got.length >= 1);
  assert.deepEqual(two.got, [...sent.map((body) => `one: ${body}`), `one: ${long}`, 'two: myself']);
  assert.deepEqual([one.got, three.got, elsewhere.got], [[], ['two: hello'], []]);
});

test('MB2 a node that was cut off gets what was sent meanwhile, once', pgOptions, async (t) => {
  const [one, two] = await boxesOf(t, 'one', 'two');
  assert.ok(one && two);
  await one.mailbox.send('two', 'before');
  await eventually(() => two.got.length === 1);
  two.cut();
  await one.mailbox.send('two', 'meanwhile');
  // It comes back within the time that messages are kept (MB3), however long that takes here.
  await kit.postgres.sql("update rosterd.message set sent = sent + interval '1 hour' where body = 'meanwhile'");
  two.node.proxy.isAway = false;
  await eventually(() => two.got.length === 2);
  await one.mailbox.send('two', 'after');
  await eventually(() => two.got.length === 3);
  assert.deepEqual(two.got, ['one: before', 'one: meanwhile', 'one: after']);
});

test('MB3 what was not taken in time is dropped, by the clock of the storage', pgOptions, async (t) => {
  const app = randomUUID();
  const one = await new Box(t, app, await kit.node(app), 'one').start();
  await one.mailbox.send('two', 'late');
  await kit.postgres.sql(`update rosterd.message set sent = sent - interval '5.1 s' where app = '${app}'`);
  await one.mailbox.send('two', 'in time');
  const two = await new Box(t, app, await kit.node(app), 'two').start();
  await eventually(() => two.got.length > 0);
  assert.deepEqual(two.got, ['one: in time']);
  const left = await kit.postgres.sql(`select count(*)::int as left from rosterd.message where app = '${app}'`);
  assert.match(String(left), /\b0\b/);
});

test('MB4 while the storage is away, or too much waits for it, a message is refused at once', pgOptions, async (t) => {
  const [one, two] = await boxesOf(t, 'one', 'two');
  assert.ok(one && two);
  await assert.rejects(one.mailbox.send('two', 'x'.repeat(MESSAGE_BYTES_MAX + 1)), RangeError);
  const many = Array.from({ length: MESSAGES_WAITING_MAX }, () => one.mailbox.send('two', 'x'));
  await assert.rejects(one.mailbox.send('two', 'one more'), /1000 messages wait/);
  await Promise.all(many);
  await one.mailbox.send('two', 'there is room again');
  one.cut();
  await eventually(() =>
    one.mailbox.send('two', 'x').then(
      () => false,
      (error) => /is away/.test(String(error)),
    ),
  );
});

test('MB1 one question is on its way at a time; what comes meanwhile follows together, as much as one may carry', pgOptions, async (t) => {
  const [one, two] = await boxesOf(t, 'one', 'two');
  assert.ok(one && two);
  const { proxy } = one.node;
  let questions = 0;
  const groups = async (...bodies: readonly string[]): Promise<number> => {
    let letGo = (): void => {};
    const held = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    questions = 0;
    proxy.on('rosterd-send', async (exchange) => {
      questions++;
      await held;
      exchange.answer(await exchange.forward());
    });
    const sending = ['first', ...bodies].map((body) => one.mailbox.send('two', body));
    await eventually(() => questions > 0);
    letGo();
    await Promise.all(sending);
    return questions - 1;
  };
  const half = 'x'.repeat(128 * 1024);
  assert.equal(await groups(...Array.from({ length: 100 }, () => 'x')), 1);
  assert.equal(await groups(...Array.from({ length: 101 }, () => 'x')), 2);
  assert.equal(await groups(half, half), 1, 'exactly as many characters');
  assert.equal(await groups(half, `${half}x`), 2);
  assert.equal(await groups(half.repeat(3), 'x'), 2, 'one that is longer goes alone');
});

test('MB4 a message that the storage refuses is an error of its sender, and of those that share its question', pgOptions, async (t) => {
  const [one, two] = await boxesOf(t, 'one', 'two');
  assert.ok(one && two);
  one.node.proxy.once('rosterd-send', async (exchange) => exchange.cut());
  const sending = await Promise.allSettled(['a', 'b'].map((body) => one.mailbox.send('two', body)));
  assert.deepEqual(new Set(sending.map(({ status }) => status)), new Set(['rejected']));
  await eventually(() =>
    one.mailbox.send('two', 'later').then(
      () => true,
      () => false,
    ),
  );
  await eventually(() => two.got.includes('one: later'));
});
