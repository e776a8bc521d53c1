/** Who has a live connection, by counting sockets. Kept in memory only. */
export class Presence {
  readonly #sockets = new Map<string, number>();

  arrived(id: string): void {
    this.#sockets.set(id, (this.#sockets.get(id) ?? 0) + 1);
  }

  left(id: string): void {
    const rest = (this.#sockets.get(id) ?? 1) - 1;
    if (rest === 0) this.#sockets.delete(id);
    else this.#sockets.set(id, rest);
  }

  isOnline(id: string): boolean {
    return this.#sockets.has(id);
  }
}
