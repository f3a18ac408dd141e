import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import sharp from "sharp";
import { manifestOf } from "../../src/models/manifest.js";
import { imageInput, imagePreprocess, type ImagePreprocess } from "../../src/models/preprocess-image.js";
import { loadTransformers } from "../../src/models/transformers.js";

const MEDIA = process.env["FLOW_MEDIA_DIR"];
const PICTURES = ["images/scenes/dog.jpg", "images/scenes/hightway.jpg", "images/scenes/orange.png", "images/faces/bbt1.jpg", "images/faces/bbt/amy/amy1.png", "images/imagededup/base_images/ukbench00120.jpg"];

const imagenet = { image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225] };
const common = { do_convert_rgb: true, do_normalize: true, do_rescale: true, do_resize: true, rescale_factor: 1 / 255 };

/** The published preprocessor_config.json of each family (openai/clip-vit-base-patch32, facebook/dinov2-base, facebook/sam-vit-base, IDEA-Research/grounding-dino-tiny), and what a manifest says for it. */
const FAMILIES: Record<string, { processor: "CLIPImageProcessor" | "BitImageProcessor" | "SamImageProcessor" | "GroundingDinoImageProcessor"; config: object; preprocess: object }> = {
  clip: {
    processor: "CLIPImageProcessor",
    config: { ...common, do_center_crop: true, crop_size: { height: 224, width: 224 }, size: { shortest_edge: 224 }, resample: 3, image_mean: [0.48145466, 0.4578275, 0.40821073], image_std: [0.26862954, 0.26130258, 0.27577711] },
    preprocess: { size: [224, 224], fit: "cover", resample: "bicubic", mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  },
  dinov2: {
    processor: "BitImageProcessor",
    config: { ...common, ...imagenet, do_center_crop: true, crop_size: { height: 224, width: 224 }, size: { shortest_edge: 256 }, resample: 3 },
    preprocess: { size: [224, 224], fit: "cover", resize: 256, resample: "bicubic", mean: imagenet.image_mean, std: imagenet.image_std },
  },
  sam: {
    processor: "SamImageProcessor",
    config: { ...common, ...imagenet, do_pad: true, pad_size: { height: 1024, width: 1024 }, size: { longest_edge: 1024 }, resample: 2 },
    preprocess: { size: [1024, 1024], fit: "contain", anchor: "top-left", pad: "mean", resample: "bilinear", mean: imagenet.image_mean, std: imagenet.image_std },
  },
  "grounding-dino": {
    processor: "GroundingDinoImageProcessor",
    config: { ...common, ...imagenet, do_pad: true, size: { shortest_edge: 800, longest_edge: 1333 }, resample: 2 },
    preprocess: { size: [1333, 800], fit: "edges", resample: "bilinear", mean: imagenet.image_mean, std: imagenet.image_std },
  },
};

function preprocessOf(id: string, preprocess: object): ImagePreprocess {
  const inputs = [{ name: "pixel_values", dims: ["n", 3, "h", "w"] }];
  return imagePreprocess(manifestOf({ id, task: "x", summary: "x", licence: "x", files: [{ path: "x.onnx" }], inputs, outputs: [{ name: "y", dims: ["n"] }], preprocess: { kind: "image", ...preprocess }, limits: [] }, `/nowhere/${id}.yaml`));
}

const missing = MEDIA ? PICTURES.filter((path) => !existsSync(join(MEDIA, path))) : [];
const skip = !MEDIA ? { skip: "FLOW_MEDIA_DIR is not set" } : missing.length > 0 ? { skip: `FLOW_MEDIA_DIR has no ${missing.join(", ")}` } : {};

for (const [family, { processor, config, preprocess }] of Object.entries(FAMILIES)) {
  test(`${family}: the input is that of @huggingface/transformers' ${processor}, within 1e-3`, skip, async (t) => {
    const library = await loadTransformers();
    const published = new library[processor](config);
    const ours = preprocessOf(family, preprocess);
    let worst = 0;
    for (const path of PICTURES) {
      const { data: pixels, info } = await sharp(join(MEDIA!, path)).toColourspace("srgb").removeAlpha().raw().toBuffer({ resolveWithObject: true });
      const { data, dims, placements } = await imageInput([{ pixels, width: info.width, height: info.height }], ours);
      const { pixel_values, reshaped_input_sizes } = (await published([new library.RawImage(new Uint8ClampedArray(pixels), info.width, info.height, 3)])) as { pixel_values: { data: Float32Array; dims: number[] }; reshaped_input_sizes: [number, number][] };
      assert.deepEqual(dims, pixel_values.dims, path);
      let most = 0;
      for (let i = 0; i < data.length; i++) most = Math.max(most, Math.abs(data[i]! - pixel_values.data[i]!));
      worst = Math.max(worst, most);
      assert.ok(most <= 1e-3, `${path}: ${most}`);
      if (ours.fit !== "contain") continue;
      // Where the picture ends in the input is where its lower right corner is mapped.
      const [at] = placements;
      assert.deepEqual([Math.round(info.height * at!.scaleY + at!.offsetY), Math.round(info.width * at!.scaleX + at!.offsetX)], reshaped_input_sizes[0]);
    }
    t.diagnostic(`${family}: maximum absolute difference ${worst.toExponential(1)} over ${PICTURES.length} pictures`);
  });
}
