/** The headers of answers, for the description of the API. */
import type { JsonSchema } from './schemas.ts';

export const POSITION = 'X-Rosterd-Position';
export const STALE = 'X-Rosterd-Stale';
export const RETRY = 'Retry-After';
export const REPLAYED = 'Idempotency-Replayed';
export const TAG = 'ETag';

export const DESCRIBED_HEADERS: Readonly<Record<string, JsonSchema>> = {
  'X-RateLimit-Limit': { description: 'Requests allowed in a minute.', schema: { type: 'integer' } },
  'X-RateLimit-Remaining': { description: 'Requests that remain of them.', schema: { type: 'integer' } },
  'X-RateLimit-Reset': { description: 'When the minute is over, unix seconds.', schema: { type: 'integer' } },
  [RETRY]: { description: 'Seconds to wait.', schema: { type: 'integer' } },
  [REPLAYED]: { description: '`true` where the request was carried out before, and not now.', schema: { type: 'string' } },
  [TAG]: { description: 'Revision of the user, where the answer is about one, or of the settings: `"12"`.', schema: { type: 'string' } },
  [POSITION]: { description: 'Where in the log the change is: `<epoch>:<seq>`.', schema: { type: 'string' } },
  [STALE]: {
    description: 'While the storage of the node is away: for how many milliseconds. Changes since then are missing in the answer.',
    schema: { type: 'integer' },
  },
};

export function headerRefs(names: readonly string[]): JsonSchema {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
