/** The way through the pages of a list: each is asked for from where the one before ended. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** The places after which the pages before and the shown one begin; empty for the first page. It starts over when `key` changes. */
export function usePages<Place>(key: string): Signal<readonly Place[]> {
  const pages = useSignal<readonly Place[]>([]);
  useEffect(() => {
    pages.value = [];
  }, [key]);
  return pages;
}

export interface PagerProps<Place> {
  readonly label?: string;
  /** It is the end of the view, whose beginning is shown with the next page. */
  readonly scrolls?: boolean;
  readonly pages: Signal<readonly Place[]>;
  /** Where the next page begins; undefined when there is none, or it is not known yet. */
  readonly next: Place | undefined;
}

export function Pager<Place>({ label = 'Pages', scrolls = true, pages, next }: PagerProps<Place>) {
  return (
    <nav class="buttons" aria-label={label}>
      <button
        type="button"
        disabled={pages.value.length === 0}
        onClick={() => {
          pages.value = pages.value.slice(0, -1);
        }}
      >
        Previous page
      </button>
      <button
        type="button"
        disabled={next === undefined}
        onClick={() => {
          if (next !== undefined) pages.value = [...pages.value, next];
          if (scrolls) scrollTo(0, 0);
        }}
      >
        Next page
      </button>
    </nav>
  );
}
