/** URLs that work without a token for a while: each gives its holder the right to fetch, or store, exactly one file. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { QueryFields } from '../../../protocol/base/reading.ts';

export interface UrlSigner {
  /** `untilS` in unix seconds. */
  sign(path: string, untilS: number): string;
  /** Throws RosterError `not_allowed` for a URL that was not signed here, was changed, or has expired. */
  check(method: string, path: string, query: QueryFields): void;
}

export interface UrlSignerOptions {
  readonly secret: string;
  /** The URL at which the daemon can be reached from outside, without a trailing slash. */
  readonly baseUrl: () => string;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
}

export function createUrlSigner({ secret, baseUrl, now }: UrlSignerOptions): UrlSigner {
  // A separate key, so that a signature of a URL can never pass for one of a token.
  const key = createHmac('sha256', secret).update('rosterd signed url').digest();
  const signature = (path: string, until: string) => createHmac('sha256', key).update(`${path} ${until}`).digest('base64url');
  return {
    sign: (path, untilS) => `${baseUrl()}${path}?exp=${untilS}&sig=${signature(path, String(untilS))}`,
    check: (_method, path, { exp = '', sig = '' }) => {
      const expected = Buffer.from(signature(path, exp));
      const given = Buffer.from(sig);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        throw new RosterError('not_allowed', 'this URL was not signed by this daemon');
      }
      if (!(Number(exp) > now() / 1000)) throw new RosterError('not_allowed', 'this URL has expired; ask for a new one');
    },
  };
}
