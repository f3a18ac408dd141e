import { open } from "node:fs/promises";
import { FlowError } from "../contracts/errors.js";
import type { ProbedMedium } from "./probe.js";
import { localPath } from "./uri.js";

/** Pictures above this are refused before a pixel is decoded (sharp's own bound is 268 Mpx). */
export const MAX_IMAGE_PIXELS = Number(process.env["FLOW_MAX_IMAGE_PIXELS"] ?? 200_000_000);

/** True when the first bytes are those of a still picture (JPEG, PNG, WebP, TIFF, AVIF, HEIF); GIF and BMP go to ffmpeg. */
export async function isImageFile(path: string): Promise<boolean> {
  const head = Buffer.alloc(16);
  const handle = await open(path, "r");
  try {
    await handle.read(head, 0, 16, 0);
  } finally {
    await handle.close();
  }
  const ascii = head.toString("latin1");
  return (
    ascii.startsWith("\xff\xd8\xff") ||
    ascii.startsWith("\x89PNG\r\n") ||
    (ascii.startsWith("RIFF") && ascii.slice(8, 12) === "WEBP") ||
    ascii.startsWith("II*\0") ||
    ascii.startsWith("MM\0*") ||
    /^ftyp(avif|avis|heic|heix|mif1)/.test(ascii.slice(4))
  );
}

/** A picture as a medium of one frame. Throws MEDIA_UNREADABLE, MEDIA_IMAGE_TOO_LARGE. */
export async function probeImage(uri: string, name: string, sizeBytes: number): Promise<ProbedMedium> {
  const path = localPath(uri);
  let meta;
  try {
    const { default: sharp } = await import("sharp");
    meta = await sharp(path, { limitInputPixels: false }).metadata();
  } catch (cause) {
    throw new FlowError("MEDIA_UNREADABLE", `${path} cannot be read as a picture: ${firstLine(cause)}.`, {
      hint: "Open it in a viewer; if it is cut off or damaged, copy it again.",
      item: path,
      cause,
      permanent: true,
    });
  }
  const { width, height } = meta;
  if (width * height > MAX_IMAGE_PIXELS) {
    throw new FlowError("MEDIA_IMAGE_TOO_LARGE", `${path} has ${width} × ${height} pixels, more than the limit of ${MAX_IMAGE_PIXELS}.`, {
      hint: "Scale it down, or raise FLOW_MAX_IMAGE_PIXELS if you trust it (a picture of 200 Mpx takes 600 MB).",
      item: path,
      permanent: true,
    });
  }
  const turned = (meta.orientation ?? 1) >= 5;
  return {
    uri,
    name,
    kind: "image",
    container: meta.format ?? "image",
    sizeBytes,
    durationUs: 0,
    startUs: 0,
    video: {
      codec: meta.format ?? "image",
      width,
      height,
      sar: [1, 1],
      // sharp turns by the EXIF tag itself; what a demand sees is the oriented raster.
      rotation: turned ? 90 : 0,
      orientedWidth: turned ? height : width,
      orientedHeight: turned ? width : height,
      avgFps: 0,
      baseFps: 0,
      startUs: 0,
      endUs: null,
      frames: 1,
    },
    audio: null,
    subtitles: [],
  };
}

// libvips repeats its complaint once per retry.
function firstLine(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)[0] ?? "";
}
