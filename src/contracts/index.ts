export * from "./errors.js";
export * from "./items.js";
export * from "./media.js";
export * from "./model.js";
export * from "./operator.js";
export * from "./plan.js";
export * from "./ports.js";
export * from "./record.js";
