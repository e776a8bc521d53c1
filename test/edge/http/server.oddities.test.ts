/** HI21, HI45, HT44: whatever Node or the framework would refuse by itself is a coded refusal, and never an error of the daemon. */
import assert from 'node:assert/strict';
import { METHODS } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { API_KEY, type HttpWorld, httpWorld, SERVER_TOKEN } from '../../support/http/fake-backend.ts';

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: { readonly code?: number; readonly status_code?: number; readonly StatusCode?: number };
}

async function listening(t: TestContext): Promise<{ world: HttpWorld; port: number }> {
  const world = httpWorld();
  await world.app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => world.app.close());
  return { world, port: (world.app.server.address() as AddressInfo).port };
}

/** Sends exactly these bytes on a connection of its own; resolves with the last answer. */
async function raw(port: number, bytes: string | Buffer): Promise<Answer> {
  const received = await new Promise<string>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    let all = '';
    socket.setTimeout(3_000, () => socket.destroy(new Error(`no answer to ${String(bytes).slice(0, 100)}`)));
    socket.setEncoding('utf8').on('data', (part) => {
      all += part;
      const [head = '', body = ''] = all.split(/\r\n\r\n(?=[^H])|\r\n\r\n$/);
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? Number.NaN);
      if (Buffer.byteLength(body) >= length) socket.end();
    });
    socket
      .on('end', () => socket.end())
      .on('close', () => resolve(all))
      .on('error', reject);
  });
  const at = received.lastIndexOf('HTTP/1.1 ');
  const [head = '', text = ''] = received.slice(at).split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), text, body: text.startsWith('{') ? JSON.parse(text) : {} };
}

const AUTH = `Authorization: ${SERVER_TOKEN}\r\nStream-Auth-Type: jwt\r\n`;
const KEY = `api_key=${API_KEY}`;
const JSON_BODY = '{"users":{"ann":{}}}';
const request = (line: string, headers = '', body = ''): string =>
  `${line}\r\nHost: x\r\nConnection: close\r\n${AUTH}${headers}\r\n${body}`;
const post = (headers: string, body = JSON_BODY): string =>
  request(`POST /users?${KEY} HTTP/1.1`, `Content-Length: ${Buffer.byteLength(body)}\r\n${headers}`, body);

const PATHS = [
  ['/', 'chat'],
  ['/users', 'chat'],
  ['/api/v2/users', 'chat'],
  ['/api/v1.0/user/ann/', 'feeds'],
  ['/nowhere?x=1', 'chat'],
] as const;

function assertCoded({ status, text, body }: Answer, family: 'chat' | 'feeds', what: string): void {
  assert.ok(status >= 400 && status < 500, `${what}: ${status} ${text}`);
  assert.equal(family === 'chat' ? body.StatusCode : body.status_code, status, `${what}: ${text}`);
  assert.equal(typeof body.code, 'number', what);
}

test('HI21 every method that Node knows is answered, on every path, without an error of the daemon', async (t) => {
  const { world, port } = await listening(t);
  for (const method of METHODS) {
    for (const [path, family] of PATHS) {
      const answer = await raw(port, request(`${method} ${path}${path.includes('?') ? '&' : '?'}${KEY} HTTP/1.1`));
      const what = `${method} ${path}`;
      assert.ok(answer.status < 500, `${what}: ${answer.status} ${answer.text}`);
      if (method === 'HEAD' || (answer.status < 300 && answer.status >= 200)) continue;
      assertCoded(answer, method === 'CONNECT' ? 'chat' : family, what);
    }
  }
  const bad = world.logs.filter(({ level }) => level === 'error');
  assert.deepEqual(bad, []);
});

const REFUSED: Readonly<Record<string, string | Buffer>> = {
  'the request of the case': 'QUERY / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'QUERY with a body': `QUERY /users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`,
  'an unknown method': request('BREW /users HTTP/1.1'),
  'a method in lower case': request(`get /users?${KEY} HTTP/1.1`),
  'a method of other letters': request('GÉT /users HTTP/1.1'),
  'a target without a slash': request('GET users HTTP/1.1'),
  'a target of an asterisk': request('GET * HTTP/1.1'),
  'OPTIONS for everything, from a strange page': request('OPTIONS * HTTP/1.1', 'Origin: https://evil.example\r\n'),
  'an absolute target of another scheme': request(`GET ftp://x/users?${KEY} HTTP/1.1`),
  'CONNECT to an authority': 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n',
  TRACE: request('TRACE /users HTTP/1.1'),
  'no host': `GET /users?${KEY} HTTP/1.1\r\nConnection: close\r\n${AUTH}\r\n`,
  'HTTP/2 by prior knowledge': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'HTTP/0.9': 'GET /users\r\n\r\n',
  'HTTP/3.0': request('GET /users HTTP/3.0'),
  'a content type that is none': post('Content-Type: ;;;\r\n'),
  'a content type with a strange parameter': post('Content-Type: text/plain; x="\\\r\n'),
  'an empty subtype': post('Content-Type: application/\r\n'),
  multipart: post('Content-Type: multipart/form-data; boundary=x\r\n'),
  'a form': post('Content-Type: application/x-www-form-urlencoded\r\n', 'users=1'),
  'several content types': post('Content-Type: text/plain\r\nContent-Type: application/json\r\n'),
  'bytes in the charset that it names': request(
    `POST /users?${KEY} HTTP/1.1`,
    'Content-Type: application/json; charset=utf-16\r\nContent-Length: 4\r\n',
    '\u0000{\u0000}',
  ),
  'an expectation': post('Content-Type: application/json\r\nExpect: the-unexpected\r\n'),
  'several encodings': post('Content-Type: application/json\r\nContent-Encoding: gzip, gzip\r\n'),
  'an unknown encoding': post('Content-Type: application/json\r\nContent-Encoding: br\r\n'),
  'an encoding that is not that of the body': post('Content-Type: application/json\r\nContent-Encoding: gzip\r\n'),
  'a length that is no number': request(`POST /users?${KEY} HTTP/1.1`, 'Content-Length: x\r\n'),
  'a negative length': request(`POST /users?${KEY} HTTP/1.1`, 'Content-Length: -1\r\n'),
  'two lengths': request(`POST /users?${KEY} HTTP/1.1`, 'Content-Length: 1\r\nContent-Length: 2\r\n', '{}'),
  'a length and chunks': request(`POST /users?${KEY} HTTP/1.1`, 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
  'an unknown transfer coding': request(`POST /users?${KEY} HTTP/1.1`, 'Transfer-Encoding: foo\r\n', '{}'),
  'chunked, not last': request(`POST /users?${KEY} HTTP/1.1`, 'Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n'),
  'a transfer coding under the chunks': request(
    `POST /users?${KEY} HTTP/1.1`,
    'Content-Type: application/json\r\nTransfer-Encoding: gzip, chunked\r\n',
    '2\r\n\u0000\u0001\r\n0\r\n\r\n',
  ),
  'a chunk of a length that is none': request(`POST /users?${KEY} HTTP/1.1`, 'Transfer-Encoding: chunked\r\n', 'zz\r\n{}\r\n'),
  'a header without a name': request(`GET /users?${KEY} HTTP/1.1`, ': x\r\n'),
  'a header with a space in its name': request(`GET /users?${KEY} HTTP/1.1`, 'X Y: x\r\n'),
  'a header that goes on in the next line': request(`GET /users?${KEY} HTTP/1.1`, 'X: a\r\n b\r\n'),
  'a line end in the target': request('GET /us\ners HTTP/1.1'),
  'a zero byte': request('GET /us\u0000ers HTTP/1.1'),
};

test('HI45 requests that Node or the framework refuse get a coded answer of the closed list', async (t) => {
  const { world, port } = await listening(t);
  for (const [what, bytes] of Object.entries(REFUSED)) assertCoded(await raw(port, bytes), 'chat', what);
  assert.equal(world.backend.commands.length, 0);
  assert.deepEqual(
    world.logs.filter(({ level }) => level === 'error'),
    [],
  );
});

const SERVED: Readonly<Record<string, string | Buffer>> = {
  'a token behind thousands of other headers': request(`GET /users?${KEY} HTTP/1.1`).replace(AUTH, `${'a: b\r\n'.repeat(3_000)}${AUTH}`),
  'an absolute target': request(`GET http://x/users?${KEY} HTTP/1.1`),
  'an absolute target of https in capitals': request(`GET HTTPS://x:1/users?${KEY} HTTP/1.1`),
  'HTTP/1.0 without a host': `GET /users?${KEY} HTTP/1.0\r\n${AUTH}\r\n`,
  'a body on GET': request(`GET /users?${KEY} HTTP/1.1`, 'Content-Length: 2\r\n', '{}'),
  'a type of JSON': post('Content-Type: application/vnd.api+json\r\n'),
  'a charset': post('Content-Type: application/json; charset=latin1\r\n'),
  'a parameter in quotes': post('Content-Type: application/json; x="a;b"\r\n'),
  'an expectation to go on': post('Content-Type: application/json\r\nExpect: 100-continue\r\n'),
  'gzip under its old name': Buffer.concat([
    Buffer.from(
      request(
        `POST /users?${KEY} HTTP/1.1`,
        `Content-Type: application/json\r\nContent-Encoding: x-gzip\r\nContent-Length: ${gzipSync(JSON_BODY).length}\r\n`,
      ),
    ),
    gzipSync(JSON_BODY),
  ]),
};

test('HI45 unusual but valid requests are served', async (t) => {
  const { port } = await listening(t);
  for (const [what, bytes] of Object.entries(SERVED)) {
    const { status, text } = await raw(port, bytes);
    assert.ok(status === 200 || status === 201, `${what}: ${status} ${text}`);
  }
});

test('HT44 HEAD is answered as GET is, without the body, and what follows on the connection is read', async (t) => {
  const { world, port } = await listening(t);
  const asked = (path: string): Promise<Answer> =>
    raw(port, `HEAD ${path} HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const statusOf = async (path: string): Promise<number> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'HEAD' });
    assert.equal(await response.text(), '');
    return response.status;
  };
  assert.deepEqual([await statusOf('/healthz'), await statusOf('/readyz')], [200, 200]);
  for (const path of ['/healthz', '/readyz/']) assert.deepEqual((await asked(path)).body, { status: 'ok' });
  world.backend.ready = false;
  assert.deepEqual([await statusOf('/healthz'), await statusOf('/readyz')], [200, 503]);
});
