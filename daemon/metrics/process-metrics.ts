/**
 * The metrics of the process that prom-client knows: processor, memory, heap, garbage collection, delay of the event loop. There is one set
 * in a process, since what measures them is never taken away.
 */
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** They list every socket, which takes the longer the more connections there are; the first three have names that belong to counters. */
const LEFT_OUT = [
  ...['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'],
  ...['nodejs_active_handles', 'nodejs_active_requests', 'nodejs_active_resources', 'process_open_fds'],
];
const GC = 'nodejs_gc_duration_seconds';
const GC_KINDS = ['major', 'minor', 'incremental', 'weakcb'];

let known: Registry | undefined;

/** Begins to measure when it is first called. */
export function processMetrics(): Registry {
  known ??= begun();
  return known;
}

function begun(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of LEFT_OUT) registry.removeSingleMetric(name);
  const pauses = registry.getSingleMetric(GC);
  if (pauses instanceof Histogram) for (const kind of GC_KINDS) pauses.zero({ kind });
  return registry;
}
