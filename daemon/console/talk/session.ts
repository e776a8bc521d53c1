/** Who is signed in: the state behind everything else. */
import { signal } from '@preact/signals';
import { followView } from '../view.ts';
import { ApiError, ask, errorReason, whenSignedOut } from './api.ts';
import type { JsonRecord } from './api-call.ts';

export type SignInState =
  | { readonly kind: 'asking' }
  /** `why`: undefined for one who has only come. */
  | { readonly kind: 'out'; readonly why: string | undefined }
  | { readonly kind: 'in'; readonly id: string; readonly role: 'read' | 'operate'; readonly apiKey: string; readonly endsMs: number };

export const signInState = signal<SignInState>({ kind: 'asking' });

/** Whether users may be changed. */
export function mayOperate(): boolean {
  return signInState.value.kind === 'in' && signInState.value.role === 'operate';
}

/** Takes the code out of the address bar, exchanges it, and begins to follow the address. Never rejects. */
export async function begin(): Promise<void> {
  const code = /^#code=([\w.-]+)$/.exec(location.hash)?.[1];
  if (code !== undefined) history.replaceState(null, '', `${location.pathname}#/overview`);
  followView();
  whenSignedOut(() => {
    if (signInState.value.kind === 'in') signInState.value = { kind: 'out', why: 'The sign-in has ended.' };
  });
  try {
    signInState.value = stateOf(await ask('sign-in', code === undefined ? { method: 'GET' } : { method: 'POST', body: { code } }));
  } catch (error) {
    const isStranger = code === undefined && error instanceof ApiError && error.status === 401;
    signInState.value = { kind: 'out', why: isStranger ? undefined : errorReason(error) };
  }
}

function stateOf({ id, role, api_key, ends_at }: JsonRecord): SignInState {
  if (typeof id !== 'string' || (role !== 'read' && role !== 'operate')) return { kind: 'out', why: 'the daemon sent no sign-in' };
  return { kind: 'in', id, role, apiKey: String(api_key), endsMs: Number(ends_at) };
}

/** Whether the sign-in is still good, as the daemon says. Without an answer it counts as good. */
export async function checkSignIn(): Promise<void> {
  await ask('sign-in', { method: 'GET' }).catch(() => {});
}

export async function signOut(): Promise<void> {
  try {
    await ask('sign-in', { method: 'DELETE' });
    signInState.value = { kind: 'out', why: 'You are signed out.' };
  } catch (error) {
    signInState.value = {
      kind: 'out',
      why: `Signing out failed: ${errorReason(error)}. "rosterd console --sign-out-all" ends every sign-in.`,
    };
  }
}
