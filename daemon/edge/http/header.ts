/** The value of a request's header: the first one, where it was sent several times. */
export function header(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
