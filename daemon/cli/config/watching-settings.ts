/** The settings by which an operator watches the daemon: its log and its metrics. A part of the table in settings.ts. */
import { setting } from './setting.ts';
import { addressOrOff, choice, type ListenAddress, pattern } from './setting-kinds.ts';

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
  metricsListen: setting<ListenAddress | 'off' | undefined>({
    key: 'metrics.listen',
    doc: 'Address and port of the metrics (`GET /metrics`), or `off`. When the default one is taken, the daemon starts without metrics and says so; any other one must be free. An address beyond loopback needs `metrics.token`.',
    kind: addressOrOff,
    fallback: undefined,
    fallbackText: '127.0.0.1:8801, where it is free',
  }),
  metricsToken: setting<string | undefined>({
    key: 'metrics.token',
    doc: 'Bearer token that a scrape must have. Other users of the machine can read flags: prefer the variable or the file.',
    kind: pattern('32 to 512 printable ASCII characters without spaces', '<token>', /^[\x21-\x7e]{32,512}$/),
    fallback: undefined,
    fallbackText: 'none',
    secret: true,
  }),
} as const;

/** Where the metrics are when no address is named. */
export const METRICS_DEFAULT: ListenAddress = { host: '127.0.0.1', port: 8801 };
