/** A question that is asked when somebody says so. */
import { useSignal } from '@preact/signals';
import { api, errorReason } from '../talk/api.ts';
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';

export interface AskedCall {
  /** The call that was answered, with its answer. */
  readonly answered: { readonly call: ApiCall; readonly answer: JsonRecord } | undefined;
  /** Empty while nothing has failed. */
  readonly error: string;
  readonly isBusy: boolean;
  /** Makes the call, or says why there is none. */
  readonly ask: (make: () => ApiCall) => void;
}

export function useAsked(): AskedCall {
  const answered = useSignal<AskedCall['answered']>(undefined);
  const error = useSignal('');
  const isBusy = useSignal(false);
  const work = async (make: () => ApiCall): Promise<void> => {
    isBusy.value = true;
    error.value = '';
    try {
      const call = make();
      answered.value = { call, answer: await api(call) };
    } catch (thrown) {
      answered.value = undefined;
      error.value = errorReason(thrown);
    }
    isBusy.value = false;
  };
  return { answered: answered.value, error: error.value, isBusy: isBusy.value, ask: (make) => void work(make) };
}
