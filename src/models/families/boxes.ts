import type { Detection } from "../../contracts/index.js";
import { toSourceX, toSourceY, type Placement } from "../preprocess-image.js";

export type Box = [number, number, number, number];

/** What a detector says before its boxes are mapped to the source: pixels of the model's input. */
export interface Candidate {
  box: Box;
  score: number;
  /** Class by index. */
  kind: number;
  landmarks?: [number, number][];
}

/** Intersection over union of two boxes [left, top, right, bottom]. */
export function iou(a: Box, b: Box): number {
  const overlap = Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
  return overlap === 0 ? 0 : overlap / (area(a) + area(b) - overlap);
}

export const area = (box: Box): number => Math.max(0, box[2] - box[0]) * Math.max(0, box[3] - box[1]);

/** Greedy suppression within each class (or across them), best first (equal scores: in order): a box stays unless it overlaps one that stayed by more than `threshold`. */
export function suppress(candidates: readonly Candidate[], threshold: number, acrossClasses = false): Candidate[] {
  const sorted = candidates.map((candidate, order) => ({ candidate, order })).sort((a, b) => b.candidate.score - a.candidate.score || a.order - b.order);
  const kept = new Map<number, Candidate[]>();
  const all: Candidate[] = [];
  for (const { candidate } of sorted) {
    const group = acrossClasses ? 0 : candidate.kind;
    let same = kept.get(group);
    if (!same) kept.set(group, (same = []));
    if (same.some((other) => iou(other.box, candidate.box) > threshold)) continue;
    same.push(candidate);
    all.push(candidate);
  }
  return all;
}

/** Candidate → detection in pixels of the source, clipped to it; null when nothing of it lies inside. */
export function toSource({ box, score, landmarks }: Candidate, label: string, at: Placement): Detection | null {
  const { width, height } = at.source;
  const inside = (value: number, length: number): number => Math.min(length, Math.max(0, value));
  const mapped: Box = [inside(toSourceX(at, box[0]), width), inside(toSourceY(at, box[1]), height), inside(toSourceX(at, box[2]), width), inside(toSourceY(at, box[3]), height)];
  if (!(area(mapped) > 0)) return null;
  const detection: Detection = { label, score, box: mapped };
  if (landmarks) detection.landmarks = landmarks.map(([x, y]) => [toSourceX(at, x), toSourceY(at, y)]);
  return detection;
}
