/**
 * A daemon as clients reach it, through all proxies: HTTP, WebSocket, Socket.IO over long polling with one connection at one node, and
 * bodies of the length that the daemon takes. No token is needed, and nothing is written.
 */
import { WebSocket } from 'ws';
import { errorText } from '../../../protocol/base/errors.ts';
import { parseObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { LIVE_SUBPROTOCOL } from '../../../protocol/live/client-frames.ts';
import { type Answer, askToSend, askUrl, isFromRosterd, isHealthOfRosterd } from './ask.ts';
import { daemonClockFinding } from './clock.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const OPEN_MS = 10_000;
/** With two nodes, and requests that go to either, all of these stay at one with a chance of 1 in 65,536. */
const POLLERS = 8;
const UPGRADE_ADVICE = 'let the proxy use HTTP/1.1 and pass Upgrade and Connection on, as in daemon/deploy/nginx.conf';
const STICKY_ADVICE = 'send all requests of one connection (sid) to one node, as in daemon/deploy/haproxy.cfg and nginx.conf';

/** `url`: without a slash at the end. Does not go on when HTTP does not pass. */
export async function reachFindings(url: string, nowMs: () => number): Promise<readonly Finding[]> {
  let health: Answer;
  try {
    health = await askUrl(`${url}/healthz`);
  } catch (error) {
    return [
      fail('http', `${url} cannot be reached: ${errorText(error)}`, 'is the daemon running, the address right, the certificate valid?'),
    ];
  }
  if (!isHealthOfRosterd(health)) return [notRosterd(url, health)];
  const clock = daemonClockFinding(health.date, nowMs());
  const http = ok('http', `a rosterd answers at ${url}${health.server === undefined ? '' : `, behind ${health.server}`}`);
  return [http, await readyFinding(url), clock, await webSocketFinding(url), await pollingFinding(url), await bodyFinding(url)];
}

function notRosterd(url: string, { status, server }: Answer): Finding {
  const who = server === undefined ? 'something' : server;
  if (status >= 502 && status <= 504)
    return fail('http', `${who} answers ${status}`, 'it does not reach a daemon: is one running where it sends requests?');
  return fail('http', `${who} answers ${status} to /healthz, not as a rosterd does`, `is ${url} the address of rosterd, with its path?`);
}

/** Whether the daemon takes requests, as `/readyz` says. */
export async function readyFinding(url: string): Promise<Finding> {
  try {
    const answer = await askUrl(`${url}/readyz`, { takesAnyCertificate: true });
    const { status, text } = answer;
    if (isHealthOfRosterd(answer)) return ok('ready', 'the daemon takes requests');
    const { reason } = parseObject(text) ?? {};
    if (status === 200) return fail('ready', `${url} answers, not as a rosterd does`, 'is it the address of rosterd?');
    return fail('ready', `/readyz answers ${status}${typeof reason === 'string' ? ` (${reason})` : ''}`, 'the log of the daemon says why');
  } catch (error) {
    return fail('ready', `${url} cannot be reached: ${errorText(error)}`, 'is the daemon running?');
  }
}

async function webSocketFinding(url: string): Promise<Finding> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/live`, [LIVE_SUBPROTOCOL], { handshakeTimeout: OPEN_MS });
  try {
    const problem = await new Promise<string | undefined>((resolve) => {
      socket.on('open', () => resolve(undefined));
      socket.on('unexpected-response', (_, { statusCode }) => resolve(`is answered with ${statusCode}`));
      socket.on('error', (error) => resolve(`fails: ${errorText(error)}`));
    });
    return problem === undefined ? ok('websocket', 'it opens') : fail('websocket', `the upgrade ${problem}`, UPGRADE_ADVICE);
  } finally {
    socket.terminate();
  }
}

async function pollingFinding(url: string): Promise<Finding> {
  const place = `${url}/socket.io/?EIO=4&transport=polling`;
  try {
    const strayed = await Promise.all(Array.from({ length: POLLERS }, () => hasStrayed(place)));
    const lost = strayed.filter((isLost) => isLost).length;
    if (lost === 0) return ok('polling', `${POLLERS} connections over long polling stay at their node`);
    return fail('polling', `${lost} of ${POLLERS} connections over long polling came to a node that does not know them`, STICKY_ADVICE);
  } catch (error) {
    return fail('polling', errorText(error), 'let the proxy pass /socket.io/ on, with its query');
  }
}

/** Opens a connection, asks for the namespace without a token, and reads the refusal. Whether one of these came to another node. */
async function hasStrayed(place: string): Promise<boolean> {
  const opened = await askUrl(place);
  const { sid } = parseObject(opened.text.slice(1)) ?? {};
  if (opened.status !== 200 || typeof sid !== 'string') throw new Error(`/socket.io/ answers ${opened.status}, not as Socket.IO does`);
  const own = `${place}&sid=${encodeURIComponent(sid)}`;
  const sent = await askUrl(own, { method: 'POST', headers: { 'content-type': 'text/plain;charset=UTF-8' }, body: '40{}' });
  if (isUnknown(sent)) return true;
  const read = await askUrl(own);
  if (isUnknown(read)) return true;
  if (sent.status !== 200 || read.status !== 200) throw new Error(`long polling is answered with ${sent.status} and ${read.status}`);
  return false;
}

/** "Session ID unknown" of Engine.IO. */
function isUnknown({ status, text }: Answer): boolean {
  return status === 400 && parseObject(text)?.code === 1;
}

async function bodyFinding(url: string): Promise<Finding> {
  const bytes = LIMITS.bodyBytes;
  try {
    const refusal = await askToSend(`${url}/users`, bytes);
    // The daemon may refuse it for want of a token: then it has come through.
    if (refusal === undefined || isFromRosterd(refusal)) return ok('body', `a request of ${bytes} bytes passes`);
    const found = `a request of ${bytes} bytes is answered with ${refusal.status}, not by the daemon`;
    return fail(
      'body',
      found,
      'raise the limit of the proxy (nginx: client_max_body_size 0): the daemon has limits of its own, and imports are larger',
    );
  } catch (error) {
    return warn(
      'body',
      `whether a request of ${bytes} bytes passes is not clear: ${errorText(error)}`,
      'look at the limit of bodies in the proxy',
    );
  }
}
