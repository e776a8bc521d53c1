/** The daemon said no: its code, and everything that is wrong (protocol/errors.ts). */
import type { ChatErrorBody, FieldError } from '../errors.ts';

export class RosterRefusal extends Error {
  readonly code: number;
  readonly fields: readonly FieldError[];

  constructor(body: ChatErrorBody) {
    super(body.message);
    this.name = 'RosterRefusal';
    this.code = body.code;
    this.fields = body.errors ?? [];
  }
}
