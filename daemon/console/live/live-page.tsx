/** The live tail: what happens to users, as it happens. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { addressOf, linkTo } from '../address.ts';
import { Heading } from '../parts/heading.tsx';
import { Callout, Instant, Its, ScrolledText } from '../parts/its.tsx';
import { asTexts, Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { visibleJson } from '../parts/visible-json.ts';
import type { JsonRecord } from '../talk/api-call.ts';
import { checkSignIn, signInState } from '../talk/session.ts';
import { Tail } from '../talk/tail.ts';
import { filtered, KEPT_MAX, TailBuffer, type TailEvent } from './tail-buffer.ts';

/** Events that are drawn; the others can be searched for. */
const DRAWN_MAX = 100;

/** Follows the directory while the view is there. Events are taken over once for each frame that the browser draws. */
function useTail() {
  const buffer = useRef(new TailBuffer()).current;
  const version = useSignal(0);
  const state = useSignal({ text: 'Connecting…', isOpen: false });
  useEffect(() => {
    const session = signInState.peek();
    let arrived: JsonRecord[] = [];
    let frame: number | undefined;
    const draw = (): void => {
      frame = undefined;
      buffer.take(arrived);
      arrived = [];
      version.value++;
    };
    const tail = new Tail(addressOf(location.href), session.kind === 'in' ? session.apiKey : '', {
      event: (event) => {
        arrived.push(event);
        // A tab in the background draws nothing: it keeps no more than it would show.
        if (arrived.length >= KEPT_MAX) draw();
        frame ??= requestAnimationFrame(draw);
      },
      state: (text, isOpen) => {
        state.value = { text, isOpen };
      },
      cut: () => void checkSignIn(),
    });
    tail.open();
    return () => {
      tail.close();
      if (frame !== undefined) cancelAnimationFrame(frame);
    };
  }, []);
  return { buffer, version, state };
}

export function LivePage() {
  const { buffer, version, state } = useTail();
  const text = useSignal('');
  const type = useSignal('');
  // Read so that the view is drawn anew with each change of the buffer.
  void version.value;
  const found = filtered(buffer.events, text.value, type.value);
  const shown = found.slice(0, DRAWN_MAX);
  return (
    <>
      <Heading title="Live">Live</Heading>
      <p role="status">
        <span class={`dot ${state.value.isOpen ? 'open' : ''}`} aria-hidden="true" /> {state.value.text}
      </p>
      <TailControls
        buffer={buffer}
        text={text}
        type={type}
        onChange={() => {
          version.value++;
        }}
      />
      {buffer.isPaused ? (
        <Callout kind="hint">
          Paused: {buffer.waiting} waiting{buffer.lost === 0 ? '' : `, ${buffer.lost} older ones dropped`}.
        </Callout>
      ) : null}
      <p class="hint">
        {found.length} of the last {buffer.events.length} events
        {shown.length < found.length ? `; the newest ${shown.length} are shown` : ''}. At most {KEPT_MAX} are kept.
      </p>
      <ol class="tail" aria-label="Events, the newest first">
        {shown.map((event) => (
          <TailRow key={event.key} event={event} />
        ))}
      </ol>
    </>
  );
}

interface TailControlsProps {
  readonly buffer: TailBuffer;
  readonly text: Signal<string>;
  readonly type: Signal<string>;
  /** The buffer is another now. */
  readonly onChange: () => void;
}

function TailControls({ buffer, text, type, onChange }: TailControlsProps) {
  const types = [...new Set(buffer.events.map((event) => event.type))].sort();
  const act = (change: () => void): void => {
    change();
    onChange();
  };
  return (
    <search class="filters">
      <TextField
        label="Events that contain"
        isSearch
        value={text.value}
        onInput={(typed) => {
          text.value = typed;
        }}
      />
      <Select
        label="Type"
        value={type.value}
        choices={[['', 'any'], ...asTexts(types)]}
        onChange={(chosen) => {
          type.value = chosen;
        }}
      />
      <div class="buttons">
        <button type="button" onClick={() => act(() => (buffer.isPaused ? buffer.goOn() : buffer.pause()))}>
          {buffer.isPaused ? 'Go on' : 'Pause'}
        </button>
        <button type="button" onClick={() => act(() => buffer.clear())}>
          Clear
        </button>
      </div>
    </search>
  );
}

function TailRow({ event }: { readonly event: TailEvent }) {
  const { type, userId, seq, at, body } = event;
  const isOpen = useSignal(false);
  return (
    <li>
      <details
        onToggle={(toggled) => {
          isOpen.value = toggled.currentTarget.open;
        }}
      >
        <summary>
          <span class="badge">{type}</span> <Its text={userId} />{' '}
          <span class="hint">
            <Instant at={at} />
            {seq === undefined ? '' : ` #${seq}`}
          </span>
        </summary>
        {isOpen.value ? (
          <>
            <p>
              <a href={linkTo(['users', userId])}>Go to the user</a>
              {seq === undefined ? null : (
                <>
                  {' · '}
                  <a href={linkTo(['tools', 'why'], { event: String(seq) })}>Why was it sent, or not?</a>
                </>
              )}
            </p>
            <ScrolledText text={visibleJson(body)} label={`The event of ${userId}`} />
          </>
        ) : null}
      </details>
    </li>
  );
}
