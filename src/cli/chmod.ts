/** Build step: the compiled command line must be executable for `npx flow`. */
import { chmodSync } from "node:fs";
import { fileURLToPath } from "node:url";

chmodSync(fileURLToPath(new URL("./main.js", import.meta.url)), 0o755);
