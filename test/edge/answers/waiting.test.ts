/** BU13 and BU14: answers that nobody takes. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { after, test } from 'node:test';
import type { FastifyReply } from 'fastify';
import { sendFile } from '../../../daemon/edge/answers/answer-text.ts';
import { cutUp, streamOf } from '../../../daemon/edge/answers/pieces.ts';
import { WaitingAnswers } from '../../../daemon/edge/answers/waiting.ts';
import type { Stranger } from '../../../daemon/edge/strangers.ts';
import { type ErrorKind, RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Caller } from '../../../protocol/base/tokens.ts';
import { eventually } from '../../support/eventually.ts';
import { API_KEY, httpWorld, userToken } from '../../support/http/fake-backend.ts';

const KIB = 1024;
const BOUNDS = { caller: 1_000 * KIB, network: 2_000 * KIB, strangers: 4_000 * KIB, clients: 8_000 * KIB };
const ANN: Caller = { kind: 'user', id: 'ann' };
const NOBODY: Caller = { kind: 'anonymous' };

/** A connection with one request, as far as it is looked at. */
function arrived(waiting: WaitingAnswers, caller: Caller, stranger?: Stranger) {
  const socket = Object.assign(new EventEmitter(), { destroyed: false }) as unknown as Socket;
  const response = Object.assign(new EventEmitter(), { socket }) as unknown as ServerResponse;
  return { place: waiting.enter(caller, stranger, response, socket), socket, response };
}

const isRefused = (kind: ErrorKind, bytes: number) => (error: unknown) =>
  error instanceof RosterError && error.kind === kind && error.message.includes(` ${bytes} bytes`);

test('BU13 the answers of one client have a bound; what is taken, or has nobody to take it, makes room', () => {
  const waiting = new WaitingAnswers(() => {}, BOUNDS);
  const first = arrived(waiting, ANN);
  first.place.holds(500 * KIB);
  const second = arrived(waiting, ANN);
  second.place.holds(500 * KIB);
  assert.throws(() => arrived(waiting, ANN), isRefused('rate_limit', BOUNDS.caller));
  arrived(waiting, { kind: 'user', id: 'bob' });
  arrived(waiting, { kind: 'server' }).place.holds(BOUNDS.clients);
  first.response.emit('finish');
  const third = arrived(waiting, ANN);
  third.place.holds(600 * KIB);
  assert.throws(() => arrived(waiting, ANN), isRefused('rate_limit', BOUNDS.caller));
  third.socket.emit('close');
  // Its text was still being made.
  third.place.holds(BOUNDS.caller);
  arrived(waiting, ANN);
});

test('BU13 a request counts before its answer is known, and a long answer finds out when its turn comes', () => {
  const waiting = new WaitingAnswers(() => {}, BOUNDS);
  const all = Array.from({ length: Math.ceil(BOUNDS.caller / LIMITS.answerReserveBytes) }, () => arrived(waiting, ANN));
  assert.throws(() => arrived(waiting, ANN), isRefused('rate_limit', BOUNDS.caller));
  const [first, second] = all;
  first?.place.check();
  first?.place.holds(BOUNDS.caller);
  assert.throws(() => second?.place.check(), isRefused('rate_limit', BOUNDS.caller));
});

test('BU13 strangers are counted by network and in all, and leave room for users', () => {
  const waiting = new WaitingAnswers(() => {}, BOUNDS);
  const from = (network: string): Stranger => ({ network });
  arrived(waiting, NOBODY, from('10.0.0.1')).place.holds(BOUNDS.network);
  assert.throws(() => arrived(waiting, NOBODY, from('10.0.0.1')), isRefused('rate_limit', BOUNDS.network));
  arrived(waiting, NOBODY, from('10.0.0.2')).place.holds(BOUNDS.network);
  for (const stranger of [from('10.0.0.3'), { network: undefined }]) {
    assert.throws(() => arrived(waiting, NOBODY, stranger), isRefused('unavailable', BOUNDS.strangers));
  }
  arrived(waiting, ANN);
});

test('BU13 beyond the bound of all clients, those that have a part of it are refused, and others are not', () => {
  const waiting = new WaitingAnswers(() => {}, BOUNDS);
  for (let index = 0; index < 10; index++) arrived(waiting, { kind: 'user', id: `u${index}` }).place.holds(900 * KIB);
  assert.throws(() => arrived(waiting, { kind: 'user', id: 'u3' }), isRefused('unavailable', BOUNDS.clients));
  const ann = arrived(waiting, ANN);
  // Its answer turns out to be a long one.
  assert.throws(() => ann.place.check(), isRefused('unavailable', BOUNDS.clients));
});

test('BU13 the server counts every request of a client from its admission to the end of its answer', async () => {
  const { app } = httpWorld({ rateLimits: { mode: 'off' } });
  const sockets: Socket[] = [];
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await app.close();
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const most = LIMITS.answersOfCallerBytes / LIMITS.answerReserveBytes;
  const begin = async (id: string): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    const head = [
      `POST /users?api_key=${API_KEY} HTTP/1.1`,
      'host: x',
      `authorization: ${userToken(id)}`,
      'content-type: application/json',
    ];
    socket.write(`${head.join('\r\n')}\r\ncontent-length: 100\r\n\r\n{`);
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  for (let index = 0; index < most; index++) await begin('ann');
  const last = await begin('ann');
  const [answer] = await once(last, 'data');
  assert.match(String(answer), /^HTTP\/1\.1 429 .*"code":9,.*were not taken yet have 8388608 bytes/s);
});

test('BU14 a peer that takes nothing is cut, one that takes a piece now and then is not', async () => {
  const cut: number[] = [];
  const waiting = new WaitingAnswers((bytes) => cut.push(bytes), undefined, 1_000);
  const pieces = cutUp(Buffer.alloc(24 * KIB * KIB));
  const server = createServer((request, response) => {
    const place = waiting.enter(ANN, undefined, response, request.socket);
    place.holds(24 * KIB * KIB);
    streamOf(pieces, () => place.taken()).pipe(response);
  });
  after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = (): Socket => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    return socket;
  };
  const slow = ask();
  let bytes = 0;
  for await (const chunk of slow) {
    bytes += chunk.length;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.ok(bytes > 24 * KIB * KIB);
  assert.deepEqual(cut, []);
  const idle = ask().pause();
  idle.on('error', () => {});
  const connections = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  await eventually(async () => cut.length > 0 && (await connections()) === 0);
  assert.deepEqual(cut, [24 * KIB * KIB]);
  idle.destroy();
});

test('BU13 BU14 a download by a signed link that nobody reads is cut and releases its file; such links are bounded together', async () => {
  const cut: number[] = [];
  const waiting = new WaitingAnswers((bytes) => cut.push(bytes), BOUNDS, 300);
  const file = Readable.from(Array.from({ length: 400 }, () => Buffer.alloc(64 * KIB)));
  const server = createServer((request, response) => {
    const place = waiting.enter(NOBODY, undefined, response, request.socket);
    // As Fastify does.
    const send = (stream: Readable) => stream.pipe(response.once('close', () => stream.destroy()));
    const reply = { headers: () => reply, send };
    sendFile(reply as unknown as FastifyReply, { stream: file, type: 'text/plain', name: 'x' }, place);
  });
  after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const idle = connect((server.address() as AddressInfo).port, '127.0.0.1').pause();
  idle.on('error', () => {});
  idle.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  file.on('error', () => {});
  await new Promise((resolve) => file.once('close', resolve));
  assert.deepEqual(cut, [LIMITS.answerReserveBytes]);
  idle.destroy();
  const most = Math.ceil(BOUNDS.strangers / LIMITS.answerReserveBytes);
  const held = Array.from({ length: most }, () => arrived(waiting, NOBODY));
  assert.throws(() => arrived(waiting, NOBODY), isRefused('unavailable', BOUNDS.strangers));
  held[0]?.socket.emit('close');
  arrived(waiting, NOBODY);
});
