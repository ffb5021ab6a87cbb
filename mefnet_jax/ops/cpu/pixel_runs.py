"""Clips whose pixels under a kernel lie in runs, for gradients of one place.

Of a grey clip frames lie innermost, so that a run is as long as the kernel in
time; of a clip of several channels it is a row of the kernel. Axes: T frames,
H rows, W columns, C channels of a clip, D filters.
"""

import numpy as np

from mefnet_jax.ops.cpu import compiled, memory, simd

LANES = simd.LANES


@compiled.kernel
def steps(sizes, channels):
  """How far apart neighbouring frames, rows and columns lie."""
  frames, rows, columns = sizes
  if channels == 1:
    return 1, columns * frames, frames
  return rows * columns * channels, columns * channels, channels


@compiled.kernel
def laid(x, sizes, channels):
  """The clip (T, H, W, C) by `steps`, followed by LANES zeros.

  The zeros are read by the last vector, which reaches beyond the last pixel.
  """
  out = np.zeros(len(x) + LANES, np.float32)
  _move(x, out, sizes, channels, False)
  return out


@compiled.inlined
def lift(x, sizes, channels, out):
  """The clip (T, H, W, C) of which x is `laid`."""
  _move(out, x, sizes, channels, True)


@compiled.kernel
def _move(clip, laid, sizes, channels, lifts):
  """From a clip to where `laid` has its pixels; or, if it `lifts`, back."""
  if channels > 1:
    x, out = (laid, clip) if lifts else (clip, laid)
    memory.copy(x, 0, out, 0, len(clip))
    return
  frames, places = sizes[0], sizes[1] * sizes[2]
  for start in range(0, places, 64):  # so many stay in the cache
    stop = min(start + 64, places)
    for t in range(frames):
      for p in range(start, stop):
        if lifts:
          clip[t * places + p] = laid[p * frames + t]
        else:
          laid[p * frames + t] = clip[t * places + p]


@compiled.kernel
def _shape(kernel, sizes, channels):
  """Numbers of runs, and how long one is.

  If the kernel is as long as a grey clip, the runs of neighbouring columns lie
  end to end, and are one.
  """
  kt, kh, kw = kernel
  if channels > 1:
    return kt * kh, kw * channels
  if kt == sizes[0]:
    return kh, kw * kt
  return kh * kw, kt


@compiled.kernel
def vectors_of(kernel, sizes, channels):
  """Vectors of a run."""
  return (_shape(kernel, sizes, channels)[1] + LANES - 1) // LANES


@compiled.kernel
def offsets_of(kernel, sizes, channels):
  """Where the vectors of the runs lie in `laid`, from the first pixel on."""
  compiled.for_size()
  frame, row, column = steps(sizes, channels)
  runs, _ = _shape(kernel, sizes, channels)
  vectors = vectors_of(kernel, sizes, channels)
  offsets = np.empty(runs * vectors, np.int64)
  for run in range(runs):
    if channels > 1:
      begin = run // kernel[1] * frame + run % kernel[1] * row
    else:
      columns = runs // kernel[1]
      begin = run // columns * row + run % columns * column
    for v in range(vectors):
      offsets[run * vectors + v] = begin + v * LANES
  return offsets


@compiled.kernel
def _place(t, h, w, c, kernel, sizes, channels):
  """Where a tap lies among the vectors of the runs."""
  if channels > 1:
    run, within = t * kernel[1] + h, w * channels + c
  elif kernel[0] == sizes[0]:
    run, within = h, w * kernel[0] + t
  else:
    run, within = h * kernel[2] + w, t
  return run * vectors_of(kernel, sizes, channels) * LANES + within


@compiled.kernel
def convert(packed, kernel, sizes, channels, filters, w, unpacks):
  """Between the kernel (kt, kh, kw, C, D) and (D, vectors of the runs).

  To `packed`, where zeros stay behind each run; or, if it `unpacks`, to w.
  """
  compiled.for_size()
  count = _shape(kernel, sizes, channels)[0]
  size, at = count * vectors_of(kernel, sizes, channels) * LANES, 0
  for t in range(kernel[0]):
    for h in range(kernel[1]):
      for x in range(kernel[2]):
        for c in range(channels):
          place = _place(t, h, x, c, kernel, sizes, channels)
          for f in range(filters):
            if unpacks:
              w[at] = packed[f * size + place]
            else:
              packed[f * size + place] = w[at]
            at += 1
