/** The settings by which an operator watches the daemon: its log and its metrics. A part of the table in settings.ts. */
import { setting } from './setting.ts';
import { choice } from './setting-kinds.ts';

export const WATCHING_SETTINGS = {
  logLevel: setting<'debug' | 'info' | 'warn' | 'error' | 'silent'>({
    key: 'log_level',
    doc: 'The least important kind of log line that is still written.',
    kind: choice(['debug', 'info', 'warn', 'error', 'silent']),
    fallback: 'info',
  }),
  logFormat: setting<'auto' | 'json' | 'text'>({
    key: 'log_format',
    doc: 'The form of log lines: `json`, `text` for people, or `auto`, which is text on a terminal and JSON elsewhere.',
    kind: choice(['auto', 'json', 'text']),
    fallback: 'auto',
  }),
} as const;
