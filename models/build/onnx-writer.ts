/**
 * A small writer of ONNX files: the protobuf wire format by hand, as far as a graph of standard operators needs it.
 * Field numbers are those of onnx.proto3 (IR version 8, opset 17). The same calls give the same bytes.
 */

export type TensorData = Float32Array | BigInt64Array | Int8Array;
export type Attribute = number | string | readonly number[] | { readonly float: number };
export type ElementType = 'float32' | 'float16' | 'int64' | 'int32' | 'int8' | 'uint8' | 'bool';
/** A number is a fixed dimension, a string a symbolic one (`n`). */
export type Dims = readonly (number | string)[];

const IR_VERSION = 8;
const OPSET = 17;
const ELEMENT: Record<ElementType, number> = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 };

/** Protobuf message under construction: a list of encoded fields. */
class Message {
  private readonly parts: Uint8Array[] = [];

  varint(field: number, value: number | bigint): this {
    this.parts.push(varintBytes((field << 3) | 0), varintBytes(value));
    return this;
  }

  float(field: number, value: number): this {
    this.parts.push(varintBytes((field << 3) | 5), new Uint8Array(littleEndian(Float32Array.of(value))));
    return this;
  }

  bytes(field: number, value: Uint8Array | Message | string): this {
    const body = typeof value === 'string' ? Buffer.from(value, 'utf8') : value instanceof Message ? value.encode() : value;
    this.parts.push(varintBytes((field << 3) | 2), varintBytes(body.length), body);
    return this;
  }

  encode(): Uint8Array {
    return Buffer.concat(this.parts);
  }
}

function varintBytes(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(out);
}

/** `raw_data` is little-endian by definition; a big-endian host would write nonsense, so say so instead. */
function littleEndian(data: TensorData): ArrayBuffer {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) throw new Error('the ONNX writer needs a little-endian machine');
  return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer;
}

function typeOf(data: TensorData): ElementType {
  return data instanceof Float32Array ? 'float32' : data instanceof Int8Array ? 'int8' : 'int64';
}

function attribute(name: string, value: Attribute): Message {
  const m = new Message().bytes(1, name);
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new Error(`attribute ${name}: write floats as { float: ${value} }`);
    return m.varint(3, value).varint(20, 2);
  }
  if (typeof value === 'string') return m.bytes(4, value).varint(20, 3);
  if ('float' in value) return m.float(2, value.float).varint(20, 1);
  for (const i of value) m.varint(8, i);
  return m.varint(20, 7);
}

function valueInfo(name: string, type: ElementType, dims: Dims): Message {
  const shape = new Message();
  for (const d of dims) shape.bytes(1, typeof d === 'number' ? new Message().varint(1, d) : new Message().bytes(2, d));
  const tensor = new Message().varint(1, ELEMENT[type]).bytes(2, shape);
  return new Message().bytes(1, name).bytes(2, new Message().bytes(1, tensor));
}

/** A graph that is built call by call. Values are passed around by name; {@link OnnxGraph.op} returns the name of what it made. */
export class OnnxGraph {
  private readonly nodes: Message[] = [];
  private readonly initializers: Message[] = [];
  private readonly inputs: Message[] = [];
  private readonly outputs: Message[] = [];
  private count = 0;

  constructor(
    private readonly name: string,
    private readonly doc: string,
  ) {}

  input(name: string, type: ElementType, dims: Dims): string {
    this.inputs.push(valueInfo(name, type, dims));
    return name;
  }

  /** Declares `value` as an output called `name`. */
  output(value: string, name: string, type: ElementType, dims: Dims): void {
    this.nodes.push(node('Identity', [value], [name], name, {}));
    this.outputs.push(valueInfo(name, type, dims));
  }

  constant(dims: readonly number[], data: TensorData): string {
    const size = dims.reduce((a, b) => a * b, 1);
    if (size !== data.length) throw new Error(`a constant of ${dims.join('×')} needs ${size} numbers, got ${data.length}`);
    const name = `c${this.initializers.length}`;
    const m = new Message();
    for (const d of dims) m.varint(1, d);
    m.varint(2, ELEMENT[typeOf(data)]).bytes(8, name).bytes(9, new Uint8Array(littleEndian(data)));
    this.initializers.push(m);
    return name;
  }

  /** A float that broadcasts against anything. */
  scalar(value: number): string {
    return this.constant([1], Float32Array.of(value));
  }

  /** A single integer without dimensions, as CumSum's axis or Gather's index want it. */
  scalarInt(value: number): string {
    return this.constant([], BigInt64Array.of(BigInt(value)));
  }

  ints(...values: number[]): string {
    return this.constant([values.length], BigInt64Array.from(values, BigInt));
  }

  op(type: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    return this.ops(type, inputs, 1, attributes)[0]!;
  }

  ops(type: string, inputs: readonly string[], outputs: number, attributes: Readonly<Record<string, Attribute>> = {}): string[] {
    const id = `${type}_${this.count++}`;
    const names = Array.from({ length: outputs }, (_, i) => (outputs === 1 ? id : `${id}_${i}`));
    this.nodes.push(node(type, inputs, names, id, attributes));
    return names;
  }

  encode(): Uint8Array {
    const graph = new Message();
    for (const n of this.nodes) graph.bytes(1, n);
    graph.bytes(2, this.name);
    for (const t of this.initializers) graph.bytes(5, t);
    graph.bytes(10, this.doc);
    for (const v of this.inputs) graph.bytes(11, v);
    for (const v of this.outputs) graph.bytes(12, v);
    const opset = new Message().bytes(1, '').varint(2, OPSET);
    return new Message().varint(1, IR_VERSION).bytes(2, 'flow models/build').bytes(7, graph).bytes(8, opset).encode();
  }
}

function node(type: string, inputs: readonly string[], outputs: readonly string[], id: string, attributes: Readonly<Record<string, Attribute>>): Message {
  const m = new Message();
  for (const i of inputs) m.bytes(1, i);
  for (const o of outputs) m.bytes(2, o);
  m.bytes(3, id).bytes(4, type);
  for (const [name, value] of Object.entries(attributes)) m.bytes(5, attribute(name, value));
  return m;
}
