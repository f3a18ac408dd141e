/**
 * Makes the bundled clip: `npm run build && node dist/graphs/demo/make-clip.js [OUTDIR]` (default: graphs/demo).
 * Writes clip.mp4 and, beside it, truth.json. Needs espeak-ng for the narration (apt-get install -y espeak-ng).
 *
 * Everything is drawn and synthesised here: no picture, sound, font or text of anybody else's. truth.json is computed
 * from the scene list in scenes.ts and the lengths of the spoken sentences, NOT from what a detector found, so that it
 * can be used to check detectors. With the same versions of sharp, ffmpeg and espeak-ng a rebuild gives the same bytes.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { encode } from './encode.js'
import { NarratorMissing, SAMPLE_RATE } from './narration.js'
import { pictures } from './picture.js'
import { FPS, placeScenes, type PlacedScene } from './scenes.js'
import { composeSoundtrack, srt, wav } from './soundtrack.js'
import { composeTruth, type Truth } from './truth.js'

const TITLE = 'A day at the lighthouse'
const MAX_BYTES = 2_000_000

/**
 * A key frame at the scene's first frame and every 2 s after it; but none inside a still scene or a fade, where the change
 * of quality from one group of pictures to the next would be the only thing that moves.
 */
function keyFrames(place: PlacedScene): number[] {
  const { scene, startFrame, endFrame } = place
  const fades = fading(place)
  const frames = [startFrame]
  for (let frame = startFrame + 2 * FPS; scene.motion !== 'static' && frame < endFrame; frame += 2 * FPS) {
    if (!fades.some((fade) => frame > fade.startFrame && frame < fade.endFrame)) frames.push(frame)
  }
  return frames
}

/** The half-open frame ranges of a scene that fade from or to black. */
function fading({ scene, startFrame, endFrame }: PlacedScene): { startFrame: number; endFrame: number }[] {
  return [
    ...(scene.fadeIn === undefined ? [] : [{ startFrame, endFrame: startFrame + Math.round(scene.fadeIn * FPS) }]),
    ...(scene.fadeOut === undefined ? [] : [{ startFrame: endFrame - Math.round(scene.fadeOut * FPS), endFrame }]),
  ]
}

/** Builds clip.mp4 and truth.json in `outDir`. Throws NarratorMissing without espeak-ng. */
export async function makeClip(outDir: string): Promise<Truth> {
  const workDir = mkdtempSync(join(tmpdir(), 'flow-clip-'))
  try {
    const placed = placeScenes()
    const { samples, cues } = composeSoundtrack(placed, workDir)
    const wavFile = join(workDir, 'sound.wav')
    const srtFile = join(workDir, 'words.srt')
    writeFileSync(wavFile, wav(samples))
    writeFileSync(srtFile, srt(cues))
    mkdirSync(outDir, { recursive: true })
    const partial = join(outDir, '.clip.partial.mp4')
    try {
      await encode({ frames: pictures(placed), wavFile, srtFile, outFile: partial, title: TITLE, keyFrames: placed.flatMap(keyFrames), fades: placed.flatMap(fading) })
      const bytes = readFileSync(partial)
      if (bytes.length > MAX_BYTES) throw new Error(`the clip has ${bytes.length} bytes, allowed are ${MAX_BYTES}`)
      renameSync(partial, join(outDir, 'clip.mp4'))
      const truth = composeTruth(placed, cues, {
        file: 'clip.mp4', sha256: createHash('sha256').update(bytes).digest('hex'), bytes: bytes.length, title: TITLE, sampleRate: SAMPLE_RATE,
      })
      writeFileSync(join(outDir, 'truth.json'), `${JSON.stringify(truth, null, 2)}\n`)
      return truth
    } finally {
      rmSync(partial, { force: true })
    }
  } finally {
    rmSync(workDir, { recursive: true, force: true })
  }
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const outDir = resolve(process.argv[2] ?? fileURLToPath(new URL('../../../graphs/demo', import.meta.url)))
  try {
    const truth = await makeClip(outDir)
    console.log(`${join(outDir, truth.file)}: ${truth.durationUs / 1e6} s, ${truth.frames} frames, ${truth.bytes} bytes, ${truth.cuts.length} cuts, sha256 ${truth.sha256}`)
  } catch (error) {
    if (!(error instanceof NarratorMissing)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}
