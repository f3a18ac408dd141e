import type { AudioDemand, Plan, PlanNode, VideoDemand } from "../contracts/index.js";
import { canonicalJson, shortHash } from "./hash.js";
import type { LinkedNode } from "./wire.js";

/** What the inputs of a node ask of decoding: the operator's demand, overridden by `fps` and `size` written on the input. */
export function demandsOf(node: LinkedNode): Record<string, { video?: VideoDemand; audio?: AudioDemand }> {
  const stated = node.op.demand?.({ config: node.draft.config, models: node.models, inputs: Object.fromEntries(Object.entries(node.inputs).map(([name, input]) => [name, input.type])) }) ?? {};
  const demands: Record<string, { video?: VideoDemand; audio?: AudioDemand }> = {};
  for (const [entry, input] of Object.entries(node.inputs)) {
    const wanted = stated[entry] ?? stated[input.into];
    if (input.type.kind === "audio" && wanted?.audio) demands[entry] = { audio: wanted.audio };
    if (input.type.kind !== "frames") continue;
    const ref = node.refs[entry];
    const size = ref?.size?.value ?? wanted?.video?.size;
    if (!size) continue;
    demands[entry] = { video: { size, fps: ref?.fps?.value ?? wanted?.video?.fps ?? "all", geometry: wanted?.video?.geometry ?? "display" } };
  }
  return demands;
}

/** One output of the decode: everything that asks for the same frames or windows shares it. */
export interface Decode {
  /** Node that opens the media. */
  source: string;
  /** Stable name made from the demand. */
  key: string;
  stream: "video" | "audio";
  video?: VideoDemand;
  audio?: AudioDemand;
  consumers: { node: string; entry: string; tap: boolean }[];
  /** Slots that its consumers can hold at once, plus the one being filled: Σ batch × (in flight + 1) + 1. */
  slots: number;
  /** Upper bound of one slot's bytes (rgb24 or Float32). */
  slotBytes: number;
}

/** The outputs of the plan's one decode per medium, in order of their keys. Slots that `runtime.slots` grants beyond the need are spread evenly. */
export function decodesOf(plan: Pick<Plan, "nodes" | "runtime">): Decode[] {
  const decodes = groupDemands(plan.nodes, plan.runtime.batchesInFlight);
  const spare = Math.max(0, plan.runtime.slots - decodes.reduce((sum, decode) => sum + decode.slots, 0));
  const share = decodes.length > 0 ? Math.floor(spare / decodes.length) : 0;
  return decodes.map((decode) => ({ ...decode, slots: decode.slots + share }));
}

export function groupDemands(nodes: readonly PlanNode[], batchesInFlight: number): Decode[] {
  const decodes = new Map<string, Decode>();
  for (const node of nodes) {
    for (const [entry, input] of Object.entries(node.inputs)) {
      const demand = input.video ?? input.audio;
      if (!demand) continue;
      const group = `${input.node} ${input.video ? "video" : "audio"} ${canonicalJson(demand)}`;
      let decode = decodes.get(group);
      if (!decode) {
        decode = {
          source: input.node,
          key: `${input.video ? "v" : "a"}-${shortHash(demand).slice(0, 8)}`,
          stream: input.video ? "video" : "audio",
          ...(input.video ? { video: input.video } : {}),
          ...(input.audio ? { audio: input.audio } : {}),
          consumers: [],
          slots: 1,
          slotBytes: slotBytes(input),
        };
        decodes.set(group, decode);
      }
      const tap = node.op.run.form === "tap";
      decode.consumers.push({ node: node.name, entry, tap });
      // A tap folds the frame before the ring gives it away: it holds nothing.
      if (!tap) decode.slots += node.batch.size * (batchesInFlight + 1);
    }
  }
  return [...decodes.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function slotBytes({ video, audio }: { video?: VideoDemand; audio?: AudioDemand }): number {
  if (audio) return Math.ceil((audio.windowUs / 1e6) * audio.sampleRate) * audio.channels * 4;
  if (!video) return 0;
  const { size } = video;
  // A shorter side says nothing of the longer one before the medium is known: 16:9 and somewhat more.
  const [width, height] = Array.isArray(size) ? size : "longest" in size ? [size.longest, size.longest] : [size.shortest, 2 * size.shortest];
  return width * height * 3;
}
