import { DEVICES, LEVELS, type OperatorDefinition } from "../contracts/index.js";
import { configSchema, type ConfigSchema } from "./config.js";

const text = { type: ["string", "number"] };
/** A name, or several. */
const words = { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] };
/** Pixels. */
const side = orReference({ type: "integer", minimum: 16, maximum: 8192 });

/**
 * JSON Schema (draft 2020-12) of a graph file for editors: completion and hover text for every key and every operator's options.
 * It knows one file at a time and no graph; `flow lint` knows edges, models and parameters.
 */
export function graphJsonSchema(catalogue: ReadonlyMap<string, OperatorDefinition>): Record<string, unknown> {
  const operators = [...catalogue.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const node = nodeSchema(operators);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "flow graph",
    description: "A graph of operators over media. Generated from the operators' definitions.",
    type: "object",
    required: ["flow", "nodes"],
    additionalProperties: false,
    patternProperties: { "^x-": true },
    properties: {
      flow: { const: 1, description: "Version of the language." },
      name: text,
      description: text,
      params: { type: "object", additionalProperties: { $ref: "#/$defs/param" }, description: "Values that -p, the environment or a profile can change; used as ${params.NAME}." },
      models: { $ref: "#/$defs/models" },
      runtime: { $ref: "#/$defs/runtime" },
      nodes: { type: "object", additionalProperties: { $ref: "#/$defs/node" } },
      outputs: { $ref: "#/$defs/outputs" },
      profiles: {
        type: "object",
        description: "Deep overlays by name; null removes.",
        additionalProperties: {
          type: "object",
          additionalProperties: false,
          properties: { params: { type: "object" }, models: { type: "object" }, runtime: { type: "object" }, nodes: { type: "object" }, outputs: { type: "object" } },
        },
      },
    },
    $defs: {
      reference: { type: "string", pattern: "\\$\\{", description: "${params.NAME} or ${env.NAME:-default}" },
      duration: { anyOf: [{ type: "number", minimum: 0 }, { type: "string" }], description: "\"0.6s\", \"40ms\", \"5m\" or seconds." },
      device: {
        anyOf: [{ enum: ["auto", ...DEVICES] }, { type: "array", minItems: 1, uniqueItems: true, items: { enum: [...DEVICES] } }, { $ref: "#/$defs/reference" }],
        description: "What models run on: a device (then the CPU), or a list in order of preference; auto: the best that this machine has.",
      },
      check: { anyOf: [{ type: "number", minimum: 0, maximum: 1 }, { const: "off" }, { $ref: "#/$defs/reference" }], description: "How far another device may differ from the CPU; 0.001 unless given." },
      isolation: { anyOf: [{ enum: ["thread", "process"] }, { $ref: "#/$defs/reference" }], description: "process: a crash or a call that never ends costs one item." },
      param: {
        type: "object",
        required: ["type"],
        additionalProperties: false,
        properties: {
          type: { anyOf: [{ enum: ["media", "number", "integer", "boolean", "string", "enum", "duration"] }, { type: "array", items: { type: "string" } }] },
          of: { type: "array", items: { type: ["string", "number"] }, description: "Words of an enum." },
          default: {},
          positional: { type: "boolean", description: "The one parameter that inputs on the command line fill." },
          description: text,
          min: { type: "number" },
          max: { type: "number" },
        },
      },
      models: {
        type: "object",
        additionalProperties: { anyOf: [{ type: "string" }, { type: "object", properties: { model: { type: "string" }, else: { type: "string", description: "The model that is used while the other one is not installed." }, optional: { type: "boolean", description: "Nodes that need it vanish while it is not installed." }, device: { $ref: "#/$defs/device" } }, required: ["model"], additionalProperties: false }] },
        description: "Role → model manifest.",
      },
      runtime: {
        type: "object",
        additionalProperties: false,
        properties: Object.fromEntries([
          ...Object.entries({ workers: 256, media_in_flight: 64, scenes_in_flight: 4096, slots: 65_536 }).map(([key, maximum]) => [key, orReference({ type: "integer", minimum: 1, maximum })]),
          ["block", { $ref: "#/$defs/duration" }],
          ["limits", { type: "object", additionalProperties: false, properties: { rss: { type: ["string", "integer"] }, vram: { type: ["string", "integer"] } } }],
          ["device", { $ref: "#/$defs/device" }],
          ["check", { $ref: "#/$defs/check" }],
          ["pools", { type: "object", additionalProperties: false, properties: { inference: { type: "object", additionalProperties: false, properties: { workers: orReference({ type: "integer", minimum: 1, maximum: 256 }), isolation: { $ref: "#/$defs/isolation" }, timeout: { $ref: "#/$defs/duration" } } } } }],
          ["schedule", { ...orReference({ enum: ["auto", "stream", "stages"] }), description: "stages: in passes, a model's nodes at a time; auto: when the limits ask for it." }],
        ]),
      },
      source: {
        anyOf: [
          { type: "string", description: "NODE or NODE.PORT" },
          {
            type: "object",
            required: ["from"],
            additionalProperties: false,
            properties: {
              from: words,
              fps: orReference({ anyOf: [{ type: "number", exclusiveMinimum: 0, maximum: 1000 }, { const: "all" }] }),
              size: orReference({ anyOf: [{ type: "array", items: side, minItems: 2, maxItems: 2 }, side, { type: "object", properties: { longest: side, shortest: side }, additionalProperties: false, minProperties: 1, maxProperties: 1 }] }),
            },
          },
        ],
      },
      node,
      outputs: {
        type: "object",
        additionalProperties: false,
        properties: Object.fromEntries(["scene", "media"].map((kind) => [kind, { $ref: "#/$defs/output" }])),
      },
      output: {
        type: "object",
        required: ["from"],
        additionalProperties: false,
        properties: {
          from: words,
          vectors: { type: "object", additionalProperties: { type: ["object", "null"], additionalProperties: false, properties: { weight: orReference({ type: "number", minimum: 0, maximum: 100 }) } } },
          fulltext: words,
          index: words,
          retain: { type: "null" },
        },
      },
    },
  };
}

function orReference(schema: Record<string, unknown>): Record<string, unknown> {
  return { anyOf: [schema, { $ref: "#/$defs/reference" }] };
}

function nodeSchema(operators: readonly OperatorDefinition[]): Record<string, unknown> {
  return {
    type: "object",
    additionalProperties: false,
    properties: {
      op: {
        anyOf: [
          ...operators.map((op) => ({ const: op.name, description: op.summary })),
          { type: "string", pattern: `^(${operators.map((op) => op.name.replace(".", "\\.")).join("|")})@\\d+$`, description: "Pinned to a version." },
        ],
      },
      in: { anyOf: [{ $ref: "#/$defs/source" }, { type: "array", items: { $ref: "#/$defs/source" } }, { type: "object", additionalProperties: { anyOf: [{ $ref: "#/$defs/source" }, { type: "array", items: { $ref: "#/$defs/source" } }] } }] },
      with: { type: "object", description: "Options of the operator." },
      model: { anyOf: [{ type: "string" }, { type: "object", additionalProperties: { type: "string" } }], description: "Role of the graph's `models:`; several: { role of the operator: role of the graph }." },
      batch: { type: "object", additionalProperties: false, properties: { size: orReference({ type: "integer", minimum: 1, maximum: 1024 }), wait: { $ref: "#/$defs/duration" } } },
      queue: { type: "object", additionalProperties: false, properties: { max: orReference({ type: "integer", minimum: 1, maximum: 100_000 }), policy: orReference({ type: "string", pattern: "^(block|drop-oldest|drop-newest|latest|sample\\(\\d+\\))$" }) } },
      on_error: { type: "object", additionalProperties: false, properties: { retry: orReference({ type: "integer", minimum: 0, maximum: 100 }), backoff: { type: ["string", "number"], description: "1s..10s" }, then: orReference({ enum: ["dead_letter", "fail"] }) } },
      runtime: {
        type: "object",
        additionalProperties: false,
        properties: { device: { $ref: "#/$defs/device" }, check: { $ref: "#/$defs/check" }, isolation: { $ref: "#/$defs/isolation" }, timeout: { $ref: "#/$defs/duration" } },
        description: "Where the node's calls run; unless given, as the graph says.",
      },
      enabled: orReference({ type: "boolean" }),
      when: { type: ["string", "boolean"], description: "CEL, asked per item; variables: media.info, scene, and the nodes that `in` names." },
      by: orReference({ enum: [...LEVELS] }),
      over: orReference({ enum: [...LEVELS] }),
      missing: { type: "null" },
      switch: { type: ["string", "number", "boolean"] },
      cases: { type: "object", additionalProperties: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
      description: text,
    },
    allOf: operators.map((op) => ({
      if: { properties: { op: { const: op.name } }, required: ["op"] },
      then: { properties: { with: { ...withReferences(configSchema(op)) }, ...inputsOf(op) } },
    })),
  };
}

/** Any value of a config may also be a ${…} reference. */
function withReferences(schema: ConfigSchema): ConfigSchema {
  const { $schema: _, ...rest } = schema;
  const copy: ConfigSchema = { ...rest };
  if (copy.properties) {
    copy.properties = Object.fromEntries(
      Object.entries(copy.properties).map(([name, field]) => {
        const { description, default: preset, ...type } = field;
        return [name, { ...(description === undefined ? {} : { description }), ...(preset === undefined ? {} : { default: preset }), anyOf: [type, { $ref: "#/$defs/reference" }] }];
      }),
    );
  }
  for (const key of ["anyOf", "oneOf", "allOf"] as const) if (copy[key]) copy[key] = copy[key].map(withReferences);
  return copy;
}

function inputsOf(op: OperatorDefinition): Record<string, unknown> {
  if (op.inputs === "map") return {};
  const names = [...Object.keys(op.inputs), "by", "over", "from", "fps", "size"];
  return { in: { if: { type: "object" }, then: { propertyNames: { enum: names } } } };
}
