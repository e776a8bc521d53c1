/** One row of the table of settings, and its names in variables and flags. */
import type { Kind } from './setting-kinds.ts';

export interface Setting<T> {
  /** Name in the configuration file; a dot is one level of nesting. */
  readonly key: string;
  readonly doc: string;
  readonly kind: Kind<Exclude<T, undefined>>;
  readonly fallback: T;
  /** The default in the documentation, when the value alone would not say enough. */
  readonly fallbackText?: string;
  /** Never printed. */
  readonly secret?: true;
  /** A path: relative ones are resolved by the loader. */
  readonly isPath?: true;
}

/** Makes a row, with the type of its value. */
export function setting<T>(spec: Setting<T>): Setting<T> {
  return spec;
}

/** `connect.role` → `ROSTERD_CONNECT_ROLE`. */
export function envName(setting: Setting<unknown>): string {
  return `ROSTERD_${setting.key.replaceAll('.', '_').toUpperCase()}`;
}

/** `connect.role` → `connect-role`; on the command line with `--` before it. */
export function flagName(setting: Setting<unknown>): string {
  return setting.key.replaceAll(/[._]/g, '-');
}

/** The default in the form that the documentation shows. */
export function fallbackText(setting: Setting<unknown>): string {
  return setting.fallbackText ?? setting.kind.toText(setting.fallback);
}
