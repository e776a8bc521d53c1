/** How a node is doing, as nodes tell one another and the console shows it: its health, and samples of its last minutes. */
import Type, { type Static } from 'typebox';

const NumberOrNull = Type.Union([Type.Number(), Type.Null()]);
const Numbers = Type.Array(NumberOrNull);

/** Columns of equal length, oldest sample first. null: there was nothing to measure. */
export const NodeSamples = Type.Object({
  at: Type.Array(Type.Number(), { description: 'seconds since 1970' }),
  connections: Numbers,
  events_per_s: Numbers,
  delivery_p50_ms: Numbers,
  delivery_p99_ms: Numbers,
  append_p99_ms: Numbers,
  webhook_lag_s: Numbers,
  rss_bytes: Numbers,
  heap_bytes: Numbers,
  loop_p99_ms: Numbers,
  users: Numbers,
});
export type NodeSamples = Static<typeof NodeSamples>;

export const NodeState = Type.Object({
  version: Type.String(),
  node_version: Type.String(),
  uptime_s: Type.Number(),
  epoch: Type.String(),
  seq: Type.Integer({ description: 'the position that the node has applied' }),
  trouble: Type.Union([Type.String(), Type.Null()], { description: 'why /readyz is not well' }),
  write_trouble: Type.Union([Type.String(), Type.Null()], { description: 'why /readyz?need=write is not well' }),
  dead_letters: Type.Integer({ description: 'of the webhooks that the node delivers to' }),
  data_free_bytes: NumberOrNull,
  sample_s: Type.Number({ description: 'seconds between two samples' }),
  samples: NodeSamples,
});
export type NodeState = Static<typeof NodeState>;
