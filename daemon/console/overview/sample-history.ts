/** The samples of nodes as the page keeps them: those that come are put behind those that are there. Pure. */

/** As `/nodes` gives them: columns of equal length. */
export type SampleColumns = Readonly<Record<string, readonly (number | null)[]>> & { readonly at: readonly number[] };

/** What is shown, seconds. */
export const SHOWN_S = 15 * 60;

/** The samples of one node with later ones behind them, without those that are too old. Samples that are there already are dropped. */
export function joinedSamples(before: SampleColumns | undefined, later: SampleColumns): SampleColumns {
  if (before === undefined) return later;
  const last = before.at.at(-1) ?? 0;
  const fresh = later.at.findIndex((at) => at > last);
  const end = later.at.at(-1) ?? last;
  const first = before.at.findIndex((at) => at > Math.max(last, end) - SHOWN_S);
  const join = <T>(old: readonly T[], more: readonly T[]): readonly T[] => [
    ...(first === -1 ? [] : old.slice(first)),
    ...(fresh === -1 ? [] : more.slice(fresh)),
  ];
  const columns = Object.keys(later).map((name) => [name, join(before[name] ?? [], later[name] ?? [])]);
  return { ...Object.fromEntries(columns), at: join(before.at, later.at) };
}

/** The time from which samples are asked for: what the node that is furthest behind has. Whole seconds; 0: all. */
export function askFrom(histories: Iterable<SampleColumns>): number {
  const ends = [...histories].map(({ at }) => at.at(-1) ?? 0);
  return ends.length === 0 ? 0 : Math.floor(Math.min(...ends));
}

/** The rows of the table beside the plots: one sample a minute, the newest first. */
export function minuteRows({ at }: SampleColumns): readonly number[] {
  const rows: number[] = [];
  for (let row = at.length - 1; row >= 0; row--) {
    const shown = rows.at(-1);
    if (shown === undefined || (at[shown] ?? 0) - (at[row] ?? 0) >= 60) rows.push(row);
  }
  return rows;
}
