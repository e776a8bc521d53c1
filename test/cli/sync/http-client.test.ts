/** OR1, OR3: the requests of commands settle in time, whatever the server does. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { download } from '../../../daemon/cli/backup/download.ts';
import { createHttpClient } from '../../../daemon/cli/sync/http-client.ts';
import { TransportError } from '../../../daemon/sync/transport.ts';
import { HttpCaller } from '../../../protocol/client/api/http-caller.ts';
import { RosterClientError } from '../../../protocol/client/client-error.ts';
import { MANNER_NAMES, type MannerName, rudeServer } from '../../support/rude-server.ts';

const TIMEOUT_MS = 3_000;
/** For a busy machine. */
const SLACK_MS = 30_000;
/** What a whole answer is made of. */
const ANSWERED: ReadonlySet<MannerName> = new Set([
  'a redirect to itself',
  'keep-alive, then a close',
  'an offer of h2c',
  '204 with a body',
  '407 Proxy Authentication Required',
]);
/** It may go on for as long as the caller reads. */
const ENDLESS: MannerName = 'an endless body';

const clientOf = (url: string) =>
  createHttpClient({ url, apiKey: 'key', token: 'token', client: 'test', sockets: 2, timeoutMs: TIMEOUT_MS });

/** Resolves with what came, or the error; fails when it takes too long. */
async function inTime(what: string, work: Promise<unknown>): Promise<unknown> {
  const startedMs = performance.now();
  const outcome = await work.catch((error: unknown) => error);
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 2 * TIMEOUT_MS + SLACK_MS, `${what} took ${Math.round(tookMs)} ms`);
  return outcome;
}

test('OR1 a call of sync is answered, or fails as a transport error, within its timeout', async (t) => {
  await Promise.all(
    MANNER_NAMES.map(async (name) => {
      const client = clientOf((await rudeServer(t, name)).url);
      t.after(() => client.close());
      const { signal } = new AbortController();
      for (let round = 1; round <= 2; round++) {
        const outcome = await inTime(name, client.ask({ method: 'POST', path: '/users', body: 'x'.repeat(200_000) }, signal));
        if (outcome instanceof Error) assert.ok(outcome instanceof TransportError, `${name}: ${outcome}`);
        else assert.ok(ANSWERED.has(name), `${name} was taken for an answer`);
      }
    }),
  );
});

test('OR3 a streamed answer ends, or fails, soon after the last byte', async (t) => {
  await Promise.all(
    MANNER_NAMES.filter((name) => name !== ENDLESS).map(async (name) => {
      const client = clientOf((await rudeServer(t, name)).url);
      t.after(() => client.close());
      const read = async (): Promise<number> => {
        const { status, chunks } = await client.stream({ method: 'GET', path: '/sync/users' }, new AbortController().signal);
        for await (const _ of chunks);
        return status;
      };
      const outcome = await inTime(name, read());
      if (outcome instanceof Error) assert.ok(outcome instanceof TransportError, `${name}: ${outcome}`);
      else assert.ok(ANSWERED.has(name), `${name} was taken for an answer`);
    }),
  );
});

test('OR3 a download of a backup fails with a reason, soon after the last byte', async (t) => {
  await Promise.all(
    MANNER_NAMES.filter((name) => name !== ENDLESS).map(async (name) => {
      const { url } = await rudeServer(t, name);
      const { signal } = new AbortController();
      const read = async (): Promise<number> => {
        let bytes = 0;
        const options = { url, apiKey: 'key', token: 'token', isCompressed: false, silenceMs: TIMEOUT_MS, signal };
        for await (const chunk of download(options)) bytes += chunk.length;
        return bytes;
      };
      const outcome = await inTime(name, read());
      assert.ok(outcome instanceof Error || outcome === 0, `${name}: ${outcome}`);
    }),
  );
});

test('OR1 a call of the client library rejects within its timeout', async (t) => {
  await Promise.all(
    MANNER_NAMES.map(async (name) => {
      const { url } = await rudeServer(t, name);
      const caller = new HttpCaller({ url, apiKey: 'key', timeoutMs: TIMEOUT_MS }, () => undefined);
      const outcome = await inTime(name, caller.call('POST', '/users', { body: { users: {} } }));
      assert.ok(outcome instanceof RosterClientError, `${name}: ${outcome}`);
    }),
  );
});

test('RN27 SQ11 where a node answers that nothing was stored, the next one is asked at once; in any doubt the answer is handed on', async (t) => {
  const asked: string[] = [];
  const nodeThat = async (name: string, status: number, body: object): Promise<string> => {
    const server = createServer((_request, response) => {
      asked.push(name);
      response.writeHead(status).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const ends = [
    ['not_stored', 2],
    ['unknown', 1],
  ] as const;
  for (const [outcome, count] of ends) {
    asked.length = 0;
    const url = [await nodeThat('a', 503, { outcome }), await nodeThat('b', 503, { outcome })].join();
    const client = clientOf(url);
    const { status } = await client.ask({ method: 'POST', path: '/users', body: '{}' }, new AbortController().signal);
    client.close();
    assert.deepEqual([status, asked.length], [503, count], outcome);
  }
});
