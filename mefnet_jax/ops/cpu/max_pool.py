"""Convolution of grey clips and max-pooling in one pass, and its gradient.

Of each window of the pooling one place counts, so that the gradient costs a
small part of a product. Axes: T frames, H rows, W columns, D filters; t, h, w
cells of the pooling.
"""

import functools

import jax
import numpy as np
from numba import carray

from mefnet_jax.ops import convolution, pooling
from mefnet_jax.ops.cpu import (
  compiled,
  custom_calls,
  frames,
  grey,
  memory,
  pool_windows,
  rows,
  signatures,
  simd,
)

LANES = simd.LANES
_FORWARD = signatures.signature(
  'w fbTHW fijkd fb -> fb(T-i/0)(H-j/1)(W-k/2)d ib(T-i/0)(H-j/1)(W-k/2)d'
)
_GRADIENT = signatures.signature(
  'w fbTHW ib(T-i/0)(H-j/1)(W-k/2)d fb(T-i/0)(H-j/1)(W-k/2)d -> fijkd'
)


takes = grey.takes


def convolve_max_pool(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  window: tuple[int, int, int],
  *,
  used_B: jax.Array | None = None,
) -> jax.Array:
  """As `ops.convolve_max_pool`, of clips that `takes` accepts.

  Raises:
    ValueError: a kernel or a window that does not fit.
  """
  used_B = custom_calls.used(x_BTHWC, used_B)
  return _convolve_max_pool(*grey.as_grey(x_BTHWC, kernel), used_B, window)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _convolve_max_pool(x, kernel, used, window):
  return _vjp_forward(x, kernel, used, window)[0]


def _vjp_forward(x, kernel, used, window):
  whole = convolution.output_shape(x.shape[1:4], kernel.shape[:3], (1, 1, 1))
  pooling.check(whole, window)
  sizes = convolution.output_shape(x.shape[1:4], kernel.shape[:3], window)
  shape = (len(x), *sizes, kernel.shape[-1])
  y, choice = custom_calls.call(
    # Stored by place, not by value: the gradient needs to know where, not what.
    'convolve_pool',
    [(shape, np.float32), (shape, np.int32)],
    np.asarray(window, np.int32),
    x[..., 0],
    kernel[..., 0, :],
    used,
  )
  y, choice = custom_calls.saved(y, choice)
  return y, (x, kernel, choice)


def _vjp_backward(window, known, y_bar):
  x, kernel, choice = known
  (to_kernel,) = custom_calls.call(
    'convolve_pool_gradient',
    [((*kernel.shape[:3], kernel.shape[-1]), np.float32)],
    np.asarray(window, np.int32),
    x[..., 0],
    choice,
    y_bar,
  )
  # Left to XLA, which drops it where nobody uses it, as in training.
  _, to_clips = jax.vjp(
    lambda x: convolution.conv3d_max_pool3d(x, kernel, window), x
  )
  return to_clips(y_bar)[0], to_kernel[..., None, :], None


_convolve_max_pool.defvjp(_vjp_forward, _vjp_backward)


@compiled.kernel
def _cells(sizes, kernel, window):
  """Frames, rows and columns of the pooling."""
  return (
    (sizes[0] - kernel[0] + 1) // window[0],
    (sizes[1] - kernel[1] + 1) // window[1],
    (sizes[2] - kernel[2] + 1) // window[2],
  )


@compiled.inlined
def _pool_clip(x, w, sizes, kernel, window, filters, y, choice):
  """VALID convolution and max-pooling of one clip.

  x (T, H, W); w packed; y and choice (t, h, w, D): the first largest of each
  window, and its number in the window.
  """
  wt, wh, ww = window
  ct, ch, cw = _cells(sizes, kernel, window)
  width, row_step = rows.padded_width(filters), sizes[2]
  frame_step = sizes[1] * row_step
  offsets = rows.offsets_of(kernel, 1, frame_step, row_step)
  taps, weights = (offsets, 0, len(offsets)), (w, width)
  end = np.zeros(width, np.float32), np.float32(-np.inf)
  row = np.empty(cw * ww * width, np.float32)
  best = np.empty(cw * width, np.float32)
  chosen = np.empty(cw * width, np.int32)
  for t in range(ct):
    for h in range(ch):
      for i in range(wt):
        for j in range(wh):
          start = (t * wt + i) * frame_step + (h * wh + j) * row_step
          rows.convolve_row(x, start, 1, taps, weights, end, row, 0, cw * ww)
          number = (i * wh + j) * ww
          pool_windows.keep(row, best, chosen, cw, ww, width // LANES, number)
      for c in range(cw):
        to = ((t * ch + h) * cw + c) * filters
        for f in range(filters):
          y[to + f] = best[c * width + f]
          choice[to + f] = chosen[c * width + f]


@compiled.inlined
def _add_gradient(x, g, choice, sizes, kernel, window, filters, offsets, into):
  """Adds one clip's share to the gradient of the kernel.

  x is `rows.frames_last`; g and choice (t, h, w, D); offsets of
  `rows.run_offsets`;
  into (D, len(offsets) * LANES).
  """
  frames_, _, columns = sizes
  wt, wh, ww = window
  ct, ch, cw = _cells(sizes, kernel, window)
  count, at = len(offsets), 0
  for t in range(ct):
    for h in range(ch):
      for c in range(cw):
        for f in range(filters):
          down = g[at]
          if down != 0:  # 0 for a fold that holds the clip out
            number = choice[at]
            i, rest = number // (wh * ww), number % (wh * ww)
            place = (h * wh + rest // ww) * columns + c * ww + rest % ww
            start, to = place * frames_ + t * wt + i, f * count * LANES
            pool_windows.add(x, start, offsets, count, down, into, to)
          at += 1


@compiled.handler
def _convolve_pool(address):
  frame = carray(address, 21, np.int64)
  answer, sizes = frames.check_call(frame, _FORWARD)
  if answer != frames.WORK:
    return answer
  x, w = frames.floats(frame, 1, sizes), frames.floats(frame, 2, sizes)
  used, y = frames.floats(frame, 3, sizes), frames.floats(frame, 4, sizes)
  choice = frames.integers(frame, 5, sizes)
  clips, kernel = sizes[0], (sizes[4], sizes[5], sizes[6])
  taps, filters = kernel[0] * kernel[1] * kernel[2], sizes[7]
  packed = [
    rows.pack_kernel(frames.part(w, p, y), taps, filters)
    for p in range(frames.parts(y))
  ]
  for b in range(clips):
    for p in range(frames.parts(y)):
      if frames.clip(used, p, y, b)[0] == 0:
        memory.fill(frames.clip(y, p, y, b), 0)
        memory.fill(frames.clip(choice, p, y, b), 0)
        continue
      _pool_clip(
        frames.clip(x, p, y, b),
        packed[p],
        (sizes[1], sizes[2], sizes[3]),
        kernel,
        frames.window(sizes),
        filters,
        frames.clip(y, p, y, b),
        frames.clip(choice, p, y, b),
      )
  return 0


@compiled.handler
def _convolve_pool_gradient(address):
  frame = carray(address, 21, np.int64)
  answer, sizes = frames.check_call(frame, _GRADIENT)
  if answer != frames.WORK:
    return answer
  x, choice = frames.floats(frame, 1, sizes), frames.integers(frame, 2, sizes)
  g, out = frames.floats(frame, 3, sizes), frames.floats(frame, 4, sizes)
  clip, kernel = (sizes[1], sizes[2], sizes[3]), (sizes[4], sizes[5], sizes[6])
  filters, parts = sizes[7], frames.parts(out)
  offsets = rows.run_offsets(kernel, clip[0], clip[2])
  into = np.zeros((parts, filters * len(offsets) * LANES), np.float32)
  turned = np.empty(0, np.float32)
  for b in range(sizes[0]):
    for p in range(parts):
      if p == 0 or frames.place(x, p, out) != frames.place(x, p - 1, out):
        turned = rows.frames_last(frames.clip(x, p, out, b), *clip)
      _add_gradient(
        turned,
        frames.clip(g, p, out, b),
        frames.clip(choice, p, out, b),
        clip,
        kernel,
        frames.window(sizes),
        filters,
        offsets,
        into[p],
      )
  for p in range(parts):
    to = frames.part(out, p, out)
    rows.unpack_runs(into[p], kernel, clip[0], filters, to)
  return 0


HANDLERS = {
  'convolve_pool': _convolve_pool,
  'convolve_pool_gradient': _convolve_pool_gradient,
}
