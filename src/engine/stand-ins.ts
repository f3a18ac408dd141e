/**
 * Stand-ins for models (`--mock-models`): keys keep their results apart from real ones, but a store holds one record per scene, and whoever reads it later
 * does not know who wrote it. So a store is of one kind: real, or of stand-ins, which then says so to every reader.
 */
import { EXIT, FlowError, type PlanNode } from "../contracts/index.js";
import type { Store } from "../store/index.js";

/** Models of these nodes that stand-ins play. */
export const mockedModels = (nodes: readonly PlanNode[]): string[] => [...new Set(nodes.flatMap((node) => Object.values(node.models).flatMap((model) => (model.mock ? [model.id] : []))))].sort();

export const mockNotes = (mocked: readonly string[]): string[] => (mocked.length > 0 ? [`STAND-INS ran instead of ${mocked.join(", ")}: what they say means nothing`] : []);

/** `asked`: the run may have stand-ins, whether or not its graph has models for them. @throws FlowError STORE_REAL, STORE_OF_STAND_INS */
export function checkStandIns(store: Store, asked: boolean): void {
  if (asked && store.standIns === null && store.holdsResults) {
    throw new FlowError("STORE_REAL", `The store ${store.dir} holds results of real models: --mock-models would write what means nothing over them.`, {
      hint: "Name no store (--store, FLOW_STORE), then stand-ins write into ./.flow-mock; or give a new or empty folder with --store.",
      exit: EXIT.badInput,
    });
  }
  if (!asked && store.standIns !== null) {
    throw new FlowError("STORE_OF_STAND_INS", `The store ${store.dir} was filled with --mock-models: real results would lie among those of stand-ins.`, {
      hint: "Name no store, or give a new or empty folder with --store; or go on with stand-ins: --mock-models.",
      exit: EXIT.badInput,
    });
  }
}
