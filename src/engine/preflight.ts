import { EXIT, FlowError, toFlowError, type Interval, type MediumInfo, type ModelManifest, type Plan } from "../contracts/index.js";
import { expandInputs, identify, probe, type InputItem } from "../media/index.js";
import type { Store } from "../store/index.js";
import type { Services } from "./services.js";

/** One medium to run: several paths with the same bytes are one source with several URIs. */
export interface Source {
  info: MediumInfo;
  uris: string[];
  givenScenes: Interval[] | null;
}

export interface Preflight {
  sources: Source[];
  failures: { uri: string; code: string; message: string; hint: string }[];
}

/**
 * Opens every source and checks every model before the first frame, and reports all problems at once. A medium that cannot be opened is a
 * failed item; that an input does not exist at all, or that this machine lacks something, is the command's error.
 */
export async function preflight(plan: Plan, inputs: readonly string[], store: Store, services: Services): Promise<Preflight> {
  const items = await expandInputs(inputs);
  const sources = new Map<string, Source>();
  const failures: Preflight["failures"] = [];
  for (const item of items) {
    try {
      const info = await open(item, store);
      const known = sources.get(info.id);
      if (known) known.uris.push(info.uri);
      else sources.set(info.id, { info, uris: [info.uri], givenScenes: item.scenes ?? null });
    } catch (thrown) {
      const error = toFlowError(thrown);
      // A missing ffmpeg is not the medium's fault.
      if (error.exit === EXIT.environment) throw error;
      failures.push({ uri: item.uri, code: error.code, message: error.message, hint: error.hint });
    }
  }
  const models = new Map<string, ModelManifest>();
  for (const node of plan.nodes) for (const model of Object.values(node.models)) models.set(model.id, model);
  const wrong = await services.checkModels([...models.values()]);
  if (wrong.length > 0) {
    throw new FlowError(wrong[0]!.code, wrong.map((e) => e.message).join("\n"), { hint: wrong[0]!.hint, exit: EXIT.environment });
  }
  return { sources: [...sources.values()], failures };
}

/** Identity and probe; a file that has not changed is neither hashed nor probed again. */
async function open(item: InputItem, store: Store): Promise<MediumInfo> {
  const identity = await identify(item.uri, store.identities);
  const known = identity.memoisable ? store.getMedium(identity.id) : undefined;
  if (known && known.info.uri === item.uri) return known.info;
  const info = known ? { ...known.info } : await probe(item.uri);
  return { ...info, id: identity.id, uri: item.uri, name: item.name, memoisable: identity.memoisable };
}
