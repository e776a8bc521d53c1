/**
 * Runs one client program and reads what it proved. A program writes one line per operation to stdout, `ok <operation>`
 * or `not ok <operation> # <reason>`, and `done` at its end: one that stops half-way, or that checked nothing, is a failure.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const PROGRAM_MS_MAX = 180_000;
const STDERR_CHARS_MAX = 2_000;
const LINE = /^(ok|not ok) (.+?)(?: # (.*))?$/;

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
}

export interface Outcome {
  readonly operation: string;
  /** Absent when the operation did what it should. */
  readonly failure?: string;
}

export interface ProgramRun extends Command {
  readonly env: Readonly<Record<string, string>>;
  readonly onOutcome: (outcome: Outcome) => void;
}

/** Resolves when the program has ended; everything that went wrong is an outcome, nothing rejects. */
export async function runProgram({ file, args, env, onOutcome }: ProgramRun): Promise<void> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...cleanEnvironment(), ...env } });
  const timer = setTimeout(() => child.kill('SIGKILL'), PROGRAM_MS_MAX);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_CHARS_MAX);
  });
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : `ended by ${signal}`));
  });
  let checked = 0;
  let isDone = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const [, verdict, operation, reason] = LINE.exec(line) ?? [];
    if (operation !== undefined) {
      checked++;
      onOutcome(verdict === 'ok' ? { operation } : { operation, failure: reason ?? 'without a reason' });
    }
    isDone ||= line === 'done';
  }
  const end = await ended;
  clearTimeout(timer);
  if (!isDone) onOutcome({ operation: 'whole program', failure: `it stopped half-way (${end}) ${stderr.replaceAll('\n', ' | ')}` });
  else if (checked === 0) onOutcome({ operation: 'whole program', failure: 'it checked nothing' });
}

/** The caller's environment, without what would send a client elsewhere, or make it write into the tree. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(STREAM_|PYTHON|ROSTERD_|LOCAL$)/.test(name));
  return { ...Object.fromEntries(kept), NO_PROXY: 'localhost,127.0.0.1', no_proxy: 'localhost,127.0.0.1', PYTHONDONTWRITEBYTECODE: '1' };
}
