/** Shared by the commands that talk to a daemon: its address, and flags that take durations and numbers. */
import { type Command, InvalidArgumentError } from 'commander';
import { errorText } from '../../protocol/base/errors.ts';
import { parseDuration } from '../base/duration.ts';
import { ConfigError, URL_ENV } from './config/config.ts';
import type { Credentials } from './config/credentials.ts';
import type { Config } from './config/settings.ts';
import type { CommandIo } from './io.ts';

/** Settings and credentials of a command that talks to a daemon. */
export interface ClientSettings {
  readonly config: Config;
  readonly credentials: Credentials;
}

/** Gives the settings to commands that have files of their own. */
export interface ClientCommands {
  /** Adds the flags of the settings that such a command needs. */
  addSettings(command: Command): void;
  /** Adds the same, and the flag that names a database. */
  addDatabase(command: Command): void;
  /** Reads them. Throws ConfigError, CredentialsError. */
  load(command: Command): ClientSettings;
  /** Without credentials, for commands that work on this machine alone. Throws ConfigError. */
  settings(command: Command): Config;
}

/**
 * The address of the daemon, where `--url` does not give it: that of `ROSTERD_URL`, or else the one at which this machine reaches the daemon
 * of these settings. Throws ConfigError when that cannot be determined.
 */
export function daemonUrl({ listen, tlsCert }: Pick<Config, 'listen' | 'tlsCert'>, env: CommandIo['env']): string {
  const named = env[URL_ENV];
  if (named !== undefined && named !== '') return checkedVariable(named);
  if (listen.port === 0) throw new ConfigError(['the port that the daemon listens on is chosen at its start: give --url as it printed it']);
  // A daemon can listen on the unspecified address ("all of mine"), but a client cannot connect to it.
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
  return `${tlsCert === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${listen.port}`;
}

function checkedVariable(text: string): string {
  try {
    return checkedUrls(text);
  } catch (error) {
    throw new ConfigError([`${URL_ENV} is "${text}": ${errorText(error)}`]);
  }
}

export function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError('It must be an address such as http://127.0.0.1:8800.');
  if (url.username !== '' || url.search !== '' || url.hash !== '')
    throw new InvalidArgumentError('It must have no user, query or fragment.');
  return text;
}

/** Checks the addresses of several nodes, separated by commas. */
export function checkedUrls(text: string): string {
  const schemes = new Set(nodeUrls(text).map((url) => new URL(checkedUrl(url)).protocol));
  if (schemes.size > 1) throw new InvalidArgumentError('All nodes must be reached by http, or all by https.');
  return text;
}

/** The addresses in the value of `--url`. */
export function nodeUrls(text: string): string[] {
  return text.split(',').map((url) => url.trim());
}

/** Reads a duration of at least `minMs`, in milliseconds. */
export function checkedDuration(minMs: number): (text: string) => number {
  return (text) => {
    const ms = parseDuration(text);
    // A timer of more than 2^31 ms fires at once.
    if (ms === undefined || ms < minMs || ms > 2 ** 31 - 1)
      throw new InvalidArgumentError('It must be a duration such as 500ms, 30s, 5m or 24h.');
    return ms;
  };
}

export function checkedCount(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}
