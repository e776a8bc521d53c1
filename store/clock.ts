/** The clock that all processes of a storage share. */
export interface StoreClock {
  /** Milliseconds since 1970, with fractions. It does not depend on the wall clock of this machine, and may be corrected in both directions. */
  nowMs(): number;
}
