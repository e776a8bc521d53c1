/** Who tells everyone: rosterd, and the servers that are measured beside it. */
import { scale } from '../kit/scale.ts';
import { eventOf, smallUser, upsertBody } from '../kit/users.ts';
import { CENTRIFUGO_CHANNEL, ROSTER_ALL_COMPRESSED } from '../load/swarm.ts';
import { type Contestant, startCentrifugo, startPeer, startRosterd, startRosterdIo, startUwebsockets } from './peers.ts';

export const OURS = 'rosterd';
export const OURS_IO = 'rosterd over Socket.IO';
export const OURS_COMPRESSED = 'rosterd, compressed';
export const IO = 'socket.io';
export const FLOOR = 'writes alone';
export const FRAMED = 'ws-framed';
export const GATHERED = 'ws-gathered';

interface Sizes {
  readonly batches: number;
  /** Before those that are measured: until then, the code of a server is still being compiled, which takes a fifth more. */
  readonly warmUpBatches: number;
  /** Single events at full speed. */
  readonly singles: number;
}

/** For servers that make one write of a batch. */
export const ONE_WRITE = { batches: scale(100, 60), warmUpBatches: scale(300, 100) };
/** For servers that write per event, of which a million take ten seconds. */
const WRITE_EACH = { batches: scale(3, 2), warmUpBatches: 1, singles: scale(300, 150) };

/** The body that makes a server tell of so many users. */
export type MakeBody = (first: number, users: number, version: number) => Buffer;

/** Of an event's text, so that it has the 400 bytes of the targets on the wire. */
const SENT_BYTES = 370;

export const upserts: MakeBody = (first, users, version) => upsertBody(first, users, version, smallUser);

/** Centrifugo is given the events ready-made. */
const publications: MakeBody = (first, users, version) => {
  const atMs = Date.now();
  const commands = Array.from({ length: users }, (_, index) => {
    return { publish: { channel: CENTRIFUGO_CHANNEL, data: eventOf(smallUser(first + index, version), version, atMs) } };
  });
  return Buffer.from(JSON.stringify({ commands }));
};

export interface Entrant {
  readonly name: string;
  readonly start: () => Promise<Contestant>;
  readonly sizes: Sizes;
  /** For so many sockets. Default: an upsert. */
  readonly body?: (sockets: number) => MakeBody;
}

export const ENTRANTS: readonly Entrant[] = [
  { name: OURS, start: () => startRosterd(), sizes: { ...ONE_WRITE, singles: scale(6_000, 3_000) } },
  {
    name: OURS_COMPRESSED,
    start: () => startRosterd([], ROSTER_ALL_COMPRESSED),
    sizes: { ...ONE_WRITE, singles: scale(6_000, 3_000) },
  },
  { name: OURS_IO, start: () => startRosterdIo(), sizes: { ...ONE_WRITE, singles: scale(6_000, 3_000) } },
  {
    name: FLOOR,
    start: async () => ({ ...(await startPeer('sends')), upsert: { path: '/sends' } }),
    sizes: { ...ONE_WRITE, singles: scale(400, 200) },
    body: (sockets) => (_, users) => Buffer.from(JSON.stringify({ turns: 1, writes: sockets, bytes: SENT_BYTES, events: users })),
  },
  { name: FRAMED, start: () => startPeer('ws-framed'), sizes: { ...ONE_WRITE, singles: scale(400, 200) } },
  { name: GATHERED, start: () => startPeer('ws-gathered'), sizes: { ...ONE_WRITE, singles: scale(6_000, 3_000) } },
  { name: 'ws-loop', start: () => startPeer('ws-loop'), sizes: WRITE_EACH },
  { name: IO, start: () => startPeer(IO), sizes: WRITE_EACH },
  ...foreign('uWebSockets', 'ROSTERD_BENCH_SOCKETIFY', {
    start: startUwebsockets,
    sizes: { batches: scale(30, 15), warmUpBatches: scale(30, 15), singles: scale(400, 200) },
  }),
  ...foreign('Centrifugo', 'ROSTERD_BENCH_CENTRIFUGO', {
    start: startCentrifugo,
    sizes: { batches: scale(10, 5), warmUpBatches: scale(10, 5), singles: scale(400, 200) },
    body: () => publications,
  }),
];

/** A server that is no part of this tree is measured where an environment variable names the program. */
function foreign(
  name: string,
  variable: string,
  { start, ...more }: Omit<Entrant, 'name' | 'start'> & { readonly start: (program: string) => Promise<Contestant> },
): Entrant[] {
  const program = process.env[variable];
  if (program !== undefined) return [{ name, start: () => start(program), ...more }];
  console.error(`${name} is NOT measured: ${variable} names no program`);
  return [];
}
