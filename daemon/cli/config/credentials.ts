/**
 * The API key and secret: configured, or stored in the data directory, or generated on the first start.
 *
 * - A generated secret is durable before it is used: a token signed with it works after a crash too.
 * - Only the owner can read `credentials.json`. A file that others can read is changed to mode 0600 with a
 *   warning; if that fails, it is refused.
 * - A secret that is known or guessable never serves beyond loopback.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { isLoopback } from '../../base/loopback.ts';
import type { Config } from './settings.ts';

export interface Credentials {
  readonly apiKey: string;
  readonly apiSecret: string;
  readonly origin: 'configured' | 'stored' | 'generated';
}

/** The credentials are missing, damaged, readable by others, or too weak for the address. The message says what to do. */
export class CredentialsError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'CredentialsError';
  }
}

export const CREDENTIALS_FILE = 'credentials.json';
/** The secret in the examples of the documentation. */
export const SAMPLE_SECRET = 'a-secret-from-the-readme-change-me';

/** A secret shorter than the 32 bytes of an HMAC-SHA256 key is not accepted beyond loopback. */
const SECRET_CHARS_MIN = 32;
/** "aaaa…" and "12341234…" are long but not secret. */
const SECRET_DIFFERENT_CHARS_MIN = 10;
const KEY_BYTES = 8;
const SECRET_BYTES = 32;
const OTHERS = 0o077;

type CredentialConfig = Pick<Config, 'apiKey' | 'apiSecret' | 'data'>;

/**
 * For the daemon: generates and stores credentials when there are none. Two processes that do so at once both get the pair of the first.
 * @param warn called with one sentence when the file was closed for others
 * @throws CredentialsError
 */
export function resolveCredentials(config: CredentialConfig, warn: (text: string) => void = () => {}): Credentials {
  return configured(config) ?? stored(config.data, warn) ?? generate(config.data, warn);
}

/**
 * For the commands that talk to a daemon: never generates credentials.
 * @throws CredentialsError also when there are none
 */
export function findCredentials(config: CredentialConfig, warn: (text: string) => void = () => {}): Credentials {
  const found = configured(config) ?? stored(config.data, warn);
  if (found !== undefined) return found;
  throw new CredentialsError(
    `there is no ${join(config.data, CREDENTIALS_FILE)}: no daemon was started here yet. Start one first (npm start, or rosterd serve), name the data directory of another with --data, or give --api-key and --api-secret`,
  );
}

/**
 * For those who only look: generates nothing, and changes no file.
 * @throws CredentialsError
 */
export function lookForCredentials(config: CredentialConfig): Credentials | undefined {
  return configured(config) ?? readPair(join(config.data, CREDENTIALS_FILE), () => {});
}

/**
 * "A secret left at a default refuses to listen beyond loopback."
 * @param host as in `config.listen.host`
 * @throws CredentialsError when the host is reachable from outside and the secret is short, simple or a published sample
 */
export function assertSafeToListen(host: string, credentials: Pick<Credentials, 'apiSecret' | 'origin'>): void {
  if (isLoopback(host)) return;
  const weakness = secretWeakness(credentials.apiSecret);
  if (weakness === undefined) return;
  throw new CredentialsError(
    `refusing to listen on ${host}: the API secret ${weakness}, and anyone who guesses it controls the directory. Set another one (ROSTERD_API_SECRET), leave it out so that rosterd makes one, or listen on 127.0.0.1`,
  );
}

const SAMPLES: ReadonlySet<string> = new Set(
  [
    SAMPLE_SECRET,
    'secret',
    'apisecret',
    'changeme',
    'password',
    'rosterd',
    'default',
    'example',
    'test',
    'yoursecret',
    'yourapisecret',
  ].map(simplify),
);

/** A sample stays one with upper case, separators and repetition. */
function simplify(secret: string): string {
  const letters = secret.toLowerCase().replace(/[^a-z0-9]/g, '');
  return /^(.+?)\1+$/.exec(letters)?.[1] ?? letters;
}

/** Why it can be guessed; undefined when it cannot. */
export function secretWeakness(secret: string): string | undefined {
  if (secret === '') return 'is empty';
  if (SAMPLES.has(simplify(secret))) return 'is a well-known sample';
  if (secret.length < SECRET_CHARS_MIN) return `is shorter than ${SECRET_CHARS_MIN} characters`;
  if (new Set(secret).size < SECRET_DIFFERENT_CHARS_MIN) return `has fewer than ${SECRET_DIFFERENT_CHARS_MIN} different characters`;
  return undefined;
}

function configured({ apiKey, apiSecret }: CredentialConfig): Credentials | undefined {
  if (apiKey !== undefined && apiSecret !== undefined) return { apiKey, apiSecret, origin: 'configured' };
  if (apiKey === undefined && apiSecret === undefined) return undefined;
  // A pair made half from here and half from the data directory would be one that nobody chose.
  const [given, missing] = apiKey === undefined ? ['api_secret', 'api_key'] : ['api_key', 'api_secret'];
  throw new CredentialsError(`${given} is set, but ${missing} is not: give both, or none to use those of the data directory`);
}

function stored(data: string, warn: (text: string) => void): Credentials | undefined {
  return readPair(join(data, CREDENTIALS_FILE), (file) => closeForOthers(file, warn));
}

function readPair(file: string, before: (file: string) => void): Credentials | undefined {
  let content: string;
  try {
    before(file);
    content = readFileSync(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (error instanceof CredentialsError) throw error;
    throw new CredentialsError(`${file} cannot be read: ${errorText(error)}${rightsAdvice(error, file)}`, { cause: error });
  }
  const pair = parse(content);
  if (pair === undefined) {
    throw new CredentialsError(
      `${file} is damaged: it must be {"api_key": "…", "api_secret": "…"}. Restore it, or delete it to get a new pair (all tokens then become invalid)`,
    );
  }
  return { ...pair, origin: 'stored' };
}

function parse(content: string): { apiKey: string; apiSecret: string } | undefined {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch {
    return undefined;
  }
  if (!isObject(json)) return undefined;
  const { api_key: apiKey, api_secret: apiSecret } = json;
  if (typeof apiKey !== 'string' || typeof apiSecret !== 'string' || apiKey === '' || apiSecret === '') return undefined;
  return { apiKey, apiSecret };
}

function closeForOthers(file: string, warn: (text: string) => void): void {
  const { mode } = statSync(file);
  // Windows reports made-up permission bits.
  if ((mode & OTHERS) === 0 || process.platform === 'win32') return;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  try {
    chmodSync(file, 0o600);
  } catch (error) {
    throw new CredentialsError(`${file} can be read by other users (mode ${octal}) and belongs to somebody else: run chmod 600 on it`, {
      cause: error,
    });
  }
  warn(`${file} could be read by other users (mode ${octal}); it is now 0600. If somebody may have read it, delete it to get a new secret`);
}

function generate(data: string, warn: (text: string) => void): Credentials {
  const file = join(data, CREDENTIALS_FILE);
  const pair = { api_key: randomBytes(KEY_BYTES).toString('hex'), api_secret: randomBytes(SECRET_BYTES).toString('hex') };
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    mkdirSync(data, { recursive: true, mode: 0o700 });
    const fd = openSync(temporary, 'w', 0o600);
    try {
      writeFileSync(fd, `${JSON.stringify(pair, null, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    publish(temporary, file);
    syncDirectory(data);
  } catch (error) {
    rmSync(temporary, { force: true });
    // Another process was faster; its pair counts.
    if (hasCode(error, 'EEXIST')) return stored(data, warn) ?? generate(data, warn);
    throw new CredentialsError(`the API key and secret cannot be stored in ${file}: ${errorText(error)}${rightsAdvice(error, data)}`, {
      cause: error,
    });
  }
  return { apiKey: pair.api_key, apiSecret: pair.api_secret, origin: 'generated' };
}

/** A link, unlike a rename, never replaces an existing file. Not every file system has links. */
function publish(temporary: string, file: string): void {
  try {
    linkSync(temporary, file);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw error;
    renameSync(temporary, file);
  }
  rmSync(temporary, { force: true });
}

/** Makes the new name durable. Windows cannot open a directory and does not need this. */
function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(directory, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What to do when the file belongs to somebody else, as after a first start by root. */
function rightsAdvice(error: unknown, path: string): string {
  if (!hasCode(error, 'EACCES') && !hasCode(error, 'EPERM')) return '';
  const user = process.getuid?.() ?? 'this user';
  return `. User ${user} may not use ${path}: give it that user (chown -R ${user} on the data directory), run rosterd as its owner, or give --api-key and --api-secret`;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
