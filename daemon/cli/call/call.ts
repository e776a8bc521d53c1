/** One request to the daemon with a server token. */
import type { AskRequest, Reply } from '../../sync/transport.ts';
import type { ClientSettings } from '../client-options.ts';
import { createHttpClient } from '../sync/http-client.ts';
import { serverToken } from '../token.ts';
import { packageVersion } from '../version.ts';

/** From the start of the request to the end of the answer. */
const TIMEOUT_MS = 60_000;

/** Rejects with TransportError when there is no answer, and with the reason of `signal` once it aborts. */
export async function callDaemon(url: string, { credentials }: ClientSettings, request: AskRequest, signal: AbortSignal): Promise<Reply> {
  const { apiKey, apiSecret } = credentials;
  const client = createHttpClient({
    ...{ url, apiKey, token: serverToken(apiSecret), client: `rosterd-call/${packageVersion()}`, sockets: 1, timeoutMs: TIMEOUT_MS },
  });
  try {
    return await client.ask(request, signal);
  } finally {
    client.close();
  }
}
