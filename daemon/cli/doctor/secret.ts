/** The API key and secret: where they are, who may read them, and whether they can be guessed. Neither is printed. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isLoopback } from '../../base/loopback.ts';
import type { ReadSettings } from '../config/config.ts';
import { CREDENTIALS_FILE, CredentialsError, lookForCredentials, secretWeakness } from '../config/credentials.ts';
import { type Finding, fail, ok, warn } from './finding.ts';

const GROUP_WRITES_OTHERS_READ = 0o027;
const OTHERS = 0o077;

export async function secretFinding({ config, origins }: Pick<ReadSettings, 'config' | 'origins'>): Promise<Finding> {
  const file = join(config.data, CREDENTIALS_FILE);
  try {
    const found = lookForCredentials(config);
    if (found === undefined) return ok('secret', `there is none yet: the first start makes one, in ${file}`);
    const { from } = origins.apiSecret;
    const place = found.origin === 'stored' ? file : origins.apiSecret.from === 'file' ? origins.apiSecret.path : undefined;
    const where = place ?? (from === 'env' ? 'a variable' : 'a flag, which other users can read in the list of processes');
    const weakness = secretWeakness(found.apiSecret);
    if (weakness !== undefined) return weak(weakness, where, config.listen.host);
    if (place !== undefined) return await fileFinding(place, found.origin === 'stored' ? OTHERS : GROUP_WRITES_OTHERS_READ);
    if (from === 'flag') return warn('secret', `it comes from ${where}`, 'give it with ROSTERD_API_SECRET or in the configuration file');
    return ok('secret', `${found.apiSecret.length} characters, from ${where}`);
  } catch (error) {
    if (error instanceof CredentialsError) return fail('secret', 'it cannot be used', error.message);
    throw error;
  }
}

function weak(weakness: string, where: string, host: string): Finding {
  const found = `the API secret (from ${where}) ${weakness}`;
  const advice = 'set a random one of 32 characters or more (openssl rand -hex 32), or leave it out, so that rosterd makes one';
  // Beyond loopback, serve refuses it.
  return isLoopback(host) ? warn('secret', found, advice) : fail('secret', found, advice);
}

/** The group may read a configuration file: it is how a daemon gets to read what an administrator owns. */
async function fileFinding(file: string, closed: number): Promise<Finding> {
  const { mode } = await stat(file);
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  if ((mode & closed) === 0 || process.platform === 'win32') return ok('secret', `in ${file}, mode ${octal}`);
  const wanted = closed === OTHERS ? '600' : '640';
  return warn(
    'secret',
    `${file} can be read or written by others (mode ${octal})`,
    `chmod ${wanted} it; if somebody may have read it, change the secret`,
  );
}
