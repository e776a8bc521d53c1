/** A token for the client of one user: made by the daemon, shown once. */
import { useSignal } from '@preact/signals';
import { addressOf, linkTo } from '../address.ts';
import { CommandLine } from '../parts/command-lines.tsx';
import { Confirm } from '../parts/confirm.tsx';
import { Heading } from '../parts/heading.tsx';
import { Callout, Instant, Its } from '../parts/its.tsx';
import { Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { mayOperate, signInState } from '../talk/session.ts';
import { view } from '../view.ts';
import { connectSnippet, LIFETIMES, type Lifetime, tokenCall, tokenCommand } from './snippet.ts';

interface MadeToken {
  readonly userId: string;
  readonly token: string;
  readonly expiresAt: number | undefined;
  readonly userState: string;
  /** As it was chosen. */
  readonly lifetime: string;
}

const STATES: Readonly<Record<string, string>> = {
  unknown: 'There is no user of this id yet: the client makes it when it connects.',
  deactivated: 'This user is deactivated: the token is refused until the user is reactivated.',
  deleted: 'This user is deleted: the token is refused.',
};

export function TokenPage() {
  const userId = useSignal(view.value.query.get('user') ?? '');
  const lifetime = useSignal<Lifetime>('86400');
  const isAsked = useSignal(false);
  const made = useSignal<MadeToken | undefined>(undefined);
  return (
    <>
      <Heading title="Tokens">A token for a user</Heading>
      <p>
        With it, the client of this one user connects and calls. It cannot be used as a server, and the API secret stays with the daemon.
      </p>
      {mayOperate() ? (
        <form
          class="token-form"
          onSubmit={(event) => {
            event.preventDefault();
            isAsked.value = true;
          }}
        >
          <TextField
            label="Id of the user"
            value={userId.value}
            onInput={(value) => {
              userId.value = value;
            }}
          />
          <Select
            label="Valid for"
            value={lifetime.value}
            choices={LIFETIMES}
            onChange={(value) => {
              lifetime.value = value;
            }}
          />
          <button type="submit" class="main" disabled={userId.value.trim() === ''}>
            Make a token…
          </button>
        </form>
      ) : (
        <p class="hint">You are signed in to look only: a sign-in with the role operate can make tokens.</p>
      )}
      {isAsked.value ? (
        <TokenDialog
          userId={userId.value.trim()}
          lifetime={lifetime.value}
          onClose={() => {
            isAsked.value = false;
          }}
          onMade={(token) => {
            isAsked.value = false;
            made.value = token;
          }}
        />
      ) : null}
      {made.value === undefined ? null : <MadeSection key={made.value.token} made={made.value} />}
    </>
  );
}

interface TokenDialogProps {
  readonly userId: string;
  readonly lifetime: string;
  readonly onClose: () => void;
  readonly onMade: (made: MadeToken) => void;
}

function TokenDialog({ userId, lifetime, onClose, onMade }: TokenDialogProps) {
  return (
    <Confirm
      title="Make a token?"
      label="Make the token"
      call={tokenCall(userId, lifetime)}
      onClose={onClose}
      onDone={({ token, expires_at, user_state }) => {
        const expiresAt = typeof expires_at === 'number' ? expires_at : undefined;
        onMade({ userId, token: String(token), expiresAt, userState: String(user_state), lifetime });
      }}
    >
      <p>
        Whoever has it can act as{' '}
        <strong>
          <Its text={userId} />
        </strong>
        . It is shown once. The log of the daemon says that this sign-in made it.
      </p>
      <p>
        {lifetime === 'never'
          ? 'It has no end. Revoking the tokens of the user ends it.'
          : 'Revoking the tokens of the user ends it earlier.'}
      </p>
    </Confirm>
  );
}

function MadeSection({ made }: { readonly made: MadeToken }) {
  const { userId, token, expiresAt, userState, lifetime } = made;
  const session = signInState.value;
  const apiKey = session.kind === 'in' ? session.apiKey : '';
  return (
    <section class="made" aria-labelledby="made">
      <h2 id="made">
        The token of <Its text={userId} />
      </h2>
      <Callout kind="good">Copy it now: it is not shown again.</Callout>
      {STATES[userState] === undefined ? null : <Callout kind="hint">{STATES[userState]}</Callout>}
      <p>
        {expiresAt === undefined ? (
          'It has no end.'
        ) : (
          <>
            It ends <Instant at={expiresAt} />.
          </>
        )}{' '}
        <a href={linkTo(['users', userId])}>Go to the user</a>
      </p>
      <CommandLine name="token" text={token} />
      <h3>A program that connects with it</h3>
      <CommandLine name="program" text={connectSnippet(addressOf(location.href), apiKey, userId, token)} />
      <h3>The same from a terminal of the daemon</h3>
      <CommandLine name="rosterd token" text={tokenCommand(userId, lifetime)} />
    </section>
  );
}
