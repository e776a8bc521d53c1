/** Sends one batch as `POST /users` and gives back whatever was answered. */
import type { Send } from '../../sync/transport.ts';
import { createHttpClient, type HttpClientOptions } from './http-client.ts';

export interface HttpSender {
  readonly send: Send;
  /** Closes the connections. */
  close(): void;
}

export function createHttpSender(options: HttpClientOptions): HttpSender {
  const client = createHttpClient(options);
  return { send: (body, signal) => client.ask({ method: 'POST', path: '/users', body }, signal), close: () => client.close() };
}
