/**
 * Requests to a daemon over connections that are kept. Tests send tens of thousands, and `fetch` takes twice the time of a core
 * for each. Like `fetch`, it never sends a request a second time.
 */
import { Agent, request } from 'node:http';

/** A daemon ends connections whose headers do not come for ten seconds: a busy process does not write a thousand requests by then. */
const SOCKETS_MAX = 250;
const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });

export interface Sent {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

export interface Answered {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly text: string;
}

/** As much of `Headers` as tests need. */
export interface AnswerHeaders {
  get(name: string): string | null;
}

/** Resolves with the whole answer; rejects when the connection ends before it. */
export function send(url: string | URL, { method, headers, body }: Sent): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece: string) => {
        text += piece;
      });
      answer.on('error', reject);
      answer.on('end', () => {
        const get = (name: string): string | null => {
          const value = answer.headers[name.toLowerCase()];
          return value === undefined ? null : String(value);
        };
        resolve({ status: answer.statusCode ?? 0, headers: { get }, text });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
