/** A plot, drawn once the code for it has come; it has the same in words for those who do not see it. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { DrawnPlot, PlotData } from './plot-file.ts';
import { type PlotSpec, plotText } from './plot-list.ts';
import type { SampleColumns } from './sample-history.ts';

export function Plot({ spec, samples }: { readonly spec: PlotSpec; readonly samples: SampleColumns }) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<DrawnPlot | undefined>(undefined);
  const failed = useSignal(false);
  const data: PlotData = [samples.at, ...spec.lines.map(({ column }) => samples[column] ?? [])];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    let isThere = true;
    const draw = async (): Promise<void> => {
      const { drawPlot } = await import('./plot-file.ts');
      if (!isThere || place.current === null) return;
      drawn.current?.remove();
      drawn.current = drawPlot(
        place.current,
        { ...colours(spec.lines.length), isWhole: spec.isWhole === true, write: spec.write },
        latest.current,
      );
    };
    const redraw = (): void => {
      draw().catch(() => {
        failed.value = true;
      });
    };
    redraw();
    dark.addEventListener('change', redraw);
    const sized = new ResizeObserver(() => drawn.current?.resize(place.current?.clientWidth ?? 0));
    if (place.current !== null) sized.observe(place.current);
    return () => {
      isThere = false;
      dark.removeEventListener('change', redraw);
      sized.disconnect();
      drawn.current?.remove();
    };
  }, []);
  useEffect(() => drawn.current?.show(data), [samples]);
  return (
    <>
      <div ref={place} class="plot" role="img" aria-label={plotText(spec, samples)} />
      {failed.value ? <p class="hint">The plot could not be loaded; the table below has its numbers.</p> : null}
    </>
  );
}

/** As the style says at the moment. */
function colours(lines: number) {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  return {
    colours: ['--plot-1', '--plot-2'].slice(0, lines).map(of),
    faint: of('--faint'),
    grid: of('--line'),
    font: '12px system-ui, sans-serif',
  };
}
