import { z } from "zod";
import { manifestSchema } from "./manifest-schema.js";

/** JSON Schema (2020-12) of `models/<id>.yaml`, for editors: models/manifest.schema.json. What only a program can check (paths among the files, hashes) is not in it. */
export function manifestJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(manifestSchema, { io: "input", target: "draft-2020-12" }) as Record<string, unknown>;
  return { ...schema, title: "Manifest of a model", description: "models/ID.yaml: what a model does, its files and where they are published, what goes in and what comes out." };
}
