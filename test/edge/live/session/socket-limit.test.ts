/** The limit of live sockets of one user on all nodes: SR4, SR7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { UserConnection } from '../../../../daemon/edge/http/services.ts';
import { SocketLimit, type SocketLimitOptions } from '../../../../daemon/edge/live/session/socket-limit.ts';
import type { NodeQuestion } from '../../../../daemon/edge/nodes/messages.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';

/** Sessions here and at other nodes, and which of them were closed. */
class Nodes {
  readonly here: UserConnection[] = [];
  readonly elsewhere = new Map<string, UserConnection[]>();
  readonly closed: string[] = [];
  readonly asked: string[] = [];
  /** Of those that answer. */
  answering: Promise<void> = Promise.resolve();
  readonly limit: SocketLimit;

  constructor(isAlone = false) {
    const sessions: SocketLimitOptions['sessions'] = {
      of: () => this.here,
      find: (connection) =>
        ({ close: () => this.closed.push(connection) }) as unknown as ReturnType<SocketLimitOptions['sessions']['find']>,
      closeOldest: (_, max) =>
        void this.closed.push(...this.here.slice(0, Math.max(0, this.here.length - max)).map((one) => one.connection)),
    };
    const presence = { nodesOf: () => [...this.elsewhere.keys()] };
    const ask: NonNullable<SocketLimitOptions['mail']>['ask'] = async (node, question, answer) => {
      const body = await this.#answer(node, question);
      if (!answer.Check(body)) throw new Error('the answer is of another kind');
      return body;
    };
    this.limit = new SocketLimit({ sessions, presence, mail: isAlone ? undefined : { ask } });
  }

  async #answer(node: string, question: NodeQuestion): Promise<unknown> {
    this.asked.push(`${node} ${question.kind}`);
    await this.answering;
    if (node === 'dead') throw new Error('no answer');
    if (question.kind === 'close') this.closed.push(...question.connections);
    return question.kind === 'sessions' ? { sessions: this.elsewhere.get(node) } : {};
  }

  async settled(): Promise<void> {
    for (let n = 0; n < 10; n++) await turn();
  }
}

/** They opened so long ago, one after the other. */
const sessions = (name: string, count: number, ageMs: number): UserConnection[] =>
  Array.from({ length: count }, (_, n) => ({ connection: `${name}${n}`, sinceMs: n - ageMs }));

test('SR7 of the sockets on all nodes the oldest go, wherever they are, and no more of them than must', async () => {
  const nodes = new Nodes();
  nodes.here.push(...sessions('here', 20, 5_000));
  nodes.elsewhere.set('two', sessions('two', 20, 9_000));
  nodes.elsewhere.set('three', [...sessions('old', 1, 5_500), ...sessions('three', LIMITS.socketsPerUser - 40, 100)]);
  nodes.limit.keep('ann');
  await nodes.settled();
  assert.deepEqual(nodes.closed, ['two0']);
  nodes.closed.length = 0;
  nodes.elsewhere.set('two', []);
  nodes.here.push(...sessions('new', 21, 50));
  nodes.limit.keep('ann');
  await nodes.settled();
  assert.deepEqual(nodes.closed.sort(), ['here0', 'old0']);
});

test('SR7 nodes that count at the same time close the same sockets, also those that opened in the same moment', async () => {
  const one = new Nodes();
  const two = new Nodes();
  const ofOne = sessions('a', LIMITS.socketsPerUser - 1, 5_000);
  const ofTwo = sessions('b', 3, 5_000);
  one.here.push(...ofOne);
  one.elsewhere.set('two', ofTwo);
  two.here.push(...ofTwo);
  two.elsewhere.set('one', ofOne);
  for (const nodes of [one, two]) {
    nodes.limit.keep('ann');
    await nodes.settled();
  }
  assert.deepEqual(
    [one.closed.sort(), two.closed.sort()],
    [
      ['a0', 'b0'],
      ['a0', 'b0'],
    ],
  );
});

test('SR7 a node that does not answer does not count, and sockets that come while others are counted are counted, too', async () => {
  const nodes = new Nodes();
  let answer = (): void => {};
  nodes.answering = new Promise((resolve) => {
    answer = resolve;
  });
  nodes.here.push(...sessions('here', LIMITS.socketsPerUser, 5_000));
  nodes.elsewhere.set('dead', []);
  nodes.elsewhere.set('two', []);
  nodes.limit.keep('ann');
  nodes.elsewhere.set('two', sessions('two', 1, 9_000));
  for (let n = 0; n < 5; n++) nodes.limit.keep('ann');
  answer();
  await nodes.settled();
  assert.deepEqual(new Set(nodes.closed), new Set(['two0']));
  assert.deepEqual(nodes.asked.filter((question) => question === 'two sessions').length, 2, 'five more are one more round');
});

test('SR4 a user that is at no other node, and a node that is alone, ask nobody', async () => {
  const nodes = new Nodes();
  nodes.here.push(...sessions('here', LIMITS.socketsPerUser + 1, 5_000));
  nodes.limit.keep('ann');
  assert.deepEqual([nodes.closed, nodes.asked], [['here0'], []]);
  const alone = new Nodes(true);
  alone.elsewhere.set('two', sessions('two', LIMITS.socketsPerUser, 9_000));
  alone.here.push(...sessions('here', 1, 5_000));
  alone.limit.keep('ann');
  await alone.settled();
  assert.deepEqual([alone.closed, alone.asked], [[], []]);
});
