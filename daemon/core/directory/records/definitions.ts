/** What records name by number, and records with it, as a snapshot keeps both. Pure. */

/** How many there are of what a header names by number. */
export interface Marks {
  readonly shapes: number;
  readonly customShapes: number;
  readonly roles: number;
  readonly teams: number;
}

export const NO_MARKS: Marks = { shapes: 0, customShapes: 0, roles: 0, teams: 0 };

/** What has a number, in the order of the numbers. */
export interface Definitions {
  readonly shapes: readonly (readonly string[])[];
  readonly custom_shapes: readonly (readonly string[])[];
  readonly roles: readonly string[];
  readonly teams: readonly (readonly string[])[];
}

/** Records, with what they name by number and no records before them have named. */
export interface PackedRecords {
  readonly packed: Definitions;
  /** The records, one after another. They are only lent: whoever is given them copies what is to stay. */
  readonly bytes: Uint8Array;
  /** In the first block: how many records there are in all of them, or about so many. */
  readonly records?: number;
}

/** Whether a line of a snapshot is to be taken for records: `RecordStore.load` finds out whether it holds them. */
export function isPacked(line: object): line is PackedRecords {
  return 'packed' in line || 'bytes' in line;
}

/** What should be records of a snapshot is not. */
export class BlockDamaged extends Error {
  constructor(reason: string) {
    super(`it ${reason}`);
    this.name = 'BlockDamaged';
  }
}
