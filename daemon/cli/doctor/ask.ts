/** One HTTP request on a connection of its own, so that a balancer is free to choose each time. */
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parseObject } from '../../../protocol/base/json.ts';

const ANSWER_MS = 10_000;
/** Answers of a rosterd to these requests are short. */
const TEXT_CHARS_MAX = 64 * 1024;

export interface Asked {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Takes any certificate: for a daemon on this machine, whose certificate names another one. */
  readonly takesAnyCertificate?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly date: string | undefined;
  /** Of a proxy or a daemon that says so. */
  readonly server: string | undefined;
}

/** Rejects when there is no whole answer within 10 s. */
export async function askUrl(url: string, { method = 'GET', headers = {}, body, takesAnyCertificate }: Asked = {}): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const asked = started(url, { method, headers: { connection: 'close', ...headers }, rejectUnauthorized: takesAnyCertificate !== true });
    asked.on('error', reject).on('response', (answer) => void readAnswer(answer).then(resolve, reject));
    asked.end(body);
  });
}

/** Asks whether a body of this length may come, and sends none. Resolves with the refusal; undefined when it may. */
export async function askToSend(url: string, bytes: number): Promise<Answer | undefined> {
  return await new Promise((resolve, reject) => {
    const headers = { connection: 'close', expect: '100-continue', 'content-type': 'application/json', 'content-length': String(bytes) };
    const asked = started(url, { method: 'POST', headers, rejectUnauthorized: true });
    asked.on('error', reject);
    asked.on('continue', () => {
      resolve(undefined);
      asked.destroy();
    });
    asked.on(
      'response',
      (answer) =>
        void readAnswer(answer)
          .then(resolve, reject)
          .finally(() => asked.destroy()),
    );
    asked.flushHeaders();
  });
}

function started(url: string, options: { method: string; headers: Record<string, string>; rejectUnauthorized: boolean }): ClientRequest {
  const request = url.startsWith('https:') ? requestHttps : requestHttp;
  return request(url, { ...options, agent: false, signal: AbortSignal.timeout(ANSWER_MS) });
}

async function readAnswer(answer: IncomingMessage): Promise<Answer> {
  let text = '';
  for await (const part of answer.setEncoding('utf8')) text = `${text}${part}`.slice(0, TEXT_CHARS_MAX);
  const { date, server } = answer.headers;
  return { status: answer.statusCode ?? 0, text, date, server: typeof server === 'string' ? server : undefined };
}

/** Whether the answer to `/healthz` is that of a rosterd. */
export function isHealthOfRosterd({ status, text }: Answer): boolean {
  return status === 200 && parseObject(text)?.status === 'ok';
}

/** Whether an error has the form of rosterd, and so does not come from a proxy. */
export function isFromRosterd({ text }: Answer): boolean {
  const { code, message, detail } = parseObject(text) ?? {};
  return typeof code === 'number' && (typeof message === 'string' || typeof detail === 'string');
}
