/** A number that grows while a view is there and its tab is seen: what depends on it is asked for anew. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** `everyMs`: undefined to stand still. */
export function useTicks(everyMs: number | undefined): number {
  const ticks = useSignal(0);
  useEffect(() => {
    if (everyMs === undefined) return undefined;
    const timer = setInterval(() => {
      if (!document.hidden) ticks.value++;
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return ticks.value;
}
