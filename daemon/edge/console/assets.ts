/** The files of the console's page: read once, sent packed where the browser takes that, and not sent again while they are the same. */
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { RosterError } from '../../../protocol/base/errors.ts';

/** Those that there are, with their types. */
const TYPES = {
  'index.html': 'text/html; charset=utf-8',
  'app.js': 'text/javascript; charset=utf-8',
  'plot.js': 'text/javascript; charset=utf-8',
  'app.css': 'text/css; charset=utf-8',
} as const;
export type AssetName = keyof typeof TYPES;

const packed = promisify(gzip);

interface Asset {
  readonly type: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
  readonly digest: string;
}

/** What an answer with a file needs. */
export interface AssetAnswer {
  readonly status: 200 | 304;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

export class Assets {
  readonly #file: (name: AssetName) => Buffer;
  readonly #known = new Map<AssetName, Promise<Asset>>();

  /** `file`: reads one from the package, when it is first asked for; throws when it is not there. */
  constructor(file: (name: AssetName) => Buffer) {
    this.#file = file;
  }

  /** `encodings` and `ifNoneMatch`: the headers of the request. Rejects with RosterError `not_found` where the page is not built. */
  async answer(name: AssetName, encodings: string | undefined, ifNoneMatch: string | undefined): Promise<AssetAnswer> {
    const { type, plain, gzip: zipped, digest } = await this.#asset(name);
    const isPacked = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(encodings ?? '');
    const tag = `"${digest}${isPacked ? '-gzip' : ''}"`;
    const headers = {
      ETag: tag,
      // Asked for again each time, and answered without the file while it is the same: the page of another version never stays.
      'Cache-Control': 'no-cache',
      Vary: 'Accept-Encoding',
    };
    if (ifNoneMatch?.split(',').some((one) => one.trim() === tag) === true) return { status: 304, headers, body: undefined };
    const encoding = isPacked ? { 'Content-Encoding': 'gzip' } : undefined;
    return { status: 200, headers: { ...headers, 'Content-Type': type, ...encoding }, body: isPacked ? zipped : plain };
  }

  #asset(name: AssetName): Promise<Asset> {
    const known = this.#known.get(name) ?? this.#read(name);
    this.#known.set(name, known);
    // It may be built meanwhile.
    known.catch(() => this.#known.delete(name));
    return known;
  }

  async #read(name: AssetName): Promise<Asset> {
    const plain = this.#bytes(name);
    const digest = createHash('sha256').update(plain).digest('base64url').slice(0, 22);
    return { type: TYPES[name], plain, gzip: await packed(plain, { level: 9 }), digest };
  }

  #bytes(name: AssetName): Buffer {
    try {
      return this.#file(name);
    } catch {
      throw new RosterError('not_found', 'the console is not built: run "npm run build"');
    }
  }
}
