/** The settings that all nodes must share (PE5), as text in the row of a node: `name=hash`, one after the other. */

export function settingsText(settings: ReadonlyMap<string, string>): string {
  return [...settings].map(([name, mac]) => `${name}=${mac}`).join(' ');
}

export function settingsFromText(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split(' ').flatMap((one) => {
      const [name, mac] = one.split('=');
      return name !== undefined && mac !== undefined ? [[name, mac] as const] : [];
    }),
  );
}

/** The names of those about which the nodes do not agree, sorted. What a node does not know of, it does not disagree about. */
export function differingSettings(nodes: readonly ReadonlyMap<string, string>[]): readonly string[] {
  const values = new Map<string, Set<string>>();
  for (const [name, mac] of nodes.flatMap((settings) => [...settings])) values.set(name, (values.get(name) ?? new Set()).add(mac));
  return [...values].flatMap(([name, macs]) => (macs.size > 1 ? [name] : [])).sort();
}
