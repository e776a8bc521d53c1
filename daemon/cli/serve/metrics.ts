/**
 * The metrics of the daemon: their listener is there before anything else and goes last, so that a start and a stop can be watched.
 *
 * It keeps MX2 (daemon/RULES.md).
 */
import type { Logger } from 'pino';
import { errorText } from '../../../protocol/base/errors.ts';
import { hasCode } from '../../../store/disk-errors.ts';
import type { MetricSources } from '../../metrics/all-metrics.ts';
import { Exposition } from '../../metrics/exposition.ts';
import { MetricsListener } from '../../metrics/listener.ts';
import { address, type ListenAddress } from '../config/setting-kinds.ts';
import type { Config } from '../config/settings.ts';
import { METRICS_DEFAULT } from '../config/watching-settings.ts';
import { cannotListen } from './listen-error.ts';

export interface ServedMetrics {
  /** `http://127.0.0.1:8801/metrics`, with the actual port; undefined where there are none. */
  readonly url: string | undefined;
  /** Begins to answer scrapes from these. */
  show(sources: MetricSources): void;
  close(): Promise<void>;
}

const NONE: ServedMetrics = { url: undefined, show: () => {}, close: async () => {} };

/** Rejects when the address that the settings name cannot be listened on. Where they name none, the daemon then goes without. */
export async function listenForMetrics({ listen, metricsListen, metricsToken: token }: Config, logger: Logger): Promise<ServedMetrics> {
  if (metricsListen === 'off') return NONE;
  const listener = new MetricsListener({ token, logger });
  if (metricsListen !== undefined) await listener.listen(metricsListen).catch(cannotListen(metricsListen, '--metrics-listen'));
  else {
    const problem = await byDefault(listener, listen);
    if (problem !== undefined) {
      const place = address.toText(METRICS_DEFAULT);
      const text = `there are no metrics at ${place}: ${problem}; set metrics.listen to an address of this daemon's own, or to off`;
      logger.warn({}, text);
      return NONE;
    }
  }
  const { url } = listener;
  logger.info({ url }, 'metrics are served');
  return { url, show: (sources) => listener.show(new Exposition({ sources, logger })), close: () => listener.close() };
}

/** Why the default address cannot be listened on; undefined when it is. */
async function byDefault(listener: MetricsListener, listen: ListenAddress): Promise<string | undefined> {
  if (listen.port === METRICS_DEFAULT.port) return 'the API of this daemon has that port';
  try {
    await listener.listen(METRICS_DEFAULT);
    return undefined;
  } catch (error) {
    return hasCode(error, 'EADDRINUSE') ? 'another program has it, perhaps another rosterd' : errorText(error);
  }
}
