import type { Store } from "../store/index.js";

/** The store, read only: a writer may be at work. Throws NO_STORE when there is none. */
export async function readStore(dir: string): Promise<Store> {
  const { Store } = await import("../store/index.js");
  return Store.open(dir, { readOnly: true });
}

/** Opens, uses and closes a store for reading. */
export async function withStore<T>(dir: string, use: (store: Store) => T | Promise<T>): Promise<T> {
  const store = await readStore(dir);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
