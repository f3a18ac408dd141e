/** Writes what derives from definitions: graphs/flow.schema.json and graphs/OPERATORS.md from the operators, models/manifest.schema.json from the manifests' schema: npm run generate */
import { writeFileSync } from "node:fs";
import { graphJsonSchema, operatorReference } from "../../src/graph/index.js";
import { manifestJsonSchema } from "../../src/models/manifest-json-schema.js";
import { catalogue } from "../../src/operators/index.js";

const graphs = new URL("../../../graphs/", import.meta.url);
writeFileSync(new URL("flow.schema.json", graphs), `${JSON.stringify(graphJsonSchema(catalogue), null, 1)}\n`);
writeFileSync(new URL("OPERATORS.md", graphs), `${operatorReference(catalogue).trimEnd()}\n`);
writeFileSync(new URL("../../../models/manifest.schema.json", import.meta.url), `${JSON.stringify(manifestJsonSchema(), null, 1)}\n`);
