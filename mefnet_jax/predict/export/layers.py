"""Convolution and pooling in a form in which ONNX runtimes are fast.

Frames become channels: a 3D convolution is a 2D one over the frames that its
kernel reaches, with batch and frames of the output as one axis. A pooling is
the 2D one of rows and columns, then the maximum of frames.
"""

from typing import Any

import numpy as np

from mefnet_jax.predict.export import graph as graphs

# Axes of a clip: 0 batch, 1 frames, 2 rows, 3 columns, 4 channels.
_IMAGES = ((0, 1), (4,), (2,), (3,))
_FRAMES = ((0,), (1,), (4,), (2,), (3,))
_STACKED = ((0,), (1, 4), (2,), (3,))
# Runtimes compute filters in groups of 8 or 16; for fewer a matrix product is
# faster.
_FEW = 8


def convolution(
  graph: graphs.Graph, eqn: Any, x: graphs.Value, kernel: graphs.Value
) -> graphs.Value:
  """`ops.primitives.CONVOLUTION`.

  Raises:
    NotImplementedError: the kernel is no constant.
  """
  weights = kernel.constant
  if weights is None:
    raise NotImplementedError('a convolution by a computed kernel')
  kt, kh, kw, channels, filters = weights.shape
  pads = [0, 0, 0, 0]
  if eqn.params['padding'] == 'SAME':
    pads = [(kh - 1) // 2, (kw - 1) // 2, kh // 2, kw // 2]
  shape = eqn.outvars[0].aval.shape
  images = (
    graph.arranged(x, _IMAGES)
    if kt == 1
    else _windows(graph, x, kt, shape[1], channels, eqn.params['padding'])
  )
  weights = weights.transpose(4, 0, 3, 1, 2)
  if kh == kw == 1 and filters < _FEW:
    return _points(graph, images, weights.reshape(filters, -1), shape)
  name = graph.node(
    'Conv',
    images,
    graph.constant(weights.reshape(filters, kt * channels, kh, kw)),
    kernel_shape=[kh, kw],
    pads=pads,
  )
  return graphs.Value(shape, _IMAGES, name)


def plain_convolution(
  graph: graphs.Graph, eqn: Any, x: graphs.Value, kernel: graphs.Value
) -> graphs.Value:
  """`conv_general_dilated`, of Flax's own layers: over any number of axes.

  Raises:
    NotImplementedError: a transposed convolution, or the kernel is no constant.
  """
  options = eqn.params
  low, high = zip(*options['padding'], strict=True)
  if (
    kernel.constant is None
    or {*options['lhs_dilation'], options['batch_group_count']} != {1}
    or min(*low, *high) < 0
  ):
    raise NotImplementedError('a transposed or computed convolution')
  numbers = options['dimension_numbers']
  weights = kernel.constant.transpose(numbers.rhs_spec)
  x = graph.full(x, eqn.invars[0].aval.shape)
  name = graph.node(
    'Conv',
    graph.arranged(x, graphs.singles(numbers.lhs_spec)),
    graph.constant(weights),
    kernel_shape=list(weights.shape[2:]),
    strides=list(options['window_strides']),
    dilations=list(options['rhs_dilation']),
    group=options['feature_group_count'],
    pads=[*low, *high],
  )
  shape = tuple(eqn.outvars[0].aval.shape)
  return graphs.Value(shape, graphs.singles(numbers.out_spec), name)


def _points(graph, images, weights, shape):
  """A 1 x 1 convolution as a product."""
  rows, columns = shape[2:4]
  flat = graph.reshaped(images, [-1, weights.shape[1], rows * columns])
  name = graph.node('MatMul', graph.constant(weights), flat)
  name = graph.reshaped(name, [-1, len(weights), rows, columns])
  return graphs.Value(shape, _IMAGES, name)


def _windows(graph, x, kt, outputs, channels, padding):
  """The kt frames of each output frame as channels: (B * t, kt * C, H, W)."""
  rows, columns = x.shape[2:4]
  image = [-1, kt * channels, rows, columns]
  frames = x.shape[1]
  if frames == kt and outputs == 1:
    return graph.arranged(x, _STACKED)
  name = graph.arranged(x, _FRAMES)
  if padding == 'SAME':
    before, after = (kt - 1) // 2, kt // 2
    pads = graph.whole_numbers(0, before, 0, 0, 0, 0, after, 0, 0, 0)
    name = graph.node('Pad', name, pads)
    frames += kt - 1
  if outputs <= kt:  # one slice for each output
    name = graph.reshaped(name, [-1, frames * channels, rows, columns])
    parts = [
      cut(graph, name, 1, i * channels, (i + kt) * channels)
      for i in range(outputs)
    ]
    return graph.reshaped(graph.node('Concat', *parts, axis=1), image)
  parts = [cut(graph, name, 1, i, i + outputs) for i in range(kt)]
  return graph.reshaped(graph.node('Concat', *parts, axis=2), image)


def cut(
  graph: graphs.Graph,
  name: str,
  axis: int,
  start: int,
  stop: int,
  step: int = 1,
) -> str:
  """Part of an array along one axis of the graph."""
  bounds = [graph.whole_numbers(n) for n in (start, stop, axis, step)]
  return graph.node('Slice', name, *bounds)


def pooling(graph: graphs.Graph, eqn: Any, x: graphs.Value) -> graphs.Value:
  """`ops.primitives.POOLING`."""
  frames, *window = eqn.params['window']
  shape = eqn.outvars[0].aval.shape
  name = graph.arranged(x, _IMAGES)
  # Rows and columns first: runtimes pool a convolution's result in place, which
  # leaves little for the maximum of frames.
  if window != [1, 1]:
    name = graph.node('MaxPool', name, kernel_shape=window, strides=window)
  if frames > 1:
    rows, columns = shape[2:4]
    name = graph.reshaped(name, [-1, x.shape[1], shape[4], rows, columns])
    end = shape[1] * frames
    parts = [cut(graph, name, 1, i, end, frames) for i in range(frames)]
    name = graph.node('Max', *parts)
    name = graph.reshaped(name, [-1, shape[4], rows, columns])
  return graphs.Value(shape, _IMAGES, name)


def window_maximum(
  graph: graphs.Graph, eqn: Any, x: graphs.Value
) -> graphs.Value:
  """`reduce_window_max` over maps (..., H, W, C) or (B, T, H, W, C)."""
  return _window(graph, eqn, x, 'MaxPool')


def window_sum(graph: graphs.Graph, eqn: Any, x: graphs.Value) -> graphs.Value:
  """`reduce_window_sum`, as a mean times the count."""
  mean = _window(graph, eqn, x, 'AveragePool', count_include_pad=1)
  count = np.prod(eqn.params['window_dimensions'], dtype=np.float32)
  return graphs.elementwise(graph, 'Mul', mean, graphs.known(count))


def _window(graph, eqn, x, kind, **attributes):
  rank = len(eqn.outvars[0].aval.shape)
  options = [
    eqn.params[name]
    for name in ('window_dimensions', 'window_strides', 'padding')
  ]
  places = tuple(range(max(rank - 3, 0), rank - 1))
  if rank == 5 and options[0][1] != 1:  # over frames as well
    places = (1, *places)
  dilated = {*eqn.params['base_dilation'], *eqn.params['window_dilation']}
  others = [axis for axis in range(rank) if axis not in places]
  if dilated != {1} or any(
    tuple(option[axis] for option in options) != (1, 1, (0, 0))
    for axis in others
  ):
    raise NotImplementedError('a window over other axes')
  x = graph.full(x, eqn.invars[0].aval.shape)
  layout = (tuple(others[:-1]), (rank - 1,), *graphs.singles(places))
  window, strides, padding = ([o[axis] for axis in places] for o in options)
  name = graph.node(
    kind,
    graph.arranged(x, layout),
    kernel_shape=list(window),
    strides=list(strides),
    pads=[side[0] for side in padding] + [side[1] for side in padding],
    **attributes,
  )
  return graphs.Value(tuple(eqn.outvars[0].aval.shape), layout, name)
