/** The letters of webhooks (WH10, WH11, WH17) as rows. Each start is one of another node. */
import { after, describe, test } from 'node:test';
import { SharedLetters } from '../../daemon/jobs/hooks/shared/letter-rows.ts';
import { checkPlace, lettersContract } from '../support/hooks/letters-contract.ts';
import { LettersKit } from '../support/hooks/letters-kit.ts';
import { PgKit, pgOptions } from '../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

describe('PostgreSQL', pgOptions, () => {
  const all: LettersKit[] = [];
  after(() => Promise.all(all.map((letters) => letters.close())));
  lettersContract(async () => {
    const letters = new LettersKit(kit);
    all.push(letters);
    const nodes = [await letters.node(), await letters.node()];
    let starts = 0;
    return {
      open: async (limits) => {
        const node = nodes[starts++ % 2];
        if (node === undefined) throw new Error('there are two nodes');
        return await new SharedLetters({ table: node.table, term: await node.term(), onLost: () => {}, limits }).open('h\0');
      },
    };
  });
});

test('WH17 each hook has rows of its own, and those of others are removed', pgOptions, async (t) => {
  const node = await new LettersKit(kit, t).node();
  await checkPlace(new SharedLetters({ table: node.table, term: await node.term(), onLost: () => {} }));
});
