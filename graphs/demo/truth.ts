import { frameUs, FPS, type PlacedScene } from './scenes.js'
import type { Cue } from './soundtrack.js'
import { HEIGHT, WIDTH } from './svg.js'

/** Half open: `startUs` and `startFrame` belong to the span, `endUs` and `endFrame` are the first that do not. */
export interface Span {
  readonly startUs: number
  readonly endUs: number
}

export interface TruthScene extends Span {
  readonly name: string
  readonly startFrame: number
  readonly endFrame: number
  /** Index into `segments`. */
  readonly segment: number
  readonly light: string
  readonly motion: string
  readonly colours: readonly string[]
  readonly narration: string | null
  readonly sound: string
}

export interface Truth {
  readonly note: string
  readonly file: string
  readonly sha256: string
  readonly bytes: number
  readonly title: string
  readonly durationUs: number
  readonly fps: number
  readonly frames: number
  readonly width: number
  readonly height: number
  readonly audio: Span & { readonly sampleRate: number; readonly channels: number }
  /** Hard cuts: the first frame of the new scene. */
  readonly cuts: readonly { readonly frame: number; readonly ptsUs: number; readonly from: string; readonly to: string }[]
  /** What lies between hard cuts; a fade joins the scenes on its two sides into one segment. */
  readonly segments: readonly (Span & { readonly startFrame: number; readonly endFrame: number; readonly scenes: readonly string[] })[]
  readonly fades: readonly (Span & { readonly startFrame: number; readonly endFrame: number; readonly from: string; readonly to: string; readonly through: 'black' })[]
  readonly scenes: readonly TruthScene[]
  readonly repeated: readonly (readonly [string, string])[]
  readonly silence: readonly Span[]
  readonly subtitles: readonly Cue[]
  readonly black: readonly Span[]
  readonly freeze: readonly Span[]
  readonly queries: readonly { readonly query: string; readonly scene: string; readonly segment: number }[]
}

const NOTE =
  'Written by make-clip from its own scene list (graphs/demo/scenes.ts), never from a detector. Spans are half open; times are microseconds. ' +
  'freeze holds the whole still scenes, black included. silence is digital zero inside the audio stream; after audio.endUs there is no sound at all.'

const span = (place: PlacedScene): Span => ({ startUs: frameUs(place.startFrame), endUs: frameUs(place.endFrame) })

/** Everything truth.json says, computed from the placed scenes and the narration's times alone. */
export function composeTruth(
  placed: readonly PlacedScene[],
  cues: readonly Cue[],
  file: { readonly file: string; readonly sha256: string; readonly bytes: number; readonly title: string; readonly sampleRate: number },
): Truth {
  const frames = placed.at(-1)?.endFrame ?? 0
  const groups: PlacedScene[][] = []
  for (const place of placed) {
    if (place.scene.enters === 'fade') groups.at(-1)?.push(place)
    else groups.push([place])
  }
  const segmentOf = (name: string): number => groups.findIndex((group) => group.some(({ scene }) => scene.name === name))
  const previous = (place: PlacedScene): string => placed[placed.indexOf(place) - 1]?.scene.name ?? ''
  const fades = placed.flatMap((place, i) => {
    const next = placed[i + 2]
    if (place.scene.fadeOut === undefined || next?.scene.fadeIn === undefined) return []
    const startFrame = place.endFrame - Math.round(place.scene.fadeOut * FPS)
    const endFrame = next.startFrame + Math.round(next.scene.fadeIn * FPS)
    return [{ startFrame, endFrame, startUs: frameUs(startFrame), endUs: frameUs(endFrame), from: place.scene.name, to: next.scene.name, through: 'black' as const }]
  })
  const heard = placed.filter(({ scene }) => scene.sound !== 'none')
  return {
    note: NOTE,
    file: file.file,
    sha256: file.sha256,
    bytes: file.bytes,
    title: file.title,
    durationUs: frameUs(frames),
    fps: FPS,
    frames,
    width: WIDTH,
    height: HEIGHT,
    audio: { startUs: 0, endUs: frameUs(heard.at(-1)?.endFrame ?? 0), sampleRate: file.sampleRate, channels: 1 },
    cuts: placed
      .filter(({ scene }) => scene.enters === 'cut')
      .map((place) => ({ frame: place.startFrame, ptsUs: frameUs(place.startFrame), from: previous(place), to: place.scene.name })),
    segments: groups.map((group) => {
      const startFrame = group[0]?.startFrame ?? 0
      const endFrame = group.at(-1)?.endFrame ?? 0
      return { startFrame, endFrame, startUs: frameUs(startFrame), endUs: frameUs(endFrame), scenes: group.map(({ scene }) => scene.name) }
    }),
    fades,
    scenes: placed.map((place) => ({
      name: place.scene.name,
      startFrame: place.startFrame,
      endFrame: place.endFrame,
      ...span(place),
      segment: segmentOf(place.scene.name),
      light: place.scene.light,
      motion: place.scene.motion,
      colours: place.scene.colours,
      narration: place.scene.narration ?? null,
      sound: place.scene.sound,
    })),
    repeated: placed.flatMap(({ scene }) => (scene.repeats === undefined ? [] : [[scene.repeats, scene.name] as const])),
    silence: placed.filter(({ scene }) => scene.sound === 'silence').map(span),
    subtitles: cues,
    black: placed.filter(({ scene }) => scene.colours.length === 1 && scene.colours[0] === 'black').map(span),
    freeze: placed.filter(({ scene }) => scene.motion === 'static').map(span),
    queries: placed.flatMap(({ scene }) => (scene.queries ?? []).map((query) => ({ query, scene: scene.name, segment: segmentOf(scene.name) }))),
  }
}
