/**
 * The endpoint about settings: those of the daemon and those of the application, each with its value and where it came from. No secret is in it,
 * whatever holds one.
 *
 * It keeps CO34 (daemon/RULES.md).
 */
import Type from 'typebox';
import type { AppSettings } from '../../../protocol/app/settings.ts';
import { NamedSettings } from '../../../protocol/app/settings-body.ts';
import { APP_DEFAULTS, renderApp } from '../../../protocol/app/settings-view.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { masked } from '../../base/masked.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { settingsTag } from '../http/outcome.ts';

const DaemonSetting = Type.Object({
  key: Type.String(),
  value: Type.String(),
  origin: Type.Union([Type.Literal('default'), Type.Literal('file'), Type.Literal('env'), Type.Literal('flag')]),
  from: Type.String({ description: 'the file, the variable or the flag' }),
  default: Type.String(),
  allowed: Type.String(),
  about: Type.String(),
  env: Type.String(),
  flag: Type.String(),
  secret: Type.Boolean({ description: 'whether the value is masked' }),
});

const AppSetting = Type.Object({
  name: Type.String(),
  value: Type.Unknown(),
  default: Type.Unknown(),
  origin: Type.Union([Type.Literal('default'), Type.Literal('api')]),
  used: Type.Boolean({ description: 'whether rosterd uses it, or only repeats it' }),
});

export const SETTINGS_ROUTES: readonly Endpoint[] = inBothDialects('/settings', (dialect) => ({
  operation: 'ListSettings',
  method: 'GET',
  access: 'server',
  summary: 'The settings of the daemon and of the application: values, origins, and no secrets',
  isTagged: true,
  answer: Type.Object({ daemon: Type.Array(DaemonSetting), app: Type.Array(AppSetting) }),
  handle: ({ backend, services }) => {
    const daemon = services.settings.map(({ isSecret, ...setting }) => ({ ...setting, secret: isSecret }));
    return { body: { daemon, app: appSettings(backend.directory.app, dialect) }, headers: settingsTag(backend.directory) };
  },
}));

/** Another spelling of a setting that is listed. */
const SPELLINGS: ReadonlySet<string> = new Set(['enforce_unique_username', 'migrate_permissions_to_v2']);

function appSettings(app: AppSettings, dialect: Dialect): readonly Readonly<Record<string, unknown>>[] {
  const defaults = new Map<string, unknown>(Object.entries(APP_DEFAULTS));
  const set = new Set([...Object.keys(app), ...Object.keys(app.other ?? {})]);
  const shown = new Map(Object.entries(renderApp(app, dialect)));
  for (const name of Object.keys(NamedSettings.properties)) if (!shown.has(name)) shown.set(name, null);
  return [...shown]
    .filter(([name]) => !SPELLINGS.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      const initial = defaults.get(name) ?? null;
      // It is always there, also while nobody has set it.
      const isChanged = name === 'enforce_unique_usernames' ? value !== initial : set.has(name);
      return {
        name,
        value: masked(value, name),
        default: initial,
        origin: isChanged ? 'api' : 'default',
        used: Object.hasOwn(NamedSettings.properties, name),
      };
    });
}
