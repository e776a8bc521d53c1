/** The place of a value in a request, as errors name it: `users[ann].role`. Pure. */
import { shortened } from './shortened.ts';

/** The longest part of a caller's text that an error repeats. */
const QUOTED_CHARS = 64;

/** A caller's text, cut so that it does not make an error unreadable. */
export function clip(text: string): string {
  return shortened(text, QUOTED_CHARS);
}

/** `users` + `ann` → `users[ann]`. */
export function itemPath(path: string, item: string | number): string {
  return `${path}[${clip(String(item))}]`;
}

/** `users[ann]` + `role` → `users[ann].role`. */
export function fieldPath(path: string, field: string): string {
  return path === '' ? clip(field) : `${path}.${clip(field)}`;
}

/** The name of a value's JSON type. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
