/** Writes what derives from the operators' definitions, graphs/flow.schema.json and graphs/OPERATORS.md: npm run generate */
import { writeFileSync } from "node:fs";
import { graphJsonSchema, operatorReference } from "../../src/graph/index.js";
import { catalogue } from "../../src/operators/index.js";

const graphs = new URL("../../../graphs/", import.meta.url);
writeFileSync(new URL("flow.schema.json", graphs), `${JSON.stringify(graphJsonSchema(catalogue), null, 1)}\n`);
writeFileSync(new URL("OPERATORS.md", graphs), `${operatorReference(catalogue).trimEnd()}\n`);
