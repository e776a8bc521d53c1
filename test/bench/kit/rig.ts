/** Makes a rig runnable by itself: `npx tsx test/bench/fan-out.ts [--quick]`. Under test/bench/run.ts it hands its report to the parent. */
import { pathToFileURL } from 'node:url';
import { pinLoad } from '../servers/server-process.ts';
import { printReport, type Report } from './report.ts';

/** Runs the rig when its module is the program that was started. */
export async function runWhenMain(moduleUrl: string, rig: () => Promise<Report>): Promise<void> {
  if (moduleUrl !== pathToFileURL(process.argv[1] ?? '').href) return;
  pinLoad();
  const report = await rig();
  printReport(report);
  if (process.send !== undefined) process.send(report);
}
