import type { AudioTapFactory, FrameTapFactory } from "../../src/contracts/media.js";

/** Mean of the frame and mean difference to the frame before: remembers, so a wrong pre-roll shows. */
export const meanTap: FrameTapFactory = () => {
  let previous: Uint8Array | null = null;
  return {
    columns: ["mean", "delta"],
    push(pixels, _ptsUs, row) {
      let sum = 0;
      let delta = 0;
      for (let i = 0; i < pixels.length; i += 31) {
        sum += pixels[i] as number;
        if (previous) delta += Math.abs((pixels[i] as number) - (previous[i] as number));
      }
      row[0] = sum;
      row[1] = delta;
      previous = pixels.slice();
    },
  };
};

/** Energy of each full 100 ms. */
export const energyTap: AudioTapFactory = (_config, { sampleRate, channels, startUs }) => {
  const size = Math.round(sampleRate / 10) * channels;
  const row = new Float32Array(1);
  let filled = 0;
  let sum = 0;
  let n = 0;
  return {
    columns: ["energy"],
    push(pcm, emit) {
      for (const sample of pcm) {
        sum += sample * sample;
        if (++filled < size) continue;
        row[0] = sum;
        emit(startUs + n++ * 100_000, row);
        filled = sum = 0;
      }
    },
    end(emit) {
      if (filled === 0) return;
      row[0] = sum;
      emit(startUs + n * 100_000, row);
    },
  };
};

export const throwingTap: FrameTapFactory = () => ({
  columns: ["never"],
  push() {
    throw new Error("this tap throws");
  },
});
