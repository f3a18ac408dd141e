import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

import installer from '@ffmpeg-installer/ffmpeg'

import { placeScenes } from '../../graphs/demo/scenes.js'
import { composeTruth, type Truth } from '../../graphs/demo/truth.js'

// dist/test/demo → the repository, where the committed clip lies.
const folder = resolve(dirname(fileURLToPath(import.meta.url)), '../../../graphs/demo')
const clip = join(folder, 'clip.mp4')
const truth = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as Truth

const ffmpeg = (...args: string[]): Buffer => execFileSync(installer.path, ['-nostdin', '-v', 'error', ...args], { maxBuffer: 1 << 28 })
const seconds = (us: number): string => String(us / 1e6)

/** Interleaved H (0–179), S, V of packed RGB, OpenCV's ranges. */
function hsv(rgb: Uint8Array): Uint8Array {
  const out = new Uint8Array(rgb.length)
  for (let i = 0; i < rgb.length; i += 3) {
    const [r = 0, g = 0, b = 0] = [rgb[i], rgb[i + 1], rgb[i + 2]]
    const top = Math.max(r, g, b)
    const range = top - Math.min(r, g, b)
    const sextant = range === 0 ? 0 : top === r ? (g - b) / range : top === g ? 2 + (b - r) / range : 4 + (r - g) / range
    out[i] = Math.round((sextant < 0 ? sextant + 6 : sextant) * 30) % 180
    out[i + 1] = top === 0 ? 0 : Math.round((255 * range) / top)
    out[i + 2] = top
  }
  return out
}

/** PySceneDetect's content value of every frame against the one before it; index 0 is 0. Frames are 160 × 90. */
async function contentScores(): Promise<number[]> {
  const size = 160 * 90 * 3
  const child = spawn(installer.path, ['-nostdin', '-v', 'error', '-i', clip, '-map', '0:v', '-vf', 'scale=160:90:flags=bilinear', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const scores: number[] = []
  let rest = Buffer.alloc(0)
  let previous: Uint8Array | undefined
  for await (const chunk of child.stdout) {
    rest = Buffer.concat([rest, chunk as Buffer])
    for (; rest.length >= size; rest = rest.subarray(size)) {
      const current = hsv(rest.subarray(0, size))
      const before = previous
      scores.push(before === undefined ? 0 : current.reduce((sum, v, i) => sum + Math.abs(v - (before[i] ?? 0)), 0) / size)
      previous = current
    }
  }
  assert.equal(rest.length, 0)
  return scores
}

const pcm = (startUs: number, endUs: number): Int16Array => {
  const bytes = ffmpeg('-i', clip, '-map', '0:a', '-af', `atrim=${seconds(startUs)}:${seconds(endUs)}`, '-f', 's16le', '-')
  return new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}
const peak = (samples: Int16Array): number => samples.reduce((top, v) => Math.max(top, Math.abs(v)), 0)

describe('the bundled clip', () => {
  it('is the file that truth.json describes, and small enough to ship', () => {
    const bytes = readFileSync(clip)
    assert.ok(bytes.length <= 2_000_000, `${bytes.length} bytes`)
    assert.equal(bytes.length, truth.bytes)
    assert.equal(createHash('sha256').update(bytes).digest('hex'), truth.sha256)
    assert.ok(bytes.indexOf('moov', 0, 'latin1') < bytes.indexOf('mdat', 0, 'latin1'), 'the index must stand before the data')
  })

  it('has the streams, title and duration that truth.json gives', () => {
    const said = spawnSync(installer.path, ['-nostdin', '-hide_banner', '-i', clip]).stderr.toString()
    assert.match(said, new RegExp(`Video: h264 .*yuv420p.* ${truth.width}x${truth.height}.* ${truth.fps} fps`))
    assert.match(said, new RegExp(`Audio: aac .* ${truth.audio.sampleRate} Hz, mono`))
    assert.match(said, /Subtitle: mov_text/)
    assert.match(said, new RegExp(`title +: ${truth.title}`))
    const [, minutes, rest] = /Duration: 00:(\d\d):([\d.]+)/.exec(said) ?? []
    assert.equal(Math.round((Number(minutes) * 60 + Number(rest)) * 1e6), truth.durationUs)
  })

  it('presents every frame at frame / fps', () => {
    const lines = ffmpeg('-i', clip, '-map', '0:v', '-vsync', 'passthrough', '-f', 'framecrc', '-').toString().split('\n')
    const [num = 0, den = 1] = (lines.find((line) => line.startsWith('#tb 0:'))?.slice(6).split('/') ?? []).map(Number)
    const pts = lines.filter((line) => /^0,/.test(line)).map((line) => Math.round((Number(line.split(',')[2]) * num * 1e6) / den))
    assert.equal(pts.length, truth.frames)
    assert.deepEqual(pts, Array.from({ length: truth.frames }, (_, i) => Math.round((i * 1e6) / truth.fps)))
    for (const cut of truth.cuts) assert.equal(pts[cut.frame], cut.ptsUs)
  })

  it('has content scores above 40 at the hard cuts and below 15 everywhere else, the fade included', async () => {
    const scores = await contentScores()
    assert.equal(scores.length, truth.frames)
    assert.deepEqual(scores.flatMap((score, i) => (score >= 27 ? [i] : [])), truth.cuts.map((cut) => cut.frame))
    assert.equal(truth.cuts.length, 8)
    const cuts = new Set(truth.cuts.map((cut) => cut.frame))
    for (const [i, score] of scores.entries()) {
      if (cuts.has(i)) assert.ok(score >= 40, `cut at frame ${i} scores ${score}`)
      else assert.ok(score < 15, `frame ${i} scores ${score}`)
    }
    for (const still of truth.freeze) {
      const from = (still.startUs * truth.fps) / 1e6 + 1
      const to = (still.endUs * truth.fps) / 1e6
      assert.ok(scores.slice(from, to).every((score) => score < 0.5), `something moves in the still scene at ${still.startUs} µs`)
    }
  })

  it('is black where truth.json says so', () => {
    for (const black of truth.black) {
      const luma = ffmpeg('-i', clip, '-map', '0:v', '-vf', `trim=${seconds(black.startUs)}:${seconds(black.endUs)},setpts=PTS-STARTPTS,scale=64:36`, '-f', 'rawvideo', '-pix_fmt', 'gray', '-')
      assert.equal(luma.length, ((black.endUs - black.startUs) * truth.fps * 64 * 36) / 1e6)
      assert.ok(luma.every((v) => v <= 20))
    }
  })

  it('shows the repeated scene frame by frame', () => {
    assert.deepEqual(truth.repeated, [['lighthouse-day', 'lighthouse-again']])
    for (const pair of truth.repeated) {
      const [first, again] = pair.map((name) => {
        const start = truth.scenes.find((scene) => scene.name === name)?.startFrame ?? Number.NaN
        const oneASecond = `trim=start_frame=${start}:end_frame=${start + 7 * truth.fps},select=not(mod(n\\,${truth.fps})),scale=80:45`
        return ffmpeg('-i', clip, '-map', '0:v', '-vsync', 'passthrough', '-vf', oneASecond, '-f', 'rawvideo', '-pix_fmt', 'gray', '-')
      })
      assert.ok(first !== undefined && again !== undefined && first.length === 7 * 80 * 45 && again.length === first.length)
      const difference = first.reduce((sum, v, i) => sum + Math.abs(v - (again[i] ?? 0)), 0) / first.length
      assert.ok(difference < 2, `mean difference ${difference}`)
    }
  })

  it('is silent where truth.json says so, is heard elsewhere, and its sound ends before the picture', () => {
    const all = pcm(0, truth.durationUs)
    assert.ok(Math.abs(all.length / truth.audio.sampleRate - truth.audio.endUs / 1e6) < 0.05)
    assert.ok(truth.durationUs - truth.audio.endUs >= 3_000_000)
    const quiet = truth.scenes.filter((scene) => scene.sound === 'silence')
    assert.deepEqual(truth.silence, quiet.map(({ startUs, endUs }) => ({ startUs, endUs })))
    for (const scene of truth.scenes.filter(({ sound }) => sound !== 'none')) {
      // An AAC block of 1,024 samples may carry its neighbour's sound over the edge.
      const top = peak(pcm(scene.startUs + 100_000, scene.endUs - 100_000))
      if (scene.sound === 'silence') assert.ok(top <= 1, `${scene.name} peaks at ${top}`)
      else assert.ok(top > 3000, `${scene.name} peaks at ${top}`)
    }
  })

  it('carries the narration as subtitles, word for word, at the given times', () => {
    const found = ffmpeg('-i', clip, '-map', '0:s', '-f', 'srt', '-').toString().trim().split(/\r?\n\r?\n/).map((block) => {
      const [, times = '', ...words] = block.split(/\r?\n/)
      const [startUs, endUs] = times.split(' --> ').map((stamp) => {
        const [h = 0, m = 0, s = 0, ms = 0] = stamp.split(/[:,]/).map(Number)
        return (((h * 60 + m) * 60 + s) * 1000 + ms) * 1000
      })
      // The mov_text decoder wraps every cue in its default font.
      return { startUs, endUs, text: words.join('\n').replace(/<[^>]+>/g, '') }
    })
    assert.deepEqual(found, truth.subtitles)
    const narrated = truth.scenes.filter((scene) => scene.narration !== null)
    assert.deepEqual(truth.subtitles.map(({ text }) => text), narrated.map((scene) => scene.narration))
    for (const [i, cue] of truth.subtitles.entries()) {
      const scene = narrated[i]
      assert.ok(scene !== undefined && cue.startUs > scene.startUs && cue.endUs < scene.endUs && cue.endUs > cue.startUs)
    }
  })
})

describe('truth.json', () => {
  it('is what the script computes from its scene list', () => {
    const fresh = composeTruth(placeScenes(), truth.subtitles, {
      file: truth.file, sha256: truth.sha256, bytes: truth.bytes, title: truth.title, sampleRate: truth.audio.sampleRate,
    })
    assert.deepEqual(JSON.parse(JSON.stringify(fresh)), truth)
  })

  it('asks only questions that one scene answers', () => {
    assert.ok(truth.queries.length >= 6)
    for (const { query, scene, segment } of truth.queries) {
      const answering = truth.scenes.filter(({ narration }) => narration?.toLowerCase().includes(query) ?? false)
      assert.deepEqual(answering.map(({ name }) => name), [scene])
      assert.ok(truth.segments[segment]?.scenes.includes(scene))
    }
  })

  it('divides the film into segments without gaps', () => {
    assert.equal(truth.segments.length, truth.cuts.length + 1)
    assert.deepEqual(truth.segments.slice(1).map(({ startFrame }) => startFrame), truth.cuts.map(({ frame }) => frame))
    for (const list of [truth.segments, truth.scenes]) {
      let next = 0
      for (const { startFrame, endFrame } of list) {
        assert.equal(startFrame, next)
        next = endFrame
      }
      assert.equal(next, truth.frames)
    }
  })
})

it('make-clip names the missing synthesiser and how to get it', () => {
  const script = resolve(dirname(fileURLToPath(import.meta.url)), '../../graphs/demo/make-clip.js')
  const out = join(tmpdir(), `flow-clip-none-${process.pid}`)
  const ended = spawnSync(process.execPath, [script, out], { env: { PATH: '' } })
  assert.equal(ended.status, 1)
  assert.match(ended.stderr.toString(), /apt-get install -y espeak-ng/)
})
