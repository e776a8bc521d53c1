/** The address of the page: the view that its fragment names, and the address of the daemon. Nothing of the fragment reaches the server. Pure. */

/** A view: `#/users?role=admin`, `#/users/ann`, `#/live`. */
export interface View {
  /** The parts of the path, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

/** Reads a fragment with its `#`. A part that cannot be decoded stays as it is. */
export function viewOf(hash: string): View {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return {
    path: path
      .split('/')
      .filter((part) => part !== '')
      .map(decoded),
    query: new URLSearchParams(query),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** A fragment; parameters without a value are left out. */
export function linkTo(path: readonly string[], query: Readonly<Record<string, string>> = {}): string {
  const set = Object.entries(query).filter(([, value]) => value !== '');
  const text = new URLSearchParams(set).toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

/** The address of the daemon in that of the page: `https://example.com/roster` for `https://example.com/roster/console/#/users`. */
export function addressOf(href: string): string {
  return href.replace(/[?#].*$/s, '').replace(/\/console\/?[^/]*$/, '');
}

/** A file of the daemon, by the address at which the browser reaches it: the daemon may know itself by another name. `url`: as the daemon gave it. */
export function fileAt(address: string, url: string): string {
  const { pathname, search } = new URL(url);
  const at = /\/(exports|backup)\/.*$/.exec(pathname);
  return `${address}${at === null ? pathname : at[0]}${search}`;
}
