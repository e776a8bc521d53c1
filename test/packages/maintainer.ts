/** PK12: who answers for the Debian package. */
import { packageText } from '../../daemon/cli/version.ts';
import { output } from './kit.ts';

/** What setups leave behind where nobody has said who he is: such an address reaches nobody, or somebody else. */
const MADE_UP = /(^|\.)(localhost|localdomain|local|invalid|test|example\.(com|net|org))$/i;

interface Sources {
  /** `author` of package.json, in either of its forms. */
  readonly author: unknown;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `Name <address>` of the last commit; empty without a history. */
  readonly committer: string;
}

/**
 * `Name <address>`: the author in package.json, or else the variables of Debian's own tools, or else the author of the last commit. Throws
 * where none is there, or when the one that is there is no address on a domain of somebody.
 */
export function maintainerFrom({ author, env, committer }: Sources): string {
  const { DEBFULLNAME: name = '', DEBEMAIL: email = '' } = env;
  const found = authorText(author) || (email === '' ? '' : `${name} <${email}>`) || committer;
  const advice = 'set DEBFULLNAME and DEBEMAIL, or "author": "Name <address>" in package.json';
  if (found === '') throw new Error(`nobody is named who answers for the package: ${advice}`);
  const [, domain = ''] = /^[^<>\n]*\S <[^\s<>@]+@([\w-]+(?:\.[\w-]+)+)>$/.exec(found) ?? [];
  if (domain === '' || MADE_UP.test(domain)) throw new Error(`"${found}" cannot answer for the package: ${advice}`);
  return found;
}

function authorText(author: unknown): string {
  if (typeof author === 'string') return author.replace(/ \(.*\)$/, '');
  if (typeof author !== 'object' || author === null || !('name' in author) || !('email' in author)) return '';
  return `${author.name} <${author.email}>`;
}

export async function maintainer(): Promise<string> {
  const { author }: { author?: unknown } = JSON.parse(packageText('package.json'));
  const committer = await output('git', ['log', '-1', '--format=%an <%ae>']).catch(() => '');
  return maintainerFrom({ author, env: process.env, committer: committer.trim() });
}
