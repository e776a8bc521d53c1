/** The shell: who is signed in, and the view of the address. */
import { OneGroupPage } from './access/group-page.tsx';
import { GroupsPage } from './access/groups-page.tsx';
import { RolesPage } from './access/roles-page.tsx';
import { linkTo } from './address.ts';
import { BackupPage } from './backup/backup-page.tsx';
import { ConnectionsPage } from './connections/connections-page.tsx';
import { HookPage } from './hooks/hook-page.tsx';
import { HooksPage } from './hooks/hooks-page.tsx';
import { JobsPage } from './jobs/jobs-page.tsx';
import { LivePage } from './live/live-page.tsx';
import { OverviewPage } from './overview/overview-page.tsx';
import { Heading } from './parts/heading.tsx';
import { Callout } from './parts/its.tsx';
import { PlanPage } from './plans/plan-page.tsx';
import { PlansPage } from './plans/plans-page.tsx';
import { SettingsPage } from './settings/settings-page.tsx';
import { Navigation } from './shell/navigation.tsx';
import { SignInsPage } from './sign-ins-page.tsx';
import { signInState, signOut } from './talk/session.ts';
import { TokenPage } from './tokens/token-page.tsx';
import { ToolPage } from './tools/tool-page.tsx';
import { UserPage } from './user/user-page.tsx';
import { UsersPage } from './users/users-page.tsx';
import { view } from './view.ts';

export function App() {
  const session = signInState.value;
  if (session.kind === 'asking') return <p role="status">Signing in…</p>;
  if (session.kind === 'out') return <SignedOut why={session.why} />;
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        To the content
      </button>
      <header>
        <span class="brand">rosterd</span>
        <span class="who">
          <span class="badge">{session.role}</span>
          <button type="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </span>
      </header>
      <div class="shell">
        <Navigation />
        <main id="main" tabIndex={-1}>
          <CurrentView />
        </main>
      </div>
    </>
  );
}

function CurrentView() {
  const [room = 'overview', id, ...rest] = view.value.path;
  if (rest.length > 0) return <NoView />;
  if (room === 'users') return id === undefined ? <UsersPage /> : <UserPage key={id} id={id} />;
  if (room === 'overview' && id === undefined) return <OverviewPage />;
  if (room === 'connections' && id === undefined) return <ConnectionsPage />;
  if (room === 'roles' && id === undefined) return <RolesPage />;
  if (room === 'groups') return id === undefined ? <GroupsPage /> : <OneGroupPage key={id} id={id} />;
  if (room === 'settings' && id === undefined) return <SettingsPage />;
  if (room === 'live' && id === undefined) return <LivePage />;
  if (room === 'plans') return id === undefined ? <PlansPage /> : <PlanPage key={id} id={id} />;
  if (room === 'hooks') return id === undefined ? <HooksPage /> : <HookPage key={id} id={id} />;
  if (room === 'jobs' && id === undefined) return <JobsPage />;
  if (room === 'backup' && id === undefined) return <BackupPage />;
  if (room === 'tokens' && id === undefined) return <TokenPage />;
  if (room === 'tools') return <ToolPage tool={id} />;
  if (room === 'sign-ins' && id === undefined) return <SignInsPage />;
  return <NoView />;
}

function NoView() {
  return (
    <>
      <Heading title="Not found">There is no such view</Heading>
      <p>
        <a href={linkTo(['overview'])}>Go to the overview</a>
      </p>
    </>
  );
}

function SignedOut({ why }: { readonly why: string | undefined }) {
  return (
    <main id="main" class="signed-out">
      <Heading title="Sign in">Sign in to the console</Heading>
      {why === undefined ? null : <Callout kind="error">{why}</Callout>}
      <p>Run this command where the daemon is, and open the link that it prints. The link is good for 5 minutes and works once.</p>
      <pre>
        <code>npx rosterd console</code>
      </pre>
      <p>
        <code>--role read</code> lets one look at everything and change nothing.
      </p>
    </main>
  );
}
