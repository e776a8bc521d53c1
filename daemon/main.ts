/**
 * The process: hands the command line to the program and ends with its exit
 * code. The one place that knows which log the daemon runs on. Nothing imports this file but the command, rosterd.js.
 */
import { hostname } from 'node:os';
import { openDataDirectory } from '../store/data-dir.ts';
import { runCli } from './cli/commands.ts';
import type { Config } from './cli/config/settings.ts';
import { sharedSettings } from './cli/config/shared-settings.ts';
import { processIo } from './cli/io.ts';
import type { OpenStore } from './cli/serve/daemon.ts';
import { packageVersion } from './cli/version.ts';

const openStore: OpenStore = async (config, onEvent, { apiKey, apiSecret }, onStored) => {
  const limits = { retention: retentionOf(config), heldBytes: config.webhooksOutboxBytesMax, onStored };
  if (config.log === undefined) return await openDataDirectory(config.data, { journal: limits, onEvent });
  const { openPostgresStore } = await import('../store/postgres/store.ts');
  return await openPostgresStore({
    ...{ url: config.log, app: apiKey, secret: apiSecret, requiresSync: config.logRequireSync },
    ...{ node: config.nodeName ?? `${hostname()}-${config.listen.port}`, version: packageVersion() },
    settings: sharedSettings(config, apiSecret),
    ...limits,
    onEvent,
  });
};

function retentionOf({ retentionBytes, retentionAgeMs, retentionChanges }: Config) {
  const bounded = (value: number) => (value === 0 ? Number.POSITIVE_INFINITY : value);
  return { bytes: bounded(retentionBytes), ageMs: bounded(retentionAgeMs), facts: bounded(retentionChanges) };
}

/** A function, as a single executable is one CommonJS file, where nothing can be awaited outside of one. */
async function main(): Promise<void> {
  const io = processIo();
  const code = await runCli(process.argv.slice(2), io, {
    // Two thirds of the program, which the other commands need not load.
    serve: async (settings, credentials) => {
      const { serve } = await import('./cli/serve/serve.ts');
      return await serve(settings, credentials, openStore, io);
    },
  });
  // Signals are handled to the very last, which they would not be if the process came to its end by itself: Node takes its handlers
  // away first (interrupts.ts tells of echoes). Nor does a timer that a library left behind keep it.
  process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
}

void main();
