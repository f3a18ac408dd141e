/** Preloaded (`NODE_OPTIONS=--import`) into worker processes: writes its pid to FLOW_TEST_LOG and ends or stops itself before it has read a task. FLOW_TEST_TIMES processes do so. */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

const { FLOW_TEST_SIGNAL: signal, FLOW_TEST_LOG: log, FLOW_TEST_TIMES: times } = process.env;
if (isMainThread && signal && log && /[\\/]inference[\\/]child\.js$/.test(process.argv[1] ?? "")) {
  const before = existsSync(log) ? readFileSync(log, "utf8").split("\n").length - 1 : 0;
  if (before < Number(times)) {
    appendFileSync(log, `${process.pid}\n`);
    process.kill(process.pid, signal);
  }
}
