import type { FrameTapFactory } from "../../contracts/media.js";
import { CameraEstimator } from "./camera.js";
import { measurePicture } from "./picture-measures.js";
import { MOTION_COLUMNS } from "./video.motion.columns.js";

/** Runs in the media worker. Each row depends on this frame and the one before only. */
export const videoMotionTap: FrameTapFactory = (_config, { width, height }) => {
  const pixels = width * height;
  const camera = new CameraEstimator(width, height);
  let luma = new Uint8Array(pixels);
  let previous = new Uint8Array(pixels);
  let lastUs: number | null = null;
  return {
    columns: MOTION_COLUMNS,
    push(rgb, ptsUs, row) {
      const picture = measurePicture(rgb, pixels, luma);
      let change = 0;
      if (lastUs !== null) for (let i = 0; i < pixels; i++) change += Math.abs(luma[i]! - previous[i]!);
      const move = camera.next(luma);
      const perSecond = lastUs === null || ptsUs <= lastUs ? 0 : 1e6 / (ptsUs - lastUs);
      row[0] = change / pixels / 255;
      // The picture runs against the camera.
      row[1] = (-move.shiftX / width) * perSecond;
      row[2] = (-move.shiftY / height) * perSecond;
      row[3] = move.growth * perSecond;
      row[4] = move.inliers;
      row[5] = move.corners;
      row[6] = picture.brightness;
      row[7] = picture.contrast;
      row[8] = picture.saturation;
      row[9] = picture.colourfulness;
      row.set(picture.colours, 10);
      [luma, previous] = [previous, luma];
      lastUs = ptsUs;
    },
  };
};
