/** The parts of the process that a command may use. Tests pass their own; only `processIo` uses the real process. */
import { fstatSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { errorText } from '../../protocol/base/errors.ts';
import { isObject } from '../../protocol/base/json.ts';
import { type Interrupt, onInterrupt } from './interrupts.ts';
import { visibleLines } from './visible.ts';

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
  onInterrupt(handler: (signal?: Interrupt) => void): () => void;
}

function output(stream: NodeJS.WriteStream & { readonly fd: number }, name: 'stdout' | 'stderr'): Output {
  stream.on('error', (error) => endUnwritten(name, error));
  const isFile = isFileAt(stream.fd) && stream.isTTY !== true;
  return {
    write: (text) => (isFile ? writeFile(stream.fd, name, text) : stream.write(text)),
    drained: () => (stream.writableNeedDrain ? new Promise((resolve) => stream.once('drain', resolve)) : Promise.resolve()),
    isTTY: stream.isTTY === true,
    ...(stream.isTTY === true ? { terminal: stream } : {}),
  };
}

/** Messages repeat what users, sources and servers wrote, and no message needs a control character. */
export function harmless(messages: Output): Output {
  return { ...messages, write: (text) => messages.write(visibleLines(text)) };
}

/** Node's own stream for a file would pass over a write that stops half way, and report an error only when the process is ending. */
function writeFile(fd: number, name: 'stdout' | 'stderr', text: string): boolean {
  try {
    writeWhole(Buffer.from(text), (bytes) => writeSync(fd, bytes));
  } catch (error) {
    endUnwritten(name, error);
  }
  return true;
}

/** `write` takes as many bytes as there is room for, and throws when there is none. */
export function writeWhole(bytes: Uint8Array, write: (bytes: Uint8Array) => number): void {
  for (let rest = bytes; rest.length > 0; rest = rest.subarray(write(rest)));
}

/** Whether it is a file, or a device such as /dev/null. */
function isFileAt(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFile() || stat.isCharacterDevice();
  } catch {
    return false;
  }
}

/** A closed pipe (`rosterd watch | head -1`) is no error, the reader has seen enough; a full disk is one. */
function endUnwritten(name: 'stdout' | 'stderr', error: unknown): never {
  if (isObject(error) && error.code === 'EPIPE') process.exit(EXIT.ok);
  if (name === 'stdout') {
    const text = `rosterd: stdout cannot be written: ${errorText(error)}; what it should hold is not whole\n`;
    try {
      writeSync(process.stderr.fd, text);
    } catch {
      // Nobody is left to tell.
    }
  }
  process.exit(EXIT.failed);
}

/** The process itself. Call it once. */
export function processIo(): CommandIo {
  return {
    stdin: process.stdin,
    stdout: output(process.stdout, 'stdout'),
    stderr: harmless(output(process.stderr, 'stderr')),
    env: process.env,
    cwd: process.cwd(),
    now: () => Date.now(),
    onInterrupt: (handler) => onInterrupt(handler),
  };
}
