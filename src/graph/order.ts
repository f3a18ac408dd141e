/**
 * Topological order of `names` (sources first, ties in the given order) and every cycle met on the way as a path a → b → a.
 * `sources(n)`: what n reads. Nodes on a cycle are left out of the order, and so is what reads them.
 */
export function topologicalOrder(names: readonly string[], sources: (name: string) => Iterable<string>): { order: string[]; cycles: string[][] } {
  const known = new Set(names);
  const state = new Map<string, "open" | "done" | "bad">();
  const order: string[] = [];
  const cycles: string[][] = [];
  // A stack of its own: a chain of nodes may be longer than the call stack.
  const path: { name: string; rest: string[]; good: boolean }[] = [];
  const enter = (name: string): void => {
    state.set(name, "open");
    path.push({ name, rest: [...new Set(sources(name))].filter((source) => known.has(source)).reverse(), good: true });
  };
  for (const start of names) {
    if (!state.has(start)) enter(start);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const source = top.rest.pop();
      if (source === undefined) {
        path.pop();
        state.set(top.name, top.good ? "done" : "bad");
        if (top.good) order.push(top.name);
        const reader = path.at(-1);
        if (reader && !top.good) reader.good = false;
        continue;
      }
      const seen = state.get(source);
      if (seen === undefined) enter(source);
      else if (seen !== "done") top.good = false;
      if (seen === "open") cycles.push([...path.slice(path.findIndex(({ name }) => name === source)).map(({ name }) => name), source]);
    }
  }
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
