/** The address that the daemon listens on: free, held by a rosterd, or by another program. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { hasCode } from '../../../store/disk-errors.ts';
import { daemonUrl } from '../client-options.ts';
import type { Config } from '../config/settings.ts';
import { listenAdvice } from '../serve/listen-error.ts';
import { askUrl, isHealthOfRosterd } from './ask.ts';
import { type Finding, fail, ok } from './finding.ts';

export async function portFinding(config: Pick<Config, 'listen' | 'tlsCert'>): Promise<Finding> {
  const { host, port } = config.listen;
  if (port === 0) return ok('port', 'any that is free, chosen at each start');
  const server = createServer();
  try {
    await once(server.listen({ host, port, exclusive: true }), 'listening');
    await once(server.close(), 'close');
    return ok('port', `${host}:${port} is free`);
  } catch (error) {
    if (hasCode(error, 'EADDRINUSE') && (await isRosterd(daemonUrl(config, {})))) return ok('port', `a rosterd listens on ${host}:${port}`);
    return fail('port', `the daemon cannot listen on ${host}:${port}`, listenAdvice(config.listen, error));
  }
}

async function isRosterd(url: string): Promise<boolean> {
  return await askUrl(`${url}/healthz`, { takesAnyCertificate: true }).then(isHealthOfRosterd, () => false);
}
