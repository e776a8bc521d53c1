/** The drawing of plots: a file of its own, `plot.js`, which is loaded when the first plot is shown. */
import uPlot from 'uplot';
import { SHOWN_S } from './sample-history.ts';

export interface PlotStyle {
  /** One for each line. */
  readonly colours: readonly string[];
  readonly faint: string;
  readonly grid: string;
  readonly font: string;
  /** Its values are whole numbers. */
  readonly isWhole: boolean;
  write(value: number): string;
}

/** Times in seconds since 1970, then the values of each line. */
export type PlotData = [readonly number[], ...(readonly (number | null)[])[]];

export interface DrawnPlot {
  show(data: PlotData): void;
  resize(width: number): void;
  remove(): void;
}

const HEIGHT = 120;
/** Steps of an axis for whole numbers. */
const WHOLE_STEPS = [1, 2, 5].flatMap((step) => Array.from({ length: 9 }, (_, power) => step * 10 ** power)).sort((a, b) => a - b);

/** Draws into an element. Nothing in it moves by itself. */
export function drawPlot(place: HTMLElement, style: PlotStyle, data: PlotData): DrawnPlot {
  const { faint, font } = style;
  const grid = { stroke: style.grid, width: 1 };
  const plot = new uPlot(
    {
      ...{ width: Math.max(1, place.clientWidth), height: HEIGHT, padding: [8, 8, 0, 0] as [number, number, number, number] },
      legend: { show: false },
      cursor: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
      scales: {
        x: { range: (_, _min, max) => [(max ?? 0) - SHOWN_S, max ?? 0] },
        y: { range: (_, _min, max) => [0, max === null || max === undefined || max <= 0 ? 1 : max * 1.1] },
      },
      axes: [
        { stroke: faint, font, grid: { show: false }, ticks: { show: false }, size: 22, space: 48, values: (_, times) => times.map(clock) },
        {
          stroke: faint,
          font,
          grid,
          ticks: { show: false },
          size: 64,
          space: 34,
          values: (_, values) => values.map(style.write),
          ...(style.isWhole ? { incrs: WHOLE_STEPS } : undefined),
        },
      ],
      series: [
        {},
        ...style.colours.map((stroke, at) => ({
          stroke,
          width: 2,
          ...(at === 0 ? undefined : { dash: [4, 3] }),
          points: { show: true, size: 4, width: 0, fill: stroke, filter: lonely },
        })),
      ],
    },
    dataOf(data),
    place,
  );
  return {
    show: (next) => plot.setData(dataOf(next)),
    resize: (width) => plot.setSize({ width: Math.max(1, width), height: HEIGHT }),
    remove: () => plot.destroy(),
  };
}

/** A value between two that are missing has no line, and must be seen all the same. */
function lonely(plot: uPlot, line: number): number[] {
  const values = plot.data[line] ?? [];
  const isMissing = (at: number): boolean => values[at] === null || values[at] === undefined;
  return [...values.keys()].filter((at) => !isMissing(at) && isMissing(at - 1) && isMissing(at + 1));
}

/** Hours and minutes of UTC, like every other time in the console. */
function clock(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(11, 16);
}

/** uPlot takes the arrays over, which are not to be changed. */
function dataOf([times, ...lines]: PlotData): uPlot.AlignedData {
  return [[...times], ...lines.map((line) => [...line])];
}
