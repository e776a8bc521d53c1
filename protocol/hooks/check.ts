/** Requests for one test of a webhook, and what comes of it. Pure; throws RosterError `input`. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { HookBody } from '../app/settings-body.ts';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { bodyObject, checked, type Dialect, presentFields } from '../base/reading.ts';

/** `hook_id`: of a webhook in the settings. Or `webhook_url`, of one that is not saved yet. */
export const CheckWebhookBody = Type.Object({
  hook_id: Type.Optional(Type.String({ maxLength: 255 })),
  webhook_url: HookBody.properties.webhook_url,
  dialect: HookBody.properties.dialect,
  timeout_ms: HookBody.properties.timeout_ms,
});
export type CheckWebhookBody = Static<typeof CheckWebhookBody>;
const bodyCheck = Compile(CheckWebhookBody);

/** In the form of the published checks of queues. */
export const CheckWebhookAnswer = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('error')]),
  error: Type.Optional(Type.String()),
  data: Type.Object({
    response_status: Type.Optional(Type.Integer({ description: 'HTTP status of the receiver' })),
    duration_ms: Type.Integer(),
  }),
});

/** What one test request goes to. */
export type HookTrial =
  | { readonly hookId: string }
  /** `timeoutMs`: undefined for the default. */
  | { readonly url: string; readonly dialect: Dialect; readonly timeoutMs: number | undefined };

/** `error`: undefined when the receiver took it. */
export interface HookTrialResult {
  readonly status: number | undefined;
  readonly durationMs: number;
  readonly error: string | undefined;
}

/** `mayReach`: whether the host of a URL may be delivered to; names are checked when they are connected to. */
export function decodeCheckWebhook(body: unknown, dialect: Dialect, mayReach: (hostname: string) => boolean): HookTrial {
  const { hook_id, webhook_url, dialect: form = dialect, timeout_ms } = checked(bodyCheck, presentFields(bodyObject(body)));
  if ((hook_id === undefined) === (webhook_url === undefined)) throw refused('hook_id', 'give either hook_id or webhook_url');
  if (hook_id !== undefined) {
    const misplaced = (['dialect', 'timeout_ms'] as const).find((name) => bodyObject(body)[name] !== undefined);
    if (misplaced !== undefined) throw refused(misplaced, 'goes with webhook_url only: a hook has its own');
    return { hookId: hook_id };
  }
  const url = webhook_url ?? '';
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) throw refused('webhook_url', 'must be an http or https URL');
  if (!mayReach(new URL(url).hostname)) {
    throw refused('webhook_url', 'must be an address on the public internet; the setting webhooks.allow_private allows others');
  }
  return { url, dialect: form, timeoutMs: timeout_ms || undefined };
}

function refused(path: string, message: string): Error {
  const problems: readonly FieldError[] = [{ path, message }];
  return fieldErrors('input', problems);
}
