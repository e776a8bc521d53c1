/** The requests of a client: numbers and writes them, and matches them with their answers. */
import type { ChatErrorBody } from '../../base/errors.ts';
import { utf8Bytes } from '../../base/json.ts';
import type { ClientFrame, ConnectFrame } from '../../live/client-frames.ts';
import { RosterClientError, unanswered } from '../client-error.ts';
import type { Subscription } from '../types.ts';
import { FRAME_BYTES } from './socket.ts';

/** Anything the daemon sends. */
export interface Frame {
  readonly re?: string;
  readonly error?: ChatErrorBody;
  readonly type?: string;
  readonly [key: string]: unknown;
}

/** The content of the connect frame beside key and token. */
export type Hello = Omit<ConnectFrame, 'op' | 'api_key' | 'token' | 'user' | 'subs'> & {
  readonly user?: object;
  readonly subs?: readonly Subscription[];
};

/** A frame to send. It is only read here, so the application's objects may be read-only. */
export type Request =
  | Exclude<ClientFrame, { op: 'connect' | 'sub' }>
  | ({ readonly op: 'sub' } & Subscription)
  | ({ readonly op: 'connect'; readonly api_key: string; readonly token: string } & Hello);

interface Pending {
  readonly taken: (answer: Frame) => void;
  readonly resolve: (answer: Frame) => void;
  readonly reject: (error: Error) => void;
}

const TOO_BIG = { code: 22, status: 413 };
const BAD_INPUT = { code: 4, status: 400 };

export class Requests {
  readonly #pending = new Map<string, Pending>();
  #nextId = 1;

  /**
   * Passes the text of the frame to `send`, and returns its answer; `taken` gets the answer before the next frame is processed. A
   * frame refused here, with the status that the daemon would use, was not sent.
   */
  async make(frame: Request, send: (text: string) => void, taken: (answer: Frame) => void = () => {}): Promise<Frame> {
    const id = String(this.#nextId++);
    const text = frameText(frame.op, { ...frame, id });
    return await new Promise((resolve, reject) => {
      this.#pending.set(id, { taken, resolve, reject });
      try {
        send(text);
      } catch (error) {
        this.#pending.delete(id);
        reject(unanswered('the frame could not be sent', error));
      }
    });
  }

  /** `refused`: the error when the frame is a refusal. */
  answer(id: string, frame: Frame, refused: RosterClientError | undefined): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (refused !== undefined) pending?.reject(refused);
    else {
      pending?.taken(frame);
      pending?.resolve(frame);
    }
  }

  /** Rejects all open requests. */
  fail(message: string): void {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(unanswered(message));
  }
}

/** The text of `content`, at most the size of a frame less `roomBytes`. Throws the RosterClientError of the daemon's own refusal. */
export function frameText(op: string, content: object, roomBytes = 0): string {
  let text: string;
  try {
    text = JSON.stringify(content);
  } catch (cause) {
    throw new RosterClientError(`${op} cannot be written as JSON`, { ...BAD_INPUT, cause });
  }
  if (utf8Bytes(text) + roomBytes <= FRAME_BYTES) return text;
  throw new RosterClientError(`${op} is bigger than a frame may be (${FRAME_BYTES} bytes)`, TOO_BIG);
}
