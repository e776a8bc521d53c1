/**
 * Loaded into a server before its own code (`node --import`), so that the rig can ask the process about itself over the
 * IPC channel: event-loop delay, a collection before memory is read, a CPU profile of the measured part alone.
 * Plain JavaScript, because the servers that are measured run without a loader.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 2;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
const session = new Session();

/** CPU time of the process between two looks a millisecond apart: what holds the loop, however busy the machine is otherwise. */
let looks;
let longestUs = 0;

const answers = {
  'hold-start': () => {
    longestUs = 0;
    let before = process.cpuUsage();
    looks = setInterval(() => {
      const { user, system } = process.cpuUsage(before);
      before = process.cpuUsage();
      longestUs = Math.max(longestUs, user + system);
    }, 1);
  },
  'hold-read': () => {
    clearInterval(looks);
    return longestUs / 1_000;
  },
  'delay-start': () => {
    delay.reset();
    delay.enable();
  },
  'delay-read': () => {
    delay.disable();
    // The timer that samples is late by its own period even when the loop is idle.
    const beyond = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
    return { p99Ms: beyond(delay.percentile(99)), maxMs: beyond(delay.max) };
  },
  collect: () => globalThis.gc?.(),
  memory: () => process.memoryUsage(),
  // Bytes that wait for the slowest of all sockets.
  queued: () => process._getActiveHandles().reduce((most, { writableLength = 0 }) => Math.max(most, writableLength), 0),
  'profile-start': () => {
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.setSamplingInterval', { interval: 200 });
    session.post('Profiler.start');
  },
  'profile-write': (path) => {
    session.post('Profiler.stop', (error, result) => {
      if (error === null) writeFileSync(path, JSON.stringify(result.profile));
    });
    session.disconnect();
  },
};

process.on('message', ({ id, ask, argument }) => process.send?.({ id, answer: answers[ask]?.(argument) ?? null }));
// The channel alone must not keep a server alive that has stopped.
process.channel?.unref();
