/** Asks for the remaining rate limits before the first write. */
import { isObject } from '../../../protocol/base/json.ts';
import type { KnownLimit, Pacer } from '../pacer.ts';
import type { Retrier } from '../retrier.ts';
import type { SyncServer } from '../transport.ts';

/** A pacer for each operation. */
export type Pacers<Operation extends string> = Readonly<Record<Operation, Pacer>>;

/**
 * Gives each pacer the remaining limit of its operation, so that even the first request stays within it. Does nothing when
 * the server does not know limits. False: the run was stopped or gave up before there was an answer.
 */
export async function beginPacers<Operation extends string>(
  pacers: Pacers<Operation>,
  server: SyncServer,
  retrier: Retrier,
  reads: Pacer,
): Promise<boolean> {
  const operations = Object.keys(pacers);
  const query = { server_side: 'true', endpoints: operations.join(',') };
  const reply = await retrier.request((signal) => server.ask({ method: 'GET', path: '/rate_limits', query }, signal), reads);
  if (reply === undefined) return false;
  const told = reply.body?.server_side;
  for (const [operation, pacer] of Object.entries<Pacer>(pacers)) {
    const limit = isObject(told) ? told[operation] : undefined;
    if (isKnownLimit(limit)) pacer.begin(limit, reply);
  }
  return true;
}

function isKnownLimit(value: unknown): value is KnownLimit {
  return isObject(value) && [value.limit, value.remaining, value.reset].every((number) => typeof number === 'number');
}
