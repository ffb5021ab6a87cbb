"""Convolutions as matrix products: XLA's own 3D ones are 15-40 times slower.

One axis of the clip is folded into the channels: a block of `b` outputs along
it is one product of a window of `b + k - 1` inputs with a banded (Toeplitz)
kernel. The two other kernel axes become patches. The result is exact, and its
derivatives are products too, because they are autodiff's own.

Patches depend on the clips alone. Under `vmap` over the kernels (folds that
share a batch) they are built once, and the product is one of folds * filters.

Axes: B batch, T frames, H rows, W columns, C channels in, D channels out.
"""

import math

import jax
import jax.numpy as jnp

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
  _check(x_BTHWC.shape, kernel.shape)
  axis, block = _band(x_BTHWC.shape, kernel.shape)
  return _banded(x_BTHWC, kernel, axis, block)


def output_shape(
  shape: tuple[int, ...], kernel: tuple[int, ...], window: tuple[int, ...]
) -> tuple[int, ...]:
  """The (T, H, W) that a VALID convolution and a VALID pooling leave."""
  return tuple(
    (n - k + 1) // w for n, k, w in zip(shape, kernel, window, strict=True)
  )


def read_by_pooling(
  x_BTHWC: jax.Array, kernel: tuple[int, ...], window: tuple[int, ...]
) -> jax.Array:
  """The part of the clips that conv3d + max_pool3d (VALID) ever reads.

  With 18 frames of 64x64, kernel (15, 3, 3) and window 3 the pooling drops
  the last of 4 frames and 2 of 62 rows and columns: 30 % of the work.
  """
  pooled = output_shape(x_BTHWC.shape[1:4], kernel, window)
  t, h, w = (
    p * n + k - 1 for p, n, k in zip(pooled, window, kernel, strict=True)
  )
  return x_BTHWC[:, :t, :h, :w]


def _same_padding(kernel):
  """Zeros before and after each axis, the odd one after, as in lax."""
  sides = [((k - 1) // 2, k // 2) for k in kernel]
  return [(0, 0), *sides, (0, 0)]


def _check(clip, kernel):
  if kernel[3] != clip[4]:
    raise ValueError(f'kernel {kernel} for clips of {clip[4]} channels')
  if any(k > n for k, n in zip(kernel[:3], clip[1:4], strict=True)):
    raise ValueError(
      f'a kernel of {kernel[:3]} (frames, rows, columns) does not fit in '
      f'clips of {clip[1:4]}'
    )


def _band(clip, kernel):
  """The axis to fold into the channels, and outputs a block along it.

  Time for kernels long in time; columns for flat ones (the 7x7 map of an
  attention). The more channels, the less there is to gain: a block of one is
  the plain patch matrix.
  """
  axis = 1 if kernel[0] >= kernel[2] else 3
  outputs = clip[axis] - kernel[axis - 1] + 1
  block = math.ceil(_COLUMNS / kernel[4]) if kernel[axis - 1] > 1 else 1
  blocks = math.ceil(outputs / min(block, outputs))
  return axis, math.ceil(outputs / blocks)


def _banded(x_BTHWC, kernel, axis, block):
  """conv3d with `block` outputs along `axis` as one row of the product."""
  others = [a for a in _SPATIAL if a != axis]
  # (k along the axis, the two other kernel axes, C, D)
  kernel = kernel.transpose([a - 1 for a in (axis, *others)] + [3, 4])
  depth, filters = kernel.shape[0], kernel.shape[4]
  outputs = x_BTHWC.shape[axis] - depth + 1
  windows = _windows(x_BTHWC, axis, depth, block)  # B N m n (window * C)
  patches = _patches(windows, kernel.shape[1:3])
  y = patches @ _band_matrix(kernel, block)  # B N m' n' (block * D)
  y = y.reshape(*y.shape[:-1], block, filters)
  # B N m' n' block D -> the axis back in its place
  y = jnp.moveaxis(y, 4, 2)
  y = y.reshape(y.shape[0], -1, *y.shape[3:])[:, :outputs]
  return jnp.moveaxis(y, 1, axis)


def _windows(x_BTHWC, axis, depth, block):
  """Overlapping windows of block + depth - 1 steps: (B, N, m, n, window*C)."""
  x = jnp.moveaxis(x_BTHWC, axis, 3)  # B m n A C
  steps, channels = x.shape[3:]
  count = math.ceil((steps - depth + 1) / block)
  missing = count * block + depth - 1 - steps
  x = jnp.pad(x, [(0, 0)] * 3 + [(0, missing), (0, 0)])
  width = (block + depth - 1) * channels
  x = x.reshape(*x.shape[:3], -1)
  stride = block * channels
  return jnp.stack(
    [x[..., i * stride : i * stride + width] for i in range(count)], axis=1
  )


def _patches(x, kernel):
  """Neighbours beside one another: (B, N, m', n', kernel points * last)."""
  m, n = (s - k + 1 for s, k in zip(x.shape[2:4], kernel, strict=True))
  points = [
    x[:, :, i : i + m, j : j + n]
    for i in range(kernel[0])
    for j in range(kernel[1])
  ]
  return jnp.concatenate(points, axis=-1)


def _band_matrix(kernel, block):
  """The kernel at each of `block` shifts: (points * window * C, block * D)."""
  depth, m, n, channels, filters = kernel.shape
  shifted = [
    jnp.pad(kernel, [(i, block - 1 - i)] + [(0, 0)] * 4) for i in range(block)
  ]
  band = jnp.stack(shifted, axis=-2)  # window m n C block D
  band = band.transpose(1, 2, 0, 3, 4, 5)
  window = block + depth - 1
  return band.reshape(m * n * window * channels, block * filters)
