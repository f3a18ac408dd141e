import { at, circle, ellipse, frame, gradient, HEIGHT, n, path, poly, rect, seeded, WIDTH } from './svg.js'

/** The street with the red car, the forest, and the house at sunset. `t` is seconds since the scene began. */

function building(x: number, w: number, h: number, wall: string, seed: number): string {
  const random = seeded(seed)
  const base = 262
  let windows = ''
  for (let wy = base - h + 14; wy < base - 44; wy += 26) {
    for (let wx = x + 10; wx < x + w - 14; wx += 22) windows += rect(wx, wy, 12, 15, random() < 0.35 ? '#ffe08a' : '#7c5a66')
  }
  return rect(x, base - h, w, h, wall) + rect(x - 3, base - h - 5, w + 6, 7, '#8d4b45') + windows + rect(x + w / 2 - 9, base - 32, 18, 32, '#6d3a3a')
}

function car(x: number, y: number, t: number): string {
  const wheel = (cx: number): string => {
    const turn = t * 4
    return circle(cx, 0, 15, '#2a2626') + circle(cx, 0, 7, '#c9c4c0') +
      `<path d="M${n(cx - 6 * Math.cos(turn))} ${n(-6 * Math.sin(turn))}L${n(cx + 6 * Math.cos(turn))} ${n(6 * Math.sin(turn))}" stroke="#555" stroke-width="2.5"/>`
  }
  return at(
    x,
    y,
    ellipse(0, 14, 84, 6, '#3f3533', 'opacity=".5"') +
      path('M-82 0Q-86 -24 -62 -28L-46 -30Q-30 -56 -4 -57H18Q36 -56 52 -30L70 -26Q84 -22 82 0Z', '#e0101c') +
      path('M-36 -31Q-24 -50 -6 -51V-31Z', '#cfe6f2') + path('M1 -51H16Q30 -49 41 -31H1Z', '#cfe6f2') +
      rect(72, -19, 10, 8, '#fff3a6', 'rx="3"') + rect(-84, -19, 8, 8, '#7d0008', 'rx="2"') + wheel(-48) + wheel(48),
  )
}

/** Late afternoon; the camera is still and the car crosses the picture. */
export function redCar(t: number): string {
  const fronts =
    building(-14, 92, 150, '#e8a26a', 1) + building(84, 84, 196, '#dd8c63', 2) + building(174, 104, 132, '#f0b87c', 3) + building(284, 76, 178, '#d98a70', 4) +
    building(366, 98, 144, '#eaa774', 5) + building(470, 82, 204, '#e09668', 6) + building(558, 100, 160, '#f0b582', 7)
  const dashes = Array.from({ length: 8 }, (_, i) => rect(i * 92 - 20, 326, 46, 5, '#f5e6c8')).join('')
  const lamp = (x: number): string => rect(x - 2, 178, 4, 96, '#4f3d42') + rect(x - 2, 178, 22, 3, '#4f3d42') + ellipse(x + 20, 183, 7, 4, '#ffe9a8')
  return frame(
    gradient('sky', '#f7b267', '#ffe3b0'),
    rect(0, 0, WIDTH, 270, 'url(#sky)') + circle(430, 60, 26, '#fff4cf') + fronts + rect(0, 262, WIDTH, 24, '#c9a688') + rect(0, 284, WIDTH, 76, '#806a63') +
      dashes + lamp(80) + lamp(352) + lamp(600) + car(-60 + t * 112, 312, t),
  )
}

function pine(x: number, base: number, h: number, dark: string, light: string, trunk: string): string {
  const tier = (top: number, height: number, half: number): string =>
    poly([[x, base - top - height], [x + half, base - top], [x - half, base - top]], dark) +
    poly([[x, base - top - height], [x + half * 0.15, base - top], [x - half, base - top]], light)
  const w = h * 0.24
  return rect(x - h * 0.025, base - h * 0.14, h * 0.05, h * 0.14, trunk) + tier(h * 0.1, h * 0.4, w) + tier(h * 0.34, h * 0.36, w * 0.8) + tier(h * 0.58, h * 0.42, w * 0.58)
}

function stand(seed: number, count: number, base: number, height: number, colours: readonly [string, string, string]): string {
  const random = seeded(seed)
  const step = 940 / count
  return Array.from({ length: count }, (_, i) =>
    pine(-40 + i * step + random() * step * 0.5, base + random() * 8, height * (0.8 + random() * 0.4), ...colours),
  ).join('')
}

/** Three stands of pines behind each other with mist between them; the camera pans left, so near trees move faster. */
export function forest(t: number): string {
  const camera = 200 - t * 22
  const mist = (y: number, opacity: number, drift: number): string =>
    ellipse(180 + drift, y, 360, 62, 'url(#mist)', `opacity="${opacity}"`) + ellipse(540 - drift, y + 14, 320, 54, 'url(#mist)', `opacity="${opacity}"`)
  const soft = '<radialGradient id="mist"><stop offset="0" stop-color="#f6fce0"/><stop offset="1" stop-color="#f6fce0" stop-opacity="0"/></radialGradient>'
  return frame(
    gradient('sky', '#cfe98a', '#f2f9cf') + gradient('floor', '#7fb53a', '#4f8f22') + soft,
    rect(0, 0, WIDTH, HEIGHT, 'url(#sky)') + circle(150, 70, 36, '#fffde2') + at(-camera * 0.35, 0, stand(5, 22, 262, 150, ['#a5cf6c', '#b4da7c', '#a89b62'])) +
      mist(232, 0.9, t * 6) + at(-camera * 0.65, 0, stand(6, 15, 292, 205, ['#6dab42', '#7fbb50', '#87703f'])) + rect(0, 292, WIDTH, 68, 'url(#floor)') +
      mist(270, 0.85, -t * 8) + at(-camera, 0, stand(9, 8, 340, 285, ['#357f24', '#479533', '#6b4f2a'])),
  )
}

/** The camera moves in on the house under the setting sun: scale 1 → about 1.9. */
export function houseZoom(t: number): string {
  const scale = 1 + t * 0.12
  const rays = Array.from({ length: 12 }, (_, i) => {
    const a = (i / 12) * 2 * Math.PI
    return poly([[448, 150], [448 + 700 * Math.cos(a), 150 + 700 * Math.sin(a)], [448 + 700 * Math.cos(a + 0.2), 150 + 700 * Math.sin(a + 0.2)]], '#ffb347', 'opacity=".35"')
  }).join('')
  const fence = Array.from({ length: 30 }, (_, i) => rect(i * 26 - 60, 276, 7, 26, '#ffe6c4')).join('') + rect(-80, 283, 900, 5, '#ffe6c4')
  const home =
    rect(216, 178, 150, 104, '#fff0d2') + poly([[198, 182], [384, 182], [291, 108]], '#b3261e') + rect(330, 118, 20, 40, '#8a3b2a') + rect(276, 226, 32, 56, '#7b3f1d') +
    circle(302, 256, 2.5, '#ffd24d') + rect(232, 204, 32, 30, '#ffc933') + rect(320, 204, 32, 30, '#ffc933') +
    rect(247, 204, 2, 30, '#b3261e') + rect(232, 218, 32, 2, '#b3261e') + rect(335, 204, 2, 30, '#b3261e') + rect(320, 218, 32, 2, '#b3261e') + circle(291, 154, 11, '#ffc933')
  const focusX = 300
  const focusY = 200
  return frame(
    gradient('sky', '#e8501f', '#ffc24a') + gradient('lawn', '#c98a24', '#8f5a14'),
    `<g transform="translate(${focusX} ${focusY}) scale(${Math.round(scale * 10000) / 10000}) translate(${-focusX} ${-focusY})">` +
      rect(-60, -40, 800, 330, 'url(#sky)') + rays + circle(448, 150, 52, '#fff0a8') + path('M-60 270Q140 214 330 250T760 230V420H-60Z', '#a8661c') +
      rect(-60, 276, 800, 140, 'url(#lawn)') + home + fence + circle(130, 226, 40, '#b5561b') + circle(102, 244, 28, '#c4651f') + rect(125, 240, 10, 46, '#5f3413') + '</g>',
  )
}
