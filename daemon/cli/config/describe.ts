/** The settings for people: with their values, where these came from, and no secret. */
import { MASK, withoutUserInfo } from '../../base/masked.ts';
import type { EffectiveSetting } from '../../edge/http/services.ts';
import { type LoadedSettings, originText, type ReadSettings } from './config.ts';
import { envName, fallbackText, flagName, type Setting } from './setting.ts';
import { ALL_SETTINGS } from './settings.ts';

/** The output of `config print`: one setting per line with value and origin. Secrets are masked. */
export function describeConfig({
  config,
  origins,
  faults,
}: Omit<ReadSettings, 'problems'>): { readonly key: string; readonly value: string; readonly origin: string }[] {
  return ALL_SETTINGS.map(([field, setting]) => {
    const fault = faults.get(field);
    const value = fault === undefined ? shownValue(setting, config[field], origins[field].from === 'default') : `(${fault})`;
    return { key: setting.key, value, origin: originText(origins[field]) };
  });
}

/** The settings of a daemon that runs, as an operator sees them. */
export function effectiveSettings({ config, origins }: LoadedSettings): readonly EffectiveSetting[] {
  return ALL_SETTINGS.map(([field, setting]) => {
    const origin = origins[field];
    return {
      key: setting.key,
      value: shownValue(setting, config[field], origin.from === 'default'),
      origin: origin.from,
      from: originText(origin),
      default: fallbackText(setting),
      allowed: setting.kind.allowed,
      about: setting.doc,
      env: envName(setting),
      flag: `--${flagName(setting)}`,
      isSecret: setting.secret === true,
    };
  });
}

function shownValue(setting: Setting<unknown>, value: unknown, isDefault: boolean): string {
  if (value === undefined || (isDefault && setting.fallbackText)) return `(${setting.fallbackText})`;
  // A URL of another setting may hold a password, too.
  return setting.secret ? MASK : withoutUserInfo(setting.kind.toText(value));
}
