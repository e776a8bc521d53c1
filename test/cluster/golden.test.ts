/**
 * ND1, ND3 and ND11 by the golden examples: three nodes behind HAProxy, where each request goes to another node, answer every request as a single
 * daemon does. Whoever asks is a client that names the position of its last write in its reads, as the client library does.
 *
 * What may differ is in `support/cluster/golden-alike.ts`, with the reason. By default, some of the stories are told.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Cluster } from '../support/cluster/cluster.ts';
import { LEASES, laterStep, withoutLeases } from '../support/cluster/golden-alike.ts';
import { ClusterPlace } from '../support/cluster/golden-place.ts';
import { beginStory, type GoldenFile, goldenFiles, maskedAnswer, play } from '../support/http/golden.ts';
import { isLong } from '../support/long.ts';
import { clusterOptions } from '../support/nodes/cluster-process.ts';

const SOME = ['groups.json', 'history.json', 'moderation.json', 'users.json'];
const NODES = 3;

async function tell(t: TestContext, ground: Cluster, file: GoldenFile): Promise<void> {
  const place = await ClusterPlace.open(t, ground, file);
  const memory = await beginStory(place, file);
  for (const step of file.steps) {
    const received = await play(place, laterStep(step, LEASES), memory);
    const [got, right] = [withoutLeases(maskedAnswer(received, step, place, memory), LEASES), withoutLeases(step.answer, 0)];
    assert.deepEqual(got, right, `${step.title}\n${received.text}`);
  }
  assert.equal(place.answered.size, NODES, 'every node answered');
}

describe('golden examples on three nodes behind HAProxy', 'skip' in clusterOptions ? clusterOptions : {}, () => {
  const files = goldenFiles().filter(({ name }) => isLong || SOME.includes(name));
  const ends: (() => Promise<unknown>)[] = [];
  let ground: Cluster;

  before(async () => {
    ground = await Cluster.start({ after: (end) => void ends.push(end) }, { nodes: 0 });
  });
  after(async () => {
    for (const end of ends) await end();
  });

  for (const file of files) it(`ND1 ND3 ND11 ${file.name}: ${file.about}`, clusterOptions, (t) => tell(t, ground, file));
});
