/** `rosterd demo`: the frame around the story. */
import type { Command } from 'commander';
import { errorText } from '../../../protocol/base/errors.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { playDemo } from './demo.ts';
import { Stage } from './stage.ts';
import { DemoFailed, Story } from './story.ts';

export function addDemoCommand(program: Command, io: CommandIo, exit: { code: number }): void {
  const demo = program
    .command('demo')
    .description('show in a few seconds what rosterd does: users are brought in, the daemon is killed in the middle, nothing is lost');
  demo.addHelpText(
    'after',
    `
A daemon, a chat client, a subscriber and a job run in a temporary folder and on a free port of 127.0.0.1. Settings, variables
and data directories of yours are not looked at, and nothing is left behind.

Exit codes: 0 everything that was told was also checked, 1 something was not so, 130 interrupted`,
  );
  demo.action(async () => {
    exit.code = await runDemo(io);
  });
}

async function runDemo(io: CommandIo): Promise<number> {
  const stop = new AbortController();
  const undo = io.onInterrupt(() => stop.abort());
  const stage = await Stage.open(io.env);
  try {
    await playDemo(stage, new Story(io, stop.signal));
    return EXIT.ok;
  } catch (error) {
    if (stop.signal.aborted) {
      io.stderr.write('rosterd: interrupted; everything is removed\n');
      return EXIT.interrupted;
    }
    io.stderr.write(`rosterd: the demo failed: ${error instanceof DemoFailed ? error.message : errorText(error)}\n`);
    return EXIT.failed;
  } finally {
    await stage.clear();
    undo();
  }
}
