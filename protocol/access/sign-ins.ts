/** Sign-ins to the operator's console: what one may do, and when it ends. Part of the durable format. */
import Type, { type Static } from 'typebox';
import { MicrosField } from '../base/schemas.ts';

/** `read` sees everything and changes nothing; `operate` also changes. */
export const SignInRole = Type.Union([Type.Literal('read'), Type.Literal('operate')]);
export type SignInRole = Static<typeof SignInRole>;

/** One browser that was let in by a link. Its id is derived from the link, so that a link works once, on whatever node. */
export const SignIn = Type.Object({
  id: Type.String(),
  role: SignInRole,
  created_at: MicrosField,
  /** It ends by itself at this time, however much it is used. */
  ends_at: MicrosField,
  /** It was ended. The document stays for as long as its link is good, or the link would work again. */
  has_ended: Type.Optional(Type.Literal(true)),
});
export type SignIn = Static<typeof SignIn>;

/** Lets a browser in. Refused when the link was used before. */
export interface SignInCommand {
  readonly kind: 'sign-in';
  readonly id: string;
  readonly role: SignInRole;
}

/** Ends one sign-in, or all. One that is not there, or has ended, is no error. */
export interface SignOutCommand {
  readonly kind: 'sign-out';
  /** Absent: all. */
  readonly id?: string;
}

/** How long a link can be used, milliseconds. */
export const LINK_MS = 5 * 60_000;
/** A sign-in ends after this, however much it is used, milliseconds. */
export const SIGN_IN_MS = 12 * 3_600_000;
/** A sign-in that is not used for this long ends, milliseconds. */
export const SIGN_IN_IDLE_MS = 3_600_000;

/** Whether a browser may still act under it. `nowMs`: wall clock. */
export function isSignInOpen({ has_ended, ends_at }: SignIn, nowMs: number): boolean {
  return has_ended !== true && nowMs * 1_000 < ends_at;
}
