/** Work that a button begins: whether it goes on, and why it failed. */
import { useSignal } from '@preact/signals';
import { errorReason } from '../talk/api.ts';

export interface BegunWork {
  /** Empty while nothing has failed. */
  readonly error: string;
  readonly isBusy: boolean;
  readonly begin: (act: () => Promise<void>) => void;
}

/** `explain`: what a failure is called. */
export function useWork(explain: (thrown: unknown) => string = errorReason): BegunWork {
  const error = useSignal('');
  const isBusy = useSignal(false);
  const work = async (act: () => Promise<void>): Promise<void> => {
    isBusy.value = true;
    error.value = '';
    try {
      await act();
    } catch (thrown) {
      error.value = explain(thrown);
    }
    isBusy.value = false;
  };
  return { error: error.value, isBusy: isBusy.value, begin: (act) => void work(act) };
}
