/** What a scrape of the metrics says, as a test asks for it. */
import assert from 'node:assert/strict';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Scrape {
  readonly text: string;
  /** Types by the name of the metric. */
  readonly types = new Map<string, string>();
  readonly #samples = new Map<string, Sample[]>();

  constructor(text: string) {
    this.text = text;
    for (const line of text.split('\n')) {
      const [, typed, type] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
      if (typed !== undefined && type !== undefined) this.types.set(typed, type);
      if (line === '' || line.startsWith('#')) continue;
      const [, name = '', labels = '', value = ''] = /^([\w:]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? assert.fail(`not a sample: ${line}`);
      const found = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text = '']) => [key, text]);
      this.#samples.set(name, [...(this.#samples.get(name) ?? []), { labels: Object.fromEntries(found), value: Number(value) }]);
    }
  }

  static async of(url: string | undefined): Promise<Scrape> {
    const response = await fetch(url ?? assert.fail('the daemon has metrics'));
    assert.equal(response.status, 200, await response.clone().text());
    return new Scrape(await response.text());
  }

  /** Names of samples: of a histogram those with `_bucket`, `_sum` and `_count`. */
  get names(): readonly string[] {
    return [...this.#samples.keys()];
  }

  all(name: string): readonly Sample[] {
    return this.#samples.get(name) ?? [];
  }

  /** The value with exactly these labels; undefined without one. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const wanted = JSON.stringify(Object.entries(labels).sort());
    return this.all(name).find((sample) => JSON.stringify(Object.entries(sample.labels).sort()) === wanted)?.value;
  }
}
