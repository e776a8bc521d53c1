/** Counts the events about tasks and imports, so that a list is asked for anew when one comes. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { addressOf } from '../address.ts';
import { checkSignIn, signInState } from '../talk/session.ts';
import { Tail } from '../talk/tail.ts';

/** Events come in bursts while a job runs: the list is asked for at most this often. */
const AT_MOST_EVERY_MS = 500;

export function useJobEvents(): number {
  const count = useSignal(0);
  useEffect(() => {
    const session = signInState.peek();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tail = new Tail(addressOf(location.href), session.kind === 'in' ? session.apiKey : '', {
      event: ({ type }) => {
        if (!/^(import|export)\./.test(String(type))) return;
        timer ??= setTimeout(() => {
          timer = undefined;
          count.value++;
        }, AT_MOST_EVERY_MS);
      },
      state: () => {},
      cut: () => void checkSignIn(),
    });
    tail.open();
    return () => {
      tail.close();
      clearTimeout(timer);
    };
  }, []);
  return count.value;
}
