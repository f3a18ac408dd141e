import type { VideoDemand, VideoStreamInfo } from "../contracts/media.js";

/** [width, height] of the pictures a demand yields. `longest`: aspect kept, never larger than the source. */
export function outputSize(video: VideoStreamInfo, demand: Pick<VideoDemand, "size" | "geometry">): [number, number] {
  if (Array.isArray(demand.size)) return [demand.size[0], demand.size[1]];
  const [width, height] = demand.geometry === "display" ? displaySize(video) : [video.orientedWidth, video.orientedHeight];
  const { size } = demand;
  const scale = Math.min(1, "longest" in size ? size.longest / Math.max(width, height) : size.shortest / Math.min(width, height));
  // The scene reference rounds its raster; pictures that people see are kept even for encoders.
  const round = demand.geometry === "coded" ? (length: number) => Math.max(1, Math.round(length)) : even;
  return [round(width * scale), round(height * scale)];
}

/** [width, height] of the picture as people see it: after rotation, with square pixels. */
export function displaySize(video: VideoStreamInfo): [number, number] {
  const [num, den] = video.rotation % 180 === 0 ? video.sar : [video.sar[1], video.sar[0]];
  return [Math.max(1, Math.round((video.orientedWidth * num) / den)), video.orientedHeight];
}

function even(length: number): number {
  return Math.max(2, 2 * Math.round(length / 2));
}
