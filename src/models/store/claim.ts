import { mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { EXIT, FlowError } from "../../contracts/index.js";

/** Holds a file against other processes until released; one whose holder has died is taken over. Throws MODEL_BUSY. */
export async function claim(path: string): Promise<() => Promise<void>> {
  const held = `${path}.pid`;
  await mkdir(dirname(held), { recursive: true });
  for (let tries = 0; ; tries++) {
    try {
      const file = await open(held, "wx");
      await file.writeFile(String(process.pid)).finally(() => file.close());
      return () => rm(held, { force: true });
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "EEXIST") throw thrown;
    }
    const holder = Number(await readFile(held, "utf8").catch(() => ""));
    if (tries > 2 || (holder !== process.pid && alive(holder))) {
      throw new FlowError("MODEL_BUSY", `another flow (process ${holder}) is downloading the same file`, { hint: "Wait until it has finished; then this finds the file in the cache.", exit: EXIT.environment });
    }
    await rm(held, { force: true });
  }
}

function alive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === "EPERM";
  }
}
