/** What a view loads: asked for anew when its question changes, and an answer that is too late is dropped. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { errorReason, type TaggedAnswer, taggedApi } from '../talk/api.ts';
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';

export interface Loaded {
  /** The last good answer; it stays while the next one is awaited. */
  readonly answer: JsonRecord | undefined;
  /** The revision of what it shows. */
  readonly tag: string | undefined;
  readonly error: string | undefined;
  /** The answer, if there is one, is not yet that to the question of now. */
  readonly isLoading: boolean;
  /** How many answers there were: what depends on this one can be asked for anew. */
  readonly count: number;
  /** Asks again. */
  readonly again: () => void;
}

export interface LoadOptions {
  /** It is asked for once the question stays the same for so long, milliseconds. */
  readonly delayMs?: number;
  /** The answer is asked for anew when this changes. */
  readonly version?: number;
}

interface Ended {
  /** The question that was answered. */
  readonly question: string;
  readonly found: TaggedAnswer | undefined;
  readonly error: string | undefined;
  readonly count: number;
}

export function useLoaded({ path }: ApiCall, { delayMs = 0, version = 0 }: LoadOptions = {}): Loaded {
  const ended = useSignal<Ended>({ question: '', found: undefined, error: undefined, count: 0 });
  const round = useSignal(0);
  const question = `${version} ${round.value} ${path}`;
  useEffect(() => {
    const stop = new AbortController();
    const end = (found: TaggedAnswer | undefined, error: string | undefined): void => {
      if (!stop.signal.aborted) ended.value = { question, found, error, count: ended.peek().count + 1 };
    };
    const timer = setTimeout(() => {
      taggedApi({ method: 'GET', path }, stop.signal).then(
        (found) => end(found, undefined),
        (thrown: unknown) => end(undefined, errorReason(thrown)),
      );
    }, delayMs);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [question]);
  const { found, error, count } = ended.value;
  const again = (): void => {
    round.value++;
  };
  return { answer: found?.answer, tag: found?.tag, error, count, isLoading: ended.value.question !== question, again };
}
