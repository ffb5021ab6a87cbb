"""Decomposes networks into their linear first convolution and the rest.

Integrated gradients and SmoothGrad evaluate a network at many points per clip.
The first convolution of each stream is linear, so it is computed once per clip
instead of once per point (`first` in `mefnet_jax.saliency`).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mefnet_jax import ops, saliency
from mefnet_jax.models import layers, network_cache
from mefnet_jax.ops import convolution, pooling


@dataclasses.dataclass(frozen=True)
class Functions:
  """A network as functions of (streams, params).

  Attributes:
    apply: the whole network: (logits, out).
    first, rest: `apply` is `rest` after `first`, and `first` is linear.
    pooled_first, pooled_rest: the same with the max-pooling in `first`, if it
      follows the convolution directly; first(a x) = a first(x) then holds for
      a > 0 only.

  All but `apply` are None if the network does not begin with a convolution.
  """

  apply: Callable
  first: Callable | None = None
  rest: Callable | None = None
  pooled_first: Callable | None = None
  pooled_rest: Callable | None = None


def decompose(
  model: nn.Module, params: dict, sample: dict[str, jax.Array]
) -> Functions:
  """Decomposes a network at its first convolutions.

  Args:
    model: the network.
    params: its weights.
    sample: a batch of its streams, on which the parts are compared with the
      whole.
  """
  of_all = whole(model)
  begins = _beginnings(model, params, sample)
  # A stream of sound or words does not: the whole network is evaluated.
  if set(begins) != set(sample):
    return Functions(of_all)
  # `first` pools all streams or none of them.
  fused = all(one.pool for one in begins.values())
  first = functools.partial(_first, begins, False)
  rest = functools.partial(_rest, model, begins, False)
  parts = Functions(
    of_all,
    first,
    rest,
    functools.partial(_first, begins, True) if fused else first,
    functools.partial(_rest, model, begins, True) if fused else rest,
  )
  # A network may use a layer in a way that was not foreseen: so they are tried.
  return parts if _agree(parts, params, sample) else Functions(of_all)


@dataclasses.dataclass(frozen=True)
class _Beginning:
  """The first convolution of a stream: its path and its options."""

  path: tuple[str, ...]
  kernel: tuple[int, int, int]
  padding: str
  pool: tuple[int, int, int] | None


def apply(
  model: nn.Module, batch: dict[str, jax.Array], params: dict
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Returns (logits, out) of a batch, without dropout."""
  return model.apply({'params': params}, batch, train=False)


@network_cache.cached
def whole(model: nn.Module) -> Callable:
  """Returns `apply` of a network, one function for all that traces it."""
  return functools.partial(apply, model)


@network_cache.cached
def whole_beside(model: nn.Module) -> Callable:
  """Returns `apply_beside` of a network, as `whole`."""
  return functools.partial(apply_beside, model)


def apply_beside(
  model: nn.Module,
  batch: dict[str, jax.Array],
  params: dict,
  fixed: dict[str, jax.Array],
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Returns (logits, out), with the same sound or words for each clip.

  Args:
    model: the network.
    batch: streams (B, T, H, W, C) of clips.
    params: the weights.
    fixed: further inputs (1, ...), repeated for each clip.
  """
  count = len(next(iter(batch.values())))
  fixed = jax.tree.map(lambda a: jnp.repeat(a, count, 0), fixed)
  return apply(model, {**batch, **fixed}, params)


@functools.partial(jax.jit, static_argnums=0)
def named_outputs(
  apply: Callable, batch: dict[str, jax.Array], *args: Any
) -> dict[str, jax.Array]:
  """The dict `out` of a network.

  Args:
    apply: the network, as in `Functions`.
    batch: streams (B, T, H, W, C).
    *args: further arguments of `apply`: the weights.
  """
  return apply(batch, *args)[1]


def _beginnings(model, params, sample):
  """The first Conv3D of each stream, if its input has the clip's shape."""
  found = {}

  def record(call, args, kwargs, context):
    module = context.module
    if isinstance(module, layers.Conv3D) and context.method_name == '__call__':
      stream = module.path[0]
      clip = sample.get(stream)
      if clip is not None and args[0].shape[1:] == clip.shape[1:]:
        one = _Beginning(
          module.path, tuple(module.kernel), module.padding, module.pool
        )
        # The first call only: a module may be called again further up.
        found.setdefault(stream, one)
    return call(*args, **kwargs)

  # eval_shape runs the network without computing anything.
  with nn.intercept_methods(record):
    jax.eval_shape(lambda p, x: apply(model, x, p), params, sample)
  return found


def _first(begins, with_pool, batch, params):
  """The first convolution of each stream, without its bias."""
  made = {}
  for stream, x_BTHWC in batch.items():
    one, kernel = begins[stream], _at(params, begins[stream].path)['kernel']
    convolve = functools.partial(_convolve, one, with_pool, kernel)
    made[stream] = _clip_by_clip(convolve, x_BTHWC)
  return made


def _convolve(one, with_pool, kernel, x_BTHWC):
  """One first convolution, with or without the pooling that follows it."""
  if not one.pool:
    return convolution.conv3d(x_BTHWC, kernel, padding=one.padding)
  if with_pool:
    return convolution.conv3d_max_pool3d(x_BTHWC, kernel, one.pool)
  # What the pooling drops is not computed.
  x = convolution.read_by_pooling(x_BTHWC, one.kernel, one.pool)
  return convolution.conv3d(x, kernel)


def _clip_by_clip(function, x_BTHWC):
  """Loops over the clips where that is faster."""
  if not ops.one_by_one(len(x_BTHWC)):
    return function(x_BTHWC)
  return jax.lax.map(lambda x: function(x[None])[0], x_BTHWC)


def _rest(model, begins, with_pool, batch, params):
  """The network after `_first`; its first convolutions return their input."""
  paths = {one.path: one for one in begins.values()}

  def skip_convolution(call, args, kwargs, context):
    module = context.module
    one = paths.get(module.path)
    if one is None or context.method_name != '__call__':
      return call(*args, **kwargs)
    y = args[0]
    if one.pool and not with_pool:
      y = pooling.max_pool3d(y, one.pool)
    bias_C = module.get_variable('params', 'bias')
    # The bias is added here, because `first` must be linear. After the pooling
    # too: a number added to all places does not change which is largest.
    y += bias_C.reshape(1, 1, 1, 1, -1)
    y = nn.relu(y) if module.relu or module.maps else y
    return ops.maps_of(y) if module.maps else y

  with nn.intercept_methods(skip_convolution):
    return model.apply({'params': params}, batch, train=False)


def _at(params, path):
  """The parameters of the module at a path."""
  for name in path:
    params = params[name]
  return params


def _agree(parts, params, sample) -> bool:
  """Whether the parts give the logits of the whole network on the sample."""
  logits = jax.jit(lambda f, b, p: f(b, p)[0], static_argnums=0)
  expected = logits(parts.apply, sample, params)
  # Relative to the logits, which a head of zeros makes all zero.
  scale = float(jnp.abs(expected).max()) + 1e-6
  for first, rest in (
    (parts.first, parts.rest),
    (parts.pooled_first, parts.pooled_rest),
  ):
    found = logits(rest, jax.jit(first)(sample, params), params)
    if found.shape != expected.shape or not np.allclose(
      found, expected, atol=1e-4 * scale
    ):
      return False
  return True


def integrated_gradients(
  parts: Functions,
  batch: dict[str, jax.Array],
  target: np.ndarray,
  *args: Any,
  steps: int,
  rows: int,
) -> dict[str, jax.Array]:
  """Computes integrated gradients from a baseline of zeros.

  Args:
    parts: result of `decompose`.
    batch: streams of the clips.
    target: (B,) classes.
    *args: further arguments of `parts`: the weights.
    steps, rows: as in `saliency.integrated_gradients`.
  """
  return saliency.integrated_gradients(
    # A path from zero to x scales x by numbers above 0, for which the pooling
    # commutes with the scale.
    parts.pooled_rest or parts.apply,
    batch,
    target,
    steps=steps,
    first=parts.pooled_first,
    args=args,
    rows=rows,
  )


def smooth_grad(
  parts: Functions,
  batch: dict[str, jax.Array],
  target: np.ndarray,
  *args: Any,
  samples: int,
  key: jax.Array,
  rows: int,
) -> dict[str, jax.Array]:
  """Computes SmoothGrad; arguments as in `integrated_gradients`."""
  return saliency.smooth_grad(
    # Noise has both signs, so only the convolution itself is linear here.
    parts.rest or parts.apply,
    batch,
    target,
    key=key,
    samples=samples,
    first=parts.first,
    args=args,
    rows=rows,
  )
