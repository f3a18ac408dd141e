import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { Frames, Vector, defineOperator, type BatchFunction } from "../../src/contracts/index.js";

interface Lives {
  folder: string;
  together: number;
  guilty: number;
  how: "exit" | "hang" | "nothing";
}

/** Starts of a call, one file each: `TIME.START`. */
const startsOf = (folder: string): string[] => readdirSync(folder);

const lives: BatchFunction = async (items, { folder, together, guilty, how }: Lives) => {
  const { ptsUs } = items[0]!;
  const own = (): number => startsOf(folder).filter((name) => name.startsWith(`${ptsUs}.`)).length;
  writeFileSync(join(folder, `${ptsUs}.${own()}`), "");
  while (new Set(startsOf(folder).map((name) => name.split(".")[0])).size < together) await pause(2);
  if (how !== "nothing") {
    if (ptsUs === guilty && how === "exit") process.exit(7);
    if (ptsUs === guilty) for (;;);
    while (own() < 2) await pause(2);
  }
  return items.map((item) => Float32Array.of(item.ptsUs));
};

/** Waits until `together` calls have begun; then one of them ends or blocks its process, and the others stay until they have been begun again. */
export const testLives = defineOperator({
  name: "test.lives",
  version: 1,
  summary: "Begins with others.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { vectors: Vector.at("frame", { dims: 1 }) },
  config: z.strictObject({ folder: z.string(), together: z.number(), guilty: z.number(), how: z.enum(["exit", "hang", "nothing"]) }),
  run: { form: "batch", result: "vector", input: "frames" },
  batch: lives,
  examples: [],
});
