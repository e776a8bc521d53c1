/** The parts of the process that a command may use. Tests pass their own; only `processIo` uses the real process. */
import type { Readable } from 'node:stream';
import { onInterrupt } from './interrupts.ts';

/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** The command ran, but something failed: refused users, a daemon that could not start, a lost connection. */
  failed: 1,
  /** Wrong usage, settings or credentials; nothing was done. */
  usage: 2,
  /** Ended by Ctrl-C before it was finished. */
  interrupted: 130,
} as const;

/** The exit code of a command is set here and not thrown; the program itself has no return value. */
export interface Exit {
  code: number;
  /** Exit code for wrong usage, settings or credentials. Set by a command that uses 2 for something else. */
  usage?: number;
}

export interface Output {
  /** False: wait for `drained` before writing more. */
  write(text: string): boolean;
  /** Resolves when the output has left the process, or never will. */
  drained(): Promise<void>;
  readonly isTTY: boolean;
  /** The terminal itself, for cursor movement. Only when `isTTY`. */
  readonly terminal?: NodeJS.WriteStream;
}

export interface CommandIo {
  readonly stdin: Readable;
  /** Results, and nothing else. */
  readonly stdout: Output;
  /** Messages: progress, warnings, errors. */
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `handler` at every interrupt (interrupts.ts) instead of ending the process. Returns a function that undoes this. */
  onInterrupt(handler: () => void): () => void;
}

function output(stream: NodeJS.WriteStream): Output {
  // A closed pipe (`rosterd watch | head -1`) is no error, the reader has seen enough; a full disk is one.
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed));
  return {
    write: (text) => stream.write(text),
    drained: () => (stream.writableNeedDrain ? new Promise((resolve) => stream.once('drain', resolve)) : Promise.resolve()),
    isTTY: stream.isTTY === true,
    ...(stream.isTTY === true ? { terminal: stream } : {}),
  };
}

/** The process itself. Call it once. */
export function processIo(): CommandIo {
  return {
    stdin: process.stdin,
    stdout: output(process.stdout),
    stderr: output(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    now: () => Date.now(),
    onInterrupt: (handler) => onInterrupt(handler),
  };
}
