/** Where one can go: the views of the console, by what one comes for. */
import { linkTo } from '../address.ts';
import { view } from '../view.ts';

const GROUPS: readonly (readonly [heading: string, views: readonly (readonly [path: string, text: string])[]])[] = [
  [
    'Watch',
    [
      ['overview', 'Overview'],
      ['live', 'Live'],
      ['connections', 'Connections'],
      ['tools', 'Tools'],
    ],
  ],
  [
    'Directory',
    [
      ['users', 'Users'],
      ['groups', 'Groups'],
      ['roles', 'Roles'],
      ['plans', 'Plans'],
    ],
  ],
  [
    'Work',
    [
      ['jobs', 'Jobs'],
      ['hooks', 'Webhooks'],
      ['backup', 'Backup'],
    ],
  ],
  [
    'Set up',
    [
      ['settings', 'Settings'],
      ['tokens', 'Tokens'],
      ['sign-ins', 'Sign-ins'],
    ],
  ],
];

/** The headings are names of lists and no headings of the page, which begin with that of the view. */
export function Navigation() {
  const here = view.value.path[0] ?? 'overview';
  return (
    <nav aria-label="Console">
      {GROUPS.map(([heading, views]) => (
        <div key={heading}>
          <span id={`go-${views[0]?.[0]}`}>{heading}</span>
          <ul aria-labelledby={`go-${views[0]?.[0]}`}>
            {views.map(([path, text]) => (
              <li key={path}>
                <a href={linkTo([path])} aria-current={path === here ? 'page' : undefined}>
                  {text}
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </nav>
  );
}
