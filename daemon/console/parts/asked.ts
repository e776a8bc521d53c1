/** A question that is asked when somebody says so. */
import { useSignal } from '@preact/signals';
import { api } from '../talk/api.ts';
import type { ApiCall, JsonRecord } from '../talk/api-call.ts';
import { type BegunWork, useWork } from './work.ts';

export interface AskedCall extends Pick<BegunWork, 'error' | 'isBusy'> {
  /** The call that was answered, with its answer. */
  readonly answered: { readonly call: ApiCall; readonly answer: JsonRecord } | undefined;
  /** Makes the call, or says why there is none. */
  readonly ask: (make: () => ApiCall) => void;
}

export function useAsked(): AskedCall {
  const answered = useSignal<AskedCall['answered']>(undefined);
  const { error, isBusy, begin } = useWork();
  const ask = (make: () => ApiCall): void =>
    begin(async () => {
      try {
        const call = make();
        answered.value = { call, answer: await api(call) };
      } catch (thrown) {
        answered.value = undefined;
        throw thrown;
      }
    });
  return { answered: answered.value, error, isBusy, ask };
}
