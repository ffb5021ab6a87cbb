"""Convolutions as matrix products: XLA's own 3D ones are 15-40 times slower.

One axis of the clip is folded into the channels: a block of `b` outputs along
it is one product of a window of `b + k - 1` inputs with a banded (Toeplitz)
kernel. The two other kernel axes become patches. The result is exact, and its
gradients are products too.

Patches depend on the clips alone. Under `vmap` over the kernels (folds that
share a batch) they are built once, and the product is one of folds * filters.

Axes: B batch, T frames, H rows, W columns, C channels in, D channels out.
"""

import math

import jax
import jax.numpy as jnp

from mefnet_jax.ops import pooling, products

_SPATIAL = (1, 2, 3)
_COLUMNS = 96  # width of the product at which CPU matmul reaches its peak


def conv3d(
  x_BTHWC: jax.Array, kernel: jax.Array, *, padding: str = 'VALID'
) -> jax.Array:
  """Convolves clips, stride 1; equal to `lax.conv_general_dilated`.

  Args:
    x_BTHWC: clips, (B, T, H, W, C).
    kernel: (kt, kh, kw, C, D).
    padding: 'VALID' or 'SAME'.

  Returns:
    (B, T', H', W', D); T' = T - kt + 1 for VALID, T for SAME.

  Raises:
    ValueError: a kernel that does not fit in the clip, or whose channels
      are not the clip's.
  """
  if padding == 'SAME':
    x_BTHWC = jnp.pad(x_BTHWC, _same_padding(kernel.shape[:3]))
  elif padding != 'VALID':
    raise ValueError(f'padding is VALID or SAME, not {padding!r}')
  check_shapes(x_BTHWC.shape, kernel.shape)
  if kernel.shape[:3] == (1, 1, 1):  # no neighbours
    y = products.product(x_BTHWC.reshape(-1, kernel.shape[3]), kernel[0, 0, 0])
    return y.reshape(*x_BTHWC.shape[:-1], -1)
  axis, block = _band(x_BTHWC.shape, kernel.shape)
  y = _banded(x_BTHWC, kernel, axis, block)
  outputs = x_BTHWC.shape[axis] - kernel.shape[axis - 1] + 1
  return _unfold(y, axis, outputs)


def conv3d_max_pool3d(
  x_BTHWC: jax.Array, kernel: jax.Array, window: tuple[int, int, int]
) -> jax.Array:
  """`max_pool3d(conv3d(x_BTHWC, kernel), window)`, both VALID.

  What the pooling drops is not computed, and it reads the product as it
  stands, which spares copies of the largest array of the network.

  Args:
    x_BTHWC: clips, (B, T, H, W, C).
    kernel: (kt, kh, kw, C, D).
    window: of the pooling: frames, rows, columns.

  Returns:
    (B, T', H', W', D), see `output_shape`.

  Raises:
    ValueError: a kernel that does not fit in the clip or a window in what
      the kernel leaves of it, or channels that are not the clip's.
  """
  check_shapes(x_BTHWC.shape, kernel.shape)
  depths, sizes = kernel.shape[:3], x_BTHWC.shape[1:4]
  x = read_by_pooling(x_BTHWC, depths, window)
  axis, block = _band(x.shape, kernel.shape)
  a, m, n = (window[i - 1] for i in (axis, *_others(axis)))
  y = _banded(x, kernel, axis, a * math.ceil(block / a))
  batch, count, rows, columns, block, filters = y.shape
  split = (count, rows // m, m, columns // n, n, block // a, a)
  y = y.reshape(batch, *split, filters)
  # The first of equals is the first in the order of frames, rows, columns.
  # Here the axes of the window lie in another order.
  y = pooling.first_max(y, (7, 3, 5) if axis == 1 else (3, 5, 7))
  outputs = output_shape(sizes, depths, window)[axis - 1]
  return _unfold(y, axis, outputs)


def output_shape(
  shape: tuple[int, ...], kernel: tuple[int, ...], window: tuple[int, ...]
) -> tuple[int, ...]:
  """The (T, H, W) that a VALID convolution and a VALID pooling leave."""
  return tuple(
    (n - k + 1) // w for n, k, w in zip(shape, kernel, window, strict=True)
  )


def check(sizes: tuple[int, ...], kernel: tuple[int, ...]) -> None:
  """Raises ValueError if a VALID kernel is larger than clips of these sizes."""
  if any(k > n for k, n in zip(kernel, sizes, strict=True)):
    raise ValueError(
      f'a kernel of {tuple(kernel)} (frames, rows, columns) does not fit in '
      f'clips of {tuple(sizes)}'
    )


def check_shapes(shape: tuple[int, ...], kernel: tuple[int, ...]) -> None:
  """Raises ValueError unless (B, T, H, W, C) fit (kt, kh, kw, C, D), VALID."""
  check_channels(shape, kernel)
  check(shape[1:4], kernel[:3])


def check_factors(
  shape: tuple[int, ...], space: tuple[int, ...], time: tuple[int, ...]
) -> None:
  """Raises ValueError unless kernels in space, then time, fit clips, VALID."""
  flat = space[0] == 1 and time[1:3] == (1, 1)
  if not flat or time[3] != space[4]:
    raise ValueError(
      f'kernels {tuple(space)} and {tuple(time)}: the first is in space, the '
      'other in time, of the channels that the first one leaves'
    )
  check_channels(shape, space)
  check(shape[1:4], (time[0], *space[1:3]))


def check_channels(shape: tuple[int, ...], kernel: tuple[int, ...]) -> None:
  """Raises ValueError unless the kernel reads the clips' channels."""
  if kernel[3] != shape[4]:
    raise ValueError(f'kernel {kernel} for clips of {shape[4]} channels')


def read_by_pooling(
  x_BTHWC: jax.Array, kernel: tuple[int, ...], window: tuple[int, ...]
) -> jax.Array:
  """The part of the clips that conv3d + max_pool3d (VALID) ever reads.

  With 18 frames of 64x64, kernel (15, 3, 3) and window 3 the pooling drops
  the last of 4 frames and 2 of 62 rows and columns: 30 % of the work.

  Raises:
    ValueError: a window that does not fit in what the kernel leaves.
  """
  pooling.check(output_shape(x_BTHWC.shape[1:4], kernel, (1, 1, 1)), window)
  pooled = output_shape(x_BTHWC.shape[1:4], kernel, window)
  t, h, w = (
    p * n + k - 1 for p, n, k in zip(pooled, window, kernel, strict=True)
  )
  return x_BTHWC[:, :t, :h, :w]


def _same_padding(kernel):
  """Zeros before and after each axis, the odd one after, as in lax."""
  sides = [((k - 1) // 2, k // 2) for k in kernel]
  return [(0, 0), *sides, (0, 0)]


def _band(clip, kernel):
  """The axis to fold into the channels, and outputs a block along it.

  Time for kernels long in time; columns for flat ones (the 7x7 map of an
  attention). The more channels, the less there is to gain: a block of one is
  the plain patch matrix.
  """
  axis = 1 if kernel[0] >= kernel[2] else 3
  outputs = clip[axis] - kernel[axis - 1] + 1
  # Blocks of equal size waste less on padding than full ones and a small last.
  block = math.ceil(_COLUMNS / kernel[4]) if kernel[axis - 1] > 1 else 1
  blocks = math.ceil(outputs / min(block, outputs))
  return axis, math.ceil(outputs / blocks)


def _banded(x_BTHWC, kernel, axis, block):
  """conv3d, with `block` outputs along `axis` as one row of the product.

  Returns (B, N, m', n', block, D), where N blocks cover the axis and m, n are
  the two others.
  """
  # (k along the axis, the two other kernel axes, C, D)
  kernel = kernel.transpose([a - 1 for a in (axis, *_others(axis))] + [3, 4])
  windows = _windows(x_BTHWC, axis, kernel.shape[0], block)
  patches = _patches(windows, kernel.shape[1:3])
  points = patches.reshape(len(patches), -1).T
  y = products.product(points, _band_matrix(kernel, block))
  return y.reshape(*patches.shape[1:], block, kernel.shape[4])


def _others(axis):
  """The two spatial axes beside `axis`."""
  return [a for a in _SPATIAL if a != axis]


def _unfold(y, axis, outputs):
  """Reorders (B, N, m, n, block, D) to (B, T, H, W, D).

  `outputs` along `axis` remain; those of the padding at its end are cut off.
  """
  y = jnp.moveaxis(y, 4, 2)
  y = y.reshape(y.shape[0], -1, *y.shape[3:])[:, :outputs]
  return jnp.moveaxis(y, 1, axis)


def _windows(x_BTHWC, axis, depth, block):
  """Overlapping windows of block + depth - 1 steps: (window * C, B, N, m, n).

  What a product sums over stands first: for one grey clip that is how the
  clip lies in memory, and nothing is transposed.
  """
  x = x_BTHWC.transpose(axis, 4, 0, *_others(axis))  # A C B m n
  steps = x.shape[0] - depth + 1
  count = math.ceil(steps / block)
  x = jnp.pad(x, [(0, count * block - steps)] + [(0, 0)] * 4)
  window = block + depth - 1
  return jnp.stack(
    [
      x[i : i + window].reshape(-1, *x.shape[2:])
      for i in range(0, count * block, block)
    ],
    axis=2,
  )


def _patches(x, kernel):
  """Neighbours below one another: (kernel points * first, B, N, m', n')."""
  m, n = (s - k + 1 for s, k in zip(x.shape[3:], kernel, strict=True))
  front = x.shape[:3]
  # Not x[...] and jnp.pad below: they are traced in several times the time.
  points = [
    jax.lax.slice(x, (0, 0, 0, i, j), (*front, i + m, j + n))
    for i in range(kernel[0])
    for j in range(kernel[1])
  ]
  return jnp.concatenate(points)


def _band_matrix(kernel, block):
  """The kernel at each of `block` shifts: (points * window * C, block * D)."""
  depth, m, n, channels, filters = kernel.shape
  nothing, zero = (0, 0, 0), jnp.zeros((), kernel.dtype)
  shifted = [
    jax.lax.pad(kernel, zero, [(i, block - 1 - i, 0)] + [nothing] * 4)
    for i in range(block)
  ]
  band = jnp.stack(shifted, axis=-2)  # window m n C block D
  band = band.transpose(1, 2, 0, 3, 4, 5)
  window = block + depth - 1
  return band.reshape(m * n * window * channels, block * filters)
