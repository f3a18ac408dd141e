import { at, circle, ellipse, frame, gradient, HEIGHT, n, path, poly, rect, seeded, wave, WIDTH } from './svg.js'

/** The lighthouse landscape, one geometry in two lights, and the open sea. `t` is seconds since the scene began. */

interface Palette {
  readonly sky: readonly [string, string]
  readonly sea: readonly [string, string]
  readonly farHills: string
  readonly nearHills: string
  readonly land: string
  readonly rock: string
  readonly tower: string
  readonly bands: string
  readonly roofs: readonly string[]
  readonly walls: readonly string[]
  readonly window: string
  readonly hull: string
  readonly sail: string
}

const DAY: Palette = {
  sky: ['#3f9fe6', '#cfeaff'],
  sea: ['#3b94d3', '#1f66ab'],
  farHills: '#8fbfa6',
  nearHills: '#6cab72',
  land: '#62b04c',
  rock: '#8a7b6b',
  tower: '#fbf8f0',
  bands: '#d8382f',
  roofs: ['#c8553d', '#a8443a', '#d77a4a'],
  walls: ['#f6e7c9', '#e9d3b0', '#f3f0e6'],
  window: '#5a7fa0',
  hull: '#a33b2c',
  sail: '#fffaf0',
}

const NIGHT: Palette = {
  sky: ['#0c1440', '#2a3a80'],
  sea: ['#1d3474', '#101d4a'],
  farHills: '#1e2a5c',
  nearHills: '#18224d',
  land: '#142046',
  rock: '#1b2444',
  tower: '#8d95bd',
  bands: '#5c3a6c',
  roofs: ['#2b2a55', '#25254c', '#302f5c'],
  walls: ['#343a6c', '#2f3563', '#3a4074'],
  window: '#ffd76a',
  hull: '#221f45',
  sail: '#5d659a',
}

const WORLD = 920

function cloud(x: number, y: number, s: number, fill: string): string {
  return at(
    x,
    y,
    ellipse(0, 0, 46, 15, fill) + circle(-18, -10, 17, fill) + circle(6, -17, 22, fill) + circle(28, -7, 14, fill),
    s,
  )
}

function hills(seed: number, base: number, height: number, step: number, fill: string): string {
  const random = seeded(seed)
  let d = `M-40 ${HEIGHT}L-40 ${base}`
  for (let x = -40; x < WORLD + 60; x += step) {
    d += `Q${n(x + step / 2)} ${n(base - height * (0.5 + random()))} ${n(x + step)} ${base}`
  }
  return path(`${d}V${HEIGHT}Z`, fill)
}

function tower(p: Palette): string {
  const band = (y: number, h: number): string => {
    const half = (v: number): number => 15 + 9 * (v / 150)
    return poly([[-half(y), y], [half(y), y], [half(y + h), y + h], [-half(y + h), y + h]], p.bands)
  }
  return (
    poly([[-15, 0], [15, 0], [24, 150], [-24, 150]], p.tower) + band(28, 26) + band(82, 26) + rect(-5, 122, 10, 28, p.rock) +
    rect(-21, -6, 42, 7, p.rock) + rect(-12, -30, 24, 24, p.window) + rect(-1, -30, 2, 24, p.rock) +
    poly([[-17, -30], [17, -30], [0, -50]], p.bands)
  )
}

function house(x: number, y: number, w: number, h: number, i: number, p: Palette): string {
  const wall = p.walls[i % p.walls.length] ?? p.rock
  const roof = p.roofs[i % p.roofs.length] ?? p.rock
  return (
    rect(x, y - h, w, h, wall) + poly([[x - 4, y - h], [x + w + 4, y - h], [x + w / 2, y - h - w * 0.5]], roof) +
    rect(x + w * 0.2, y - h * 0.7, w * 0.2, h * 0.3, p.window) + rect(x + w * 0.6, y - h * 0.7, w * 0.2, h * 0.3, p.window)
  )
}

function boat(x: number, y: number, s: number, hull: string, sail: string): string {
  return at(
    x,
    y,
    path('M-30 0H30L20 14H-20Z', hull) + rect(-1.5, -58, 3, 58, hull) + poly([[3, -56], [3, -5], [27, -5]], sail) +
      poly([[-3, -48], [-3, -5], [-20, -5]], sail),
    s,
  )
}

/** Sky behind, then far hills, sea, harbour and lighthouse; `camera` is the left edge of the view in world pixels. */
function landscape(p: Palette, camera: number, t: number, behind: string, sky: string): string {
  const random = seeded(7)
  const houses = Array.from({ length: 7 }, (_, i) => house(20 + i * 44, 268 + (i % 2) * 4, 32 + random() * 8, 34 + random() * 16, i, p)).join('')
  const glints = Array.from({ length: 26 }, () => {
    const x = random() * WORLD
    const y = 252 + random() * 90
    return rect(x + 5 * Math.sin(t * 1.3 + x), y, 18 + random() * 26, 2, p.sky[1], 'opacity=".45" rx="1"')
  }).join('')
  return frame(
    gradient('sky', ...p.sky) + gradient('sea', ...p.sea),
    rect(0, 0, WIDTH, 250, 'url(#sky)') + behind + sky + at(-camera * 0.3, 0, hills(3, 236, 66, 190, p.farHills)) +
      at(-camera * 0.55, 0, hills(11, 242, 40, 130, p.nearHills)) + rect(0, 240, WIDTH, 120, 'url(#sea)') +
      at(
        -camera,
        0,
        glints + path(`M-20 262H330Q352 262 360 276L392 296H-20Z`, p.land) + path('M-20 286H384L398 304H-20Z', p.rock) + houses +
          boat(450 + t * 3, 288 + 1.5 * Math.sin(t * 2), 0.8, p.hull, p.sail) + boat(548 - t * 2, 312 + 1.5 * Math.sin(t * 1.7 + 1), 1, p.hull, p.sail) +
          path('M600 300Q640 236 720 232Q800 226 960 214V360H580Z', p.land) + path('M588 306Q640 262 700 300Q760 322 960 318V360H570Z', p.rock) +
          at(716, 88, tower(p)) + house(764, 234, 40, 30, 2, p),
      ),
  )
}

/** The camera pans right at about one pixel a frame; two layers of cloud drift against it. */
export function lighthouseDay(t: number): string {
  const clouds =
    cloud(90 + t * 5, 66, 1.1, '#ffffff') + cloud(300 + t * 4, 44, 0.8, '#f4fbff') + cloud(470 + t * 5, 92, 1.2, '#ffffff') +
    cloud(640 + t * 4, 58, 0.9, '#f4fbff') + cloud(-70 + t * 5, 110, 0.9, '#ffffff')
  return landscape(DAY, 20 + t * 26, t, circle(560, 62, 30, '#fff3b8'), clouds)
}

/** Fixed camera: stars, the moon rising, the lamp's beam turning. */
export function lighthouseNight(t: number): string {
  const random = seeded(21)
  const stars = Array.from({ length: 70 }, () => {
    const x = random() * WIDTH
    const y = random() * 200
    const glow = 0.65 + 0.3 * Math.sin(t * (1 + random() * 2) + x)
    return circle(x, y, 0.8 + random() * 1.2, '#f4f3ff', `opacity="${n(glow)}"`)
  }).join('')
  const camera = 236
  const lampX = 716 - camera
  const turn = -0.5 + 0.9 * Math.sin(t * 0.55)
  const beam = poly(
    [[lampX, 70], [lampX - 520 * Math.cos(turn - 0.1), 70 + 520 * Math.sin(turn - 0.1)], [lampX - 520 * Math.cos(turn + 0.1), 70 + 520 * Math.sin(turn + 0.1)]],
    '#ffe9a0',
    'opacity=".28"',
  )
  const moonY = 120 - t * 8
  const moon = circle(150, moonY, 27, '#f6f1d4') + circle(142, moonY - 6, 5, '#ddd7b6') + circle(160, moonY + 7, 7, '#ddd7b6')
  return landscape(NIGHT, camera, t, stars + moon, beam)
}

/** Rolling waves that fill the picture, a sailing boat riding on them. */
export function openSea(t: number): string {
  const rows = Array.from({ length: 7 }, (_, i) => {
    const shade = ['#2aa6ea', '#1f96e0', '#1787d4', '#1178c6', '#0c69b6', '#085aa5', '#054b92'][i] ?? '#054b92'
    const y = 128 + i * 34
    const rise = 2 * Math.sin(t * 1.1 + i)
    const crest = wave(y + rise - 3, 6 + i, 150 + i * 26, t * (0.9 + i * 0.08) * (i % 2 === 0 ? 1 : -1) + i * 1.7, '#9adcff')
    const body = wave(y + rise + 1, 6 + i, 150 + i * 26, t * (0.9 + i * 0.08) * (i % 2 === 0 ? 1 : -1) + i * 1.7, shade)
    return crest + body + (i === 1 ? at(0, 0, boat(180 + t * 16, 176 + 4 * Math.sin(t * 1.2), 1.3, '#7a2f1d', '#ffffff')) : '')
  }).join('')
  return frame(gradient('sky', '#1f86dd', '#8fd2ff'), rect(0, 0, WIDTH, 200, 'url(#sky)') + circle(520, 60, 34, '#fff6c2') + rows)
}
