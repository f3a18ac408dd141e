/** What a command line may say of a graph, read from its text alone: for completions, which link no operator and load no model. */
import { applyProfile } from "./link.js";
import { paramWords } from "./params.js";
import { parseGraph, type GraphSource } from "./parse.js";
import { reporter } from "./problems.js";
import { child } from "./tree.js";

export interface GraphWords {
  profiles: string[];
  /** Parameter → the words that it takes; none of one that takes any number or text. */
  params: Record<string, string[]>;
}

/** With a profile: as that changes the parameters. Null for a text that is no graph. */
export function graphWords(source: GraphSource, profile?: string): GraphWords | null {
  const { syntax } = parseGraph(source);
  if (!syntax) return null;
  const profiles = child(syntax.root, "profiles");
  return {
    profiles: profiles?.kind === "map" ? [...profiles.entries.keys()] : [],
    params: paramWords(applyProfile(syntax.root, profile, reporter(source.path))),
  };
}
