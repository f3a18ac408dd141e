import type { Problem } from "../contracts/index.js";
import type { coloursFor } from "./output.js";

/** Problems as an editor or a person reads them: `file:line:column severity CODE message`, then what was found and what helps. */
export function problemLines(problems: readonly Problem[], c: ReturnType<typeof coloursFor>): string {
  return problems
    .map((p) => {
      const mark = p.severity === "error" ? c.red("error") : c.yellow("warning");
      const lines = [`${c.bold(`${p.file}:${p.line}:${p.column}`)} ${mark} ${c.dim(p.code)} ${p.message}`];
      if (p.found !== undefined) lines.push(`    found     ${p.found}`);
      if (p.expected !== undefined) lines.push(`    expected  ${p.expected}`);
      if (p.nearest !== undefined && !p.hint.includes(p.nearest)) lines.push(`    nearest   ${p.nearest}`);
      if (p.hint) lines.push(`    ${c.cyan("hint")}      ${p.hint}`);
      return lines.join("\n");
    })
    .join("\n");
}
