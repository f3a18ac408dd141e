import { unit } from './lite-image.js';
import { OnnxGraph } from './onnx-writer.js';
import { Random } from './random.js';

/**
 * lite-text: the hashed bag of src/models/tokenizers/hashed-ngrams.ts [n,2048] → [n,384] by a fixed projection of −1 and +1 (Achlioptas 2003, which
 * keeps angles within about ±0.05), normalised. An empty text stays the zero vector.
 */
export const TEXT_DIMS = 384;
export const BAG_DIMS = 2048;

export function liteText(): Uint8Array {
  const g = new OnnxGraph('lite-text', 'Random projection of a hashed bag of words and letter pieces. See models/build/lite-text.ts.');
  const bag = g.input('bag', 'float32', ['n', BAG_DIMS]);
  const r = new Random(0x7e87);
  // Bytes in the file, floats in memory: a quarter of the size, and the runtime folds the cast when it loads.
  const signs = g.constant([TEXT_DIMS, BAG_DIMS, 1], Int8Array.from({ length: TEXT_DIMS * BAG_DIMS }, () => (r.chance(0.5) ? 1 : -1)));
  // A convolution, not a MatMul: it works row by row of the batch, so a row's bits do not depend on its neighbours.
  const projected = g.op('Conv', [g.op('Unsqueeze', [bag, g.ints(2)]), g.op('Cast', [signs], { to: 1 })]);
  g.output(unit(g, g.op('Flatten', [projected], { axis: 1 }), 1e-6), 'text_embeds', 'float32', ['n', TEXT_DIMS]);
  return g.encode();
}
