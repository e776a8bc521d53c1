/** The letters of webhooks (WH10, WH11, WH17) in files. */
import { test } from 'node:test';
import { LetterFolders, openLetterFile } from '../../daemon/jobs/hooks/letter-file.ts';
import { checkPlace, lettersContract } from '../support/hooks/letters-contract.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

lettersContract(async () => {
  const directory = await temporaryDirectory();
  const onDamage = (lines: number): never => {
    throw new Error(`${lines} lines are damaged`);
  };
  return { open: (limits) => openLetterFile(directory, { onDamage, limits }) };
});

test('WH17 each hook has a folder, and those of others are removed', async () => {
  await checkPlace(new LetterFolders(await temporaryDirectory(), { info: () => {}, error: () => {} }));
});
