/** Starts servers to measure, rosterd and its peers, behind one face: where to post users, how to subscribe, how to end. */
import { resolve } from 'node:path';
import { io } from 'socket.io-client';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import type { HttpTarget } from '../kit/http-line.ts';
import { CENTRIFUGO, type Greeting, PLAIN, ROSTER_ALL, ROSTER_IO, ROSTER_IO_AUTH, SOCKET_IO } from '../load/swarm.ts';
import { Rosterd, UPSERT } from './rosterd.ts';
import { ServerProcess } from './server-process.ts';

const BARE_FASTIFY = resolve(import.meta.dirname, 'bare-fastify.ts');
const PEER_SERVER = resolve(import.meta.dirname, 'peer-server.ts');
const UWEBSOCKETS_PEER = resolve(import.meta.dirname, 'uwebsockets-peer.py');

export interface Contestant {
  readonly name: string;
  readonly server: ServerProcess;
  readonly upsert: HttpTarget;
  readonly greeting: Greeting;
  end(): Promise<void>;
}

export type PeerMode = 'ws-loop' | 'ws-framed' | 'ws-gathered' | 'socket.io' | 'sends';

export async function startPeer(mode: PeerMode): Promise<Contestant> {
  const server = await ServerProcess.spawn({ args: ['--import', import.meta.resolve('tsx'), PEER_SERVER, mode] });
  if (mode === 'socket.io') await greetedBySocketIo(server.url);
  const greeting = mode === 'socket.io' ? SOCKET_IO : PLAIN;
  return { name: mode, server, upsert: { path: '/users' }, greeting, end: () => server.stop('SIGKILL') };
}

/** `mode` `fdatasync`: each answer waits for a disk. */
export async function startBareFastify(mode: 'memory' | 'fdatasync' = 'memory'): Promise<Contestant> {
  const server = await ServerProcess.spawn({ args: ['--import', import.meta.resolve('tsx'), BARE_FASTIFY, mode] });
  return { name: `fastify ${mode}`, server, upsert: { path: '/api/v2/users' }, greeting: PLAIN, end: () => server.stop('SIGKILL') };
}

/** `python`: one that has socketify. */
export async function startUwebsockets(python: string): Promise<Contestant> {
  const server = await ServerProcess.spawn({ program: python, args: [UWEBSOCKETS_PEER] });
  return { name: 'uWebSockets', server, upsert: { path: '/users' }, greeting: PLAIN, end: () => server.stop('SIGKILL') };
}

const CENTRIFUGO_KEY = 'bench';
const CENTRIFUGO_SETTINGS = {
  CENTRIFUGO_HTTP_API_KEY: CENTRIFUGO_KEY,
  CENTRIFUGO_CLIENT_ALLOW_ANONYMOUS_CONNECT_WITHOUT_TOKEN: 'true',
  CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_ALLOW_SUBSCRIBE_FOR_CLIENT: 'true',
  CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_ALLOW_SUBSCRIBE_FOR_ANONYMOUS: 'true',
  CENTRIFUGO_HTTP_SERVER_ADDRESS: '127.0.0.1',
  // It has one core.
  GOMAXPROCS: '1',
};

/** `program`: Centrifugo 6. It takes publications, not users: see fan-out.ts. */
export async function startCentrifugo(program: string): Promise<Contestant> {
  const port = await freePort();
  const env = { ...CENTRIFUGO_SETTINGS, CENTRIFUGO_HTTP_SERVER_PORT: String(port) };
  const server = await ServerProcess.spawn({ program, args: [], env });
  const upsert = { path: '/api/batch', headers: { 'X-API-Key': CENTRIFUGO_KEY } };
  return { name: 'Centrifugo', server, upsert, greeting: CENTRIFUGO, end: () => server.stop('SIGKILL') };
}

/** The load speaks the protocol by hand, to be cheap; that the server speaks Socket.IO is shown by the real client. */
async function greetedBySocketIo(url: string, auth: object = {}): Promise<void> {
  const socket = io(url, { auth, transports: ['websocket'], reconnection: false, forceNew: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  socket.disconnect();
}

export async function startRosterd(flags: readonly string[] = [], greeting = ROSTER_ALL): Promise<Contestant> {
  const rosterd = await Rosterd.start(flags);
  return { name: 'rosterd', server: rosterd.server, upsert: UPSERT, greeting, end: () => rosterd.end() };
}

/** The same daemon with subscribers that speak Socket.IO. */
export async function startRosterdIo(flags: readonly string[] = []): Promise<Contestant> {
  const rosterd = await Rosterd.start(flags);
  await greetedBySocketIo(rosterd.server.url, ROSTER_IO_AUTH);
  return { name: 'rosterd-io', server: rosterd.server, upsert: UPSERT, greeting: ROSTER_IO, end: () => rosterd.end() };
}
