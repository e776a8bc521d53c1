/** EM1: the emulator is the daemon: it gives the golden answers of test/golden, too. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EmulatorBench } from '../../support/emulator/emulator-kit.ts';
import { beginStory, type GoldenPlace, goldenFiles, maskedAnswer, play } from '../../support/http/golden.ts';
import { LiveClient } from '../../support/live/live-client.ts';

/** What the emulator sets otherwise than a daemon. */
const DEFAULTS = { ROSTERD_RATE_LIMITS: 'clients', ROSTERD_WEBHOOKS_ALLOW_PRIVATE: 'false' };

function variables(flags: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(flags).map(([name, value]) => [`ROSTERD_${name.replaceAll('-', '_').toUpperCase()}`, value]));
}

describe('golden examples', () => {
  const files = goldenFiles();
  assert.ok(files.length > 3, 'too few examples were found');
  for (const file of files) {
    it(`EM1 ${file.name}: ${file.about}`, async (t) => {
      const { app } = await EmulatorBench.start(t, { ...DEFAULTS, ...variables(file.flags ?? {}) });
      const clients: LiveClient[] = [];
      t.after(() => {
        for (const client of clients) client.terminate();
      });
      const place: GoldenPlace = {
        daemon: app,
        open: async () => {
          const client = await LiveClient.open(`${app.url.replace('http', 'ws')}/live`);
          clients.push(client);
          return client;
        },
      };
      const memory = await beginStory(place, file);
      for (const step of file.steps) {
        const received = await play(place, step, memory);
        assert.deepEqual(maskedAnswer(received, step, place, memory), step.answer, `${step.title}\n${received.text}`);
      }
    });
  }
});
