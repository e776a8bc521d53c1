/** The subscribers that come back, for resume.ts: told by message where to go, says when every one has caught up. */

import { API_KEY, SERVER_TOKEN } from '../servers/rosterd.ts';
import { RawSocket } from './raw-socket.ts';

export interface ResumeOrder {
  readonly port: number;
  readonly resume: { readonly epoch: string; readonly seq: number };
  readonly count: number;
  /** Events that each must have received by then, at least. */
  readonly behind: number;
}

async function resumeOne({ port, resume, behind }: ResumeOrder): Promise<void> {
  const socket = await RawSocket.open({ port, path: '/live', protocol: 'roster.v1' });
  const caughtUp = socket.text((text) => text.includes('"caught_up":true'));
  const subs = [{ sub: 's', all: true, snapshot: false }];
  socket.send(JSON.stringify({ op: 'connect', id: 1, api_key: API_KEY, token: SERVER_TOKEN, resume, subs }));
  await caughtUp;
  if (socket.events < behind) throw new Error(`a socket caught up with ${socket.events} events of ${behind}`);
}

process.on('message', async (message) => {
  const order = message as ResumeOrder;
  await Promise.all(Array.from({ length: order.count }, () => resumeOne(order)));
  process.send?.('caught up');
});
process.send?.('ready');
