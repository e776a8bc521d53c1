/** The letters of a webhook (WH10, WH11) in a file. */
import { openLetterFile } from '../../daemon/jobs/hooks/letter-file.ts';
import { lettersContract } from '../support/hooks/letters-contract.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

lettersContract(async () => {
  const directory = await temporaryDirectory();
  const onDamage = (lines: number): never => {
    throw new Error(`${lines} lines are damaged`);
  };
  return { open: (limits) => openLetterFile(directory, { onDamage, limits }) };
});
