/** The test command: every *.test.js below this folder (or those whose path contains one of the arguments), one process per file. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { refuseTelemetry } from "../src/models/telemetry.js";
import { SHARED } from "./clips.js";

// Some tests open models themselves.
refuseTelemetry();
const root = dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.js") && (wanted.length === 0 || wanted.some((part) => name.includes(part))))
  .sort()
  .map((name) => join(root, name));
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(", ")}`);
  process.exit(2);
}
for (const name of ["FLOW_MODELS_DIR", "FLOW_MEDIA_DIR"]) if (!process.env[name]) console.log(`${name} is not set: tests that need it are skipped and say so`);
// A test that is killed cannot clean up behind itself.
const temporary = mkdtempSync(join(tmpdir(), "flow-test-"));
// As the system's own folder: another user, which a test becomes, gets through.
chmodSync(temporary, 0o711);
try {
  const { status } = spawnSync(process.execPath, ["--test", "--test-concurrency=2", ...files], { stdio: "inherit", env: { ...process.env, TMPDIR: temporary, [SHARED]: temporary } });
  process.exitCode = status ?? 1;
} finally {
  rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
}
