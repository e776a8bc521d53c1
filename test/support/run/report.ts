/** What a run says beside node's own report: the slowest tests, the time by suite, what was skipped, files without a test. */
import type { TestEvent } from 'node:test/reporters';

const SLOWEST = 10;

interface Timed {
  readonly name: string;
  readonly ms: number;
}

interface Suite {
  files: number;
  tests: number;
  ms: number;
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1).padStart(6)} s`;

/** Takes every event of a run and hands it on with its process named by what it runs. */
export class Report {
  readonly #nameOf: (file: string) => string;
  readonly #files: readonly string[];
  readonly #tests: Timed[] = [];
  readonly #processes: Timed[] = [];
  readonly #testsIn = new Map<string, number>();
  readonly #skipped: string[] = [];
  #failures = 0;

  /** `nameOf`: what a compiled file is, by its path from the root. `files`: those that are run, in the same way. */
  constructor(nameOf: (file: string) => string, files: readonly string[]) {
    this.#nameOf = nameOf;
    this.#files = files;
  }

  /** Whether every test passed, and every file had one. */
  get passed(): boolean {
    return this.#failures === 0 && this.#tests.length > 0 && this.#filesWithoutTest.length === 0;
  }

  /** How long each process took that has ended. */
  get processes(): readonly Timed[] {
    return this.#processes;
  }

  take(event: TestEvent): TestEvent {
    if (event.type === 'test:fail' && event.data.todo === undefined) this.#failures++;
    if (event.type === 'test:complete' && isProcess(event.data)) {
      this.#processes.push({ name: this.#nameOf(event.data.name), ms: event.data.details.duration_ms });
    }
    if (event.type === 'test:pass' || event.type === 'test:fail') this.#count(event.data);
    return this.#named(event);
  }

  #count(data: Extract<TestEvent, { type: 'test:pass' | 'test:fail' }>['data']): void {
    if (data.file === undefined || isProcess(data) || data.details.type === 'suite') return;
    const file = this.#nameOf(data.file);
    this.#testsIn.set(file, (this.#testsIn.get(file) ?? 0) + 1);
    this.#tests.push({ name: `${file}: ${data.name}`, ms: data.details.duration_ms });
    if (data.skip !== undefined && data.skip !== false) {
      this.#skipped.push(`${file}: ${data.name}${typeof data.skip === 'string' ? ` (${data.skip})` : ''}`);
    }
  }

  get #filesWithoutTest(): string[] {
    return this.#files.filter((name) => !this.#testsIn.has(name));
  }

  /** To be printed before the totals. */
  lines(): string[] {
    const slowest = this.#tests.toSorted((a, b) => b.ms - a.ms).slice(0, SLOWEST);
    const suites = new Map<string, Suite>();
    for (const name of this.#files) {
      const suite = suites.get(suiteOf(name)) ?? { files: 0, tests: 0, ms: 0 };
      suite.files++;
      suite.tests += this.#testsIn.get(name) ?? 0;
      suites.set(suiteOf(name), suite);
    }
    for (const { name, ms } of this.#processes) {
      const suite = suites.get(suiteOf(name));
      if (suite !== undefined) suite.ms += ms;
    }
    const bySuite = [...suites].sort(([, a], [, b]) => b.ms - a.ms);
    return [
      `the ${slowest.length} slowest tests`,
      ...slowest.map(({ name, ms }) => `${seconds(ms)}  ${name}`),
      'time by suite',
      ...bySuite.map(([name, { files, tests, ms }]) => `${seconds(ms)}  ${name}: ${tests} tests in ${files} files`),
      ...this.#filesWithoutTest.map((name) => `NO TEST in ${name}`),
      ...this.#skipped.map((name) => `SKIPPED ${name}`),
    ];
  }

  /** A process is named by what it runs. Node has put the source's place to the tests in it. */
  #named(event: TestEvent): TestEvent {
    const { data } = event;
    if (data === undefined || !('name' in data) || !isProcess(data)) return event;
    // An event is what it was, but for the name; to the compiler the spread of a union is no union.
    return { ...event, data: { ...data, name: this.#nameOf(data.name) } } as TestEvent;
  }
}

const suiteOf = (file: string): string => file.split('/')[1] ?? file;

/** Whether the event is about a process as a whole, which Node takes for a test. */
function isProcess(data: object): boolean {
  return 'name' in data && 'file' in data && data.name === data.file;
}
