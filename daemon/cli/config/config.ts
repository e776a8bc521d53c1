/**
 * Loads the settings: flags > `ROSTERD_*` variables > configuration file > defaults.
 *
 * Nothing is ignored silently: an unknown flag, variable or key is an error that names it, and a wrong
 * value is an error that names the setting, where it came from, the value and what is allowed.
 * All problems are reported at once. The only I/O is reading the configuration file.
 */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { shortened } from '../../../protocol/base/shortened.ts';
import { hasCode } from '../../../store/disk-errors.ts';
import { isLoopback } from '../../base/loopback.ts';
import { suggestion } from './nearest.ts';
import { envName, flagName, type Setting } from './setting.ts';
import { address } from './setting-kinds.ts';
import { ALL_SETTINGS, type Config, type Field } from './settings.ts';

/** The origin of a value. */
export type SettingOrigin =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'env'; readonly name: string }
  | { readonly from: 'flag'; readonly name: string };

export type Origins = Readonly<Record<Field, SettingOrigin>>;

export interface ConfigSources {
  /** By flag name without dashes, such as `connect-role`; `true` for a flag without a value. `config` names the file. */
  readonly flags: Readonly<Record<string, string | true | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths from flags, variables and defaults start here; those from the file start at its directory. */
  readonly cwd: string;
  /** Default true: what only a daemon needs must be there, too. A command may also be run where no daemon is. */
  readonly isDaemon?: boolean;
}

/** The settings are wrong. `problems` has one sentence for each thing to correct. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

const DEFAULT_FILE = 'rosterd.json';
const CONFIG_ENV = 'ROSTERD_CONFIG';
/** Where commands and clients find the daemon, unless --url says so. */
export const URL_ENV = 'ROSTERD_URL';
/** Longest part of a wrong value that an error repeats. */
const SHOWN_CHARS = 80;

interface Found {
  readonly raw: { readonly text: string } | { readonly json: unknown };
  readonly origin: SettingOrigin;
  readonly base: string;
}

/** What is wrong with a setting. */
export type SettingFault = 'not usable' | 'missing';

/** Settings as far as they can be read. */
export interface ReadSettings {
  /** The default stands for a value that is not usable. */
  readonly config: Config;
  readonly origins: Origins;
  /** One sentence for each thing that is wrong or missing. */
  readonly problems: readonly string[];
  /** The settings that are wrong or missing, each with the word for it. */
  readonly faults: ReadonlyMap<Field, SettingFault>;
}

/** Settings without a fault. */
export type LoadedSettings = Pick<ReadSettings, 'config' | 'origins'>;

/** Throws ConfigError. */
export function loadConfig(sources: ConfigSources): LoadedSettings {
  const { config, origins, problems } = readSettings(sources);
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, origins };
}

/** Throws ConfigError only when it is unclear which file to read. */
export function readSettings({ flags, env, cwd, isDaemon = true }: ConfigSources): ReadSettings {
  const problems: string[] = [];
  const found = new Map<Setting<unknown>, Found>();
  readFile(configPath(flags, env, cwd), found, problems);
  readEnv(env, cwd, found, problems);
  readFlags(flags, cwd, found, problems);

  const values: Partial<Record<Field, unknown>> = {};
  const origins: Partial<Record<Field, SettingOrigin>> = {};
  const faults = new Map<Field, SettingFault>();
  for (const [field, setting] of ALL_SETTINGS) {
    const source = found.get(setting) ?? { origin: { from: 'default' }, base: cwd };
    const given = 'raw' in source ? parse(setting, source, problems) : setting.fallback;
    if ('raw' in source && given === undefined) faults.set(field, 'not usable');
    const value = given ?? setting.fallback;
    values[field] = setting.isPath && typeof value === 'string' ? resolve(source.base, value) : value;
    origins[field] = source.origin;
  }
  // The loop above filled every field from the reader or the default of the table, which gives the two types.
  const loaded = { config: values as Config, origins: origins as Origins };
  if (problems.length === 0) checkTogether(loaded, isDaemon, problems, faults);
  return { ...loaded, problems, faults };
}

/** `--listen`, `ROSTERD_LISTEN`, `/etc/rosterd.json` or `default`. */
export function originText(origin: SettingOrigin): string {
  switch (origin.from) {
    case 'default':
      return 'default';
    case 'file':
      return origin.path;
    case 'env':
      return origin.name;
    case 'flag':
      return `--${origin.name}`;
  }
}

function configPath(flags: ConfigSources['flags'], env: ConfigSources['env'], cwd: string): { path: string; required: boolean } {
  const named = flags.config ?? (env[CONFIG_ENV] || undefined);
  if (named === undefined) return { path: resolve(cwd, DEFAULT_FILE), required: false };
  if (named === true || named === '') throw new ConfigError(['--config needs the path of a configuration file']);
  return { path: resolve(cwd, named), required: true };
}

function readFile({ path, required }: { path: string; required: boolean }, found: Map<Setting<unknown>, Found>, problems: string[]): void {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''));
  } catch (error) {
    if (!required && hasCode(error, 'ENOENT')) return;
    const reason = errorText(error);
    problems.push(`the configuration file ${path} cannot be read: ${reason}`);
    return;
  }
  if (!isObject(content)) {
    problems.push(`the configuration file ${path} must contain one JSON object`);
    return;
  }
  const byKey = new Map(ALL_SETTINGS.map(([, setting]) => [setting.key, setting]));
  const walk = (node: Record<string, unknown>, prefix: string): void => {
    for (const [name, json] of Object.entries(node)) {
      const key = `${prefix}${name}`;
      const setting = byKey.get(key);
      if (setting === undefined) {
        // A group such as "connect" holds settings; anything else that is not in the table is a mistake.
        if (isObject(json) && [...byKey.keys()].some((known) => known.startsWith(`${key}.`))) walk(json, `${key}.`);
        else problems.push(`unknown setting ${quote(key)} in ${path}${suggestion(key, byKey.keys())}`);
      } else if (found.has(setting)) {
        problems.push(`${key} is set twice in ${path}, once nested and once with a dot`);
      } else found.set(setting, { raw: { json }, origin: { from: 'file', path }, base: dirname(path) });
    }
  };
  walk(content, '');
}

function readEnv(env: ConfigSources['env'], cwd: string, found: Map<Setting<unknown>, Found>, problems: string[]): void {
  const byEnv = new Map(ALL_SETTINGS.map(([, setting]) => [envName(setting), setting]));
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('ROSTERD_') || text === undefined || isForeignVariable(name, text)) continue;
    const setting = byEnv.get(name);
    if (setting === undefined) problems.push(`unknown environment variable ${name}${suggestion(name, byEnv.keys())}`);
    // An empty variable counts as not set: `ROSTERD_LISTEN=${LISTEN:-}` in a compose file means that.
    else if (text !== '') found.set(setting, { raw: { text }, origin: { from: 'env', name }, base: cwd });
  }
}

/**
 * Variables with the prefix of rosterd that are not settings: the path of the file, the address of the daemon, for clients, and of the
 * emulator, the token that the console's commands for curl take, those of the test runner, and those that Kubernetes puts into every pod beside a service called "rosterd" (ROSTERD_PORT=tcp://…, ROSTERD_SERVICE_HOST, …).
 */
function isForeignVariable(name: string, text: string): boolean {
  if (
    name === CONFIG_ENV ||
    name === URL_ENV ||
    name === 'ROSTERD_EMULATOR_URL' ||
    name === 'ROSTERD_TOKEN' ||
    name.startsWith('ROSTERD_TEST_')
  )
    return true;
  if (/^ROSTERD_SERVICE_(HOST|PORT(_\w+)?)$/.test(name) || /^ROSTERD_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$/.test(name)) return true;
  return name === 'ROSTERD_PORT' && /^(tcp|udp|sctp):\/\//.test(text);
}

function readFlags(flags: ConfigSources['flags'], cwd: string, found: Map<Setting<unknown>, Found>, problems: string[]): void {
  const byFlag = new Map(ALL_SETTINGS.map(([, setting]) => [flagName(setting), setting]));
  for (const [name, given] of Object.entries(flags)) {
    if (given === undefined || name === 'config') continue;
    const setting = byFlag.get(name);
    if (setting === undefined)
      problems.push(
        `unknown flag --${name}${suggestion(
          `--${name}`,
          [...byFlag.keys()].map((known) => `--${known}`),
        )}`,
      );
    else found.set(setting, { raw: { text: given === true ? 'true' : given }, origin: { from: 'flag', name }, base: cwd });
  }
}

/** Undefined, with the problem, for a value that is not usable. */
function parse(setting: Setting<unknown>, { raw, origin }: Found, problems: string[]): unknown {
  const value = 'text' in raw ? setting.kind.fromText(raw.text) : setting.kind.fromJson(raw.json);
  if (value !== undefined) return value;
  // Even a mistyped secret is not printed.
  const shown = setting.secret ? 'not usable' : quote('text' in raw ? raw.text : raw.json);
  problems.push(`${setting.key} (from ${originText(origin)}) is ${shown}, but must be ${setting.kind.allowed}`);
  return undefined;
}

/** Checks settings that must be given together. */
function checkTogether(
  { config, origins }: Pick<ReadSettings, 'config' | 'origins'>,
  isDaemon: boolean,
  problems: string[],
  faults: Map<Field, SettingFault>,
): void {
  if (config.log !== undefined && isDaemon) {
    for (const [field, key] of [
      ['apiKey', 'api_key'],
      ['apiSecret', 'api_secret'],
      ['publicUrl', 'public_url'],
    ] as const) {
      if (config[field] !== undefined) continue;
      faults.set(field, 'missing');
      problems.push(`log is set (from ${originText(origins.log)}), but ${key} is not: all daemons on one database need the same`);
    }
  }
  if (isDaemon) checkMetrics({ config, origins }, problems, faults);
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined)) {
    const [given, missing] = config.tlsKey === undefined ? (['tlsCert', 'tls_key'] as const) : (['tlsKey', 'tls_cert'] as const);
    const key = given === 'tlsCert' ? 'tls_cert' : 'tls_key';
    faults.set(given === 'tlsCert' ? 'tlsKey' : 'tlsCert', 'missing');
    problems.push(`${key} is set (from ${originText(origins[given])}), but ${missing} is not: give both or none`);
  }
}

/** The metrics have an address of their own, and beyond loopback a token. */
function checkMetrics(
  { config, origins }: Pick<ReadSettings, 'config' | 'origins'>,
  problems: string[],
  faults: Map<Field, SettingFault>,
): void {
  const { listen, metricsListen: metrics, metricsToken } = config;
  if (metrics === undefined || metrics === 'off') return;
  const named = `metrics.listen is ${address.toText(metrics)} (from ${originText(origins.metricsListen)})`;
  if (metrics.port !== 0 && metrics.port === listen.port && metrics.host === listen.host) {
    faults.set('metricsListen', 'not usable');
    problems.push(`${named}, and so is listen: give the metrics another port`);
  }
  if (isLoopback(metrics.host) || metricsToken !== undefined) return;
  faults.set('metricsToken', 'missing');
  problems.push(
    `${named}, where others can read them, but metrics.token is not set: set it to at least 32 characters (openssl rand -hex 32), or listen on 127.0.0.1`,
  );
}

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return shortened(text, SHOWN_CHARS);
}
