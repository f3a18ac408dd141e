import type { AudioTapFactory } from "../../contracts/media.js";
import { LOUDNESS_COLUMNS, LoudnessMeter } from "../../math/loudness.js";

const ROW_US = 100_000;

/** Runs in the media worker. Rows lie on the absolute 100 ms grid: a stream that starts between two marks has silence before it. */
export const audioLevelsTap: AudioTapFactory = (_config, { sampleRate, channels, startUs }) => {
  const meter = new LoudnessMeter(channels === 1 ? 1 : 2);
  const samplesOf = (us: number): number => Math.round((us * sampleRate) / 1e6) * channels;
  let nextUs = Math.max(0, Math.floor(startUs / ROW_US) * ROW_US);
  let padding = startUs > nextUs ? samplesOf(startUs - nextUs) : 0;
  // Samples before the medium's start (an encoder's priming) belong to no time.
  let dropped = startUs < 0 ? samplesOf(-startUs) : 0;
  return {
    columns: LOUDNESS_COLUMNS,
    push(pcm, emit) {
      const onRow = (row: Float32Array): void => {
        emit(nextUs, row);
        nextUs += ROW_US;
      };
      if (padding > 0) meter.push(new Float32Array(padding), onRow);
      padding = 0;
      const skip = Math.min(dropped, pcm.length);
      dropped -= skip;
      meter.push(skip > 0 ? pcm.subarray(skip) : pcm, onRow);
    },
    end(emit) {
      const row = meter.end();
      if (row) emit(nextUs, row);
    },
  };
};
