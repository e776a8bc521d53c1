/**
 * The settings of emulated applications: those of a daemon, from `ROSTERD_…` variables and from the request that makes an application,
 * except those that the emulator decides.
 *
 * It keeps EM5 (README.md).
 */
import { type FieldError, fieldErrors } from '../../protocol/base/errors.ts';
import { ConfigError, type LoadedSettings, loadConfig } from '../cli/config/config.ts';
import { suggestion } from '../cli/config/nearest.ts';
import { envName, flagName, type Setting } from '../cli/config/setting.ts';
import { address, type ListenAddress } from '../cli/config/setting-kinds.ts';
import { ALL_SETTINGS } from '../cli/config/settings.ts';

/** Where it listens, what it stores and how it is watched: the emulator decides, and nobody else. */
const DECIDED: ReadonlySet<string> = new Set([
  ...['listen', 'data', 'log', 'log.require_sync', 'node.name', 'tls_cert', 'tls_key', 'public_url'],
  ...['log_format', 'metrics.listen', 'metrics.token', 'cluster.stale_max_ms', 'drain_ms'],
  ...['retention_bytes', 'retention_age_h', 'retention_changes'],
]);

/** The request has fields of its own for them, and the variables are for the first application. */
const OWN_FIELDS: ReadonlySet<string> = new Set(['api_key', 'api_secret']);

/** What differs from a daemon's defaults: a test suite is one busy caller that is refused on purpose, and its receivers of webhooks are on this machine. */
const EMULATOR_DEFAULTS = { ROSTERD_RATE_LIMITS: 'off', ROSTERD_WEBHOOKS_ALLOW_PRIVATE: 'true', ROSTERD_LOG_LEVEL: 'error' } as const;

const choosable: readonly Setting<unknown>[] = ALL_SETTINGS.map(([, setting]) => setting).filter(
  ({ key }) => !DECIDED.has(key) && !OWN_FIELDS.has(key),
);

/** The keys that `POST /emulator/apps` takes. */
export const APP_SETTINGS: readonly string[] = choosable.map(({ key }) => key);

export type SettingValues = Readonly<Record<string, string | number | boolean>>;

/** On a loopback address. */
export interface AppPlace extends ListenAddress {
  /** The folder of the parts that need files. */
  readonly data: string;
  readonly apiKey: string;
  readonly apiSecret: string;
}

/** The variables that count, with the emulator's own defaults below them. */
export function emulatorVariables(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string | undefined>> {
  const decided = new Set(
    ALL_SETTINGS.map(([, setting]) => setting)
      .filter(({ key }) => DECIDED.has(key))
      .map(envName),
  );
  const given = Object.entries(env).filter(([name, text]) => text !== '' && name !== 'ROSTERD_CONFIG' && !decided.has(name));
  return { ...EMULATOR_DEFAULTS, ...Object.fromEntries(given) };
}

/** Throws ConfigError for values that are not usable, RosterError `input` for unknown names in `settings`. */
export function appConfig(
  place: AppPlace,
  env: Readonly<Record<string, string | undefined>>,
  settings: SettingValues = {},
): LoadedSettings {
  const decided = {
    listen: address.toText(place),
    data: place.data,
    'drain-ms': '0',
    'metrics-listen': 'off',
    'api-key': place.apiKey,
    'api-secret': place.apiSecret,
  };
  return loadConfig({ flags: { ...choices(settings), ...decided }, env, cwd: place.data });
}

/** The refusal of a request that gave values that are not usable; everything else as it is. */
export function refusedSettings(thrown: unknown): unknown {
  if (!(thrown instanceof ConfigError)) return thrown;
  const fields = thrown.problems.map((problem) => {
    const path = problem.startsWith('api_key ') ? 'key' : problem.startsWith('api_secret ') ? 'secret' : 'settings';
    return { path, message: problem.replace(/ \(from --[\w-]+\)/, '') };
  });
  return fieldErrors('input', fields);
}

/** As flags. */
function choices(settings: SettingValues): Record<string, string> {
  const problems: FieldError[] = [];
  const flags: Record<string, string> = {};
  for (const [key, value] of Object.entries(settings)) {
    const setting = choosable.find((one) => one.key === key);
    if (setting !== undefined) flags[flagName(setting)] = String(value);
    else if (OWN_FIELDS.has(key)) problems.push({ path: `settings.${key}`, message: 'is given by the fields key and secret' });
    else if (DECIDED.has(key)) problems.push({ path: `settings.${key}`, message: 'is decided by the emulator' });
    else
      problems.push({
        path: `settings.${key}`,
        message: `is no setting${suggestion(key, APP_SETTINGS)}; there are ${APP_SETTINGS.join(', ')}`,
      });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  return flags;
}
