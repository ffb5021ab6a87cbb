"""Describes a network: layers, shapes, parameters and FLOPs.

Shapes are those of one clip, with axes (frames, rows, columns, channels).
FLOPs are those of one forward pass of one clip, with a multiply-add counted as
two. Layers are counted as defined: a 3D convolution in full, even if the
pooling after it ignores an edge.
"""

import dataclasses
import math

import jax
from flax import linen as nn

from mefnet_jax.models import (
  attention,
  encoders,
  layers,
  motion_heads,
  residual,
  streams,
)

_LISTED = (
  layers.Conv3D,
  layers.Dense,
  nn.Dense,
  motion_heads.Heads,
  layers.Normalisation,
  attention.ChannelAttention,
  attention.SpatialTemporalAttention,
  residual.MicroAttentionUnit,
  streams.Trunk,
  encoders.Words,
)


@dataclasses.dataclass(frozen=True)
class Layer:
  """One row of the table.

  Attributes:
    path: names of the enclosing modules, the layer's own last.
    kind: its type, with kernel sizes; for a layer that is not ours, the name of
      its class.
    shape: shape of its output for one clip.
    parameters: number of its parameters, without those of modules within it.
    flops: FLOPs for one clip, without those of modules within it; None if
      not known, for layers that are not ours.
  """

  path: tuple[str, ...]
  kind: str
  shape: tuple[int, ...]
  parameters: int
  flops: int | None


def describe(model: nn.Module, batch: dict) -> list[Layer]:
  """Lists the layers of a network in the order of execution.

  Args:
    model: a network.
    batch: for each stream an array or shape of one clip.
  """
  found: dict[tuple, Layer] = {}

  def record(call, args, kwargs, context):
    module = context.module
    if context.method_name == '__call__' and _follows_pooling(module, args):
      path = (*module.path[:-1], 'pool')
      shape = args[0].shape[1:]
      found.setdefault(path, Layer(path, 'max-pool', shape, 0, 0))
    result = call(*args, **kwargs)
    if context.method_name == '__call__' and isinstance(module, _LISTED):
      layer = _layer(module, args, result)
      before = found.get(layer.path)
      if before and before.flops:  # CAM's perceptron; a map and its mirror
        layer = dataclasses.replace(layer, flops=layer.flops + before.flops)
      if layer.kind:
        found[layer.path] = layer
    return result

  # Shapes alone are traced, so that a network of any size takes no memory.
  with nn.intercept_methods(record):
    made = jax.eval_shape(model.init, jax.random.key(0), batch)
  return [*found.values(), *_others(made.get('params', {}), found)]


def _others(params, found):
  """Rows of parameters in layers that the table does not know."""
  own: dict[tuple, int] = {}
  for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]:
    keys = tuple(str(key.key) for key in path)
    own[keys[:-1]] = own.get(keys[:-1], 0) + math.prod(leaf.shape)
  for path, layer in found.items():
    inside = (*path, 'norm')  # where `layers.Normalisation` has its own
    own[path] = own.get(path, 0) - layer.parameters
    if own.get(inside) == -own[path]:
      own[inside], own[path] = 0, 0
  return [
    Layer(path, 'not one of our layers', (), count, None)
    for path, count in own.items()
    if count > 0
  ]


def table(
  name: str, inputs: dict, found: list[Layer], width: int | None = None
) -> str:
  """Formats the layers as a table, with their sums.

  Args:
    name: the network's.
    inputs: for each stream an array or shape of one clip.
    found: the layers, from `describe`.
    width: columns of the terminal, for which long paths lose their middle.
  """
  rows = [('layer', 'what it is', 'shape', 'parameters', 'MFLOPs')]
  rows += [
    (stream, 'input', _by(array.shape[1:]), '', '')
    for stream, array in inputs.items()
  ]
  for layer in found:
    mega = '?' if layer.flops is None else f'{layer.flops / 1e6:,.3f}'
    rows.append(
      (
        '/'.join(layer.path),
        layer.kind,
        _by(layer.shape),
        f'{layer.parameters:,}',
        mega,
      )
    )
  flops = [layer.flops for layer in found]
  total = f'{sum(x or 0 for x in flops) / 1e6:,.3f}'
  if None in flops or not flops:
    total = '?'
  count = sum(layer.parameters for layer in found)
  rows.append((name, 'whole network', '', f'{count:,}', total))
  rest = [max(len(row[i]) for row in rows) for i in range(1, 5)]
  if width:
    room = width - sum(rest) - 2 * len(rest)
    rows = [(_short(row[0], room), *row[1:]) for row in rows]
  widths = [max(len(row[0]) for row in rows), *rest]
  return '\n'.join(_line(row, widths) for row in rows)


def _short(path, room):
  """'eyes/.../channel/squeeze': a path without its middle, to fit a column."""
  first, *parts = path.split('/')
  while len(path) > room and len(parts) > 1:
    del parts[0]
    path = '/'.join([first, '...', *parts])
  return path


def _line(row, widths):
  left = [cell.ljust(w) for cell, w in zip(row[:3], widths[:3], strict=True)]
  right = [cell.rjust(w) for cell, w in zip(row[3:], widths[3:], strict=True)]
  return '  '.join([*left, *right]).rstrip()


def _by(sizes):
  """18x64x64 of (18, 64, 64)."""
  return 'x'.join(str(n) for n in sizes)


def _follows_pooling(module, args):
  """Whether pooling comes before the module, which does not pool itself."""
  if isinstance(module, attention.ParallelAttention):
    return len(args) < 3
  return isinstance(module, residual.Residual)


def _layer(module, args, result):
  """The row of a module that was called with args and returned result."""
  y = result[0] if isinstance(result, tuple) else result
  kind, flops = _kind(module, args, y)
  params = module.variables.get('params', {})
  if isinstance(module, layers.Normalisation):
    params = params.get('norm', {})
  # Dicts among them belong to submodules, which have rows of their own.
  parameters = sum(v.size for v in params.values() if hasattr(v, 'size'))
  # The table lists the poolings apart, which attention and convolutions may
  # compute in the same pass.
  if isinstance(module, attention.SpatialTemporalAttention):
    shape = args[0].shape[1:]
  elif isinstance(module, layers.Conv3D):
    shape = (*_unpooled(module, args[0]), module.features)
  else:
    shape = y.shape[1:]
  return Layer(module.path, kind, shape, parameters, flops)


def _kind(module, args, y):
  """The description of a layer, and its FLOPs."""
  x = args[0]
  size = math.prod(x.shape[1:])
  match module:
    case layers.Conv3D():
      return _convolution(module, x)
    case layers.Dense():
      rows = sum(part.shape[-1] for part in args)
      return 'dense', 2 * rows * module.features + module.features
    case nn.Dense():
      # Of any network: over each place of an input with positions.
      return 'dense', math.prod(y.shape[1:]) * (2 * x.shape[-1] + 1)
    case motion_heads.Heads():
      count = module.variables['params']['bias'].size
      return 'answers', count * (2 * x.shape[-1] + 1)
    case layers.Normalisation():
      none = module.kind == 'none'
      return ('', 0) if none else (f'{module.kind} norm', 5 * size)
    case attention.ChannelAttention():
      return 'CAM, eq. 1', 3 * size
    case attention.SpatialTemporalAttention():
      return 'STAM, eq. 2', 3 * size
    case residual.MicroAttentionUnit():
      return 'x + F(x) (1 + A)', 3 * math.prod(y.shape[1:])
    case encoders.Words():
      return f'words of {module.vocabulary}', 2 * size * module.filters
  attended = module.channel_attention or module.spatial_attention
  if module.depth or attended and module.attention_place == 'pool':
    return '', 0  # listed where it happens
  return f'max-pool {_by(module.in_form(module.pool))}', 0


def _convolution(module, x):
  kernel = math.prod(module.kernel) * x.shape[-1]
  flops = math.prod(_unpooled(module, x)) * module.features * (2 * kernel + 1)
  return f'conv {_by(module.kernel)}', flops


def _unpooled(module, x):
  """Frames, rows and columns after a convolution, before its pooling."""
  if module.padding == 'SAME':
    return x.shape[1:4]
  return tuple(
    n - k + 1 for n, k in zip(x.shape[1:4], module.kernel, strict=True)
  )
