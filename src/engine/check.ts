import { FlowError, portToString, type Detection, type Label, type PortType } from "../contracts/index.js";

const UNIT_TOLERANCE = 1e-3;

/**
 * Compares one emitted value with the port that promised it (requirement A.2). An all-zero vector passes where unit norm is promised:
 * it is how silence is written down (S1.7).
 */
export function checkValue(node: string, port: string, type: PortType, value: unknown): void {
  if (value === null || value === undefined) return;
  const wrong = (found: string, expected: string): FlowError =>
    new FlowError("BAD_OUTPUT", `${node}.${port} gave ${found}, but the port promises ${expected}.`, {
      node,
      hint: `This is a defect of the operator or its model, not of your media: check the model with \`flow models verify\`, or report it. Port: ${portToString(type)}`,
      permanent: true,
    });
  if (type.kind === "vector") {
    if (!(value instanceof Float32Array)) throw wrong(describe(value), "a Float32Array");
    if (type.dims !== undefined && value.length !== type.dims) throw wrong(`${value.length} dims`, `${type.dims} dims`);
    const sum = sumOfSquares(value);
    if (!Number.isFinite(sum)) throw wrong("a vector with a NaN or infinite component", "finite numbers");
    if (type.norm === "unit" && sum !== 0 && Math.abs(Math.sqrt(sum) - 1) > UNIT_TOLERANCE) throw wrong(`norm ${Math.sqrt(sum).toFixed(4)}`, "unit norm");
  } else if (type.kind === "text" && typeof value !== "string") throw wrong(describe(value), "a string");
  else if ((type.kind === "attributes" || type.kind === "spans" || type.kind === "keyframes") && !Array.isArray(value)) throw wrong(describe(value), "a list");
  else if (type.kind === "detections" || type.kind === "labels") {
    if (!Array.isArray(value)) throw wrong(describe(value), "a list");
    for (const entry of value as (Label & Partial<Detection>)[]) {
      if (typeof entry?.label !== "string" || !Number.isFinite(entry.score)) throw wrong(`the label ${String(entry?.label)} with the score ${entry?.score}`, "a name and a finite number");
      if (type.kind === "detections" && !isBox(entry.box)) throw wrong(`the box ${String(entry.box)} of ${entry.label}`, "left < right and top < bottom inside the picture");
      if (entry.vector && !entry.vector.every(Number.isFinite)) throw wrong(`a vector of ${entry.label} with a NaN or infinite component`, "finite numbers");
    }
  } else if (type.kind === "image" && !(value instanceof Uint8Array)) throw wrong(describe(value), "encoded bytes");
}

/** By index, in a function of its own: every vector of a run passes here, and an iterator costs an object and a boxed number for each component until it is compiled. */
function sumOfSquares(vector: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += vector[i]! * vector[i]!;
  return sum;
}

const isBox = (box: Detection["box"] | undefined): boolean => box?.length === 4 && box.every(Number.isFinite) && box[0] >= 0 && box[1] >= 0 && box[0] < box[2] && box[1] < box[3];

const describe = (value: unknown): string => (value === null ? "null" : Array.isArray(value) ? `a list of ${value.length}` : typeof value === "object" ? value.constructor.name : typeof value);
