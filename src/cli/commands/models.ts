import type { Command } from "commander";
import { define } from "../define.js";
import { addCommand } from "./models-add.js";
import { calibrateCommand } from "./models-calibrate.js";
import { importCommand } from "./models-import.js";
import { listCommand } from "./models-list.js";
import { pullCommand } from "./models-pull.js";
import { rmCommand } from "./models-rm.js";
import { showCommand } from "./models-show.js";
import { verifyCommand } from "./models-verify.js";
import { whereCommand } from "./models-where.js";

export function command(): Command {
  const models = define("models", {
    description: [
      "Manifests (models/*.yaml) say what a model needs; its files lie beside them, in the cache, or anywhere under FLOW_MODELS_DIR.",
      "Environment: FLOW_CACHE_DIR (the cache), FLOW_MODELS_DIR (folders, separated by ':', used in place), HF_ENDPOINT, HF_TOKEN, HTTPS_PROXY, HTTP_PROXY, NO_PROXY.",
      "Exit codes: 0 done; 2 a wrong argument; 3 a file cannot be had, is not what it should be, or the disk is full; 130 stopped by Ctrl-C.",
    ].join("\n"),
    examples: [
      ["flow models list", "which models there are, and which are installed"],
      ["flow models pull graphs/ego.yaml --profile small", "download what a graph needs"],
      ["flow models pull yolox-nano silero-vad", "download models by name"],
      ["flow models import /media/stick", "take them from a folder, on a machine without a network"],
    ],
  });
  models.addCommand(listCommand(), { isDefault: true });
  for (const make of [showCommand, pullCommand, importCommand, verifyCommand, whereCommand, rmCommand, addCommand, calibrateCommand]) models.addCommand(make());
  return models;
}
