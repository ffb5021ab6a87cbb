"""Our networks as functions that can be explained, taken apart at the start.

The first convolution of each stream is linear. Integrated gradients and
SmoothGrad ask for the network at many points on lines, so the convolution is
computed once a clip, not once a point (`first` of `mefnet_jax.saliency`).
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from mefnet_jax import saliency
from mefnet_jax.models import layers
from mefnet_jax.ops import convolution, pooling


@dataclasses.dataclass(frozen=True)
class Functions:
  """A network, each a function of (streams, params).

  whole: (logits, out). first, rest: whole = rest(first); `first` is linear.
  pooled_first, pooled_rest: the same, the pooling in `first` where nothing
  stands between: then first(a x) = a first(x) for a > 0 only. All four None
  where the network does not begin with a convolution.
  """

  whole: Callable
  first: Callable | None = None
  rest: Callable | None = None
  pooled_first: Callable | None = None
  pooled_rest: Callable | None = None


def functions(model: nn.Module, params, sample: dict) -> Functions:
  """The network as functions; `sample` is a batch of its streams."""
  of_all = functools.partial(whole, model)
  begins = _beginnings(model, params, sample)
  if set(begins) != set(sample):
    return Functions(of_all)
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
  return parts if _agree(parts, params, sample) else Functions(of_all)


@dataclasses.dataclass(frozen=True)
class _Beginning:
  """The first convolution of a stream: where it stands, and how it is set."""

  path: tuple[str, ...]
  kernel: tuple[int, int, int]
  padding: str
  pool: tuple[int, int, int] | None


def whole(model: nn.Module, batch: dict, params) -> tuple:
  """(logits, out) of a batch, without dropout."""
  return model.apply({'params': params}, batch, train=False)


def beside(model: nn.Module, batch: dict, params, rest: dict) -> tuple:
  """`whole`, each clip with the same sound or words (1, ...) beside it."""
  count = len(next(iter(batch.values())))
  rest = jax.tree.map(lambda a: jnp.repeat(a, count, 0), rest)
  return whole(model, {**batch, **rest}, params)


def _beginnings(model, params, sample):
  """The first Conv3D met in each stream, if it could see the clip."""
  found = {}

  def watch(call, args, kwargs, context):
    module = context.module
    if isinstance(module, layers.Conv3D) and context.method_name == '__call__':
      stream = module.path[0]
      clip = sample.get(stream)
      if clip is not None and args[0].shape[1:] == clip.shape[1:]:
        one = _Beginning(
          module.path, tuple(module.kernel), module.padding, module.pool
        )
        found.setdefault(stream, one)
    return call(*args, **kwargs)

  with nn.intercept_methods(watch):
    jax.eval_shape(lambda p, x: whole(model, x, p), params, sample)
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
  if not one.pool:
    return convolution.conv3d(x_BTHWC, kernel, padding=one.padding)
  if with_pool:
    return convolution.conv3d_max_pool3d(x_BTHWC, kernel, one.pool)
  x = convolution.read_by_pooling(x_BTHWC, one.kernel, one.pool)
  return convolution.conv3d(x, kernel)


def _clip_by_clip(function, x_BTHWC):
  """On CPU in a loop: the patches of one clip stay in the cache."""
  if jax.default_backend() != 'cpu' or len(x_BTHWC) == 1:
    return function(x_BTHWC)
  return jax.lax.map(lambda x: function(x[None])[0], x_BTHWC)


def _rest(model, begins, with_pool, batch, params):
  """The network after `_first`: its first convolutions pass on what comes."""
  paths = {one.path: one for one in begins.values()}

  def take_over(call, args, kwargs, context):
    module = context.module
    one = paths.get(module.path)
    if one is None or context.method_name != '__call__':
      return call(*args, **kwargs)
    y = args[0]
    if one.pool and not with_pool:
      y = pooling.max_pool3d(y, one.pool)
    bias_C = module.get_variable('params', 'bias')
    return y + bias_C.reshape(1, 1, 1, 1, -1)

  with nn.intercept_methods(take_over):
    return model.apply({'params': params}, batch, train=False)


def _at(params, path):
  for name in path:
    params = params[name]
  return params


def _agree(parts, params, sample) -> bool:
  """Whether the parts give what the whole gives, tried on the sample."""
  tell = jax.jit(lambda f, b, p: f(b, p)[0], static_argnums=0)
  said = tell(parts.whole, sample, params)
  scale = float(jnp.abs(said).max()) + 1e-6
  for first, rest in (
    (parts.first, parts.rest),
    (parts.pooled_first, parts.pooled_rest),
  ):
    made = tell(rest, jax.jit(first)(sample, params), params)
    if made.shape != said.shape or not np.allclose(
      made, said, atol=1e-4 * scale
    ):
      return False
  return True


def integrated(parts: Functions, batch, target, *args, steps, rows):
  """Integrated gradients from zeros, by the fastest exact way.

  `args` are what the parts take beside the batch: the weights.
  """
  return saliency.integrated_gradients(
    parts.pooled_rest or parts.whole,
    batch,
    target,
    steps=steps,
    first=parts.pooled_first,
    args=args,
    rows=rows,
  )


def smoothed(parts: Functions, batch, target, *args, samples, key, rows):
  """SmoothGrad, by the fastest exact way."""
  return saliency.smooth_grad(
    parts.rest or parts.whole,
    batch,
    target,
    key=key,
    samples=samples,
    first=parts.first,
    args=args,
    rows=rows,
  )
