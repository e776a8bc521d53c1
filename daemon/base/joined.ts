/** One buffer of many parts. A single part is used as it is: a copy of a long one costs as much as sending it. */
export function joined(parts: readonly Buffer[]): Buffer {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
