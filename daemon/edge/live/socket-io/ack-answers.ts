import type { ClientFrame } from '../../../../protocol/live/client-frames.ts';
import type { SocketIoOutlet } from './outlet.ts';

/**
 * Answers `ack` requests, which have no other answer unless they are refused: with an empty answer, after their turn. Otherwise the client
 * would wait for ever, and its callback would stay in memory for as long.
 */
export class AckAnswers {
  readonly #outlet: Pick<SocketIoOutlet, 'settle'>;
  readonly #unanswered: { readonly id: string; readonly turn: number }[] = [];
  #taken = 0;

  constructor(outlet: Pick<SocketIoOutlet, 'settle'>) {
    this.#outlet = outlet;
  }

  /** Called when the inbox has taken this frame; `waiting` frames wait in it. */
  taken(op: ClientFrame['op'], id: string | undefined, waiting: number): void {
    this.#taken++;
    if (op === 'ack' && id !== undefined) this.#unanswered.push({ id, turn: this.#taken });
    // One more may be in the middle of its turn.
    this.#settle(this.#taken - waiting - 1);
  }

  /** Called when every frame taken had its turn. */
  idle(): void {
    this.#settle(this.#taken);
  }

  #settle(turn: number): void {
    for (let next = this.#unanswered[0]; next !== undefined && next.turn <= turn; next = this.#unanswered[0]) {
      this.#outlet.settle(next.id);
      this.#unanswered.shift();
    }
  }
}
