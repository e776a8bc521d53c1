/**
 * The longest time, in CPU time, for which one request or frame holds the event loop: for every endpoint and frame, the most expensive legal and
 * illegal ones (load/attacks.ts), over a directory of 100,000 users of which some are as awkward as clients can make them.
 */
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import type { Report, Row } from './kit/report.ts';
import { runWhenMain } from './kit/rig.ts';
import { scale } from './kit/scale.ts';
import { overRounds, sleep } from './kit/stats.ts';
import { upsertBodies } from './kit/users.ts';
import { ATTACKER, type Attack, attacksByHand, attacksOnEndpoints, LONG_NAME, LONG_NAMES, searching } from './load/attacks.ts';
import { longAnswers, preparations, unreadRequest } from './load/long-answers.ts';
import { RawSocket } from './load/raw-socket.ts';
import { API_KEY, Rosterd, SERVER_TOKEN, UPSERT, userToken } from './servers/rosterd.ts';

const USERS = scale(100_000, 10_000);
const TARGET_MS = 50;
/** A quick look sends the kinds that were the worst. */
const KINDS = scale(undefined, ['empty objects', 'keys']);
/** How many of the worst are listed. */
const SHOWN = 15;
/** Sockets of one client that ask for a long answer and read nothing, and what their answers may take: without a bound, gigabytes. */
const UNREAD = 300;
const UNREAD_MB = 150;
/** An answer that takes longer than this is not waited for; what it holds meanwhile counts. */
const PATIENCE_MS = 30_000;

const agent = new Agent({ keepAlive: true, maxSockets: 4 });

interface Hold {
  readonly what: string;
  readonly ms: number;
  readonly status: number | string;
}

class Bench {
  readonly #rosterd: Rosterd;
  readonly holds: Hold[] = [];

  constructor(rosterd: Rosterd) {
    this.#rosterd = rosterd;
  }

  /** Memory in use after a full collection: heap, and what buffers hold outside of it. */
  async usedBytes(): Promise<number> {
    return (await this.#rosterd.server.settledMemory()).usedBytes;
  }

  get port(): number {
    return this.#rosterd.server.port;
  }

  /** Runs `act`, and notes for how long it held the loop of the daemon. */
  async measure(what: string, act: () => Promise<number | string>): Promise<void> {
    await this.#rosterd.server.startHold();
    const status = await act().catch((error: Error) => error.message.slice(0, 60));
    await sleep(3);
    this.holds.push({ what, ms: await this.#rosterd.server.longestHold(), status });
  }

  send({ as, method, path, headers = {}, body }: Attack): Promise<number> {
    return send(this.port, { as, method, path, headers, body: body ?? Buffer.alloc(0) });
  }
}

type Sent = Required<Omit<Attack, 'what'>>;

async function send(port: number, { as, method, path, headers, body }: Sent): Promise<number> {
  const token = { server: SERVER_TOKEN, client: userToken(ATTACKER), nobody: undefined }[as];
  const sent = request({
    agent,
    port,
    method,
    path: `${path}${path.includes('?') ? '&' : '?'}api_key=${API_KEY}`,
    headers: {
      ...(token === undefined ? undefined : { Authorization: token, 'Stream-Auth-Type': 'jwt' }),
      ...(body.length === 0 ? undefined : { 'Content-Type': 'application/json', 'Content-Length': body.length }),
      ...headers,
    },
    timeout: PATIENCE_MS,
  });
  sent.on('timeout', () => sent.destroy(new Error('no answer')));
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'end');
  return answer.statusCode ?? 0;
}

/** 100,000 users; some with the longest names in a script that folds slowly, some with one name, some banned. */
async function populate(bench: Bench): Promise<void> {
  const upsert = (body: Buffer): Promise<number> =>
    bench.send({ what: '', as: 'server', method: 'POST', path: UPSERT.path.split('?')[0] ?? '', body });
  for (const body of upsertBodies(USERS, 1)) await upsert(body);
  for (let first = 0; first < LONG_NAMES; first += 100) {
    const users = Array.from({ length: 100 }, (_, index) => ({
      id: `long-${first + index}`,
      name: first + index < LONG_NAMES / 2 ? LONG_NAME : 'Same Name',
      custom: { bio: 'x'.repeat(4_000), profile: { a: Array.from({ length: 50 }, (_, b) => ({ b })), index: 100 } },
    }));
    await upsert(Buffer.from(JSON.stringify({ users: Object.fromEntries(users.map((user) => [user.id, user])) })));
  }
  for (let index = 0; index < 200; index++) {
    const body = Buffer.from(JSON.stringify({ target_user_id: `user-${100 + index}`, banned_by_id: 'user-1' }));
    await bench.send({ what: '', as: 'server', method: 'POST', path: '/moderation/ban', body });
  }
}

/** A connection of a client of its own, whose subscriptions the next frames name. */
async function connected(port: number, id: string, more: object = {}): Promise<RawSocket> {
  const socket = await RawSocket.open({ port, path: '/live', protocol: 'roster.v1' });
  const answer = socket.text((text) => text.startsWith('{"re":1'));
  socket.send(JSON.stringify({ op: 'connect', id: 1, api_key: API_KEY, token: userToken(id), ...more }));
  await answer;
  return socket;
}

async function frames(bench: Bench): Promise<void> {
  const socket = await connected(bench.port, ATTACKER);
  let next = 2;
  const frame = async (what: string, body: object): Promise<void> => {
    const id = next++;
    await bench.measure(`live: ${what}`, async () => {
      const answer = new Promise<string>((resolve) => {
        socket.onText = (text) => text.startsWith(`{"re":${id}`) && resolve(text);
      });
      socket.send(JSON.stringify({ ...body, id }));
      const text = await Promise.race([answer, sleep(PATIENCE_MS).then(() => 'no answer')]);
      return text.includes('"error"') ? 'refused' : text.slice(0, 9);
    });
  };
  const ids = Array.from({ length: 1_000 }, (_, index) => `user-${index}`);
  await frame('sub to everybody', { op: 'sub', sub: 'all', all: true });
  await frame('sub by 1,000 ids', { op: 'sub', sub: 'ids', ids });
  await frame('sub by 12,000 wrong ids', { op: 'sub', sub: 'ids', ids: Array.from({ length: 12_000 }, () => 1) });
  await frame('sub by 1,000 wrong ids', { op: 'sub', sub: 'ids', ids: ids.map(() => 1) });
  await frame('sub by a filter of 100', { op: 'sub', sub: 'f', filter: searching(100), presence: true });
  await frame('sub by a filter of 60 kB', { op: 'sub', sub: 'f2', filter: searching(2_000) });
  await frame('sub by 12,000 empty filters', { op: 'sub', sub: 'f3', filter: { $or: Array.from({ length: 12_000 }, () => ({})) } });
  await frame('unsub', { op: 'unsub', sub: 'f' });
  await frame('update of 200 paths', { op: 'update', set: Object.fromEntries(ids.slice(0, 200).map((id) => [`${id}.a`, 1])) });
  await frame('update of 60 kB', { op: 'update', set: { bio: 'x'.repeat(60_000) } });
  await frame('an unknown verb', { op: 'x'.repeat(60_000) });
  socket.cut();
}

/** Hundreds of requests in one packet. */
async function pipelined(bench: Bench): Promise<void> {
  const requests = {
    'without a token': `GET /users?api_key=${API_KEY} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'of a client': `GET /users/user-7?api_key=${API_KEY} HTTP/1.1\r\nHost: x\r\nAuthorization: ${userToken(ATTACKER)}\r\nStream-Auth-Type: jwt\r\n\r\n`,
  };
  for (const [what, text] of Object.entries(requests)) {
    await bench.measure(`500 requests in one packet, ${what}`, async () => {
      const socket = connect({ port: bench.port, host: '127.0.0.1' });
      socket.write(text.repeat(500));
      let answers = 0;
      for await (const chunk of socket) {
        answers += String(chunk).split('HTTP/1.1 ').length - 1;
        if (answers >= 500) break;
      }
      return `${answers} answers`;
    });
  }
}

/** Writes, while many clients follow with the most expensive filters that they may have. */
async function crowd(bench: Bench): Promise<void> {
  const sockets: RawSocket[] = [];
  for (let client = 0; client < 20; client++) {
    const socket = await connected(bench.port, `user-${200 + client}`);
    for (let sub = 0; sub < 4; sub++) {
      const body = { op: 'sub', id: sub + 2, sub: `s${sub}`, filter: searching(100, 1_000 * client + 100 * sub), snapshot: false };
      const answer = new Promise<void>((resolve) => {
        socket.onText = (text) => text.startsWith(`{"re":${sub + 2}`) && resolve();
      });
      socket.send(JSON.stringify(body));
      await Promise.race([answer, sleep(PATIENCE_MS)]);
    }
    sockets.push(socket);
  }
  const write = (count: number, what: string): Promise<void> =>
    bench.measure(`20 clients with 400 conditions each: ${what}`, () => {
      const users = Object.fromEntries(
        Array.from({ length: count }, (_, index) => [`long-${index}`, { id: `long-${index}`, name: `${LONG_NAME}${Math.random()}` }]),
      );
      return bench.send({ what, as: 'server', method: 'POST', path: '/api/v2/users', body: Buffer.from(JSON.stringify({ users })) });
    });
  await write(1, 'a write');
  await write(100, 'a write of 100 users');
  await sleep(1_000);
  for (const socket of sockets) socket.cut();
}

/** Requests of one client for its longest answers, on sockets that read nothing. Returns how many bytes the daemon holds for them. */
async function unread(bench: Bench): Promise<number> {
  const before = await bench.usedBytes();
  const sockets = Array.from({ length: UNREAD }, () => connect({ port: bench.port, host: '127.0.0.1' }).pause());
  await bench.measure(`${UNREAD} long answers that nobody reads`, async () => {
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.write(unreadRequest(API_KEY, userToken(ATTACKER)));
      await sleep(20);
    }
    return `${UNREAD} requests`;
  });
  const held = (await bench.usedBytes()) - before;
  for (const socket of sockets) socket.destroy();
  return held;
}

export async function worst(): Promise<Report> {
  const rosterd = await Rosterd.start(['--rate-limits', 'off']);
  try {
    const bench = new Bench(rosterd);
    await populate(bench);
    for (const attack of attacksByHand()) await bench.measure(attack.what, () => bench.send(attack));
    for (const attack of attacksOnEndpoints(KINDS)) await bench.measure(attack.what, () => bench.send(attack));
    await pipelined(bench);
    await frames(bench);
    await crowd(bench);
    for (const attack of preparations()) await bench.send(attack);
    for (const attack of longAnswers()) await bench.measure(attack.what, () => bench.send(attack));
    const heldBytes = await unread(bench);
    const sorted = [...bench.holds].sort((a, b) => b.ms - a.ms);
    const rows = sorted
      .slice(0, SHOWN)
      .map(
        ({ what, ms, status }): Row => ({ what: `${what} (${status})`, unit: 'ms', stat: overRounds([ms]), target: { most: TARGET_MS } }),
      );
    return {
      rig: 'worst',
      notes: [
        `${USERS} users, ${LONG_NAMES} of them awkward; ${bench.holds.length} requests and frames, of which the ${SHOWN} worst are shown`,
        'the most CPU time between two turns of the event loop while one was handled, collections of garbage included; rate limits are off',
      ],
      rows: [
        ...rows,
        {
          what: `memory for ${UNREAD} long answers to one client that reads nothing`,
          unit: 'MB',
          stat: overRounds([heldBytes / 1e6]),
          target: { most: UNREAD_MB },
        },
      ],
    };
  } finally {
    agent.destroy();
    await rosterd.end();
  }
}

await runWhenMain(import.meta.url, worst);
