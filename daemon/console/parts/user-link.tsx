/** The way to a user, by its id or another text that names it. */
import { linkTo } from '../address.ts';
import { Its } from './its.tsx';

export function UserLink({ id, text = id }: { readonly id: string; readonly text?: string }) {
  return (
    <a href={linkTo(['users', id])}>
      <Its text={text} />
    </a>
  );
}
