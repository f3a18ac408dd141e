import type { Store } from "../store/index.js";
import { coloursFor, note } from "./output.js";

/** The store, read only: a writer may be at work. Throws NO_STORE when there is none. */
export async function readStore(dir: string): Promise<Store> {
  const { Store } = await import("../store/index.js");
  return Store.open(dir, { readOnly: true });
}

/** Opens, uses and closes a store for reading; on stderr it is said of every store of stand-ins that it is one. */
export async function withStore<T>(dir: string, use: (store: Store) => T | Promise<T>): Promise<T> {
  const store = await readStore(dir);
  try {
    const mocked = store.standIns ?? [];
    if (mocked.length > 0) note(coloursFor(process.stderr).red(standInsText(mocked)));
    return await use(store);
  } finally {
    await store.close();
  }
}

/** Also where no terminal shows stderr: who reads results of stand-ins has to be told. */
export const standInsText = (models: readonly string[]): string => `STAND-INS (--mock-models) instead of ${models.join(", ")}: nothing that they say is real`;
