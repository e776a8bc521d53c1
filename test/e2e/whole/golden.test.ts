/**
 * GD1–GD3: the golden examples in test/golden, sent to a real daemon one after the other. `ROSTERD_GOLDEN=write` writes the
 * answers down instead of comparing them; read the difference before you keep it.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ROUTES } from '../../../daemon/edge/routes.ts';
import {
  beginStory,
  type GoldenStep,
  goldenFiles,
  isWritingGolden,
  maskedAnswer,
  play,
  rowOf,
  writeGolden,
} from '../../support/http/golden.ts';
import { World } from '../../support/world.ts';

describe('golden examples', () => {
  const files = goldenFiles();
  const shown = new Set<string>();

  for (const file of files) {
    it(`GD1 ${file.name}: ${file.about}`, async (t) => {
      const world = await World.start(t, { flags: file.flags ?? {} });
      const memory = await beginStory(world, file);
      const written: GoldenStep[] = [];
      const others: string[] = [];
      for (const step of file.steps) {
        const received = await play(world, step, memory);
        const answer = maskedAnswer(received, step, world, memory);
        const row = rowOf(step, memory);
        if (row !== undefined && received.status < 300) shown.add(`${row.method} ${row.path}`);
        written.push({ ...step, answer });
        if (answer.status !== step.answer.status) others.push(`${step.title}: ${received.text}`);
        if (!isWritingGolden) assert.deepEqual(answer, step.answer, `${step.title}\n${received.text}`);
      }
      // A status is part of what is promised: it is changed by hand or not at all.
      assert.deepEqual(others, []);
      if (isWritingGolden) writeGolden({ ...file, steps: written });
    });
  }

  it('GD2 every endpoint has an example of a success', () => {
    assert.ok(files.length > 3, 'too few examples were found');
    const missing = ROUTES.map(({ method, path }) => `${method} ${path}`).filter((row) => !shown.has(row));
    assert.deepEqual(missing, [], 'endpoints without an example in test/golden');
  });

  it('GD3 examples have titles of their own, and were compared, not written', () => {
    for (const { name, steps } of files) {
      const titles = steps.map(({ title }) => title);
      assert.equal(new Set(titles).size, titles.length, name);
    }
    assert.equal(isWritingGolden, false, 'the answers were written down: read the difference, then run again without ROSTERD_GOLDEN');
  });
});
