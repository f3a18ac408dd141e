/** Writes graphs/flow.schema.json from the operators' definitions: node dist/test/graph/write-schema.js */
import { writeFileSync } from "node:fs";
import { graphJsonSchema } from "../../src/graph/index.js";
import { catalogue } from "../../src/operators/index.js";

writeFileSync(new URL("../../../graphs/flow.schema.json", import.meta.url), `${JSON.stringify(graphJsonSchema(catalogue), null, 1)}\n`);
