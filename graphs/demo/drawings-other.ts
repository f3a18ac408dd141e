import { lettering } from './lettering.js'
import { at, circle, ellipse, frame, gradient, HEIGHT, n, path, poly, rect, seeded, wave, WIDTH } from './svg.js'

/** The title card, the coral reef and the abstract shapes. `t` is seconds since the scene began. */

/** Does not move at all: every frame of the card is the same drawing. */
export function titleCard(): string {
  const ink = '#3a2530'
  return frame(
    '',
    rect(0, 0, WIDTH, HEIGHT, '#f7ecd6') + `<rect x="22" y="22" width="596" height="316" fill="none" stroke="${ink}" stroke-width="3"/>` +
      `<rect x="30" y="30" width="580" height="300" fill="none" stroke="#c8362e" stroke-width="2"/>` + lettering('A DAY AT THE', 320, 92, 30, ink, 4) +
      lettering('LIGHTHOUSE', 320, 148, 62, '#c8362e', 9) + rect(250, 236, 140, 3, ink) + lettering('A SMALL FILM FOR FLOW', 320, 262, 18, ink, 2.5),
  )
}

function fish(x: number, y: number, s: number, t: number, body: string, stripe: string): string {
  const tail = 6 * Math.sin(t * 5 + x)
  return at(
    x,
    y,
    poly([[-34, 0], [-58, -18 + tail], [-58, 18 + tail]], body) + ellipse(0, 0, 38, 21, body) + path('M-6 -20Q4 0 -6 20L-15 18Q-6 0 -15 -18Z', stripe) +
      poly([[-8, -19], [12, -18], [-4, -33]], body) + circle(22, -5, 4.5, '#ffffff') + circle(23, -5, 2.4, '#1c2b2b'),
    s,
  )
}

/** Teal water, light from above, weed that sways, fish that swim to the right. */
export function coralReef(t: number): string {
  const random = seeded(33)
  const weed = Array.from({ length: 9 }, (_, i) => {
    const x = 40 + i * 70 + random() * 24
    const h = 60 + random() * 60
    const sway = 12 * Math.sin(t * 1.1 + i)
    return `<path d="M${n(x)} 330Q${n(x - sway)} ${n(330 - h / 2)} ${n(x + sway)} ${n(330 - h)}" stroke="#0e7a4d" stroke-width="9" stroke-linecap="round" fill="none"/>`
  }).join('')
  const coral = Array.from({ length: 6 }, (_, i) => {
    const x = 30 + i * 118
    const colour = ['#d95c7a', '#e08a3c', '#b25fb0'][i % 3] ?? '#d95c7a'
    return circle(x, 322, 20, colour) + circle(x + 22, 314, 15, colour) + circle(x + 8, 300, 13, colour) + circle(x - 17, 308, 12, colour)
  }).join('')
  const bubbles = Array.from({ length: 12 }, () => {
    const x = random() * WIDTH
    const y = ((random() * 380 - t * 24) % 380 + 380) % 380 - 10
    return `<circle cx="${n(x + 4 * Math.sin(t * 2 + x))}" cy="${n(y)}" r="${n(3 + random() * 5)}" fill="#b8fff0" opacity=".55"/>`
  }).join('')
  const light = [90, 260, 430].map((x, i) => poly([[x, 0], [x + 50, 0], [x + 130 + 14 * Math.sin(t * 0.7 + i), 330], [x + 10 + 14 * Math.sin(t * 0.7 + i), 330]], '#b8fff0', 'opacity=".12"')).join('')
  return frame(
    gradient('water', '#16b3a4', '#04595f'),
    rect(0, 0, WIDTH, HEIGHT, 'url(#water)') + light + weed + wave(326, 5, 210, 0.8, '#c7b071') + coral + bubbles + fish(60 + t * 34, 120, 1.15, t, '#ff8a1f', '#ffffff') +
      fish(-70 + t * 40, 205, 0.9, t, '#ff7a12', '#ffffff') + fish(300 + t * 30, 176, 0.75, t, '#ffa03a', '#ffffff') + fish(210 + t * 26, 60, 0.6, t, '#ff8a1f', '#ffffff'),
  )
}

/** Rings and squares in magenta and violet that turn slowly. */
export function abstractShapes(t: number): string {
  const turn = (x: number, y: number, degrees: number, body: string): string => `<g transform="translate(${x} ${y}) rotate(${n(degrees)})">${body}</g>`
  const square = (half: number, fill: string): string => rect(-half, -half, half * 2, half * 2, fill, 'rx="10"')
  const arcs = [120, 92, 64].map((r, i) => turn(320, 180, (i % 2 === 0 ? 1 : -1) * t * 30 + i * 50,
    `<path d="M${r} 0A${r} ${r} 0 1 1 0 ${-r}" stroke="${['#ffffff', '#ffd23f', '#7a1fa2'][i] ?? '#fff'}" stroke-width="16" stroke-linecap="round" fill="none"/>`)).join('')
  return frame(
    '',
    rect(0, 0, WIDTH, HEIGHT, '#e91e78') + turn(110, 100, t * 24, square(52, '#7a1fa2') + square(26, '#ffd23f')) + turn(530, 100, -t * 24, square(52, '#ff7ab3') + square(26, '#7a1fa2')) +
      turn(110, 270, -t * 20, square(46, '#ff7ab3') + square(22, '#ffffff')) + turn(530, 270, t * 20, square(46, '#7a1fa2') + square(22, '#ff7ab3')) + arcs +
      circle(320, 180, 26 + 5 * Math.sin(t * 1.4), '#ffffff'),
  )
}
