import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, describe, it } from 'node:test';
import type { HttpServerOptions } from '../../../daemon/edge/http/server.ts';
import { API_KEY, type HttpWorld, httpWorld, SERVER_TOKEN } from '../../support/http/fake-backend.ts';

/** What came back on a socket of its own, which a bad request needs. */
async function raw(port: number, text: string): Promise<{ status: number; head: string; body: { code: number; StatusCode: number } }> {
  const received = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    let all = '';
    socket.setEncoding('utf8').on('data', (part) => {
      all += part;
    });
    socket.on('end', () => resolve(all)).on('error', reject);
  });
  const [head = '', body = ''] = received.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head, body: JSON.parse(body) };
}

describe('on real sockets', () => {
  const open: HttpWorld[] = [];
  after(async () => {
    for (const { app } of open) await app.close();
  });

  async function listening(options: Partial<HttpServerOptions> = {}): Promise<{ world: HttpWorld; port: number }> {
    const world = httpWorld(options);
    await world.app.listen({ port: 0, host: '127.0.0.1' });
    open.push(world);
    return { world, port: (world.app.server.address() as AddressInfo).port };
  }

  function post(port: number, chunks: readonly Buffer[], length: number | undefined): Promise<{ status: number; body: { code: number } }> {
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: SERVER_TOKEN,
        'content-type': 'application/json',
        ...(length === undefined ? {} : { 'content-length': String(length) }),
      };
      const sending = request({ port, host: '127.0.0.1', path: `/users?api_key=${API_KEY}`, method: 'POST', headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part) => {
          text += part;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) }));
      });
      sending.on('error', reject);
      for (const chunk of chunks) sending.write(chunk);
      sending.end();
    });
  }

  it('HI40 a body of 3 MiB: 413 and code 22, with and without a length; the caller gets to see it', async () => {
    const { world, port } = await listening();
    const body = Buffer.alloc(3 * 1024 * 1024, 0x20);
    for (const length of [body.length, undefined]) {
      const { status, body: answer } = await post(port, [body], length);
      assert.deepEqual([status, answer.code], [413, 22]);
    }
    assert.equal(world.backend.commands.length, 0);
    const fine = Buffer.from('{"users":{"ann":{}}}');
    assert.equal((await post(port, [fine], fine.length)).status, 201);
  });

  it('HI41 a full batch of the largest users passes', async () => {
    const { port } = await listening();
    const name = 'x'.repeat(10_240 - '{"name":"","custom":{}}'.length);
    const body = Buffer.from(JSON.stringify({ users: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`u${i}`, { name }])) }));
    assert.equal((await post(port, [body], undefined)).status, 201);
  });

  it('HI42 what is not HTTP: 400; headers that are too big: 431', async () => {
    const { port } = await listening();
    const garbage = await raw(port, 'HELLO\r\n\r\n');
    assert.deepEqual([garbage.status, garbage.body.code], [400, 4]);
    assert.match(garbage.head, /x-ratelimit-limit: \d+/i);
    const big = await raw(port, `GET /users HTTP/1.1\r\nhost: x\r\nx-big: ${'x'.repeat(40_000)}\r\n\r\n`);
    assert.deepEqual([big.status, big.body.code], [431, 24]);
  });

  it('HI43 headers or a body that never end: 408 and code 23', async () => {
    const { port } = await listening({ timeouts: { headersMs: 200, requestMs: 400 } });
    const head = await raw(port, 'GET /users HTTP/1.1\r\nhost: x\r\n');
    assert.deepEqual([head.status, head.body.code], [408, 23]);
    const start = `POST /users?api_key=${API_KEY} HTTP/1.1\r\nhost: x\r\nauthorization: ${SERVER_TOKEN}\r\ncontent-length: 100\r\n\r\n{`;
    const body = await raw(port, start);
    assert.deepEqual([body.status, body.body.code], [408, 23]);
  });

  it('HI44 a caller that hangs up in the middle leaves the server well', async () => {
    const { world, port } = await listening();
    const start = `POST /users?api_key=${API_KEY} HTTP/1.1\r\nhost: x\r\nauthorization: ${SERVER_TOKEN}\r\ncontent-length: 100\r\n\r\n{"users"`;
    for (let i = 0; i < 20; i++) {
      await new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(start, () => socket.destroy()));
        socket.on('close', () => resolve());
      });
    }
    const fine = Buffer.from('{"users":{"ann":{}}}');
    assert.equal((await post(port, [fine], fine.length)).status, 201);
    assert.deepEqual(
      world.logs.filter(({ level }) => level === 'error'),
      [],
    );
  });
});
