/** A backup to download, and how one is checked and restored. */
import { useSignal } from '@preact/signals';
import { addressOf, fileAt } from '../address.ts';
import { size } from '../parts/amounts.ts';
import { CommandLine } from '../parts/command-lines.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, Instant } from '../parts/its.tsx';
import { useLoaded } from '../parts/loaded.ts';
import { useTicks } from '../parts/ticks.ts';
import { isRecord } from '../talk/api-call.ts';
import { mayOperate } from '../talk/session.ts';

const LOOK_MS = 2_000;
const FILE = 'rosterd-backup.ndjson.gz';

export function BackupPage() {
  const ticks = useTicks(LOOK_MS);
  const { answer, error } = useLoaded({ method: 'GET', path: '/api/v2/backups' }, { version: ticks });
  const isAsked = useSignal(false);
  const said = useSignal('');
  const last = isRecord(answer?.last) ? answer.last : undefined;
  const running = Number(answer?.running ?? 0);
  return (
    <>
      <Heading title="Backup">Backup</Heading>
      <p>The whole directory at one moment, in one file, while the daemon serves.</p>
      {error === undefined ? null : <Callout kind="error">{error}</Callout>}
      {said.value === '' ? null : <Callout kind="good">{said.value}</Callout>}
      <p role="status">
        {running === 0 ? '' : `${running === 1 ? 'One backup is' : `${running} backups are`} being read now. `}
        {last === undefined ? (
          'No backup was read to its end since the daemon started.'
        ) : (
          <>
            The last one ended <Instant at={Number(last.ended_at)} />: {size(Number(last.bytes))}.
          </>
        )}
      </p>
      {mayOperate() ? (
        <button
          type="button"
          class="main"
          onClick={() => {
            isAsked.value = true;
          }}
        >
          Take a backup now…
        </button>
      ) : (
        <p class="hint">You are signed in to look only: a sign-in with the role operate can take a backup.</p>
      )}
      {isAsked.value ? (
        <Confirm
          title="Take a backup now?"
          label="Download"
          call={{ method: 'POST', path: '/api/v2/backup_url', body: { gzip: true } }}
          onClose={() => {
            isAsked.value = false;
          }}
          onDone={({ url }) => {
            isAsked.value = false;
            download(String(url));
            said.value = 'The download has begun; the browser shows how far it is. Check the file with the command below.';
          }}
        >
          <p>The browser writes the file as it comes. It holds every user with all data: keep it where nobody else can read it.</p>
          <p class="hint">The commands give a URL that is good for a minute. From a terminal, the command below is simpler.</p>
        </Confirm>
      ) : null}
      <Commands />
    </>
  );
}

/** A link, so that the browser streams it to the disk by itself. */
function download(url: string): void {
  const link = document.createElement('a');
  link.href = fileAt(addressOf(location.href), url);
  link.download = FILE;
  link.click();
}

function Commands() {
  const address = addressOf(location.href);
  return (
    <>
      <section aria-labelledby="take">
        <h2 id="take">Take one from a terminal</h2>
        <CommandLine name="backup" text={`npx rosterd backup ${FILE} --url ${address}`} />
      </section>
      <section aria-labelledby="verify">
        <h2 id="verify">Check it</h2>
        <p>It says what the file holds, and finds a file that was cut or changed.</p>
        <CommandLine name="verify" text={`npx rosterd verify ${FILE}`} />
      </section>
      <section aria-labelledby="restore">
        <h2 id="restore">Restore it</h2>
        <p>Into an empty data directory, with no daemon running on it. A new history begins, so every subscriber starts over.</p>
        <CommandLine name="restore" text={`npx rosterd restore ${FILE} --data ./restored`} />
        <CommandLine name="serve" text="npx rosterd serve --data ./restored" />
      </section>
    </>
  );
}
