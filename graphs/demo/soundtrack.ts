import { SAMPLE_RATE, speak } from './narration.js'
import { FPS, type Bed, type PlacedScene } from './scenes.js'
import { seeded } from './svg.js'

/** One subtitle: the narration's words while they are spoken. Whole milliseconds, because SRT holds no finer time. */
export interface Cue {
  readonly startUs: number
  readonly endUs: number
  readonly text: string
}

export interface Soundtrack {
  readonly samples: Float32Array
  readonly cues: readonly Cue[]
}

/** Seconds from a scene's start, or from the end of its fade-in, to its first word. */
const LEAD_S = 0.7
const EDGE_S = 0.02

function rms(samples: Float32Array, target: number): Float32Array {
  const power = samples.reduce((sum, v) => sum + v * v, 0) / Math.max(1, samples.length)
  const gain = target / Math.sqrt(Math.max(power, 1e-12))
  return samples.map((v) => v * gain)
}

/** White noise through two one-pole low passes at `cutoffHz`. */
function lowNoise(length: number, cutoffHz: number, seed: number): Float32Array {
  const random = seeded(seed)
  const a = 1 - Math.exp((-2 * Math.PI * cutoffHz) / SAMPLE_RATE)
  let first = 0
  let second = 0
  return Float32Array.from({ length }, () => {
    first += a * (random() * 2 - 1 - first)
    second += a * (first - second)
    return second
  })
}

/** Adds `count` short tones, `tone(seconds, i)` each, at seeded moments. */
function scatter(length: number, count: number, toneS: number, seed: number, tone: (t: number, pick: number) => number): Float32Array {
  const random = seeded(seed)
  const out = new Float32Array(length)
  const span = Math.round(toneS * SAMPLE_RATE)
  for (let i = 0; i < count; i++) {
    const start = Math.floor(random() * Math.max(1, length - span))
    const pick = random()
    for (let k = 0; k < span; k++) {
      const at = start + k
      out[at] = (out[at] ?? 0) + tone(k / SAMPLE_RATE, pick) * Math.sin((Math.PI * k) / span)
    }
  }
  return out
}

/** The sound of a place, `length` samples. Quiet (about -38 dBFS) where somebody speaks over it. */
function bed(kind: Bed, length: number): Float32Array {
  const tau = 2 * Math.PI
  switch (kind) {
    case 'chime': {
      const notes = [523.25, 659.25, 783.99, 1046.5]
      return rms(Float32Array.from({ length }, (_, i) => {
        const t = i / SAMPLE_RATE
        return notes.reduce((sum, hz, k) => {
          const since = t - k * 0.45
          return since < 0 ? sum : sum + (Math.sin(tau * hz * since) + 0.3 * Math.sin(tau * 2 * hz * since)) * Math.exp(-since * 0.9)
        }, 0)
      }), 0.07)
    }
    case 'wind':
      return rms(lowNoise(length, 420, 101).map((v, i) => v * (1 + 0.5 * Math.sin((tau * 0.23 * i) / SAMPLE_RATE))), 0.013)
    case 'traffic':
      return rms(lowNoise(length, 130, 102), 0.02)
    case 'crickets':
      return rms(Float32Array.from({ length }, (_, i) => {
        const t = i / SAMPLE_RATE
        return Math.sin(tau * 4300 * t) * Math.max(0, Math.sin(tau * 17 * t)) * (0.6 + 0.4 * Math.sin(tau * 1.6 * t))
      }), 0.012)
    case 'birds': {
      const chirps = rms(scatter(length, 26, 0.16, 104, (t, pick) => Math.sin(tau * (2300 + 1700 * pick + 5200 * t) * t)), 0.011)
      return lowNoise(length, 900, 105).map((v, i) => v * 0.05 + (chirps[i] ?? 0))
    }
    case 'surf':
      return rms(lowNoise(length, 1500, 106).map((v, i) => v * (0.55 + 0.45 * Math.sin((tau * 0.28 * i) / SAMPLE_RATE - 1))), 0.1)
    case 'bubbles': {
      const pops = rms(scatter(length, 48, 0.09, 107, (t, pick) => Math.sin(tau * (300 + 500 * pick + 4000 * t) * t)), 0.011)
      return lowNoise(length, 240, 108).map((v, i) => v * 0.08 + (pops[i] ?? 0))
    }
  }
}

/** Sample index of a frame's presentation time: 44,100 / 25 is whole, so picture and sound share their edges. */
const sampleOf = (frameIndex: number): number => Math.round((frameIndex * SAMPLE_RATE) / FPS)

/**
 * The whole sound of the film and its subtitles. The track ends where the last scene that has sound ends; a scene of
 * `silence` is exact zeros. Throws when a narration does not fit its scene.
 */
export function composeSoundtrack(placed: readonly PlacedScene[], workDir: string): Soundtrack {
  const lastHeard = placed.findLast(({ scene }) => scene.sound !== 'none')
  const samples = new Float32Array(sampleOf(lastHeard?.endFrame ?? 0))
  const cues: Cue[] = []
  for (const { scene, startFrame, endFrame } of placed) {
    const start = sampleOf(startFrame)
    const length = sampleOf(endFrame) - start
    if (scene.bed === undefined) continue
    const part = bed(scene.bed, length)
    if (scene.narration !== undefined) {
      const voice = speak(scene.narration, workDir)
      const offset = Math.round(((scene.fadeIn ?? 0) + LEAD_S) * SAMPLE_RATE)
      if (offset + voice.length > length - LEAD_S * 0.5 * SAMPLE_RATE) throw new Error(`the narration of ${scene.name} is longer than its scene`)
      voice.forEach((v, i) => { part[offset + i] = (part[offset + i] ?? 0) + v })
      const ms = (sample: number): number => Math.round((sample * 1000) / SAMPLE_RATE) * 1000
      cues.push({ startUs: ms(start + offset), endUs: ms(start + offset + voice.length), text: scene.narration })
    }
    const rise = Math.round((scene.fadeIn ?? EDGE_S) * SAMPLE_RATE)
    const fall = Math.round((scene.fadeOut ?? EDGE_S) * SAMPLE_RATE)
    part.forEach((v, i) => { samples[start + i] = v * Math.min(1, i / rise, (length - 1 - i) / fall) })
  }
  return { samples, cues }
}

/** 16-bit mono WAV. */
export function wav(samples: Float32Array): Buffer {
  const out = Buffer.alloc(44 + samples.length * 2)
  out.write('RIFF', 0, 'latin1')
  out.writeUInt32LE(36 + samples.length * 2, 4)
  out.write('WAVEfmt ', 8, 'latin1')
  out.writeUInt32LE(16, 16)
  out.writeUInt16LE(1, 20)
  out.writeUInt16LE(1, 22)
  out.writeUInt32LE(SAMPLE_RATE, 24)
  out.writeUInt32LE(SAMPLE_RATE * 2, 28)
  out.writeUInt16LE(2, 32)
  out.writeUInt16LE(16, 34)
  out.write('data', 36, 'latin1')
  out.writeUInt32LE(samples.length * 2, 40)
  samples.forEach((v, i) => out.writeInt16LE(Math.round(Math.max(-1, Math.min(1, v)) * 32767), 44 + i * 2))
  return out
}

export function srt(cues: readonly Cue[]): string {
  const stamp = (us: number): string => {
    const ms = Math.round(us / 1000)
    const two = (v: number): string => String(Math.floor(v)).padStart(2, '0')
    return `${two(ms / 3_600_000)}:${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)},${String(ms % 1000).padStart(3, '0')}`
  }
  return cues.map((cue, i) => `${i + 1}\n${stamp(cue.startUs)} --> ${stamp(cue.endUs)}\n${cue.text}\n`).join('\n')
}
