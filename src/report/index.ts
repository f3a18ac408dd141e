/** `flow report`: one self-contained HTML page about a store. */
import type { Store } from "../store/index.js";
import { reportData, type ReportData, type ReportOptions } from "./data.js";
import { renderPage } from "./page.js";

export { reportData, renderPage, type ReportData, type ReportOptions };
export type { SpaceInfo } from "./similar.js";

/** Store → page. */
export function renderReport(store: Store, options: ReportOptions = {}): string {
  return renderPage(reportData(store, options));
}
