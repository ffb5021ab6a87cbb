"""Convolution layers on a CPU by kernels of their own (`kernels`), for XLA.

What XLA computes of a layer pass by pass over its maps is here one pass while
they are in the cache, and of a pooling's gradient only what is not zero. Used
where `switched_on`, as training and evaluation are; elsewhere, on a GPU and
for what the kernels cannot do, the same layers are XLA's.

Axes: B clips, T frames, H rows, W columns, D filters; t, h, w the same after
the convolution.
"""

import contextvars
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from mefnet_jax.ops import convolution, pooling

MOST_FILTERS = 64  # of maps that attention looks at
_LARGE, _COLUMNS = 1 << 14, 32  # of a dense kernel
_HEAVY = 1 << 16  # weights of one array
_FEW = 8  # channels times filters, for which vectors lie along the rows

_on = contextvars.ContextVar('native', default=False)
_mapped = contextvars.ContextVar('mapped', default=False)


def switched_on(step: Callable, *, mapped: bool = False) -> Callable:
  """`step`, traced so that its layers may be of these kernels.

  Args:
    step: takes arrays, under any number of `jax.vmap`.
    mapped: around these is a pmap (`parallel`) that splits its state.
  """
  if not ready():
    return step

  @functools.wraps(step)
  def native_step(*args, **kwargs):
    on, outside = _on.set(True), _mapped.set(mapped)
    try:
      return step(*args, **kwargs)
    finally:
      _on.reset(on)
      _mapped.reset(outside)

  return native_step


def usable(x: jax.Array, dtype: str = 'float32') -> bool:
  """Whether these kernels convolve x in `dtype`: grey clips, in float32."""
  grey = x.ndim == 5 and x.shape[-1] == 1
  return _on.get() and grey and x.dtype == dtype == 'float32'


@functools.cache
def ready() -> bool:
  """Whether the kernels work here: they are compiled (once) and tried."""
  if jax.default_backend() != 'cpu':
    return False
  try:
    from numba import config

    if config.DISABLE_JIT:
      return False
    from mefnet_jax.ops import calls
  except ImportError:  # no Numba for this Python: XLA does it all
    return False
  calls.register()
  try:
    tried = dense(jnp.ones((1, 2)), jnp.ones((2, _COLUMNS)))
  except jax.errors.JaxRuntimeError:  # an XLA that hands over otherwise
    return False
  return bool((tried == 2).all())


def _call(name, results, *operands):
  made = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in results]
  call = jax.ffi.ffi_call(f'mefnet_jax.{name}', made, vmap_method='expand_dims')
  return call(*operands)


def _after(x, kernel):
  """The sizes that the convolution leaves."""
  convolution.check(x.shape[1:4], kernel.shape[:3])
  return convolution.output_shape(x.shape[1:4], kernel.shape[:3], (1, 1, 1))


def _window(window):
  return np.asarray(window, np.int32)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve_max_pool(
  x_BTHWC: jax.Array, kernel: jax.Array, window: tuple[int, int, int]
) -> jax.Array:
  """As `convolution.conv3d_max_pool3d`: (B, t, h, w, D), in float32.

  Raises:
    ValueError: a kernel or a window that does not fit.
  """
  return _convolve_pool_forward(x_BTHWC, kernel, window)[0]


def _convolve_pool_forward(x, kernel, window):
  pooling.check(_after(x, kernel), window)
  sizes = convolution.output_shape(x.shape[1:4], kernel.shape[:3], window)
  shape = (len(x), *sizes, kernel.shape[-1])
  y, choice = _call(
    'convolve_pool',
    [(shape, jnp.float32), (shape, jnp.int32)],
    x[..., 0],
    kernel[..., 0, :],
    _window(window),
  )
  return y, (x, kernel, choice)


def _convolve_pool_backward(window, known, y_bar):
  x, kernel, choice = known
  shape = (*kernel.shape[:3], kernel.shape[-1])
  (to_kernel,) = _call(
    'convolve_pool_gradient',
    [(shape, jnp.float32)],
    x[..., 0],
    choice,
    y_bar,
    _window(window),
  )
  return _to_clips(
    lambda x: convolution.conv3d_max_pool3d(x, kernel, window), x, y_bar
  ), to_kernel[..., None, :]


def _to_clips(layer, x, y_bar):
  """The gradient of the clips, by XLA; nothing if nobody asks for it."""
  return jax.vjp(layer, x)[1](y_bar)[0]


convolve_max_pool.defvjp(_convolve_pool_forward, _convolve_pool_backward)


@struct.dataclass
class Maps:
  """ReLU(convolution + bias), and what micro-attention asks of it.

  Attributes:
    y: (B, t, h, w, D).
    mean, peak: (B, D), over time and space.
    map_mean, map_peak: (B, t, h, w, 1), over the filters.
  """

  y: jax.Array
  mean: jax.Array
  peak: jax.Array
  map_mean: jax.Array
  map_peak: jax.Array


def convolve_relu(
  x_BTHWC: jax.Array, kernel: jax.Array, bias: jax.Array
) -> Maps:
  """VALID convolution, bias and ReLU. Of equal maxima the first counts.

  Raises:
    ValueError: a kernel that does not fit in the clips, or more filters than
      MOST_FILTERS.
  """
  if kernel.shape[-1] > MOST_FILTERS:
    raise ValueError(f'{kernel.shape[-1]} filters; at most {MOST_FILTERS}')
  y, mean, peak, map_mean, map_peak = _convolve_relu(x_BTHWC, kernel, bias)
  return Maps(y, mean, peak, map_mean[..., None], map_peak[..., None])


@jax.custom_vjp
def _convolve_relu(x, kernel, bias):
  return _convolve_relu_forward(x, kernel, bias)[0]


def _convolve_relu_forward(x, kernel, bias):
  from mefnet_jax.ops import tiles

  sizes = _after(x, kernel)
  batch, filters = len(x), kernel.shape[-1]
  width = -(-filters // tiles.LANES) * tiles.LANES
  map_, clip = (batch, *sizes), (batch, filters)
  bits = (batch, np.prod(sizes) * width // 8)
  y, bits, mean, peak, place, map_mean, map_peak, first = _call(
    'convolve_relu',
    [
      ((*map_, filters), jnp.float32),
      (bits, jnp.uint8),
      (clip, jnp.float32),
      (clip, jnp.float32),
      (clip, jnp.int32),
      (map_, jnp.float32),
      (map_, jnp.float32),
      (map_, jnp.int32),
    ],
    x[..., 0],
    kernel[..., 0, :],
    bias,
  )
  known = x, kernel, bias, bits, place, first
  return (y, mean, peak, map_mean, map_peak), known


def _convolve_relu_backward(known, bars):
  x, kernel, bias, bits, place, first = known
  shape = (*kernel.shape[:3], kernel.shape[-1])
  to_kernel, to_bias = _call(
    'convolve_relu_gradient',
    [(shape, jnp.float32), (bias.shape, jnp.float32)],
    x[..., 0],
    bits,
    place,
    first,
    *bars,
  )
  to_x = _to_clips(lambda x: _by_xla(x, kernel, bias), x, bars)
  return to_x, to_kernel[..., None, :], to_bias


def _by_xla(x, kernel, bias):
  y = jax.nn.relu(convolution.conv3d(x, kernel) + bias.reshape(1, 1, 1, 1, -1))
  places = (1, 2, 3)
  return y, y.mean(places), y.max(places), y.mean(-1), y.max(-1)


_convolve_relu.defvjp(_convolve_relu_forward, _convolve_relu_backward)


def few(x: jax.Array, kernel: jax.Array) -> bool:
  """Whether `convolve_few` does this convolution: few channels, float32."""
  *_, channels, filters = kernel.shape
  exact = x.dtype == kernel.dtype == jnp.float32
  return _on.get() and exact and channels * filters <= _FEW


@jax.custom_vjp
def convolve_few(x_BTHWC: jax.Array, kernel: jax.Array) -> jax.Array:
  """SAME convolution of few channels by few filters, as of a map of weights.

  Args:
    x_BTHWC: (B, T, H, W, C).
    kernel: (kt, kh, kw, C, D).

  Returns:
    (B, T, H, W, D).
  """
  shape = (*x_BTHWC.shape[:-1], kernel.shape[-1])
  (y,) = _call('convolve_few', [(shape, jnp.float32)], x_BTHWC, kernel)
  return y


def _convolve_few_forward(x, kernel):
  return convolve_few(x, kernel), (x, kernel)


def _convolve_few_backward(known, y_bar):
  results = [(a.shape, jnp.float32) for a in known]
  return tuple(_call('convolve_few_gradient', results, *known, y_bar))


convolve_few.defvjp(_convolve_few_forward, _convolve_few_backward)


def large(x_BK: jax.Array, kernel_KN: jax.Array) -> bool:
  """Whether `dense` does this product: few clips, a large kernel, float32."""
  exact = x_BK.dtype == kernel_KN.dtype == jnp.float32
  whole = kernel_KN.shape[1] % _COLUMNS == 0
  large = kernel_KN.size >= _LARGE and len(x_BK) < min(kernel_KN.shape)
  return _on.get() and exact and whole and large


@jax.custom_vjp
def dense(x_BK: jax.Array, kernel_KN: jax.Array) -> jax.Array:
  """x_BK @ kernel_KN, of which the kernel is by far the larger one."""
  shape = (len(x_BK), kernel_KN.shape[1])
  (y,) = _call('dense', [(shape, jnp.float32)], x_BK, kernel_KN)
  return y


def _dense_forward(x, kernel):
  return dense(x, kernel), (x, kernel)


def _dense_backward(known, y_bar):
  results = [(a.shape, jnp.float32) for a in known]
  return tuple(_call('dense_gradient', results, *known, y_bar))


dense.defvjp(_dense_forward, _dense_backward)


def heavy(params: jax.Array) -> bool:
  """Whether `adam` moves these: so many that memory sets the pace."""
  return _on.get() and params.dtype == jnp.float32 and params.size >= _HEAVY


def adam(
  params: jax.Array,
  mean: jax.Array,
  square: jax.Array,
  gradient: jax.Array,
  numbers: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """One step of Adam (Kingma & Ba, ICLR 2015, algorithm 1), in one pass.

  Args:
    params, mean, square, gradient: of one shape; the first three are given up.
    numbers: (8,), rate, b1, 1 - b1, b2, 1 - b2, 1 - b1 ** t, 1 - b2 ** t,
      epsilon.

  Returns:
    The new params, mean and square.
  """
  return _adam(params, mean, square, gradient, numbers)


@jax.custom_batching.custom_vmap
def _adam(*operands):
  """`adam`; axes that params and numbers have in front are of `jax.vmap`.

  A pmap takes the axis of the devices off its arguments, and XLA copies what
  is reshaped before a call that works in place. Put on again, both cancel.
  """
  if _mapped.get():
    operands = [x[None] for x in operands]
  given = jax.ShapeDtypeStruct(operands[0].shape, jnp.float32)
  call = jax.ffi.ffi_call(
    'mefnet_jax.adam',
    [given] * 3,
    input_output_aliases={0: 0, 1: 1, 2: 2},
  )
  results = call(*operands)
  return tuple(x[0] for x in results) if _mapped.get() else tuple(results)


@_adam.def_vmap
def _adam_of_many(size, batched, *operands):
  operands = [
    x if has else jnp.broadcast_to(x, (size, *x.shape))
    for x, has in zip(operands, batched, strict=True)
  ]
  return _adam(*operands), (True,) * 3


def max_pools(
  y: jax.Array, weight: jax.Array, window: tuple[int, int, int]
) -> tuple[jax.Array, jax.Array]:
  """Max-pooling of y, and of y * weight.

  Args:
    y: (B, T, H, W, D).
    weight: (B, T, H, W, 1).
    window: of the pooling.

  Returns:
    Twice (B, t, h, w, D).
  """
  pooling.check(y.shape[1:4], window)
  return _max_pools(y, weight[..., 0], window)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _max_pools(y, weight, window):
  return _max_pools_forward(y, weight, window)[0]


def _max_pools_forward(y, weight, window):
  sizes = (n // w for n, w in zip(y.shape[1:4], window, strict=True))
  shape = (len(y), *sizes, y.shape[-1])
  plain, choice, weighed, weighed_choice, value = _call(
    'pool_weighed',
    [(shape, d) for d in ('float32', 'int32', 'float32', 'int32', 'float32')],
    y,
    weight,
    _window(window),
  )
  known = weight, choice, weighed_choice, value
  return (plain, weighed), known


def _max_pools_backward(window, known, bars):
  weight, choice, weighed_choice, value = known
  shape = (*weight.shape, value.shape[-1])
  return tuple(
    _call(
      'pool_weighed_gradient',
      [(shape, jnp.float32), (weight.shape, jnp.float32)],
      weight,
      bars[0],
      choice,
      bars[1],
      weighed_choice,
      value,
      _window(window),
    )
  )


_max_pools.defvjp(_max_pools_forward, _max_pools_backward)
