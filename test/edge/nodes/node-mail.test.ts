/** Questions between nodes, on mailboxes in memory: ND12. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Done, SessionsAnswer } from '../../../daemon/edge/nodes/messages.ts';
import { type AnswerNode, NodeMail, NodeSilent } from '../../../daemon/edge/nodes/node-mail.ts';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import type { Mailbox } from '../../../store/mailbox.ts';

/** What the mailboxes of the nodes hand over; a node that is not among them gets nothing. */
class Post {
  readonly receivers = new Map<string, (body: string, from: string) => void>();
  readonly sent: string[] = [];
  isAway = false;

  box(node: string): Mailbox {
    return {
      node,
      start: async (receive) => void this.receivers.set(node, receive),
      send: async (to, body) => {
        if (this.isAway) throw new Error('the storage is away');
        this.sent.push(body);
        this.receivers.get(to)?.(body, node);
      },
      close: async () => {},
    };
  }
}

const errors: unknown[] = [];

async function nodeOf(post: Post, node: string, answer: AnswerNode = () => Promise.reject(new Error('nobody asks it'))): Promise<NodeMail> {
  const mail = new NodeMail({ mailbox: post.box(node), hasNode: (name) => name !== 'gone', onError: (error) => errors.push(error) });
  await mail.start(answer);
  return mail;
}

const question = { kind: 'sessions', user: 'ann' } as const;

/** Two seconds, without waiting for them. */
async function passTime(t: TestContext): Promise<void> {
  await turn();
  t.mock.timers.tick(2_000);
}

test('ND12 another node answers a question, or refuses it with a coded error', async () => {
  const post = new Post();
  const one = await nodeOf(post, 'one');
  await nodeOf(post, 'two', async (asked) => {
    if (asked.kind === 'sessions') return { sessions: [{ connection: `of ${asked.user}`, sinceMs: 5 }] };
    throw fieldErrors('input', [{ path: 'connection', message: 'there is no such live connection' }]);
  });
  assert.deepEqual(await one.ask('two', question, SessionsAnswer), { sessions: [{ connection: 'of ann', sinceMs: 5 }] });
  await assert.rejects(one.ask('two', { kind: 'close', connections: [] }, Done), (error) => {
    assert.ok(error instanceof RosterError);
    assert.deepEqual([error.kind, error.fields], ['input', [{ path: 'connection', message: 'there is no such live connection' }]]);
    return true;
  });
});

test('ND12 an unexpected error at the other node is logged there, and told without its text', async () => {
  const post = new Post();
  const one = await nodeOf(post, 'one');
  await nodeOf(post, 'two');
  errors.length = 0;
  await assert.rejects(one.ask('two', question, SessionsAnswer), (error) => error instanceof RosterError && error.kind === 'internal');
  assert.match(String(errors), /nobody asks it/);
  assert.ok(!post.sent.join().includes('nobody'));
});

test('ND12 a node that is gone, does not answer, or says what is not understood is silent, never for more than 2 s', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const post = new Post();
  const one = await nodeOf(post, 'one');
  await assert.rejects(one.ask('gone', question, SessionsAnswer), NodeSilent);
  assert.deepEqual(post.sent, [], 'a node that is gone is sent nothing');
  const silent = one.ask('dead', question, SessionsAnswer);
  const late = assert.rejects(silent, /did not answer within 2000 ms/);
  await passTime(t);
  await late;
  await nodeOf(post, 'two', async () => ({ other: true }));
  await assert.rejects(one.ask('two', question, SessionsAnswer), /an answer that this version does not know/);
  post.isAway = true;
  await assert.rejects(one.ask('two', question, SessionsAnswer), /was not sent/);
});

test('ND12 a question that this version does not know, and an answer to nobody, do nothing', async () => {
  const post = new Post();
  await nodeOf(post, 'one');
  const heard = post.receivers.get('one');
  for (const text of ['', 'null', '[]', '{"t":"ask","id":"1","question":{"kind":"new"}}', '{"t":"answer","id":"1","body":{}}']) {
    heard?.(text, 'two');
  }
  await turn();
  assert.deepEqual(post.sent, []);
});

test('ND12 a connection id names its node; any other text is nothing of another node', async () => {
  const mail = await nodeOf(new Post(), 'a.b');
  assert.equal(mail.nodeOf('0b7c.c.d'), 'c.d');
  assert.equal(mail.nodeOf('0b7c.a.b'), undefined);
  assert.equal(mail.nodeOf('0b7c'), undefined);
});
