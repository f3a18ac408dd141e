import { join } from "node:path";
import { z } from "zod";
import type { ModelManifest } from "../../contracts/index.js";
import { fillsItsSpace } from "../space.js";
import { fromDisk } from "./disk.js";
import { readJson, replaceFile } from "./json-file.js";

const rowSchema = z.strictObject({ threshold: z.number(), foreignMedian: z.number(), falsePositives: z.number(), pairs: z.int(), media: z.int() });
const fileSchema = z.strictObject({ version: z.literal(1), spaces: z.record(z.string(), rowSchema) });

export type Calibration = z.infer<typeof rowSchema>;

/** `calibration.json` in the cache: what `flow models calibrate` found on this user's media, by vector space. It goes before the manifests'. */
export const calibrationFile = (cache: string): string => join(cache, "calibration.json");

export function readCalibrations(cache: string): Record<string, Calibration> {
  const parsed = fileSchema.safeParse(readJson<unknown>(calibrationFile(cache), { version: 1, spaces: {} }));
  return parsed.success ? parsed.data.spaces : {};
}

/** null removes the space's. Throws MODEL_DISK_FULL, MODEL_CACHE. */
export function writeCalibration(cache: string, space: string, calibration: Calibration | null): void {
  const { [space]: _before, ...others } = readCalibrations(cache);
  const file = calibrationFile(cache);
  try {
    replaceFile(file, `${JSON.stringify({ version: 1, spaces: calibration ? { ...others, [space]: calibration } : others }, null, 2)}\n`);
  } catch (thrown) {
    throw fromDisk(thrown, file);
  }
}

/** The manifest with the user's calibration of its space. That is one of what lies there: a model that only reads queries into it keeps its own. */
export function calibrated(model: ModelManifest, calibrations: Record<string, Calibration>): ModelManifest {
  const own = model.space && fillsItsSpace(model) && calibrations[model.space.name];
  if (own) model.space = { ...model.space!, threshold: own.threshold, calibration: { ...model.space!.calibration, foreignMedian: own.foreignMedian } };
  return model;
}

export interface Estimate {
  pairs: number;
  foreignMedian: number;
  threshold: number;
}

/**
 * Median and upper quantile of the cosines of unrelated pairs. The threshold is the smallest cosine that at most the given share of them reaches
 * (an order statistic: nothing is fitted or extrapolated). Takes the values as its own.
 */
export function estimate(cosines: Float64Array, falsePositives: number): Estimate {
  const sorted = cosines.sort();
  const n = sorted.length;
  const middle = n >> 1;
  const foreignMedian = n % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  const allowed = Math.floor(falsePositives * n);
  // The first value that is above all but `allowed` of the pairs: just above the largest one that must not pass.
  const below = sorted[n - 1 - allowed]!;
  return { pairs: n, foreignMedian, threshold: Math.min(1, below + 1e-6) };
}
