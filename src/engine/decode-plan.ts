import type { AudioDemand, DecodeSpec, MediumInfo, Plan, PlanNode, VideoDemand } from "../contracts/index.js";
import { decodesOf } from "../graph/index.js";
import { outputSize } from "../media/index.js";
import type { GridStream } from "./grid.js";

/** The input of a frame-level node that is fed by decoding. */
export function decodeInput(node: PlanNode): { video: VideoDemand } | { audio: AudioDemand } | null {
  for (const input of Object.values(node.inputs)) {
    if (input.video) return { video: input.video };
    if (input.audio) return { audio: input.audio };
  }
  return null;
}

export const isVideoFed = (node: PlanNode): boolean => {
  const input = decodeInput(node);
  return input !== null && "video" in input;
};

/** "2", "all" or the hop of an audio window: what a block's coverage is called. */
export function rateName(node: PlanNode): string {
  const input = decodeInput(node);
  if (!input) return "all";
  return "video" in input ? String(input.video.fps) : "all";
}

/** Block size of plans that do not ask for another; part of the key of others, whose blocks have other bounds. */
const USUAL_BLOCK_US = 16_000_000;
export const blockKey = (node: PlanNode, blockUs: number): string => (blockUs === USUAL_BLOCK_US ? node.key : `${node.key}~${blockUs}`);

const videoKey = (info: MediumInfo, d: VideoDemand): string => `v:${(info.video ? outputSize(info.video, d) : [0, 0]).join("x")}:${d.geometry}:${d.fps}`;
const audioKey = (d: AudioDemand): string => `a:${d.sampleRate}:${d.channels}:${d.windowUs}:${d.hopUs}`;

export interface DecodePlan {
  spec: DecodeSpec;
  /** Output key → the streams it feeds. */
  consumers: Map<string, GridStream[]>;
}

/**
 * Decode pushdown: one output per distinct demand of the nodes that still miss something, all from one ffmpeg. Returns null when nothing has
 * to be decoded. Each output's ring has the slots that the plan grants its consumers: more would only let batches pile up behind a busy pool.
 */
export function planDecode(info: MediumInfo, streams: readonly GridStream[], plan: Pick<Plan, "nodes" | "runtime">): DecodePlan | null {
  const decodes = decodesOf(plan);
  const granted = new Map<string, Set<(typeof decodes)[number]>>();
  const spec: DecodeSpec = { video: [], audio: [] };
  const consumers = new Map<string, GridStream[]>();
  const missing = streams.filter((stream) => !stream.complete);
  for (const stream of missing) {
    const input = decodeInput(stream.node);
    if (!input) continue;
    const { run } = stream.node.op;
    const key = "video" in input ? videoKey(info, input.video) : audioKey(input.audio);
    const decode = decodes.find(({ consumers }) => consumers.some(({ node }) => node === stream.node.name))!;
    // Demands that differ in a plan can be one output of this medium.
    const shares = granted.get(key) ?? new Set();
    granted.set(key, shares.add(decode));
    const slots = [...shares].reduce((sum, share) => sum + share.slots, 0);
    let output: { deliver: boolean; slots: number; taps: { key: string; tap: { module: string; export: string; config: unknown } }[] } | undefined;
    if ("video" in input) {
      output = spec.video.find((o) => o.key === key);
      if (!output) spec.video.push((output = { key, demand: input.video, slots, deliver: false, taps: [] } as DecodeSpec["video"][number]) as DecodeSpec["video"][number]);
    } else {
      output = spec.audio.find((o) => o.key === key);
      if (!output) spec.audio.push((output = { key, demand: input.audio, slots, deliver: false, taps: [] } as DecodeSpec["audio"][number]) as DecodeSpec["audio"][number]);
    }
    output.slots = slots;
    if (run.form === "tap") output.taps.push({ key: stream.node.name, tap: { module: stream.node.op.module, export: run.factory, config: stream.node.config } });
    else output.deliver = true;
    consumers.set(key, [...(consumers.get(key) ?? []), stream]);
  }
  if (consumers.size === 0) return null;

  const videoStreams = missing.filter((stream) => isVideoFed(stream.node));
  // One time for all outputs: what a seek skips is skipped for sound as well, even though sound is decoded from its start.
  const fromUs = videoStreams.length > 0 ? Math.min(...missing.map((stream) => stream.resumeUs)) : 0;
  if (fromUs > 0) {
    // Every stream that is at least as far knows the frame before that point; the densest one is the surest witness.
    const [witness] = videoStreams
      .flatMap((stream) => {
        const frame = stream.witness(fromUs);
        return frame ? [{ frame, output: [...consumers].find(([, list]) => list.includes(stream))![0] }] : [];
      })
      .sort((a, b) => b.frame.ptsUs - a.frame.ptsUs);
    spec.resume = { fromUs, verify: witness ? { output: witness.output, ...witness.frame } : null };
  }
  return { spec, consumers };
}
