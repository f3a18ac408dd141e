import { n } from './svg.js'

/**
 * Capital letters as strokes on a grid 6 units high. Drawn here, not taken from a font: no licence to carry, and the
 * picture does not depend on the fonts of the machine that builds it.
 */
const LETTERS: Readonly<Record<string, readonly [width: number, strokes: string]>> = {
  A: [4, 'M0 6L2 0L4 6M.7 4H3.3'],
  D: [4.4, 'M0 0V6H1.4A3 3 0 0 0 1.4 0Z'],
  E: [3.4, 'M3.4 0H0V6H3.4M0 3H2.8'],
  F: [3.4, 'M3.4 0H0V6M0 3H2.8'],
  G: [4.8, 'M4.4 1.2A2.6 3 0 1 0 4.7 4.2V3.4H3'],
  H: [4, 'M0 0V6M4 0V6M0 3H4'],
  I: [0, 'M0 0V6'],
  L: [3.2, 'M0 0V6H3.2'],
  M: [4.8, 'M0 6V0L2.4 4L4.8 0V6'],
  O: [5.2, 'M2.6 0A2.6 3 0 1 0 2.6 6A2.6 3 0 1 0 2.6 0Z'],
  R: [3.8, 'M0 6V0H2A1.6 1.6 0 0 1 2 3.2H0M1.8 3.2L3.8 6'],
  S: [3.8, 'M3.6 1A1.8 1.5 0 0 0 2 0A1.7 1.5 0 1 0 2 3A1.7 1.5 0 1 1 2 6A2 1.6 0 0 1 .2 4.9'],
  T: [4, 'M0 0H4M2 0V6'],
  U: [4, 'M0 0V4A2 2 0 0 0 4 4V0'],
  W: [5.6, 'M0 0L1.4 6L2.8 1L4.2 6L5.6 0'],
  Y: [4, 'M0 0L2 3L4 0M2 3V6'],
}
const GAP = 1.7
const SPACE = 2.6

/** One centred line of capitals; `heightPx` is the cap height. Throws on a letter that has no strokes above. */
export function lettering(text: string, centreX: number, top: number, heightPx: number, colour: string, strokePx: number): string {
  const unit = heightPx / 6
  let x = 0
  const glyphs: string[] = []
  for (const letter of text) {
    if (letter === ' ') {
      x += SPACE
      continue
    }
    const known = LETTERS[letter]
    if (known === undefined) throw new Error(`lettering has no strokes for ${JSON.stringify(letter)}`)
    glyphs.push(`<path d="${known[1]}" transform="translate(${n(x)} 0)"/>`)
    x += known[0] + GAP
  }
  const width = (x - GAP) * unit
  return (
    `<g transform="translate(${n(centreX - width / 2)} ${n(top)}) scale(${n(unit)})" fill="none" stroke="${colour}" ` +
    `stroke-width="${n(strokePx / unit)}" stroke-linecap="round" stroke-linejoin="round">${glyphs.join('')}</g>`
  )
}
