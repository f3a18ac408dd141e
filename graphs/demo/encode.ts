import { spawn } from 'node:child_process'
import { once } from 'node:events'

import installer from '@ffmpeg-installer/ffmpeg'

import { FPS } from './scenes.js'
import { HEIGHT, WIDTH } from './svg.js'

export interface EncodeInputs {
  readonly frames: AsyncIterable<Buffer>
  readonly wavFile: string
  readonly srtFile: string
  readonly outFile: string
  readonly title: string
  /** The frames that are key frames, and no others. */
  readonly keyFrames: readonly number[]
  /** Half-open frame ranges that fade: coded finer, because in the dark a coarse step is a visible jump of hue. */
  readonly fades: readonly { readonly startFrame: number; readonly endFrame: number }[]
}

/** Writes the mp4: H.264 yuv420p, AAC mono, mov_text; one thread and bit-exact flags, so that the same frames give the same bytes. */
export async function encode(inputs: EncodeInputs): Promise<void> {
  const binary = process.env['FLOW_FFMPEG'] ?? installer.path
  const child = spawn(
    binary,
    [
      '-hide_banner', '-loglevel', 'error', '-y',
      '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', `${WIDTH}x${HEIGHT}`, '-r', String(FPS), '-i', 'pipe:0',
      '-i', inputs.wavFile, '-f', 'srt', '-i', inputs.srtFile,
      '-map', '0:v', '-map', '1:a', '-map', '2:s',
      '-vf', 'scale=out_color_matrix=bt601:out_range=tv:flags=accurate_rnd+bicubic,format=yuv420p',
      '-c:v', 'libx264', '-preset', 'slower', '-tune', 'animation', '-crf', '25', '-profile:v', 'main', '-threads', '1',
      '-g', '100000', '-sc_threshold', '0', '-force_key_frames', inputs.keyFrames.map((frame) => (frame / FPS).toFixed(3)).join(','),
      '-x264-params', `zones=${inputs.fades.map(({ startFrame, endFrame }) => `${startFrame},${endFrame - 1},q=18`).join('/')}`,
      '-colorspace', 'smpte170m', '-color_primaries', 'smpte170m', '-color_trc', 'smpte170m', '-color_range', 'tv',
      '-c:a', 'aac', '-b:a', '48k', '-c:s', 'mov_text', '-metadata:s:s:0', 'language=eng', '-metadata:s:a:0', 'language=eng',
      '-metadata', `title=${inputs.title}`, '-map_metadata', '-1',
      '-fflags', '+bitexact', '-flags:v', '+bitexact', '-flags:a', '+bitexact', '-movflags', '+faststart', inputs.outFile,
    ],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  )
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
  child.stdin.on('error', () => { /* The exit code and stderr tell why ffmpeg closed its input. */ })
  const closed = once(child, 'close')
  for await (const frame of inputs.frames) {
    if (child.exitCode !== null) break
    if (!child.stdin.write(frame)) await Promise.race([once(child.stdin, 'drain'), closed])
  }
  child.stdin.end()
  const [code] = (await closed) as [number | null]
  if (code !== 0) throw new Error(`${binary} ended with ${String(code)}: ${said.trim()}`)
}
