/** A test event, to a webhook or to an address that is not saved. */
import { useSignal } from '@preact/signals';
import { CallButtons } from '../parts/call-buttons.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Callout, Its } from '../parts/its.tsx';
import { asTexts, Select } from '../parts/select.tsx';
import { TextField } from '../parts/text-field.tsx';
import { useWork } from '../parts/work.ts';
import { api } from '../talk/api.ts';
import { type ApiCall, isRecord, type JsonRecord } from '../talk/api-call.ts';
import { type HookSettings, shownAddress } from './hook-list.ts';

export interface TrialDialogProps {
  /** Undefined: an address is asked for. */
  readonly hook: HookSettings | undefined;
  readonly onClose: () => void;
}

export function TrialDialog({ hook, onClose }: TrialDialogProps) {
  const url = useSignal('');
  const dialect = useSignal('v2');
  const result = useSignal<JsonRecord | undefined>(undefined);
  const { error, isBusy, begin } = useWork();
  const body = hook === undefined ? { webhook_url: url.value.trim(), dialect: dialect.value } : { hook_id: hook.id };
  const call: ApiCall = { method: 'POST', path: '/api/v2/check_webhook', body };
  const send = (): void =>
    begin(async () => {
      result.value = undefined;
      result.value = await api(call);
    });
  return (
    <Dialog title="Send a test event" onClose={onClose}>
      <p>
        One signed request with an event of the type <code>webhook.test</code>, about no user. It is no delivery: it moves nothing, counts
        nothing, and is not tried again.
      </p>
      {hook === undefined ? (
        <>
          <TextField
            label="Address (http or https)"
            value={url.value}
            onInput={(value) => {
              url.value = value;
            }}
          />
          <Select
            label="Form of the event"
            value={dialect.value}
            choices={asTexts(['v2', 'v1'])}
            onChange={(value) => {
              dialect.value = value;
            }}
          />
        </>
      ) : (
        <p>
          To <Its text={shownAddress(hook.webhook_url ?? '')} />
        </p>
      )}
      <div role="status">{isBusy ? 'Waiting for the answer…' : null}</div>
      {result.value === undefined ? null : <TrialResult result={result.value} />}
      <CallButtons call={call} error={error} onCancel={onClose}>
        <button type="button" class="main" disabled={isBusy} onClick={send}>
          Send
        </button>
      </CallButtons>
    </Dialog>
  );
}

function TrialResult({ result }: { readonly result: JsonRecord }) {
  const { response_status, duration_ms } = isRecord(result.data) ? result.data : {};
  const took = `after ${String(duration_ms)} ms`;
  if (result.status === 'ok') return <Callout kind="good">{`The receiver took it: status ${String(response_status)} ${took}.`}</Callout>;
  return (
    <Callout kind="error">
      It failed {took}: <Its text={String(result.error)} />.
    </Callout>
  );
}
