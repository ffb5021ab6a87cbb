// From two grey pictures of one face to a motion map, as Python's
// preprocess.motion_map makes it, but with a flow of its own: iterated
// Lucas-Kanade over a pyramid (B. D. Lucas, T. Kanade, 1981), no DOM.

export const CELLS = 28, CELL = 4, SIDE = CELLS * CELL;
// Where a crop has the eyes and the mouth, in cells (preprocess.face_crop).
export const EYES = [6.3, 21], EYE_ROW = 7.7, MOUTH_ROW = 20.3;

const LEVELS = 3, ROUNDS = 5;
const QUIET = 1; // sigma of the blur before all else, pixels
const WINDOW = 5; // sigma of the window over which motion is one, pixels
const SMOOTH = 3; // sigma of the flow's blur after each level, pixels
const NOISE = 2; // squared grey levels a pixel; flat skin does not move

/** A picture blurred by a Gaussian; at the edge the edge is repeated. */
export function blurred(image, size, sigma) {
  const reach = Math.ceil(3 * sigma);
  const weights = [];
  for (let i = -reach; i <= reach; i++) {
    weights.push(Math.exp(-i * i / (2 * sigma * sigma)));
  }
  const total = weights.reduce((a, b) => a + b);
  const along = (from, step, other) => {
    const made = new Float32Array(size * size);
    for (let a = 0; a < size; a++) {
      for (let b = 0; b < size; b++) {
        let sum = 0;
        for (let i = -reach; i <= reach; i++) {
          const at = Math.min(size - 1, Math.max(0, b + i));
          sum += weights[i + reach] * from[a * other + at * step];
        }
        made[a * other + b * step] = sum / total;
      }
    }
    return made;
  };
  return along(along(image, 1, size), size, 1);
}

/** Means of `step` x `step` pixels. */
export function averaged(image, size, step) {
  const less = size / step, made = new Float32Array(less * less);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const at = Math.floor(y / step) * less + Math.floor(x / step);
      made[at] += image[y * size + x] / (step * step);
    }
  }
  return made;
}

/** The picture's level at a place between pixels. */
function level(image, size, x, y) {
  x = Math.min(size - 1, Math.max(0, x));
  y = Math.min(size - 1, Math.max(0, y));
  const left = Math.min(size - 2, Math.floor(x));
  const top = Math.min(size - 2, Math.floor(y));
  const a = x - left, b = y - top, at = top * size + left;
  return (1 - b) * ((1 - a) * image[at] + a * image[at + 1])
    + b * ((1 - a) * image[at + size] + a * image[at + size + 1]);
}

function twiceAsLarge(flow, size) {
  const made = new Float32Array(4 * size * size);
  for (let y = 0; y < 2 * size; y++) {
    for (let x = 0; x < 2 * size; x++) {
      made[y * 2 * size + x] = 2 * level(flow, size, x / 2 - .25, y / 2 - .25);
    }
  }
  return made;
}

/** One round: the flow, mended by what still differs. */
function mended(first, second, size, u, v) {
  const moved = new Float32Array(size * size);
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++, at++) {
      moved[at] = level(second, size, x + u[at], y + v[at]);
    }
  }
  const parts = Array.from({ length: 5 }, () => new Float32Array(size * size));
  for (let y = 0, at = 0; y < size; y++) {
    for (let x = 0; x < size; x++, at++) {
      const across = (level(first, size, x + 1, y) - level(first, size, x - 1, y)
        + level(moved, size, x + 1, y) - level(moved, size, x - 1, y)) / 4;
      const down = (level(first, size, x, y + 1) - level(first, size, x, y - 1)
        + level(moved, size, x, y + 1) - level(moved, size, x, y - 1)) / 4;
      const change = moved[at] - first[at];
      parts[0][at] = across * across;
      parts[1][at] = across * down;
      parts[2][at] = down * down;
      parts[3][at] = across * change;
      parts[4][at] = down * change;
    }
  }
  const [xx, xy, yy, xt, yt] = parts.map((p) => blurred(p, size, WINDOW));
  const newU = new Float32Array(u), newV = new Float32Array(v);
  for (let at = 0; at < size * size; at++) {
    const a = xx[at] + NOISE, c = yy[at] + NOISE, b = xy[at];
    const det = a * c - b * b;
    newU[at] -= (c * xt[at] - b * yt[at]) / det;
    newV[at] -= (a * yt[at] - b * xt[at]) / det;
  }
  return [newU, newV];
}

/** Flow (u to the right, v down) in pixels from one crop to another. */
export function flow(first, second) {
  let size = SIDE;
  const pyramid = [[first, second].map((x) => blurred(x, size, QUIET))];
  while (pyramid.length < LEVELS) {
    pyramid.push(pyramid.at(-1).map((x) => averaged(x, size, 2)));
    size /= 2;
  }
  let u = new Float32Array(size * size), v = new Float32Array(size * size);
  for (let at = LEVELS - 1; at >= 0; at--) {
    for (let i = 0; i < ROUNDS; i++) {
      [u, v] = mended(...pyramid[at], size, u, v);
    }
    [u, v] = [u, v].map((x) => blurred(x, size, SMOOTH));
    if (at) {
      [u, v] = [u, v].map((x) => twiceAsLarge(x, size));
      size *= 2;
    }
  }
  return [u, v];
}

/** [u, v] of CELLS x CELLS cells, in shares of the distance of the eyes. */
export function map(first, second) {
  const unit = (EYES[1] - EYES[0]) * CELL;
  return flow(first, second).map(
    (x) => averaged(x, SIDE, CELL).map((one) => one / unit));
}

function slope(x, at, step, place) {
  if (place === 0) return x[at + step] - x[at];
  if (place === CELLS - 1) return x[at] - x[at - step];
  return (x[at + step] - x[at - step]) / 2;
}

/** How far skin is stretched or sheared, per cell. */
export function strain([u, v]) {
  return u.map((_, at) => {
    const row = Math.floor(at / CELLS), column = at % CELLS;
    const shear = (slope(v, at, 1, column) + slope(u, at, CELLS, row)) / 2;
    return Math.sqrt(slope(u, at, 1, column) ** 2
      + slope(v, at, CELLS, row) ** 2 + 2 * shear ** 2);
  });
}

/** A map as the public ones are stored: u, v, strain, each 0 to 255. */
export function stored(uv) {
  const made = new Uint8Array(3 * CELLS * CELLS);
  [...uv, strain(uv)].forEach((x, channel) => {
    const low = Math.min(...x), span = Math.max(Math.max(...x) - low, 1e-9);
    x.forEach((one, at) => {
      made[3 * at + channel] = Math.round(255 * (one - low) / span);
    });
  });
  return made;
}

/** How far the face moves: 1 cell in 20 moves further than the median. */
export function strength(uv) {
  const middle = uv.map((x) => [...x].sort((a, b) => a - b)[x.length >> 1]);
  const far = [...uv[0]].map(
    (x, at) => Math.hypot(x - middle[0], uv[1][at] - middle[1]));
  return far.sort((a, b) => a - b)[Math.floor(.95 * far.length)];
}
