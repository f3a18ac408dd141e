/**
 * Topological order of `names` (sources first, ties in the given order) and every cycle met on the way as a path a → b → a.
 * `sources(n)`: what n reads. Nodes on a cycle are left out of the order, and so is what reads them.
 */
export function topologicalOrder(names: readonly string[], sources: (name: string) => Iterable<string>): { order: string[]; cycles: string[][] } {
  const state = new Map<string, "open" | "done" | "bad">();
  const order: string[] = [];
  const cycles: string[][] = [];
  const known = new Set(names);
  const path: string[] = [];
  const visit = (name: string): boolean => {
    const seen = state.get(name);
    if (seen === "done") return true;
    if (seen === "bad") return false;
    if (seen === "open") {
      cycles.push([...path.slice(path.indexOf(name)), name]);
      return false;
    }
    state.set(name, "open");
    path.push(name);
    let good = true;
    for (const source of new Set(sources(name))) if (known.has(source) && !visit(source)) good = false;
    path.pop();
    state.set(name, good ? "done" : "bad");
    if (good) order.push(name);
    return good;
  };
  for (const name of names) visit(name);
  return { order, cycles };
}

/** `starts` and everything that they reach along `next`. */
export function reach(starts: Iterable<string>, next: (name: string) => Iterable<string>): Set<string> {
  const found = new Set<string>();
  const open = [...starts];
  while (open.length > 0) {
    const name = open.pop() as string;
    if (found.has(name)) continue;
    found.add(name);
    open.push(...next(name));
  }
  return found;
}
