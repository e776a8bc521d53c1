/**
 * Ports for programs that must be told where to listen. What the system chooses for port 0 is no such port: it is free only until the
 * system gives it to the next connection that somebody opens. These are below the ports that systems choose from (32768 and up), and
 * everyone who asks here holds what is found, over UDP, so that no two are given one.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 10_000;
const END = 32_768;
const TRIES = 1_000;
const HOST = '127.0.0.1';

/** A port of 127.0.0.1 that nothing listens on, and that is found by no one else until this process ends. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FIRST + Math.floor(Math.random() * (END - FIRST));
    const claim = await claimed(port);
    if (claim === undefined) continue;
    if (await isFree(port)) return port;
    claim.close();
  }
  throw new Error(`nothing is free between port ${FIRST} and ${END - 1} of ${HOST}`);
}

async function claimed(port: number): Promise<Socket | undefined> {
  const socket = createSocket('udp4').unref();
  try {
    await once(socket.bind({ port, address: HOST, exclusive: true }), 'listening');
    return socket;
  } catch {
    socket.close();
    return undefined;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen({ port, host: HOST, exclusive: true }), 'listening');
    await once(server.close(), 'close');
    return true;
  } catch {
    return false;
  }
}
