/** A daemon for one program: empty, on a free port, and gone with its data directory when it is stopped. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { loadConfig } from '../../daemon/cli/config/config.ts';
import { SETTINGS } from '../../daemon/cli/config/settings.ts';
import { startDaemon } from '../../daemon/cli/serve/daemon.ts';
import { openDataDirectory } from '../../store/data-dir.ts';
import { API_KEY, API_SECRET } from '../support/world.ts';

export interface ClientDirectory {
  /** What a program needs in order to find the daemon. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function startDirectory(settings: Readonly<Record<string, string>> = {}): Promise<ClientDirectory> {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-clients-'));
  const remove = (): Promise<void> => rm(data, { recursive: true, force: true });
  try {
    const flags = { listen: '127.0.0.1:0', data, 'drain-ms': '0', 'log-level': 'error', ...compatStubs(), ...settings };
    const { config, origins } = loadConfig({ flags, env: {}, cwd: data });
    const daemon = await startDaemon({
      config,
      origins,
      credentials: { apiKey: API_KEY, apiSecret: API_SECRET, origin: 'configured' },
      openStore: (_, onEvent) => openDataDirectory(data, { onEvent }),
      // An error in the daemon's log means that someone should look, so it belongs into the output of the run.
      logger: pino({ level: config.logLevel }, pino.destination(2)),
      onFatal: () => console.error('the daemon says that it cannot go on'),
    });
    return {
      env: { ROSTERD_URL: daemon.url, ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET },
      stop: async () => {
        await daemon.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The stubs without which some clients cannot start; only given to a daemon that knows the setting, since it refuses others. */
function compatStubs(): Record<string, string> {
  return Object.values(SETTINGS).some(({ key }: { readonly key: string }) => key === 'compat.stubs') ? { 'compat-stubs': 'true' } : {};
}
