import { lighthouseDay, lighthouseNight, openSea } from './drawings-coast.js'
import { forest, houseZoom, redCar } from './drawings-land.js'
import { abstractShapes, coralReef, titleCard } from './drawings-other.js'
import { frame, HEIGHT, rect, WIDTH } from './svg.js'

/** The script of the bundled clip: the one list from which pictures, sound, subtitles and truth.json are all made. */

export const FPS = 25

export type Light = 'day' | 'night' | 'dusk' | 'none'
export type Motion = 'static' | 'pan-right' | 'pan-left' | 'zoom-in' | 'moving-subject' | 'waves' | 'rotation'
/** What is heard: `none` means that the audio stream has already ended, `silence` that it runs and holds zeros. */
export type Sound = 'speech' | 'tones' | 'noise' | 'silence' | 'none'
/** The quiet bed under a narration, or the sound of the scene itself. */
export type Bed = 'chime' | 'wind' | 'traffic' | 'crickets' | 'birds' | 'surf' | 'bubbles'

export interface Scene {
  readonly name: string
  readonly seconds: number
  readonly draw: (t: number) => string
  readonly light: Light
  readonly motion: Motion
  readonly colours: readonly string[]
  readonly sound: Sound
  readonly bed?: Bed
  readonly narration?: string
  /** How the scene begins; the first scene begins the film and counts as neither. */
  readonly enters: 'start' | 'cut' | 'fade'
  /** Seconds of fade from or to black inside this scene. */
  readonly fadeIn?: number
  readonly fadeOut?: number
  /** The name of an earlier scene whose drawing this one shows again, frame by frame. */
  readonly repeats?: string
  /** Words that only this scene answers. */
  readonly queries?: readonly string[]
}

export const SCENES: readonly Scene[] = [
  { name: 'title', seconds: 5, draw: titleCard, light: 'none', motion: 'static', colours: ['cream', 'red'], sound: 'tones', bed: 'chime', enters: 'start' },
  {
    name: 'lighthouse-day', seconds: 8, draw: lighthouseDay, light: 'day', motion: 'pan-right', colours: ['blue', 'green', 'white'], sound: 'speech', bed: 'wind', enters: 'cut',
    narration: 'By day, a white lighthouse stands above the quiet harbour.', queries: ['lighthouse', 'quiet harbour'],
  },
  {
    name: 'red-car', seconds: 7, draw: redCar, light: 'day', motion: 'moving-subject', colours: ['orange', 'red', 'brown'], sound: 'speech', bed: 'traffic', enters: 'cut',
    narration: 'A red car drives along the city street.', queries: ['red car', 'city street'],
  },
  {
    name: 'lighthouse-night', seconds: 8, draw: lighthouseNight, light: 'night', motion: 'moving-subject', colours: ['navy', 'blue'], sound: 'speech', bed: 'crickets', enters: 'cut',
    narration: 'After dark the moon rises, the stars come out, and the lamp begins to turn.', queries: ['stars', 'moon rises'],
  },
  {
    name: 'forest', seconds: 7, draw: forest, light: 'day', motion: 'pan-left', colours: ['green', 'yellow'], sound: 'speech', bed: 'birds', enters: 'cut',
    narration: 'Deep in the forest, tall pines grow in the mist.', queries: ['forest', 'tall pines'],
  },
  { name: 'open-sea', seconds: 7, draw: openSea, light: 'day', motion: 'waves', colours: ['blue'], sound: 'noise', bed: 'surf', enters: 'cut', fadeOut: 2 },
  { name: 'black', seconds: 3, draw: () => frame('', rect(0, 0, WIDTH, HEIGHT, '#000000')), light: 'none', motion: 'static', colours: ['black'], sound: 'silence', enters: 'fade' },
  {
    name: 'coral-reef', seconds: 8, draw: coralReef, light: 'day', motion: 'moving-subject', colours: ['teal', 'orange'], sound: 'speech', bed: 'bubbles', enters: 'fade', fadeIn: 2,
    narration: 'Under the water, orange fish swim past the coral.', queries: ['coral', 'orange fish'],
  },
  { name: 'abstract', seconds: 6, draw: abstractShapes, light: 'none', motion: 'rotation', colours: ['magenta', 'violet', 'yellow'], sound: 'silence', enters: 'cut' },
  {
    name: 'lighthouse-again', seconds: 7, draw: lighthouseDay, light: 'day', motion: 'pan-right', colours: ['blue', 'green', 'white'], sound: 'speech', bed: 'wind', enters: 'cut',
    repeats: 'lighthouse-day', narration: 'Next morning, the same clouds drift over the bay.', queries: ['clouds drift', 'next morning'],
  },
  { name: 'house-sunset', seconds: 7, draw: houseZoom, light: 'dusk', motion: 'zoom-in', colours: ['orange', 'yellow', 'brown'], sound: 'none', enters: 'cut' },
]

export interface PlacedScene {
  readonly scene: Scene
  readonly startFrame: number
  /** Exclusive. */
  readonly endFrame: number
}

/** The scenes on the film's frame grid. */
export function placeScenes(scenes: readonly Scene[] = SCENES): readonly PlacedScene[] {
  let next = 0
  return scenes.map((scene) => {
    const startFrame = next
    next += Math.round(scene.seconds * FPS)
    return { scene, startFrame, endFrame: next }
  })
}

/** Presentation time of a frame; 25 fps makes every frame exactly 40,000 µs. */
export const frameUs = (frameIndex: number): number => Math.round((frameIndex * 1_000_000) / FPS)
