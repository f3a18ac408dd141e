import type { FrameTapFactory } from "../../contracts/media.js";
import { CAMERA_COLUMNS, CameraMotion } from "../../math/camera-motion.js";
import { measurePicture } from "./picture-measures.js";
import { MOTION_COLUMNS } from "./video.motion.columns.js";

/** Runs in the media worker. Each row depends on this frame and the one before only. */
export const videoMotionTap: FrameTapFactory = (_config, { width, height }) => {
  const pixels = width * height;
  // Below its grid's size there is nothing to match; such a picture has colours but no camera.
  const camera = width >= 64 && height >= 36 ? new CameraMotion(width, height) : null;
  const still = new Float32Array(CAMERA_COLUMNS.length);
  let luma = new Uint8Array(pixels);
  let previous = new Uint8Array(pixels);
  let lastUs: number | null = null;
  return {
    columns: MOTION_COLUMNS,
    push(rgb, ptsUs, row) {
      const picture = measurePicture(rgb, pixels, luma);
      let change = 0;
      if (lastUs !== null) for (let i = 0; i < pixels; i++) change += Math.abs(luma[i]! - previous[i]!);
      const move = camera?.next(luma) ?? still;
      const corners = move.subarray(3, 7);
      const perSecond = lastUs === null || ptsUs <= lastUs ? 0 : 1e6 / (ptsUs - lastUs);
      row[0] = change / pixels / 255;
      // The picture runs against the camera.
      row[1] = -move[0]! * perSecond;
      row[2] = -move[1]! * perSecond;
      row[3] = move[2]! * perSecond;
      row[4] = corners.reduce((sum, blocks) => sum + blocks, move[7]!);
      row[5] = corners.filter((blocks) => blocks >= 2).length;
      row[6] = corners.filter((blocks) => blocks >= 1).length;
      row[7] = picture.brightness;
      row[8] = picture.contrast;
      row[9] = picture.saturation;
      row[10] = picture.colourfulness;
      row.set(picture.colours, 11);
      [luma, previous] = [previous, luma];
      lastUs = ptsUs;
    },
  };
};
