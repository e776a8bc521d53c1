/** LV61: peers that break the rules of every layer, or keep them to no good end: none kills the daemon, holds it up, or leaves anything behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

/** CPU time of the whole process between two looks a millisecond apart: far above the budget of 10 ms, as a busy machine makes work dearer. */
const HOLD_MS_MAX = 80;
/** What a peer causes, it causes every time; the collector runs now and then, and the first peer makes the daemon compile what it needs. */
const ATTEMPTS = 5;
const LISTEN_MS = 500;

const AUTH = { api_key: API_KEY, token: userToken('ann') };
const CONNECT = JSON.stringify({ op: 'connect', ...AUTH });

/** A frame as a client masks it, with a mask of zeros. */
function frame(opcode: number, payload: string | Buffer): Buffer {
  const data = Buffer.from(payload);
  const { length } = data;
  const size = length < 126 ? Buffer.from([0x80 | length]) : Buffer.from([0x80 | 126, length >> 8, length & 255]);
  return Buffer.concat([Buffer.from([0x80 | opcode]), size, Buffer.alloc(4), data]);
}

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;

function upgrade(target: string): string {
  const key = 'AAAAAAAAAAAAAAAAAAAAAA==';
  return `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
}

const LIVE = upgrade('/live');
const ENGINE = upgrade('/socket.io/?EIO=4&transport=websocket');
const times = (count: number, part: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => part));
const text = (value: unknown): Buffer => frame(TEXT, typeof value === 'string' ? value : JSON.stringify(value));
const post = (target: string, body: string | Buffer, type = 'text/plain'): Buffer =>
  Buffer.concat([
    Buffer.from(`POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ]);

/** What one peer sends over one connection: pieces with a pause between them. `sid`: a session over long polling that it may use. */
type Script = (sid: string) => readonly (string | Buffer)[];

const io = (sid: string): string => `/socket.io/?EIO=4&transport=polling&sid=${sid}`;

const PEERS: Readonly<Record<string, Script>> = {
  'frames after its close frame': () => [LIVE, text(CONNECT), Buffer.concat([frame(CLOSE, ''), times(5_000, text('{"op":"ping"}'))])],
  'frames after a bad one': () => [LIVE, Buffer.concat([text('no JSON'), times(5_000, text('{"op":"ping"}'))])],
  'half a frame': () => [LIVE, text(CONNECT), frame(TEXT, 'x'.repeat(60_000)).subarray(0, 30_000)],
  'binary frames': () => [LIVE, text(CONNECT), times(2_000, frame(BINARY, 'x'.repeat(20)))],
  'ten thousand ping frames': () => [LIVE, text(CONNECT), times(10_000, frame(PING, ''))],
  'ten thousand pings': () => [LIVE, text(CONNECT), times(10_000, text('{"op":"ping"}'))],
  'ten thousand frames that nobody knows': () => [LIVE, text(CONNECT), times(10_000, text('{"op":"sub","sub":7}'))],
  'ten thousand connects': () => [LIVE, times(1_000, text(CONNECT))],
  'ten thousand unasked pongs': () => [LIVE, text(CONNECT), times(10_000, frame(10, ''))],
  'fragments without an end': () => [LIVE, text(CONNECT), times(10_000, Buffer.from([0x00, 0x80, 0, 0, 0, 0]))],
  'Socket.IO packets for namespaces that nobody knows': () => [ENGINE, text(`40${JSON.stringify(AUTH)}`), times(3_000, text('40/nope,{}'))],
  'Socket.IO events for namespaces that nobody knows': () => [
    ENGINE,
    text(`40${JSON.stringify(AUTH)}`),
    times(3_000, text('42/nope,["ping"]')),
  ],
  'Socket.IO events without a connect': () => [ENGINE, times(3_000, text('42["ping"]'))],
  'ten thousand Socket.IO pings': () => [ENGINE, text(`40${JSON.stringify(AUTH)}`), times(10_000, text('420["ping"]'))],
  'binary events without their attachments': () => [ENGINE, text(`40${JSON.stringify(AUTH)}`), times(3_000, text('4510-["ping"]'))],
  'Engine.IO packets of unknown types': () => [ENGINE, times(3_000, text('9x'))],
  'Engine.IO version 3': () => [upgrade('/socket.io/?EIO=3&transport=websocket'), times(1_000, text('2probe'))],
  'an upgrade probe that never ends': (sid) => [upgrade(io(sid).replace('polling', 'websocket')), text('2probe')],
  'an upgrade with anything but a probe': (sid) => [upgrade(io(sid).replace('polling', 'websocket')), times(3_000, text('42["ping"]'))],
  'a body of 30,000 pongs': (sid) => [post(io(sid), '3\u001e'.repeat(32_000))],
  'a body of 30,000 empty packets': (sid) => [post(io(sid), '\u001e'.repeat(64_000))],
  'a body of 30,000 messages': (sid) => [post(io(sid), '4\u001e'.repeat(32_000))],
  'a body of 6,000 events': (sid) => [post(io(sid), `40${JSON.stringify(AUTH)}`), post(io(sid), '42["ping"]\u001e'.repeat(5_900))],
  'a body of 6,000 unknown namespaces': (sid) => [post(io(sid), '40/x,\u001e'.repeat(10_000))],
  'a body of the wrong type': (sid) => [post(io(sid), Buffer.alloc(60_000, 200), 'application/octet-stream')],
  'a body that is no text': (sid) => [post(io(sid), Buffer.alloc(60_000, 200))],
  'a body above the limit': (sid) => [post(io(sid), 'x'.repeat(300_000))],
  'a method that nobody knows': (sid) => [`DELETE ${io(sid)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  'polls on top of each other': (sid) => [`GET ${io(sid)} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(500)],
};

/**
 * The peers' own process, so that their work does not count as the daemon's; one for all of them. For each line of input it connects,
 * and reads nothing until it has sent everything; an empty line cuts the connection.
 */
const PEER = `
const { connect } = require('node:net');
let socket;
require('node:readline').createInterface({ input: process.stdin }).on('line', async (line) => {
  if (line === '') return socket.destroy();
  const { port, parts } = JSON.parse(line);
  const own = (socket = connect(port, '127.0.0.1'));
  own.on('error', () => {}).pause();
  for (const part of parts) {
    own.write(Buffer.from(part, 'base64'));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  console.log('sent');
  own.resume();
});`;

const peer = spawn(process.execPath, ['-e', PEER], { stdio: ['pipe', 'pipe', 'inherit'] });
after(() => peer.kill('SIGKILL'));

/** Resolves when everything is sent. */
async function act(port: number, parts: readonly (string | Buffer)[]): Promise<void> {
  peer.stdin.write(`${JSON.stringify({ port, parts: parts.map((part) => Buffer.from(part).toString('base64')) })}\n`);
  await once(peer.stdout, 'data');
}

/** The most CPU time, in milliseconds, that passed between two looks until `done`. */
async function longestHold(done: Promise<unknown>): Promise<number> {
  let isDone = false;
  void done.finally(() => {
    isDone = true;
  });
  let longest = 0;
  let before = process.cpuUsage();
  while (!isDone) {
    await sleep(1);
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    longest = Math.max(longest, (user + system) / 1_000);
  }
  return longest;
}

async function sessionOf({ daemon }: World): Promise<string> {
  const opened = await (await fetch(`${daemon.url}/socket.io/?EIO=4&transport=polling`)).text();
  return JSON.parse(opened.slice(1)).sid;
}

test('LV61 peers that break the rules harm nobody', { timeout: 300_000 }, async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0', 'log-level': 'warn' } });
  const { hub, presence } = world.daemon.roster;
  const quiet = await world.chat('quiet');
  const port = Number(new URL(world.daemon.url).port);
  for (const [what, script] of Object.entries(PEERS)) {
    await t.test(`LV61 a peer that sends ${what} harms nobody`, async () => {
      const holdsMs: number[] = [];
      while (holdsMs.length === 0 || (Math.min(...holdsMs) > HOLD_MS_MAX && holdsMs.length < ATTEMPTS)) {
        const acted = act(port, script(await sessionOf(world)));
        holdsMs.push(await longestHold(acted.then(() => sleep(LISTEN_MS))));
        assert.equal((await quiet.request({ op: 'ping' })).error, undefined);
        peer.stdin.write('\n');
      }
      assert.ok(Math.min(...holdsMs) < HOLD_MS_MAX, `the event loop was held for ${holdsMs.map(Math.round).join(', ')} ms`);
      assert.equal((await world.http('GET', '/healthz')).status, 200);
      assert.ok((await world.upsert({ id: 'after', name: what })).status < 300);
      await eventually(
        () => hub.stats.subscribers <= 1 && !presence.isOnline('ann'),
        () => `${hub.stats.subscribers} subscribers are left`,
      );
      const newcomer = await world.subscriber({ token: serverToken() });
      assert.equal(newcomer.frames[0]?.type, 'connection.ok');
      newcomer.terminate();
    });
  }
});
