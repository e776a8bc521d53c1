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

export interface PackedRecords extends Definitions {
  /** The records, one after another, in base64. */
  readonly records: string;
}
