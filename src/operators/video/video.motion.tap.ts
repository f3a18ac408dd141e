import type { FrameTapFactory } from "../../contracts/media.js";
import { CAMERA_COLUMNS, CameraMotion } from "../../math/camera-motion.js";
import { PictureMeter } from "./picture-measures.js";
import { MOTION_COLUMNS } from "./video.motion.columns.js";

/** Runs in the media worker. Each row depends on this frame and the one before only. */
export const videoMotionTap: FrameTapFactory = (_config, { width, height }) => {
  const meter = new PictureMeter(width * height);
  // Below its grid's size there is nothing to match; such a picture has colours but no camera.
  const camera = width >= 64 && height >= 36 ? new CameraMotion(width, height) : null;
  const still = new Float32Array(CAMERA_COLUMNS.length);
  let lastUs: number | null = null;
  return {
    columns: MOTION_COLUMNS,
    push(rgb, ptsUs, row) {
      const picture = meter.measure(rgb);
      const move = camera?.next(meter.luma) ?? still;
      const corners = move.subarray(3, 7);
      const perSecond = lastUs === null || ptsUs <= lastUs ? 0 : 1e6 / (ptsUs - lastUs);
      row[0] = lastUs === null ? 0 : picture.change;
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
      lastUs = ptsUs;
    },
  };
};
