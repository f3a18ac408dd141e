import sharp from 'sharp'

import { FPS, type PlacedScene } from './scenes.js'
import { HEIGHT, WIDTH } from './svg.js'

/**
 * Light left at one pixel while a fade is `open` (1 = full picture, 0 = black). The corners go dark first, and the colour
 * drains before the light does. A plain multiplication would end with every pixel's saturation jumping from full to
 * none in one frame (nearly black red is still pure red in HSV), which a content detector rightly calls a cut.
 */
function darken(pixels: Buffer, open: number): void {
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      // Squared distance: every frame of the fade then darkens about the same area.
      const reach = (((x - WIDTH / 2) / (WIDTH / 2)) ** 2 + ((y - HEIGHT / 2) / (HEIGHT / 2)) ** 2) / 2
      const light = Math.max(0, Math.min(1, open * 2.5 - reach * 1.5))
      const colour = Math.max(0, Math.min(1, light * 1.3 - 0.15))
      const at = (y * WIDTH + x) * 3
      const r = pixels[at] ?? 0
      const g = pixels[at + 1] ?? 0
      const b = pixels[at + 2] ?? 0
      const grey = 0.299 * r + 0.587 * g + 0.114 * b
      pixels[at] = (grey + (r - grey) * colour) * light
      pixels[at + 1] = (grey + (g - grey) * colour) * light
      pixels[at + 2] = (grey + (b - grey) * colour) * light
    }
  }
}

async function render({ scene }: PlacedScene, index: number, count: number): Promise<Buffer> {
  const pixels = await sharp(Buffer.from(scene.draw(index / FPS))).removeAlpha().raw().toBuffer()
  if (pixels.length !== WIDTH * HEIGHT * 3) throw new Error(`${scene.name} drew ${pixels.length} bytes`)
  const fadeIn = scene.fadeIn === undefined ? 1 : (index + 1) / (scene.fadeIn * FPS)
  const fadeOut = scene.fadeOut === undefined ? 1 : (count - index) / (scene.fadeOut * FPS)
  const open = Math.min(fadeIn, fadeOut)
  if (open < 1) darken(pixels, open)
  return pixels
}

/** Every frame of the film in order as packed RGB, WIDTH × HEIGHT × 3 bytes each. */
export async function* pictures(placed: readonly PlacedScene[]): AsyncGenerator<Buffer> {
  for (const place of placed) {
    const count = place.endFrame - place.startFrame
    // A still scene is one drawing: rendering it again could only give the same bytes.
    const still = place.scene.motion === 'static' ? await render(place, 0, count) : undefined
    for (let index = 0; index < count; index += 2) {
      yield* await Promise.all([index, index + 1].filter((i) => i < count).map((i) => still ?? render(place, i, count)))
    }
  }
}
