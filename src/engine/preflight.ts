import { EXIT, FlowError, toFlowError, type Interval, type MediumInfo, type ModelManifest, type Plan } from "../contracts/index.js";
import { decodesOf } from "../graph/index.js";
import { expandInputs, identify, probe, requireAbilities, type InputItem } from "../media/index.js";
import type { Store } from "../store/index.js";
import type { Services } from "./services.js";

/** One medium to run: several paths with the same bytes are one source with several URIs. */
export interface Source {
  info: MediumInfo;
  uris: string[];
  /** What all inputs with these bytes give, in order; null when none gives any. */
  givenScenes: Interval[] | null;
}

export interface Preflight {
  sources: Source[];
  failures: { uri: string; code: string; message: string; hint: string }[];
  /** What inputs give and nothing reads. */
  notes: string[];
}

/**
 * Opens every source and checks every model before the first frame, and reports all problems at once. A medium that cannot be opened is a
 * failed item, which the store lists until it opens; that an input does not exist at all, or that this machine lacks something, is the command's error.
 * A path is the medium's whose bytes it holds now: what the store had under it before is no longer found there. `stop` ends it where it is: what has been
 * opened until then is claimed, nothing else is looked at and nothing has failed.
 */
export async function preflight(plan: Plan, inputs: readonly string[], store: Store, services: Services, stop: AbortSignal): Promise<Preflight> {
  const items = await expandInputs(inputs);
  requireFiles(plan, items);
  const sources = new Map<string, Source>();
  const unopened: { uri: string; error: FlowError }[] = [];
  const found = new Map<string, { id: string; name: string }>();
  for (const item of items) {
    if (stop.aborted) break;
    try {
      const identity = await identify(item.uri, store.identities, stop);
      found.set(item.uri, { id: identity.id, name: item.name });
      const info = await openMedium(item, identity, store, stop);
      const known = sources.get(info.id);
      if (!known) sources.set(info.id, { info, uris: [info.uri], givenScenes: item.scenes ?? null });
      else {
        if (!known.uris.includes(info.uri)) known.uris.push(info.uri);
        known.givenScenes = unionOfScenes(known.givenScenes, item.scenes ?? null);
      }
    } catch (thrown) {
      if (stop.aborted) break;
      const error = toFlowError(thrown);
      // A missing ffmpeg is not the medium's fault.
      if (error.exit === EXIT.environment) throw error;
      unopened.push({ uri: item.uri, error });
    }
  }
  if (!stop.aborted) await mustWork(plan, [...sources.values()], store, services, stop);
  // A run that is refused leaves the store as it was: only now is anything said of its media.
  await store.claimPaths(found);
  const opened = new Set([...sources.values()].flatMap((source) => source.uris));
  for (const { medium, uri } of store.failures()) if (medium === "" && opened.has(uri)) await store.clearUnopened(uri);
  for (const { uri, error } of unopened) services.mediumUnopened(uri, error);
  const failures = unopened.map(({ uri, error: { code, message, hint } }) => ({ uri, code, message, hint }));
  return { sources: [...sources.values()], failures, notes: notes(items) };
}

/** Files that nodes name in their options are the command's error, not that of each medium. A cutter whose media all come with their scenes reads none. */
export function requireFiles(plan: Plan, items: readonly InputItem[]): void {
  for (const node of plan.nodes) {
    if (node.op.run.form === "cut" && items.every(({ scenes }) => scenes)) continue;
    try {
      node.op.requires?.(node.config);
    } catch (thrown) {
      const { code, message, hint, exit } = toFlowError(thrown);
      throw new FlowError(code, message, { hint, exit, node: node.name, cause: thrown });
    }
  }
}

/** Models, devices and the decoder. Throws all problems as one; none when it was stopped on the way. */
async function mustWork(plan: Plan, sources: readonly Source[], store: Store, services: Services, stop: AbortSignal): Promise<void> {
  const models = new Map<string, ModelManifest>();
  const reads = new Map<string, string[]>();
  for (const node of plan.nodes) {
    const named = node.op.reads?.(node.config) ?? {};
    for (const [role, model] of Object.entries(node.models)) {
      models.set(model.id, model);
      reads.set(model.id, [...(reads.get(model.id) ?? []), ...(named[role] ?? [])]);
    }
  }
  const wrong = (await Promise.all([services.checkModels([...models.values()], reads), checkDecoder(plan, sources, store)])).flat();
  if (wrong.length === 0 && !stop.aborted) wrong.push(...(await services.checkDevices()));
  if (wrong.length === 0 || stop.aborted) return;
  throw new FlowError(wrong[0]!.code, wrong.map((e) => e.message).join("\n"), { hint: [...new Set(wrong.map((e) => e.hint))].join("; "), exit: EXIT.environment });
}

/** A medium that is new has to be decoded; for another one everything may be stored. Pictures need no ffmpeg. */
async function checkDecoder(plan: Plan, sources: readonly Source[], store: Store): Promise<FlowError[]> {
  if (decodesOf(plan).length === 0 || !sources.some(({ info }) => info.kind !== "image" && !store.getMedium(info.id))) return [];
  return requireAbilities().then(() => [], (thrown: unknown) => [toFlowError(thrown)]);
}

function notes(items: readonly InputItem[]): string[] {
  const narrated = items.filter((item) => item.narration !== undefined).length;
  const unread = new Set(items.flatMap((item) => item.unread ?? []));
  return [
    ...(narrated > 0 ? [`narration is given for ${narrated} of the inputs, and no operator reads it yet: transcripts come from subtitles`] : []),
    ...(unread.size > 0 ? [`keys of the list that mean nothing here: ${[...unread].sort().join(", ")} (an entry has path, name, scenes, narration)`] : []),
  ];
}

/**
 * One medium listed twice (one row per scene, a folder beside a list, two names for the same bytes) is one record, so its scenes are all that
 * were given for it, each once; an input that gives none takes nothing away.
 */
export function unionOfScenes(a: Interval[] | null, b: Interval[] | null): Interval[] | null {
  if (!a || !b) return a ?? b;
  const all = new Map([...a, ...b].map((scene) => [`${scene.startUs}-${scene.endUs}`, scene]));
  return [...all.values()].sort((x, y) => x.startUs - y.startUs || x.endUs - y.endUs);
}

/** A file that has not changed is not probed again. */
export async function openMedium(item: InputItem, identity: { id: string; memoisable: boolean }, store: Store | null, stop?: AbortSignal): Promise<MediumInfo> {
  const known = identity.memoisable ? store?.getMedium(identity.id) : undefined;
  if (known && known.info.uri === item.uri && known.info.name === item.name) return known.info;
  const info = known ? { ...known.info } : await probe(item.uri, item.name, stop);
  return { ...info, id: identity.id, uri: item.uri, name: item.name, memoisable: identity.memoisable };
}
