import { stringify } from 'yaml';
import type { LiteConstants } from './fit.js';
import { IMAGE_DIMS } from './lite-image.js';
import { SOUND_DIMS, WINDOW_SAMPLES } from './lite-sound.js';
import { BAG_DIMS, TEXT_DIMS } from './lite-text.js';

interface BuiltFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** The three manifests as YAML, by file name. Sizes and hashes come from the files just built, calibration from the fit. */
export function manifests(files: readonly BuiltFile[], constants: LiteConstants): Map<string, string> {
  const file = (name: string): object[] => files.filter((f) => f.path === name).map((f) => ({ ...f, licence: 'MIT' }));
  const space = (name: string, threshold: number, duplicate: number, foreignMedian: number, reads: string): object => ({
    name,
    version: 1,
    // Cosines: from `threshold` two items are taken for the same scene or subject, from `duplicate` for copies of one another.
    threshold,
    duplicate,
    calibration: { foreignMedian, identical: 1 },
    reads: [reads],
  });
  const all = {
    'lite-image': {
      task: 'image-embedding',
      summary: 'Oriented (Gabor) energies on a 4×4 grid, light and colour layout in CIE Lab, a palette; minus a constant mean. Measured, not learned.',
      limits: [
        'knows layout, texture and colour, not objects, people or meaning: two dogs are near only if the pictures look alike',
        'reads pictures only: a query in words is not understood',
        'mirrored, turned or strongly cropped copies fall below the duplicate threshold, and some below the other',
        'a zoom or a fast pan inside one scene can move a frame further than a cut between similar scenes',
      ],
      files: file('lite-image.onnx'),
      inputs: [{ name: 'pixel_values', type: 'float32', dims: ['n', 3, 224, 224] }],
      preprocess: { kind: 'image', size: [224, 224], fit: 'fill', mean: [0, 0, 0], std: [1, 1, 1], color: 'rgb' },
      output: { name: 'image_embeds', dims: IMAGE_DIMS, normalised: 'unit' },
      space: space('lite-image-v1', 0.72, 0.95, constants.image.foreignMedian, 'image'),
    },
    'lite-sound': {
      task: 'audio-embedding',
      summary: 'Log-mel mean, deviation, percentiles and deltas, modulation 1–16 Hz and onset of 2 s of sound, standardised. Measured, not learned.',
      limits: [
        'knows timbre and rhythm, not words, speakers, melodies or what makes the sound',
        'blind to loudness (every window is brought to one level) and to everything above 7.6 kHz',
        'two recordings of speech with a similar microphone are near one another whoever speaks',
        'a window below −60 dBFS RMS gives the zero vector, which has no direction: the caller flags it as silence and does not compare it',
      ],
      files: file('lite-sound.onnx'),
      inputs: [{ name: 'waveform', type: 'float32', dims: ['n', WINDOW_SAMPLES] }],
      preprocess: { kind: 'audio', sampleRate: 48_000, windowSeconds: 2, pad: 'repeat' },
      output: { name: 'audio_embeds', dims: SOUND_DIMS, normalised: 'unit' },
      space: space('lite-sound-v1', 0.72, 0.95, constants.sound.foreignMedian, 'audio'),
    },
    'lite-text': {
      task: 'text-embedding',
      summary: 'Hashed words, word pairs and letter pieces through a fixed random projection, so that a graph has the shape of the full profile.',
      limits: [
        'knows spelling, not meaning: no synonyms, no translation; words are searched by BM25, not by this space',
        'cosines carry a noise of about ±0.05 from the projection',
        'a text without letters or digits gives the zero vector',
      ],
      files: file('lite-text.onnx'),
      inputs: [{ name: 'bag', type: 'float32', dims: ['n', BAG_DIMS] }],
      preprocess: { kind: 'text', tokenizer: 'hashed-ngrams', dims: BAG_DIMS },
      output: { name: 'text_embeds', dims: TEXT_DIMS, normalised: 'unit' },
      space: space('lite-text-v1', 0.5, 0.9, constants.text.foreignMedian, 'text'),
    },
  };
  const note = '# Written by models/build/lite.ts; change it there.\n';
  return new Map(Object.entries(all).map(([id, body]) => [`${id}.yaml`, note + stringify({ id, ...body }, { lineWidth: 160 })]));
}
