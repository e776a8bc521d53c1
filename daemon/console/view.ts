/** The view that the page shows: it follows the address bar. */
import { signal } from '@preact/signals';
import { linkTo, type View, viewOf } from './address.ts';

export const view = signal<View>({ path: [], query: new URLSearchParams() });

/** Follows the address bar from now on. */
export function followView(): void {
  const read = (): void => {
    // A link that is opened in a tab where the page is already: it is read from the start.
    if (location.hash.startsWith('#code=')) location.reload();
    view.value = viewOf(location.hash);
  };
  window.addEventListener('hashchange', read);
  read();
}

/** Another query of the same view, without an entry in the history of the browser: for what is typed. */
export function replaceQuery(query: Readonly<Record<string, string>>): void {
  history.replaceState(null, '', linkTo(view.value.path, query));
  view.value = viewOf(location.hash);
}
