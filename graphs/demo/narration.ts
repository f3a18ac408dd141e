import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const SAMPLE_RATE = 44_100

/** Thrown when the synthesiser is not installed; the message is meant to be printed as it is. */
export class NarratorMissing extends Error {
  constructor() {
    super('espeak-ng is not installed; the narration needs it. Run: apt-get install -y espeak-ng')
    this.name = 'NarratorMissing'
  }
}

/** Mono samples in [-1, 1] of a 16-bit PCM WAV, and its rate. Only what espeak-ng writes is understood. */
function readWav(file: string): { samples: Float32Array; rate: number } {
  const bytes = readFileSync(file)
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.readUInt16LE(22) !== 1 || bytes.readUInt16LE(34) !== 16) {
    throw new Error(`${file} is not mono 16-bit PCM`)
  }
  const rate = bytes.readUInt32LE(24)
  const start = bytes.indexOf('data', 12, 'latin1') + 8
  const samples = new Float32Array((bytes.length - start) >> 1)
  for (let i = 0; i < samples.length; i++) samples[i] = bytes.readInt16LE(start + 2 * i) / 32768
  return { samples, rate }
}

/** Doubles the rate: zero stuffing and a Hann-windowed sinc of 63 taps that cuts at the old Nyquist frequency. */
function doubleRate(input: Float32Array): Float32Array {
  const half = 31
  const taps = Float64Array.from({ length: 2 * half + 1 }, (_, i) => {
    const k = i - half
    const sinc = k === 0 ? 1 : Math.sin((Math.PI * k) / 2) / ((Math.PI * k) / 2)
    return sinc * (0.5 + 0.5 * Math.cos((Math.PI * k) / (half + 1)))
  })
  const output = new Float32Array(input.length * 2)
  for (let i = 0; i < output.length; i++) {
    let sum = 0
    for (let k = -half; k <= half; k++) {
      const j = i + k
      if (j % 2 === 0 && j >= 0 && j < output.length) sum += (input[j >> 1] ?? 0) * (taps[k + half] ?? 0)
    }
    output[i] = sum
  }
  return output
}

/** `text` spoken by espeak-ng at 44.1 kHz mono, peak 0.5, the silence before and after removed. */
export function speak(text: string, workDir: string): Float32Array {
  const file = join(workDir, 'narration.wav')
  try {
    execFileSync('espeak-ng', ['-v', 'en-us', '-s', '145', '-p', '42', '-w', file, text])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new NarratorMissing()
    throw error
  }
  const { samples, rate } = readWav(file)
  if (rate * 2 !== SAMPLE_RATE) throw new Error(`espeak-ng gave ${rate} Hz, expected ${SAMPLE_RATE / 2}`)
  const loud = (v: number): boolean => Math.abs(v) > 0.004
  const trimmed = samples.subarray(samples.findIndex(loud), samples.findLastIndex(loud) + 1)
  const voice = doubleRate(trimmed)
  const peak = voice.reduce((top, v) => Math.max(top, Math.abs(v)), 1e-9)
  return voice.map((v) => (v * 0.5) / peak)
}
