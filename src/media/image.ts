import { Observable } from "rxjs";
import { pathToFileURL } from "node:url";
import { FlowError, toFlowError } from "../contracts/errors.js";
import type { DecodeEvent, DecodeSpec, FrameTapFactory, MediumInfo } from "../contracts/media.js";
import type { Decode } from "./decode.js";
import { newStats, onceReleased } from "./decode-stats.js";
import { MAX_IMAGE_PIXELS } from "./image-probe.js";
import { loadTaps } from "./load-taps.js";
import { outputSize } from "./output-size.js";
import { localPath } from "./uri.js";

/** A picture as a decode of one frame at 0 µs: turned by its EXIF tag, alpha dropped, resized for each output. */
export function openImage(info: MediumInfo, spec: DecodeSpec): Decode {
  const stats = newStats();
  let stopped = false;
  const events = new Observable<DecodeEvent>((subscriber) => {
    const run = async (): Promise<void> => {
      const path = localPath(info.uri);
      const video = info.video;
      if (video === null) throw new FlowError("MEDIA_UNREADABLE", `${path} has no picture.`, { hint: "Open it in a viewer." });
      for (const output of spec.video) {
        if (stopped || subscriber.closed) return;
        const [width, height] = outputSize(video, output.demand);
        const buffer = new SharedArrayBuffer(width * height * 3);
        const pixels = new Uint8Array(buffer);
        pixels.set(await decode(path, width, height));
        stats.framesDecoded = 1;
        stats.rawBytes += pixels.length;
        const adler = adler32(pixels);
        for (const { key, config, factory } of await loadTaps<FrameTapFactory>(output.taps)) {
          const tap = factory(config, { width, height });
          const row = new Float32Array(tap.columns.length);
          tap.push(pixels, 0, row);
          subscriber.next({ type: "rows", output: output.key, tap: key, columns: tap.columns, ptsUs: new Float64Array(1), data: row, adler: Int32Array.of(adler) });
        }
        if (output.deliver) {
          const slot = { buffer, byteOffset: 0, byteLength: pixels.length, width, height };
          const release = onceReleased(output.key, 0, stats, () => true);
          subscriber.next({ type: "delivery", delivery: { output: output.key, ptsUs: 0, frame: 0, adler, samples: 0, slot, release } });
        }
        subscriber.next({ type: "watermark", output: output.key, ptsUs: 1 });
        subscriber.next({ type: "end", output: output.key, endUs: 1, items: 1 });
      }
      for (const { key } of spec.audio) subscriber.next({ type: "end", output: key, endUs: 0, items: 0 });
    };
    run().then(
      () => subscriber.complete(),
      (error: unknown) => subscriber.error(toFlowError(error)),
    );
    return () => void (stopped = true);
  });
  return { events, stats, stop: () => Promise.resolve(void (stopped = true)) };
}

async function decode(path: string, width: number, height: number): Promise<Uint8Array> {
  try {
    // Native code that a run of videos does not need.
    const { default: sharp } = await import("sharp");
    return await sharp(path, { limitInputPixels: MAX_IMAGE_PIXELS, failOn: "error" })
      .rotate()
      .toColourspace("srgb")
      .removeAlpha()
      .resize(width, height, { fit: "fill", kernel: "cubic" })
      .raw()
      .toBuffer();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new FlowError(/pixel limit/i.test(text) ? "MEDIA_IMAGE_TOO_LARGE" : "MEDIA_DECODE_FAILED", `${pathToFileURL(path).pathname} cannot be decoded: ${text}.`, {
      hint: "Open it in a viewer; if it is cut off or damaged, copy it again.",
      cause,
      permanent: true,
    });
  }
}

function adler32(bytes: Uint8Array): number {
  let a = 0;
  let b = 0;
  // ffmpeg's framecrc starts its Adler sum at 0, not at 1; 3800 additions stay below 2^32.
  for (let i = 0; i < bytes.length; ) {
    const end = Math.min(i + 3800, bytes.length);
    for (; i < end; i++) b += a += bytes[i] as number;
    a %= 65521;
    b %= 65521;
  }
  return (b << 16) | a;
}
