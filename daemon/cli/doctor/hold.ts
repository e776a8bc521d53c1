/** A live connection that is kept open for a while: whether a proxy cuts off what is silent, or keeps back what the daemon sends. */
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { LIVE_SUBPROTOCOL } from '../../../protocol/live/client-frames.ts';
import type { Credentials } from '../config/credentials.ts';
import { serverToken } from '../token.ts';
import { type Finding, fail, ok } from './finding.ts';

const OPEN_MS = 10_000;
/** The daemon sends a heartbeat every 25 s. */
const HEARTBEAT_MS_MAX = 40_000;
const CUT_ADVICE = 'let silent WebSockets live for two minutes in the proxy (nginx: proxy_read_timeout 120s, HAProxy: timeout tunnel)';

/** `ms`: how long. It subscribes to nothing, and writes nothing. */
export async function holdFinding(url: string, ms: number, { apiKey, apiSecret }: Credentials): Promise<Finding> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/live`, [LIVE_SUBPROTOCOL], { handshakeTimeout: OPEN_MS });
  const startedMs = performance.now();
  let heardMs: number | undefined;
  try {
    const ended = new Promise<string>((resolve) => {
      socket.on('open', () => socket.send(JSON.stringify({ op: 'connect', id: 1, api_key: apiKey, token: serverToken(apiSecret) })));
      socket.on('message', () => {
        heardMs = performance.now();
      });
      socket.on('error', ({ message }) => resolve(message));
      socket.on('close', (code, reason) => resolve(`${code} ${reason}`.trim()));
    });
    const reason = await Promise.race([ended, delay(ms, undefined)]);
    const heldS = Math.round((performance.now() - startedMs) / 1_000);
    if (reason !== undefined) return fail('hold', `the live connection ended after ${heldS} s (${reason})`, CUT_ADVICE);
    if (heardMs === undefined || performance.now() - heardMs > HEARTBEAT_MS_MAX)
      return fail(
        'hold',
        `the connection is open, but the daemon is not heard over it`,
        'let the proxy pass on what comes at once (nginx: proxy_buffering off)',
      );
    return ok('hold', `a live connection lasts ${heldS} s, and the daemon is heard`);
  } finally {
    socket.terminate();
  }
}
