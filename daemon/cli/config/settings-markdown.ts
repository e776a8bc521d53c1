/** The table of settings in daemon/README.md. */
import { envName, fallbackText, flagName } from './setting.ts';
import { ALL_SETTINGS } from './settings.ts';

export function renderSettingsMarkdown(): string {
  const rows = ALL_SETTINGS.map(([, setting]) => {
    const fallback = setting.fallbackText ?? `\`${fallbackText(setting)}\``;
    const cells = [
      `\`${setting.key}\``,
      `\`${envName(setting)}\``,
      `\`--${flagName(setting)}\``,
      fallback,
      setting.kind.allowed,
      setting.doc,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| File | Environment | Flag of `serve` | Default | Allowed | What it does |', '|---|---|---|---|---|---|', ...rows, ''].join(
    '\n',
  );
}
