/** Counts the turns of the event loop, which others have while something runs, from now until `stop`. */
export class TurnCount {
  #turns = 0;
  #next = setImmediate(() => this.#turn());

  get turns(): number {
    return this.#turns;
  }

  stop(): void {
    clearImmediate(this.#next);
  }

  #turn(): void {
    this.#turns++;
    this.#next = setImmediate(() => this.#turn());
  }
}
