"""Fast and exact implementations of the networks' operators.

Each function below is one operator. `xla` holds an implementation for any
device, `cpu` a kernel for arrays of certain shapes on a CPU; `choice` picks.

Axes: B clips, T frames, H rows, W columns, C channels, D filters; t, h, w the
same after a convolution or a pooling.
"""

import jax

from mefnet_jax.ops import choice, xla
from mefnet_jax.ops.choice import CHOICES, KERNELS, resolve, using, whole
from mefnet_jax.ops.maps import InSpace, Maps

__all__ = (
  'CHOICES',
  'InSpace',
  'KERNELS',
  'Maps',
  'adam',
  'convolve',
  'convolve_max_pool',
  'convolve_relu',
  'dense',
  'maps_of',
  'max_pool',
  'max_pools',
  'one_by_one',
  'pace',
  'relu',
  'resolve',
  'using',
  'whole',
)


def convolve(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  bias: jax.Array,
  padding: str = 'VALID',
  *,
  relu: bool = False,
  used_B: jax.Array | None = None,
) -> jax.Array:
  """A convolution of stride 1, and a bias: (B, t, h, w, D).

  Args:
    x_BTHWC: clips.
    kernel: (kt, kh, kw, C, D).
    bias: (D,).
    padding: 'VALID' or 'SAME'.
    relu: whether a ReLU follows.
    used_B: 0 for clips whose results nobody reads: they may be zeros. Without
      it, all are read.

  Raises:
    ValueError: a kernel that does not fit in the clips.
  """
  of = 'convolve', x_BTHWC, kernel, padding
  how = {'relu': relu, **_skips(used_B, *of)}
  return choice.form(*of)(x_BTHWC, kernel, bias, padding, **how)


def convolve_max_pool(
  x_BTHWC: jax.Array,
  kernel: jax.Array,
  window: tuple[int, int, int],
  *,
  used_B: jax.Array | None = None,
) -> jax.Array:
  """A VALID convolution, and a VALID max-pooling of it: (B, t, h, w, D).

  Args:
    x_BTHWC: clips.
    kernel: (kt, kh, kw, C, D).
    window: of the pooling: frames, rows, columns.
    used_B: as for `convolve`.

  Raises:
    ValueError: a kernel or a window that does not fit.
  """
  of = 'convolve_max_pool', x_BTHWC, kernel
  how = _skips(used_B, *of)
  return choice.form(*of)(x_BTHWC, kernel, tuple(window), **how)


def convolve_relu(
  x_BTHWC: jax.Array | InSpace,
  kernel: jax.Array,
  bias: jax.Array,
  *,
  used_B: jax.Array | None = None,
) -> Maps:
  """VALID convolution, bias and ReLU, with the sums that attention needs.

  Args:
    x_BTHWC: clips; or a convolution in space, which a kernel computes row by
      row with this one: then kt, 1, 1 are the sizes of the kernel.
    kernel: (kt, kh, kw, C, D).
    bias: (D,).
    used_B: as for `convolve`.

  Returns:
    `Maps`. The gradient of a maximum goes to the first of equal values.

  Raises:
    ValueError: a kernel that does not fit in the clips.
  """
  how = {}
  if isinstance(x_BTHWC, InSpace):
    first, x_BTHWC = (x_BTHWC.kernel, x_BTHWC.bias), x_BTHWC.x
    if choice.takes('convolve_relu', x_BTHWC, kernel):
      how['space'] = first
    else:
      x_BTHWC = convolve(x_BTHWC, *first, relu=True, used_B=used_B)
  of = 'convolve_relu', x_BTHWC, kernel
  how |= _skips(used_B, *of)
  return choice.form(*of)(x_BTHWC, kernel, bias, **how)


def relu(x_BTHWD: jax.Array) -> Maps:
  """ReLU of maps, with the sums that attention needs: `Maps`.

  The gradient of a maximum goes to the first of equal values.
  """
  return choice.form('relu', x_BTHWD)(x_BTHWD)


def maps_of(y: jax.Array | Maps) -> Maps:
  """Returns maps (B, ..., D) with the sums that attention needs."""
  return y if isinstance(y, Maps) else xla.maps_of(y)


def max_pool(x_BTHWC: jax.Array, window: tuple[int, int, int]) -> jax.Array:
  """Non-overlapping VALID max-pooling: (B, t, h, w, C).

  Raises:
    ValueError: a window larger than the clips.
  """
  return choice.form('max_pool', x_BTHWC)(x_BTHWC, tuple(window))


def max_pools(
  maps: Maps, weight: jax.Array | None, window: tuple[int, int, int]
) -> tuple[jax.Array, jax.Array | None]:
  """Max-pooling of maps, and of maps times a weight for each place.

  Args:
    maps: (B, T, H, W, D).
    weight: (B, T, H, W, 1), or None.
    window: of the pooling.

  Returns:
    Two arrays (B, t, h, w, D): the pooled maps, and the pooled weighted maps,
    which are undefined without a weight.

  Raises:
    ValueError: a window larger than the maps.
  """
  return choice.form('max_pools', maps)(maps, weight, tuple(window))


def dense(x_BK: jax.Array, kernel_KN: jax.Array) -> jax.Array:
  """x_BK @ kernel_KN: (B, N). For gradients in reverse mode only."""
  return choice.form('dense', x_BK, kernel_KN)(x_BK, kernel_KN)


def adam(
  params: jax.Array,
  mean: jax.Array,
  square: jax.Array,
  gradient: jax.Array,
  numbers: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """One step of Adam (Kingma & Ba, ICLR 2015, algorithm 1).

  Args:
    params, mean, square, gradient: of one shape. The memory of the first three
      is reused, so they must not be read afterwards.
    numbers: (8,), rate, b1, 1 - b1, b2, 1 - b2, 1 - b1 ** t, 1 - b2 ** t,
      epsilon.

  Returns:
    The new params, mean and square.
  """
  operands = params, mean, square, gradient, numbers
  return choice.form('adam', *operands)(*operands)


def pace(
  x_BTHWC: jax.Array,
  kernel: tuple[int, ...],
  filters: int,
  dtype: str,
  *,
  plain: bool,
  whole_maps: bool,
  factorised: bool = False,
) -> str:
  """Returns the fastest way for a trunk to go through the clips of a batch.

  Args:
    x_BTHWC: the clips.
    kernel: of the first convolution: frames, rows, columns.
    filters: of the same.
    dtype: of its products.
    plain: whether ReLU, attention and pooling follow it, and nothing else.
    whole_maps: whether attention looks at its maps before they are pooled.
    factorised: whether the convolution is one in space, a ReLU and one in time.

  Returns:
    'at once'; 'one by one', because the maps of one clip fill the cache;
    'again': one by one, and the maps are computed again for the gradient
    instead of being stored.
  """
  if choice.is_whole() or not one_by_one(len(x_BTHWC)):
    return 'at once'
  x = jax.ShapeDtypeStruct(x_BTHWC.shape, dtype)
  weights = jax.ShapeDtypeStruct((*kernel, x.shape[-1], filters), dtype)
  first = 'convolve_relu' if whole_maps else 'convolve_max_pool'
  # One kernel computes both factors only where attention follows.
  plain = plain and (whole_maps or not factorised)
  if plain and choice.takes(first, x, weights):
    # The kernel of the base network pools row by row, so its maps never exist.
    return 'one by one' if whole_maps else 'at once'
  return 'again'


def one_by_one(count: int) -> bool:
  """Whether so many clips go one by one: on a CPU, whose cache holds one."""
  return count > 1 and jax.default_backend() == 'cpu'


def _skips(used_B, name, *operands):
  """The argument for an implementation that leaves clips out; XLA has none."""
  skips = used_B is not None and choice.takes(name, *operands)
  return {'used_B': used_B} if skips else {}
