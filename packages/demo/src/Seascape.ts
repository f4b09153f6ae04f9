/**
 * The picture of the sample clip: an evening sea with a sailing boat, drawn as raw RGB frames. Filters of ffmpeg could
 * draw it too, thirty times slower.
 */
export const width = 640
export const height = 360
export const fps = 30

type Colour = readonly [red: number, green: number, blue: number]

interface Wave {
  readonly colour: Colour
  /** Where its surface is at column `x` (0 to 1) and time `t` (seconds), in rows. */
  readonly surface: (x: number, t: number) => number
}

const turn = 2 * Math.PI
const wave = (colour: Colour, level: number, swell: number, length: number, speed: number): Wave => ({
  colour,
  surface: (x, t) =>
    height *
    (level +
      swell * Math.sin(turn * length * x + t * speed) +
      swell * 0.35 * Math.sin(turn * length * 2.9 * x - t * 1.7 * speed)),
})

const waves: readonly [Wave, Wave, Wave, Wave] = [
  wave([38, 141, 147], 0.56, 0.014, 1.3, 0.8),
  wave([20, 110, 121], 0.655, 0.022, 1.1, -1.05),
  wave([10, 80, 94], 0.76, 0.03, 0.9, 1.3),
  wave([5, 49, 62], 0.875, 0.034, 0.7, -1.5),
]

const mix = (from: number, to: number, share: number) => from + (to - from) * share
const clamp = (value: number) => Math.min(1, Math.max(0, value))

/** Sky and sun do not move: painted once. */
const sky = (): Uint8Array => {
  const pixels = new Uint8Array(width * height * 3)
  const top: Colour = [18, 58, 98]
  const low: Colour = [250, 178, 96]
  const sun: Colour = [255, 228, 152]
  for (let y = 0; y < height; y++) {
    const depth = clamp(y / (height * 0.58)) ** 2
    for (let x = 0; x < width; x++) {
      const distance = Math.hypot(x - width * 0.68, y - height * 0.35)
      const light = Math.max(clamp(height * 0.115 - distance), 0.45 * Math.exp(-distance / (height * 0.22)))
      const at = (y * width + x) * 3
      for (let part = 0; part < 3; part++) {
        pixels[at + part] = mix(mix(top[part] ?? 0, low[part] ?? 0, depth), sun[part] ?? 0, light)
      }
    }
  }
  return pixels
}

/** Every frame of `seconds`, in order; each is a new array. */
export function* frames(seconds: number): Generator<Uint8Array> {
  const background = sky()
  for (let index = 0; index < seconds * fps; index++) {
    const frame = background.slice()
    const time = index / fps
    for (const [order, layer] of waves.entries()) {
      if (order === 2) paintBoat(frame, time)
      paintWave(frame, layer, time)
    }
    yield frame
  }
}

const paintWave = (frame: Uint8Array, { colour, surface }: Wave, time: number): void => {
  for (let x = 0; x < width; x++) {
    const edge = surface(x / width, time)
    for (let y = Math.max(0, Math.floor(edge)); y < height; y++) paint(frame, x, y, colour, clamp(y - edge + 1))
  }
}

const hull: Colour = [64, 30, 28]
const cloth: Colour = [250, 244, 230]
const shade: Colour = [226, 208, 180]

/** A hull and two sails that ride on the third wave. */
const paintBoat = (frame: Uint8Array, time: number): void => {
  const x = width * (0.16 + 0.045 * time)
  const surface = waves[2].surface
  const y = surface(x / width, time) + 4
  const lean = (surface((x + 20) / width, time) - surface((x - 20) / width, time)) / 40
  triangle(frame, lean, x, y, [2, -12], [2, -92], [44, -16], cloth)
  triangle(frame, lean, x, y, [-3, -12], [-3, -78], [-28, -15], shade)
  triangle(frame, lean, x, y, [-38, -10], [46, -10], [30, 6], hull)
  triangle(frame, lean, x, y, [-38, -10], [30, 6], [-26, 6], hull)
}

type Corner = readonly [x: number, y: number]

const triangle = (
  frame: Uint8Array,
  lean: number,
  x: number,
  y: number,
  ...rest: readonly [Corner, Corner, Corner, Colour]
): void => {
  const [a, b, c, colour] = rest
  const turned = ([dx, dy]: Corner): Corner => [x + dx - dy * lean, y + dy + dx * lean]
  const corners = [turned(a), turned(b), turned(c)] as const
  const side = (from: Corner, to: Corner, px: number, py: number) =>
    (to[0] - from[0]) * (py - from[1]) - (to[1] - from[1]) * (px - from[0])
  const facing = Math.sign(side(corners[0], corners[1], corners[2][0], corners[2][1]))
  const rows = corners.map((corner) => corner[1])
  const columns = corners.map((corner) => corner[0])
  for (let py = Math.floor(Math.min(...rows)); py <= Math.max(...rows); py++) {
    for (let px = Math.floor(Math.min(...columns)); px <= Math.max(...columns); px++) {
      const inside = [0, 1, 2].map((index) => {
        const from = corners[index] ?? corners[0]
        const to = corners[(index + 1) % 3] ?? corners[0]
        return (facing * side(from, to, px, py)) / Math.hypot(to[0] - from[0], to[1] - from[1])
      })
      paint(frame, px, py, colour, clamp(Math.min(...inside) + 0.5))
    }
  }
}

const paint = (frame: Uint8Array, x: number, y: number, colour: Colour, share: number): void => {
  if (x < 0 || x >= width || y < 0 || y >= height || share === 0) return
  const at = (y * width + x) * 3
  for (let part = 0; part < 3; part++) frame[at + part] = mix(frame[at + part] ?? 0, colour[part] ?? 0, share)
}
