import { FlowError } from "../contracts/errors.js";
import type { TapRef } from "../contracts/media.js";

/** The factories of taps, imported in the media worker. Throws TAP_UNLOADABLE. */
export async function loadTaps<F>(taps: { key: string; tap: TapRef }[]): Promise<{ key: string; config: unknown; factory: F }[]> {
  return Promise.all(
    taps.map(async ({ key, tap }) => {
      let factory: unknown;
      try {
        factory = ((await import(tap.module)) as Record<string, unknown>)[tap.export];
      } catch (cause) {
        throw unloadable(tap, cause instanceof Error ? cause.message : String(cause), cause);
      }
      if (typeof factory !== "function") throw unloadable(tap, `it exports no function ${tap.export}`);
      return { key, config: tap.config, factory: factory as F };
    }),
  );
}

function unloadable(tap: TapRef, reason: string, cause?: unknown): FlowError {
  return new FlowError("TAP_UNLOADABLE", `The frame tap ${tap.export} of ${tap.module} cannot be loaded: ${reason}.`, { hint: "Check the operator that asks for it.", cause });
}
