/** The overview: how each node is doing, now and in the last minutes. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { Heading } from '../parts/heading.tsx';
import { Callout, Its } from '../parts/its.tsx';
import { Select } from '../parts/select.tsx';
import { api, errorReason } from '../talk/api.ts';
import { rowsOf } from '../talk/api-call.ts';
import { type ShownNode, stateFacts, verdictOf } from './node-facts.ts';
import { Plot } from './plot.tsx';
import { currentOf, PLOTS, type PlotSpec } from './plot-list.ts';
import { askFrom, joinedSamples, minuteRows, type SampleColumns } from './sample-history.ts';

/** How often the nodes are asked, milliseconds. */
const LOOK_MS = 5_000;

interface Known {
  readonly nodes: readonly ShownNode[];
  /** By the name of the node. */
  readonly histories: ReadonlyMap<string, SampleColumns>;
  readonly error: string | undefined;
}

/** Asks the nodes again and again while the page is seen. */
function useNodes() {
  const known = useSignal<Known>({ nodes: [], histories: new Map(), error: undefined });
  useEffect(() => {
    const stop = new AbortController();
    let timer: number | undefined;
    const look = async (): Promise<void> => {
      const before = known.peek();
      try {
        if (!document.hidden || before.nodes.length === 0) known.value = await looked(before, stop.signal);
      } catch (thrown) {
        if (!stop.signal.aborted) known.value = { ...before, error: errorReason(thrown) };
      }
      if (!stop.signal.aborted) timer = setTimeout(() => void look(), LOOK_MS);
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, []);
  return known.value;
}

async function looked({ histories }: Known, signal: AbortSignal): Promise<Known> {
  const answer = await api({ method: 'GET', path: `/api/v2/nodes?after=${askFrom(histories.values())}` }, signal);
  const nodes = rowsOf<ShownNode>(answer, 'nodes');
  const next = new Map<string, SampleColumns>();
  for (const { name = '', state } of nodes) {
    const before = histories.get(name);
    const joined = state === undefined ? before : joinedSamples(before, state.samples);
    if (joined !== undefined) next.set(name, joined);
  }
  return { nodes, histories: next, error: undefined };
}

export function OverviewPage() {
  const { nodes, histories, error } = useNodes();
  const chosen = useSignal<string | undefined>(undefined);
  const node = nodes.find(({ name }) => name === chosen.value) ?? nodes[0];
  const samples = histories.get(node?.name ?? '');
  return (
    <>
      <Heading title="Overview">Overview</Heading>
      {error === undefined ? null : <Callout kind="error">{`${error}. What is shown is older.`}</Callout>}
      {nodes.length === 0 && error === undefined ? <p role="status">Looking…</p> : null}
      <ul class="nodes" aria-label="Nodes">
        {nodes.map((one) => (
          <NodeCard key={one.name} node={one} isAlone={nodes.length === 1} />
        ))}
      </ul>
      {nodes.length < 2 ? null : (
        <Select
          label="Plots of the node"
          isNarrow
          value={node?.name}
          choices={nodes.map(({ name = '' }) => [name, name])}
          onChange={(name) => {
            chosen.value = name;
          }}
        />
      )}
      {samples === undefined ? null : <Plots key={node?.name} samples={samples} />}
    </>
  );
}

function NodeCard({ node, isAlone }: { readonly node: ShownNode; readonly isAlone: boolean }) {
  const { health, word, reasons } = verdictOf(node);
  return (
    <li class={health}>
      <h2>
        {isAlone ? 'This daemon' : <Its text={node.name ?? 'this daemon'} />} <span class={`badge ${health}`}>{word}</span>{' '}
        {node.is_here && !isAlone ? <span class="badge">answers this page</span> : null}
      </h2>
      <div role="status">
        {reasons.map((reason) => (
          <p key={reason}>{reason}</p>
        ))}
      </div>
      {node.state === undefined ? null : (
        <dl>
          {stateFacts(node.state).map(([name, value]) => (
            <div class="pair" key={name}>
              <dt>{name}</dt>
              <dd>
                <Its text={value} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </li>
  );
}

function Plots({ samples }: { readonly samples: SampleColumns }) {
  if (samples.at.length === 0) return <p class="hint">The first numbers come within a few seconds.</p>;
  return (
    <>
      <h2 class="hidden">The last 15 minutes</h2>
      <ul class="plots" aria-label="The last 15 minutes">
        {PLOTS.map((spec) => (
          <PlotCard key={spec.title} spec={spec} samples={samples} />
        ))}
      </ul>
      <p class="hint">A sample every 5 seconds, the last 15 minutes, times in UTC.</p>
      <NumbersTable samples={samples} />
    </>
  );
}

function PlotCard({ spec, samples }: { readonly spec: PlotSpec; readonly samples: SampleColumns }) {
  return (
    <li>
      <h3>
        {spec.title} <span class="hint">{spec.hint}</span>
      </h3>
      <p class="now">
        {spec.lines.map(({ column, label }, at) => {
          const value = currentOf(samples, column);
          return (
            <span key={column} class={`line-${at + 1}`}>
              <strong>{value === undefined ? '–' : spec.write(value)}</strong> {label}
            </span>
          );
        })}
      </p>
      <Plot spec={spec} samples={samples} />
    </li>
  );
}

function NumbersTable({ samples }: { readonly samples: SampleColumns }) {
  const columns = PLOTS.flatMap(({ title, lines, write }) =>
    lines.map(({ column, label }) => ({ name: lines.length === 1 ? title : `${title}, ${label}`, column, write })),
  );
  const written = (column: string, row: number, write: (value: number) => string): string => {
    const value = samples[column]?.[row];
    return value === null || value === undefined ? '–' : write(value);
  };
  return (
    <details>
      <summary>The numbers as a table</summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable with the keyboard */}
      <section class="box wide-table" tabIndex={0} aria-label="One sample a minute, the newest first">
        <table>
          <thead>
            <tr>
              <th scope="col">UTC</th>
              {columns.map(({ name }) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {minuteRows(samples).map((row) => (
              <tr key={samples.at[row]}>
                <th scope="row">{new Date((samples.at[row] ?? 0) * 1_000).toISOString().slice(11, 19)}</th>
                {columns.map(({ name, column, write }) => (
                  <td key={name}>{written(column, row, write)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
