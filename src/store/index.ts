export { Store, type FailureRow, type Identity, type MediumRow, type RecordCommit, type RecordQuery, type RunRow } from "./store.js";
export { type Block, type VectorRows } from "./codec.js";
export { combineDigests, DigestBuilder } from "./digest.js";
