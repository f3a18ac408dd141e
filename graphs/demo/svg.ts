/** The few SVG words the demo drawings are made of. Everything is a pure function of its arguments: same input, same text. */

export const WIDTH = 640
export const HEIGHT = 360

/** Two decimals: sub-pixel motion stays smooth, the text stays short. */
export const n = (value: number): string => String(Math.round(value * 100) / 100)

/** Seeded generator (mulberry32), values in [0, 1). The drawings must not depend on Math.random. */
export function seeded(seed: number): () => number {
  let a = seed >>> 0
  return () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export const rect = (x: number, y: number, w: number, h: number, fill: string, more = ''): string =>
  `<rect x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" fill="${fill}" ${more}/>`

export const circle = (x: number, y: number, r: number, fill: string, more = ''): string =>
  `<circle cx="${n(x)}" cy="${n(y)}" r="${n(r)}" fill="${fill}" ${more}/>`

export const ellipse = (x: number, y: number, rx: number, ry: number, fill: string, more = ''): string =>
  `<ellipse cx="${n(x)}" cy="${n(y)}" rx="${n(rx)}" ry="${n(ry)}" fill="${fill}" ${more}/>`

export const poly = (points: readonly (readonly [number, number])[], fill: string, more = ''): string =>
  `<polygon points="${points.map(([x, y]) => `${n(x)},${n(y)}`).join(' ')}" fill="${fill}" ${more}/>`

export const path = (d: string, fill: string, more = ''): string => `<path d="${d}" fill="${fill}" ${more}/>`

export const at = (x: number, y: number, body: string, scale = 1): string =>
  `<g transform="translate(${n(x)} ${n(y)})${scale === 1 ? '' : ` scale(${Math.round(scale * 10000) / 10000})`}">${body}</g>`

/** A vertical gradient over the bounding box of what uses it. */
export const gradient = (id: string, ...colours: readonly string[]): string =>
  `<linearGradient id="${id}" x1="0" y1="0" x2="0" y2="1">${colours
    .map((colour, i) => `<stop offset="${n(i / Math.max(1, colours.length - 1))}" stop-color="${colour}"/>`)
    .join('')}</linearGradient>`

/** A wavy band from `y` down to the bottom edge; `phase` in radians moves it sideways. */
export function wave(y: number, amplitude: number, lengthPx: number, phase: number, fill: string, width = WIDTH): string {
  const points: string[] = []
  for (let x = -20; x <= width + 20; x += 10) {
    points.push(`${n(x)} ${n(y + amplitude * Math.sin((2 * Math.PI * x) / lengthPx + phase))}`)
  }
  return path(`M${points.join('L')}L${width + 20} ${HEIGHT}L-20 ${HEIGHT}Z`, fill)
}

export const frame = (defs: string, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}"><defs>${defs}</defs>${body}</svg>`
