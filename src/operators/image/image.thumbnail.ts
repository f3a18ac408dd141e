import { z } from "zod";
import { Frames, Image, defineOperator, type BatchFunction } from "../../contracts/index.js";
import { loadSharp } from "../../models/resample.js";
import { scratch } from "../../models/scratch.js";

const config = z.strictObject({
  longest: z.int().min(16).max(4096).default(256).describe("Longer side in pixels; a smaller picture stays as it is."),
  quality: z.int().min(1).max(100).default(75).describe("JPEG quality."),
});

const thumbnails: BatchFunction = async (items, options: z.infer<typeof config>) => {
  const encode = await loadSharp();
  const images: Uint8Array[] = [];
  // sharp refuses shared memory. One private copy serves all: each picture is encoded before the next is copied.
  for (const { slot } of items) {
    const { buffer, byteOffset } = scratch.take(Math.ceil(slot.byteLength / Float32Array.BYTES_PER_ELEMENT));
    const pixels = Buffer.from(buffer, byteOffset, slot.byteLength);
    pixels.set(new Uint8Array(slot.buffer, slot.byteOffset, slot.byteLength));
    const image = encode(pixels, { raw: { width: slot.width, height: slot.height, channels: 3 } });
    if (Math.max(slot.width, slot.height) > options.longest) image.resize(options.longest, options.longest, { fit: "inside" });
    // Huffman tables made to measure would save a tenth of the bytes for a quarter of the time.
    images.push(await image.jpeg({ quality: options.quality, optimiseCoding: false }).toBuffer());
  }
  return images;
};

export const imageThumbnail = defineOperator({
  name: "image.thumbnail",
  version: 1,
  summary: "Encodes sampled frames as small JPEGs.",
  module: import.meta.url,
  level: "frame",
  inputs: { frames: Frames },
  outputs: { images: Image },
  config,
  demand: ({ config: { longest } }) => ({ frames: { video: { size: { longest }, fps: 2, geometry: "display" } } }),
  run: { form: "batch", result: "image", input: "frames" },
  batch: thumbnails,
  examples: [
    {
      title: "Small pictures of the frames that are also embedded",
      yaml:
        "media: { op: media.open, with: { uri: ./graphs/demo/clip.mp4 } }\n" +
        "thumbs: { op: image.thumbnail, in: { frames: { from: media.frames, fps: 1 } }, with: { longest: 192 } }",
    },
  ],
});
