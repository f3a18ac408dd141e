export { recordMemoKey, Store, type FailureRow, type Identity, type MediumRow, type RecordCommit, type RecordQuery, type RunRow } from "./store.js";
export { pack as packValue, unpack as unpackValue, type Block, type VectorRows } from "./codec.js";
export { combineDigests, DigestBuilder } from "./digest.js";
export { searchStore, wordIndex, WORDS_SPACE, type SearchHit, type SearchOptions, type SearchResult } from "./search/search.js";
export { type TextIndex } from "./search/text-index.js";
export { type VectorQuery } from "./search/rank-vectors.js";
export { diffStores, type Difference, type StoreDifference } from "./diff.js";
export { EXPORT_FORMATS, exportStore, type ExportFormat, type ExportOptions, type ExportResult } from "./export/export.js";
